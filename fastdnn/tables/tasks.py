"""Tells scikit-learn's callbacks how the training of an ensemble goes."""

import math
from typing import Any, NoReturn

from fastdnn.callbacks.epoch_callback import Epoch
from fastdnn.tables.control import Progress


class Tasks:
    """A task of scikit-learn's callbacks for the fit, and a subtask for each `Progress`.

    Parameters
    ----------
    model : BaseTabularDNN
        With callbacks; what trains.
    X, y, sample_weight : array-like
        What the user gave.
    """

    def __init__(self, model: Any, X: Any, y: Any, sample_weight: Any) -> None:
        self._model, self._n_told, self._seconds = model, 0, 0.0
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._told = {"estimator": model, "X": X, "y": y, "metadata": metadata}
        # How many there will be is known when the table is encoded and the pilot has decided.
        self._of_fit = model._init_callback_context(max_subtasks=None)
        self._of_fit.call_on_fit_task_begin(**self._told)

    def report(self, progress: Progress) -> bool:
        """Tell callbacks; return whether one wants training to end."""
        self._n_told += 1
        numbers = {
            "epoch": self._n_told,
            "loss": progress.loss,
            "seconds": progress.seconds - self._seconds,
            "validation_loss": _number(progress.validation_loss),
            "validation_score": _number(progress.validation_score),
        }
        self._seconds = progress.seconds
        context = self._of_fit.subcontext(task_name=progress.stage)
        context.call_on_fit_task_begin(**self._told)
        context.epoch = Epoch(numbers, _no_estimator)
        try:
            return bool(context.call_on_fit_task_end(**self._told))
        finally:
            del context.epoch  # contexts are kept as long as the outermost fit

    def end_fit(self) -> None:
        """Tell callbacks that the model is fitted."""
        self._of_fit.call_on_fit_task_end(**self._told, reconstruction_attributes={})


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _no_estimator() -> NoReturn:
    raise ValueError(
        "There is no fitted table estimator before the networks are trained and weighed. Use "
        "it at the end of the fit."
    )
