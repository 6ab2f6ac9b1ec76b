"""What tests of callbacks share: samples, small networks, and callbacks that record."""

import numpy as np
import pytest

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.callbacks import EpochCallback
from fastdnn.callbacks.support import HAS_CALLBACKS

needs_callbacks = pytest.mark.skipif(
    not HAS_CALLBACKS, reason="scikit-learn has callbacks from 1.9 on"
)

X = np.random.default_rng(0).standard_normal((90, 4))
LABELS = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
TARGETS = X[:, 0] - X[:, 1] ** 2
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0, "batch_size": 30}


def classifier(**options):
    return DNNClassifier(**SMALL | options)


def regressor(**options):
    return DNNRegressor(**SMALL | options)


class Recording(EpochCallback):
    """Keeps what it is told; stops after some epochs, or raises."""

    def __init__(self, stop_after=None, raise_at=None):
        self.stop_after, self.raise_at = stop_after, raise_at
        self.epochs, self.ended, self.begun = [], [], 0

    def _maybe_raise(self, where):
        if self.raise_at == where:
            raise RuntimeError(f"raised at {where}")

    def begin_fit(self, estimator, context):
        self.begun += 1
        self._maybe_raise("begin_fit")
        return []

    def end_epoch(self, estimator, epoch, run):
        self._maybe_raise("end_epoch")
        run.append(epoch.numbers)
        self.epochs.append(epoch.numbers)
        return len(run) == self.stop_after

    def end_fit(self, estimator, run, is_complete):
        self.ended.append(is_complete)
        self._maybe_raise("end_fit")


class KeepingFitted(EpochCallback):
    """Keeps an estimator after each epoch, by the way of scikit-learn and by ours."""

    def __init__(self):
        self.begun, self.ended, self.own = [], [], []

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        self.begun.append(fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.ended.append(fitted_estimator)
        return super().on_fit_task_end(estimator, context)

    def end_epoch(self, estimator, epoch, run):
        self.own.append(epoch.fitted_estimator())
