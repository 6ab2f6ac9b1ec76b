"""`OptunaPruning`: tells a trial of Optuna of each epoch, and ends it where it is pruned."""

import importlib
import math
from typing import Any

from fastdnn.callbacks.epoch_callback import Epoch, EpochCallback


class OptunaPruning(EpochCallback):
    """Reports a number of each epoch to a trial, and ends training where Optuna prunes it.

    It needs Optuna: ``pip install "fastdnn[optuna]"``. Inside of the objective that a study
    optimises, `fit` then raises `optuna.TrialPruned`, which the study takes for what it is.
    A trial is one fit: where an objective has several, such as one for each fold, set it on
    the first one.

    Parameters
    ----------
    trial : optuna.Trial
        That the objective was given.
    monitor : str, default='validation_score'
        Column of ``history_`` to report: 'loss', 'validation_loss', 'validation_score' or one
        of those that ``scoring`` adds. Those of validation are there with ``X_val`` or with
        early stopping.

    Examples
    --------
    >>> from fastdnn import DNNClassifier
    >>> from fastdnn.callbacks import OptunaPruning
    >>> def objective(trial):
    ...     rate = trial.suggest_float("learning_rate_init", 1e-4, 1e-1, log=True)
    ...     model = DNNClassifier(learning_rate_init=rate, early_stopping=True)
    ...     model.set_callbacks(OptunaPruning(trial)).fit(X, y)
    ...     return model.best_validation_score_
    """

    def __init__(self, trial: Any, monitor: str = "validation_score") -> None:
        _optuna()
        self.trial, self.monitor = trial, monitor

    def end_epoch(self, estimator: Any, epoch: Epoch, run: Any) -> None:
        """Report an epoch.

        Raises
        ------
        optuna.TrialPruned
            If the trial is pruned.
        ValueError
            If there is no such number.
        """
        numbers = epoch.numbers
        value, step = numbers.get(self.monitor, math.nan), int(numbers["epoch"])
        if math.isnan(value):
            known = [name for name, v in numbers.items() if not math.isnan(v)]
            raise ValueError(
                f"monitor={self.monitor!r} was not recorded in epoch {step}; there are "
                f"{known}. Name one of them, or fit with X_val and y_val, or with "
                "early_stopping=True."
            )
        self.trial.report(value, step)
        if self.trial.should_prune():
            raise _optuna().TrialPruned(f"Pruned after epoch {step}.")


def _optuna() -> Any:
    try:
        return importlib.import_module("optuna")
    except ImportError:
        raise ImportError(
            'OptunaPruning needs optuna. Install it: pip install "fastdnn[optuna]"'
        ) from None
