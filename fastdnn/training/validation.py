"""What the network is worth on rows that it is not trained on, after every epoch."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.network.parameters import Parameters
from fastdnn.prediction.predictor import Predictor
from fastdnn.training.held_out import hold_out
from fastdnn.training.objective import Objective, log_loss_cap
from fastdnn.training.options import Options
from fastdnn.training.state import TrainingState
from fastdnn.training.validation_loss import outputs_and_loss

#: ``score_by(default, loss)`` returns the score that decides, and others by their names.
ScoreBy = Callable[[float, float], tuple[float, dict[str, float]]]


class Evaluation(NamedTuple):
    """What validation tells of the parameters of one moment."""

    loss: float
    """Mean loss without penalty."""
    score: float
    """What early stopping is decided by; NaN where an output is not finite."""
    others: dict[str, float]
    """Other scores, by their names."""

    def columns(self) -> dict[str, float]:
        """Return all of it by the names that a `History` has for it."""
        others = {f"validation_{name}": value for name, value in self.others.items()}
        return {"validation_loss": self.loss, "validation_score": self.score} | others


class Validation:
    """Evaluates parameters on rows that are held out, or were given for that.

    Parameters
    ----------
    objective : Objective
        With those rows as its samples.
    parameters : Parameters
        The current values count.
    n_threads : int or None
        Threads that the user allows.
    """

    def __init__(
        self, objective: Objective, parameters: Parameters, n_threads: int | None
    ) -> None:
        samples = objective.samples
        self._objective, self._n_threads = objective, n_threads
        self._rows = samples.to_predict()
        self._Y, self._weight = _selected(samples.Y, samples), None
        if samples.weight is not None:
            self._weight = _selected(samples.weight, samples)
        self._in_double = None if self._weight is None else self._weight.astype(np.float64)
        self._predictor = Predictor(parameters, objective.network)
        self._cap = log_loss_cap(parameters.theta.dtype)
        self._score_by: ScoreBy | None = None
        if objective.score_by is not None:
            self._score_by = objective.score_by(parameters, samples)

    def __call__(self) -> Evaluation:
        """Evaluate the parameters as they are now."""
        network = self._objective.network
        Z = self._predictor(self._rows, self._n_threads, "logits")
        is_finite = bool(np.isfinite(Z).all())
        with np.errstate(over="ignore", invalid="ignore"):
            A, loss = outputs_and_loss(network, Z, self._Y, self._in_double, self._cap)
        if not np.isfinite(A).all():
            return Evaluation(loss, np.nan, {})
        score = self._objective.score(A, self._Y, self._weight)
        others: dict[str, float] = {}
        if self._score_by is not None:
            if not is_finite:  # which scorers would refuse
                return Evaluation(loss, np.nan, {})
            score, others = self._score_by(score, loss)
        return Evaluation(loss, score, others)


def validation_of(
    objective: Objective, options: Options, state: TrainingState, parameters: Parameters
) -> tuple[Objective, Validation | None]:
    """Return the objective on the rows to train on, and the validation of a fit, if any.

    What is validated are `parameters`: those of the state, or their average.

    Raises
    ------
    ValueError
        If fewer than two rows would be held out.
    ZeroDivisionError
        If all of them have a weight of zero.
    """
    if objective.validation is not None:
        validating = objective.on(objective.validation)
    elif options.early_stopping:
        samples = objective.samples
        rows, held_out = hold_out(objective, options, state)
        validating = objective.on(samples.at(held_out))
        objective = objective.on(samples.at(rows))
    else:
        return objective, None
    return objective, Validation(validating, parameters, options.n_threads)


def _selected(array: np.ndarray, samples: Samples) -> np.ndarray:
    return array if samples.rows is None else array[samples.rows]
