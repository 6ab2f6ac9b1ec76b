"""`MLflow`: logs parameters and what is recorded of epochs to a run of MLflow."""

import importlib
import math
import time
from typing import Any

from fastdnn.callbacks.epoch_callback import Epoch, EpochCallback

# Numbers are sent this often, all that there are by then at once; and so many at most.
_SECONDS_BETWEEN, _MOST_AT_ONCE = 1.0, 900
# MLflow takes so many parameters at once, and no longer values.
_PARAMS_AT_ONCE, _LONGEST_VALUE = 100, 500


class MLflow(EpochCallback):
    """Logs the parameters, and each column of ``history_`` as a metric over the epochs.

    It needs MLflow: ``pip install "fastdnn[mlflow]"``. Each fit is a run of its own. Where a
    run is active, it is a child of that: so the fits of a search are together. Otherwise it is
    in the experiment that was active when this was made. A fit that raises something is a run
    that has failed.

    Parameters
    ----------
    run_name : str, default=None
        Name of the runs; None for that of the class.

    Examples
    --------
    >>> from fastdnn import DNNClassifier
    >>> from fastdnn.callbacks import MLflow
    >>> model = DNNClassifier().set_callbacks(MLflow())  # doctest: +SKIP
    """

    def __init__(self, run_name: str | None = None) -> None:
        mlflow = _mlflow()
        # Other processes and threads have no active run or experiment; so they are told.
        self.run_name, self._uri = run_name, mlflow.get_tracking_uri()
        self._active = _active_run() or (mlflow.tracking.fluent._get_experiment_id(), None)

    def begin_fit(self, estimator: Any, context: Any) -> "_Run":
        """Begin a run, and log the parameters."""
        name = self.run_name or type(estimator).__name__
        params = estimator.get_params(deep=False)
        experiment, parent = _active_run() or self._active
        return _Run(self._uri, experiment, parent, name, params)

    def end_epoch(self, estimator: Any, epoch: Epoch, run: "_Run") -> None:
        """Log the numbers of an epoch."""
        run.add(epoch.numbers)

    def end_fit(self, estimator: Any, run: "_Run", is_complete: bool) -> None:
        """End the run."""
        run.end("FINISHED" if is_complete else "FAILED")


class _Run:
    """A run of one fit, by MLflow's client: several may be open, in several threads."""

    def __init__(
        self, uri: str, experiment: str, parent: str | None, name: str, params: dict
    ) -> None:
        self._entities = _mlflow().entities
        self._client = _mlflow().MlflowClient(uri)
        tags = {} if parent is None else {"mlflow.parentRunId": parent}
        run = self._client.create_run(experiment, tags=tags, run_name=name)
        self.run_id = run.info.run_id
        entries = [
            self._entities.Param(name, repr(value)[:_LONGEST_VALUE])
            for name, value in params.items()
        ]
        for first in range(0, len(entries), _PARAMS_AT_ONCE):
            part = entries[first : first + _PARAMS_AT_ONCE]
            self._client.log_batch(self.run_id, params=part)
        self._waiting: list[Any] = []
        self._sent = time.monotonic()

    def add(self, numbers: dict[str, float]) -> None:
        """Log numbers, soon."""
        now, step = round(time.time() * 1000), int(numbers["epoch"])
        self._waiting += [
            self._entities.Metric(name, float(value), now, step)
            for name, value in numbers.items()
            if name != "epoch" and math.isfinite(value)
        ]
        is_time = time.monotonic() - self._sent >= _SECONDS_BETWEEN
        if is_time or len(self._waiting) >= _MOST_AT_ONCE:
            self._send()

    def _send(self) -> None:
        if self._waiting:
            self._client.log_batch(self.run_id, metrics=self._waiting)
        self._waiting, self._sent = [], time.monotonic()

    def end(self, status: str) -> None:
        """Log what is left, and end the run."""
        self._send()
        self._client.set_terminated(self.run_id, status)


def _active_run() -> tuple[str, str] | None:
    """Return the experiment and the id of the run that is active in this thread."""
    active = _mlflow().active_run()
    return None if active is None else (active.info.experiment_id, active.info.run_id)


def _mlflow() -> Any:
    try:
        return importlib.import_module("mlflow")
    except ImportError:
        raise ImportError(
            'MLflow needs mlflow. Install it: pip install "fastdnn[mlflow]"'
        ) from None
