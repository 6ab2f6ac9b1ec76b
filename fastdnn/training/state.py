"""What training carries from one call to the next: one owner of all of it."""

import copy
import math
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.training.averages import Average
from fastdnn.training.divergence import is_finite
from fastdnn.training.history import History


def optimizer_name(solver: str, nesterovs_momentum: bool) -> str:
    """Return the row of the table of optimisers that a solver is."""
    if solver != "sgd":
        return solver
    return "nesterov" if nesterovs_momentum else "momentum"


@dataclass(eq=False)
class OptimizerState:
    """What an optimiser has come to.

    Attributes
    ----------
    optimizer : str
        A name in `fastdnn.ops.optimizers.OPTIMIZERS`.
    memory : ndarray of shape (n_slots * n_parameters,)
        What it remembers of the gradients.
    learning_rate : float
        Of the next step.
    t : int
        Steps taken.
    """

    optimizer: str
    memory: np.ndarray
    learning_rate: float
    t: int = 0

    def __eq__(self, other: object) -> bool:
        return _are_equal(self, other)

    def astype(self, dtype: np.typing.DTypeLike) -> "OptimizerState":
        """Return a copy in another precision."""
        return replace(self, memory=self.memory.astype(dtype))

    def narrowed(self) -> "OptimizerState":
        """Return the state in float32, or itself where it is beyond that.

        Then the fits that go on from it are beyond float32 as well.
        """
        with np.errstate(over="ignore"):
            narrow = self.astype(np.float32)
        return narrow if is_finite(narrow.memory) else self

    def beside(self, dtype: np.typing.DTypeLike) -> "OptimizerState":
        """Return a copy for a network of a dtype: float64 stays, others are converted.

        After fits beyond the range of float32 the memory is float64 and the network float32.
        """
        return self.astype(np.float64 if self.memory.dtype == np.float64 else dtype)

    def begin_anew(self, learning_rate: float) -> None:
        """Forget all gradients."""
        self.memory[:], self.t, self.learning_rate = 0.0, 0, learning_rate

    def fits(self, parameters: Parameters) -> bool:
        """Whether it is of so many parameters: networks can be exchanged for others."""
        size = OPTIMIZERS[self.optimizer].n_slots * parameters.theta.size
        return isinstance(self.memory, np.ndarray) and self.memory.shape == (size,)

    def problem(self) -> str | None:
        """Return what no optimiser can have come to, or None; the memory is not looked at."""
        if self.optimizer not in OPTIMIZERS:
            return f"optimizer={self.optimizer!r} must be one of {list(OPTIMIZERS)}."
        rate = self.learning_rate
        if not isinstance(rate, Real) or not math.isfinite(rate) or rate < 0:
            return f"learning_rate={rate!r} must be a number >= 0."
        if not isinstance(self.t, Integral) or isinstance(self.t, bool) or self.t < 0:
            return f"t={self.t!r} must be an integer >= 0."
        return None


