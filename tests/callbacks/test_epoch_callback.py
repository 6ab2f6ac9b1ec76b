"""The base of callbacks: several fits, processes and threads share one."""

import copy
import pickle
import threading

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn.callbacks import EpochCallback
from tests.callbacks.kinds import (
    LABELS,
    TARGETS,
    Recording,
    X,
    classifier,
    needs_callbacks,
    regressor,
)

pytestmark = [
    needs_callbacks,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def test_one_that_overrides_nothing_changes_nothing():
    model = classifier().set_callbacks(EpochCallback()).fit(X, LABELS)
    assert model.n_iter_ == 4


def test_several_fits_at_a_time_are_told_apart():
    """Two fits, of which each waits for the other's first epoch."""
    barrier = threading.Barrier(2, timeout=60)

    class Waiting(EpochCallback):
        def __init__(self):
            self.runs = []

        def begin_fit(self, estimator, context):
            self.runs.append(run := [])
            return run

        def end_epoch(self, estimator, epoch, run):
            run.append(epoch.numbers["loss"])
            if len(run) == 1:
                barrier.wait()

    callback = Waiting()
    models = [regressor(alpha=alpha).set_callbacks(callback) for alpha in (0.0, 50.0)]
    threads = [threading.Thread(target=model.fit, args=(X, TARGETS)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sorted(model.loss_curve_ for model in models)
    assert sorted(callback.runs) == expected
    assert expected[0] != expected[1]
    assert not callback._runs


def test_one_in_a_pipeline_and_in_a_search():
    recording = Recording()
    pipeline = make_pipeline(StandardScaler(), classifier().set_callbacks(recording))
    cross_val_score(pipeline, X, LABELS, cv=2)
    assert len(recording.epochs) == 2 * 4
    search = GridSearchCV(pipeline, {"dnnclassifier__alpha": [1.0, 2.0]}, cv=2)
    search.fit(X, LABELS)
    assert recording.ended == [True] * (2 + 2 * 2 + 1)


@pytest.mark.needs_jit
def test_other_processes_have_copies():
    recording = Recording(stop_after=2)
    pipeline = make_pipeline(StandardScaler(), classifier().set_callbacks(recording))
    grid = {"dnnclassifier__alpha": [1.0, 2.0]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise", refit=False)
    search.fit(X, LABELS)
    assert not recording.epochs
    refitted = pipeline.set_params(**search.cv_results_["params"][0]).fit(X, LABELS)
    assert refitted[-1].n_iter_ == 2


def test_on_other_estimators_it_sees_no_epochs():
    recording = Recording()
    model = make_pipeline(StandardScaler(), LogisticRegression().set_callbacks(recording))
    model.set_callbacks(other := Recording()).fit(X, LABELS)
    assert not recording.epochs
    assert not other.epochs
    assert recording.ended == other.ended == [True]


class Copying(Recording):
    def end_epoch(self, estimator, epoch, run):
        super().end_epoch(estimator, epoch, run)
        self.copies = [pickle.loads(pickle.dumps(self)), copy.deepcopy(self)]


def test_copies_made_in_a_fit_have_no_part_in_it():
    callback = Copying()
    classifier(max_iter=1).set_callbacks(callback).fit(X, LABELS)
    for copied in callback.copies:
        assert not copied._runs
        assert copied.epochs == callback.epochs


def test_an_epoch_keeps_nothing_alive_after_it():
    kept = []

    class KeepingContext(EpochCallback):
        def on_fit_task_end(self, estimator, context):
            kept.append(context)
            return super().on_fit_task_end(estimator, context)

    classifier().set_callbacks(KeepingContext()).fit(X, LABELS)
    assert len(kept) == 5
    assert not any(hasattr(context, "epoch") for context in kept)


def test_parameters_set_in_a_callback_count_from_the_next_fit_on():
    class Lowering(EpochCallback):
        def end_epoch(self, estimator, epoch, run):
            estimator.set_params(alpha=7.0)

    model = classifier(alpha=1.0).set_callbacks(Lowering())
    plain = classifier(alpha=1.0).fit(X, LABELS)
    model.fit(X, LABELS)
    assert model.alpha == 7.0
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])
