"""`Checkpoint`: writes the model to files while it is trained."""

import math
import os
import time
import warnings
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from fastdnn.callbacks.epoch_callback import Epoch, EpochCallback
from fastdnn.storage.model_file import ModelFileError, require_writable


class Checkpoint(EpochCallback):
    """Saves the model after epochs, as if `fit` had ended then.

    The parameter ``checkpoint`` writes one file to go on from. This one writes several, or the
    best. What it writes `fastdnn.load` reads; with ``warm_start="exact"`` `fit` goes on from
    there as if it had not stopped. Where a file cannot be written a fit goes on, with a
    warning.

    Parameters
    ----------
    path : str or PathLike
        Of the file. It is a format string: ``{epoch}`` and other columns of ``history_`` stand
        for the numbers of the epoch, as in ``"model-{epoch:03d}-{loss:.4f}.safetensors"``, and
        ``{task}`` for the place of the fit in a pipeline or search, such as ``0-1-3``.
    every_epochs : int, default=1
        Save after so many epochs.
    every_seconds : float, default=0.0
        Save when so many seconds have passed as well since the last time.
    monitor : str, default=None
        Of the epochs that are due, save those only that are the best so far by this column
        of ``history_``, such as 'validation_score' or 'loss'. Of columns whose name has "loss"
        in it the lowest is the best, of others the highest.

    Examples
    --------
    >>> from fastdnn.callbacks import Checkpoint
    >>> best = Checkpoint("best.safetensors", monitor="validation_score")
    >>> every_tenth = Checkpoint("model-{epoch:04d}.safetensors", every_epochs=10)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        every_epochs: int = 1,
        every_seconds: float = 0.0,
        monitor: str | None = None,
    ) -> None:
        _require("every_epochs", every_epochs, Integral, 1)
        _require("every_seconds", every_seconds, Real, 0)
        self.path = os.fspath(path)
        self.every_epochs = every_epochs
        self.every_seconds = every_seconds
        self.monitor = monitor

    def begin_fit(self, estimator: Any, context: Any) -> "_Saving":
        """Look whether the folder is there."""
        return _Saving(self, estimator, _task_of(context))

    def end_epoch(self, estimator: Any, epoch: Epoch, run: "_Saving") -> None:
        """Save the model, if that is due."""
        if run.is_due(epoch.numbers):
            run.save(epoch)


class _Saving:
    """When one fit is saved, and where."""

    def __init__(self, callback: Checkpoint, estimator: Any, task: str) -> None:
        self._callback, self._task = callback, task
        self._best, self._n_epochs, self._saved = -math.inf, 0, -math.inf
        folder = Path(callback.path).parent
        if "{" not in str(folder):
            # Any name will do: that of the file is known after an epoch.
            require_writable(estimator, folder / "model")

    def is_due(self, numbers: dict[str, float]) -> bool:
        """Whether an epoch with these numbers is to be saved."""
        self._n_epochs += 1
        callback = self._callback
        if self._n_epochs % callback.every_epochs != 0:
            return False
        if _seconds() - self._saved < callback.every_seconds:
            return False
        return callback.monitor is None or self._is_best(callback.monitor, numbers)

    def _is_best(self, monitor: str, numbers: dict[str, float]) -> bool:
        if monitor not in numbers:
            raise ValueError(
                f"monitor={monitor!r} is not recorded by this fit, which has "
                f"{list(numbers)}. Give fit samples to validate on, or use one of these."
            )
        value = numbers[monitor] * (-1.0 if "loss" in monitor else 1.0)
        is_best = value > self._best
        self._best = value if is_best else self._best
        return is_best

    def save(self, epoch: Epoch) -> None:
        """Save the model as of an epoch."""
        known = {"task": self._task} | epoch.numbers
        try:
            path = self._callback.path.format(**known)
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"path={self._callback.path!r} is no format string of {list(known)}: {error}. "
                "Write {{ and }} for braces."
            ) from None
        try:
            epoch.fitted_estimator().save(path)
        except ModelFileError as error:
            warnings.warn(f"A checkpoint was not written. {error}", stacklevel=2)
        self._saved = _seconds()


def _require(name: str, value: Any, kind: Any, least: int) -> None:
    if not isinstance(value, kind) or isinstance(value, bool) or not value >= least:
        noun = "an integer" if kind is Integral else "a number"
        raise ValueError(f"{name}={value!r} must be {noun} of at least {least}.")


def _seconds() -> float:
    return time.monotonic()


def _task_of(context: Any) -> str:
    """Return the place of a fit among the tasks around it, such as '0-1-3'."""
    ids = []
    while context is not None:
        ids.append(str(context.task_id))
        context = context.parent
    return "-".join(reversed(ids))
