"""Averages of the parameters over training, which a fit leaves in their place.

Training itself goes on from the parameters of the last step. A moving average is brought up to
date by the engine after each step, the mean over the last epochs after each of them.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fastdnn.network.parameters import Parameters
from fastdnn.training.options import Options, horizon_of

if TYPE_CHECKING:
    from fastdnn.training.state import TrainingState


@dataclass(eq=False)
class Average:
    """An average of parameters, and what training goes on from.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
        The average: of all steps so far in the precision of training, or of epochs, and then
        in float64.
    n_epochs : int or None
        How many epochs were averaged; None if it is the moving average.
    last : ndarray of shape (n_parameters,) or None
        The parameters after the last step, where the network's are the average.
    """

    theta: np.ndarray
    n_epochs: int | None = None
    last: np.ndarray | None = None

    def astype(self, dtype: np.typing.DTypeLike) -> "Average":
        """Return a copy for parameters of another precision."""
        theta = self.theta.astype(dtype if self.n_epochs is None else np.float64)
        return replace(
            self, theta=theta, last=None if self.last is None else self.last.astype(dtype)
        )

    def with_epoch(self, theta: np.ndarray) -> "Average":
        """Return the mean of one more epoch; this one stays, for what may be undone."""
        n_epochs = int(self.n_epochs or 0) + 1
        return Average(self.theta + (theta - self.theta) / n_epochs, n_epochs)

    def is_of(self, parameters: Parameters) -> bool:
        """Whether the parameters are still those that a fit left: users may change them."""
        theta = parameters.theta
        if self.last is None or not self.theta.shape == self.last.shape == theta.shape:
            return False
        return np.array_equal(self.theta.astype(theta.dtype), theta)


class Averaging:
    """What is averaged in one fit.

    Parameters
    ----------
    options : Options
        Hyperparameters: `ema_decay` and `swa_start`, of which one may be given.
    state : TrainingState
        Whose average goes on, or begins.

    Attributes
    ----------
    scored : Parameters
        What scores are to be of: the parameters of the state, or their average as `update`
        left it.
    """

    def __init__(self, options: Options, state: "TrainingState") -> None:
        self._state, self._start = state, options.swa_start
        self._horizon = horizon_of(options)
        kept, parameters = state.average, state.parameters
        is_moving = options.ema_decay is not None
        if not is_moving and options.swa_start is None:
            state.average, self.scored = None, parameters
            return
        if kept is None or is_moving != (kept.n_epochs is None):
            theta = parameters.theta
            kept = Average(theta.copy()) if is_moving else _of_no_epoch(theta)
        state.average = kept
        of_average = kept.theta if is_moving else parameters.theta.copy()
        self.scored = parameters.with_theta(of_average)
        self.update(None)

    @property
    def moving(self) -> np.ndarray | None:
        """The moving average that the engine brings up to date."""
        average = self._state.average
        is_moving = average is not None and average.n_epochs is None
        return average.theta if average is not None and is_moving else None

    def epochs_at_once(self, fraction: float) -> float:
        """Return how many epochs may follow each other before `update` is called.

        Parameters
        ----------
        fraction : float
            Of training that is done.
        """
        if self._start is None:
            return np.inf
        return max(1.0, (self._start - fraction) * self._horizon)

    def update(self, fraction: float | None) -> None:
        """Take in the parameters after an epoch; `fraction` of training is done."""
        average = self._state.average
        if average is None or average.n_epochs is None:
            return
        theta = self._state.parameters.theta
        if fraction is not None and fraction > self._start:
            average = self._state.average = average.with_epoch(theta)
        self.scored.theta[:] = average.theta if average.n_epochs else theta


def _of_no_epoch(theta: np.ndarray) -> Average:
    return Average(np.zeros(theta.shape), 0)
