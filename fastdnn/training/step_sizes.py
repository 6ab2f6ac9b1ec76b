"""The learning rates of the steps of one fit, which the engine is told ahead."""

import numpy as np

from fastdnn.training.options import Options, horizon_of
from fastdnn.training.schedules import Schedule, Steps, factors_of, has_factors
from fastdnn.training.state import OptimizerState


class StepSizes:
    """What the rate of each step is: that of the optimiser's state, times a factor.

    Parameters
    ----------
    schedule : Schedule
        Has the factors.
    options : Options
        Hyperparameters.
    optimizer : OptimizerState
        Its rate is read anew every time; its steps are counted over all fits that go on from
        each other.
    batches_per_epoch : int
        The fraction of training that is done are the steps before, of ``max_iter`` epochs of
        so many steps.
    """

    def __init__(
        self,
        schedule: Schedule,
        options: Options,
        optimizer: OptimizerState,
        batches_per_epoch: int,
    ) -> None:
        self._schedule, self._options, self._optimizer = schedule, options, optimizer
        self._batches_per_epoch = batches_per_epoch
        self._total = horizon_of(options) * batches_per_epoch
        #: Whether steps have rates of their own.
        self.differ = has_factors(schedule, options)

    def fraction(self, t: int) -> float:
        """Return what is done of training after `t` steps; it may be more than 1."""
        return t / self._total

    def rates(self, t: int, n_steps: int) -> np.ndarray:
        """Return the rates of so many steps after the first `t`."""
        return self._rates(np.arange(t, t + n_steps))

    def at_ends_of_epochs(self, t: int, n_epochs: int) -> list[float]:
        """Return the rate of the last step of each of the epochs before step `t`."""
        if not self.differ:
            return [self._optimizer.learning_rate] * n_epochs
        return self._rates(
            t - 1 - self._batches_per_epoch * np.arange(n_epochs)[::-1]
        ).tolist()

    def _rates(self, before: np.ndarray) -> np.ndarray:
        factors = factors_of(self._schedule, self._options, Steps(before, self._total))
        return self._optimizer.learning_rate * factors