@dataclass(eq=False)
class TrainingState:
    """All that training goes on from; `copy.deepcopy` gives one that goes on by itself.

    Most fits of the estimators keep no random state and no order: as scikit-learn's, each
    draws anew. With both, training goes on as if it had not stopped.

    Attributes
    ----------
    parameters : Parameters
        The weights and biases.
    history : History
        What was recorded, and how many epochs brought no improvement.
    optimizer : OptimizerState or None
        None before the first step, and of solvers that begin anew.
    best_theta : ndarray or None
        The parameters of the best validation score, with early stopping.
    average : Average or None
        Of the parameters, where a fit leaves one in their place.
    seed : int or None
        Of what steps draw at random, dropout and noise; None for a network without.
    random_state : RandomState or None
        Shuffles the rows; the caller's own, which draws for others, too.
    order : ndarray of int64 or None
        The rows of X in the order of the last epoch, from which the next one is shuffled;
        None before the first.
    held_out : ndarray of int64 or None
        The rows of X that are held out for early stopping; None for those that are not in
        the order.
    n_rows : int
        Of the X whose rows the order has; 0 without one.
    rows_done : int
        Of an epoch that was left, in that order; 0 between two epochs.
    loss_sum : float
        The losses of these rows' batches, each times its rows.
    """

    parameters: Parameters
    history: History = field(default_factory=History)
    optimizer: OptimizerState | None = None
    best_theta: np.ndarray | None = None
    average: Average | None = None
    seed: int | None = None
    random_state: np.random.RandomState | None = None
    order: np.ndarray | None = None
    held_out: np.ndarray | None = None
    n_rows: int = 0
    rows_done: int = 0
    loss_sum: float = 0.0

    def __eq__(self, other: object) -> bool:
        return _are_equal(self, other)

    @property
    def dtype(self) -> np.dtype:
        """Precision of the parameters."""
        return self.parameters.theta.dtype

    def astype(self, dtype: np.typing.DTypeLike) -> "TrainingState":
        """Return the state in another precision, with the same history and random state."""
        return replace(
            self,
            parameters=self.parameters.astype(dtype),
            optimizer=None if self.optimizer is None else self.optimizer.astype(dtype),
            best_theta=None if self.best_theta is None else self.best_theta.astype(dtype),
            average=None if self.average is None else self.average.astype(dtype),
        )

    def mark(self) -> tuple:
        """Return what `go_back_to` needs to undo what is recorded later."""
        rate = None if self.optimizer is None else self.optimizer.learning_rate
        return self.history.mark(), rate, self.best_theta, self.average

    def go_back_to(self, mark: tuple) -> None:
        """Undo what was recorded since `mark` was made, be it only in part."""
        of_history, rate, self.best_theta, self.average = mark
        self.history.go_back_to(of_history)
        if self.optimizer is not None:
            self.optimizer.learning_rate = rate

    def copy_to_resume(self) -> "TrainingState":
        """Return a state that stays as this one is now, to go on from as if never stopped.

        What nobody changes in place once training is over is shared.
        """
        return replace(
            self,
            parameters=self.parameters.astype(self.dtype),
            history=self.history.copy(),
            average=None if self.average is None else replace(self.average),
            random_state=copy.deepcopy(self.random_state),
        )

    def copy(self) -> "TrainingState":
        """Return a state that stays as this one is now, whatever becomes of this one."""
        state, optimizer, average = self.copy_to_resume(), self.optimizer, self.average
        if optimizer is not None:
            optimizer = replace(optimizer, memory=optimizer.memory.copy())
        if average is not None:
            average = replace(average, theta=average.theta.copy())
        return replace(state, optimizer=optimizer, average=average)

    def without_order(self) -> "TrainingState":
        """Return it without what only the fit that it comes from goes on with."""
        return replace(self.between_epochs(), random_state=None)

    def between_epochs(self) -> "TrainingState":
        """Return it without the order of rows: to go on with others."""
        return replace(self, order=None, held_out=None, n_rows=0, rows_done=0, loss_sum=0.0)

    @property
    def is_untrained(self) -> bool:
        """Whether no step was taken yet."""
        return self.optimizer is None and self.history.n_iter == 0

    def take_best(self) -> None:
        """Let the parameters be those of the best validation score, where there was one."""
        if self.best_theta is not None:
            self.parameters.theta[:] = self.best_theta
            self.best_theta = self.average = None  # it may be the best one's average

    def take_average(self) -> None:
        """Let the parameters be their average, where there is one; training keeps the last."""
        average = self.average
        if average is not None and average.last is None and average.n_epochs != 0:
            average.last = self.parameters.theta.copy()
            self.parameters.theta[:] = average.theta

    def parameters_to_go_on_from(self) -> tuple[np.ndarray, Average | None]:
        """Return copies of what training goes on from, and of the average that goes on.

        They are the parameters of the last step, unless others were put in the place of the
        average since; then that begins anew.
        """
        average, theta = self.average, self.parameters.theta
        if average is None or not average.is_of(self.parameters):
            return theta.copy(), None
        last: Any = average.last
        return last.copy(), replace(average, theta=average.theta.copy(), last=None)


def _are_equal(one: Any, other: Any) -> bool:
    """Whether two states, or parts of them, are of the same types and bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, OptimizerState | TrainingState | Average):
        return all(
            _are_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
        )
    if isinstance(one, Parameters):
        return one.structure == other.structure and _are_equal(one.theta, other.theta)
    if isinstance(one, np.random.RandomState):
        mine: Any = one.get_state()
        theirs: Any = other.get_state()
        return mine[0] == theirs[0] and all(map(np.array_equal, mine[1:], theirs[1:]))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    return bool(one == other)
