"""Stochastic training: optimisers and their state, stopping rules, schedules, history."""

import decimal
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from fastdnn.data.samples import Samples
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.planning.plan import plan_training
from fastdnn.training.divergence import is_finite, problem_of_epochs, problem_of_memory
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.history import History
from fastdnn.training.order import VisitOrder

_LOG_2 = 0.6931471805599453
# The engine takes smaller numbers for 0, by which Adam would divide where a gradient is 0.
_SMALLEST_EPSILON = {
    np.dtype(dtype): float(np.finfo(dtype).tiny) for dtype in (np.float32, np.float64)
}
# From a warning that is given at the end up to the line that called `fit`.
_FRAMES_TO_USER = 5


@dataclass
class Options:
    """Hyperparameters of stochastic training, named as in the estimators."""

    solver: str
    alpha: float
    batch_size: int
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    tol: float
    verbose: bool | int
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float

    @property
    def rate_follows_samples(self) -> bool:
        """Whether the learning rate falls with the number of samples seen."""
        return self.solver == "sgd" and self.learning_rate == "invscaling"

    @property
    def optimizer(self) -> str:
        """Name of the optimiser in the table of updates."""
        return optimizer_name(self.solver, self.nesterovs_momentum)


def optimizer_name(solver: str, nesterovs_momentum: bool) -> str:
    """Return the row of the table of updates that a solver is."""
    if solver != "sgd":
        return solver
    return "nesterov" if nesterovs_momentum else "momentum"


class Notices(list[Callable[[], object]]):
    """Warnings to give when a fit is complete: a filter may turn one into an error."""

    def warn(self, message: str, category: type[Warning] = UserWarning) -> None:
        """Warn later, at the line that called `fit`."""
        self.append(lambda: warnings.warn(message, category, stacklevel=_FRAMES_TO_USER))


@dataclass
class OptimizerState:
    """What an optimiser carries from one `partial_fit` to the next."""

    optimizer: str
    memory: np.ndarray
    learning_rate: float
    t: int = 0

    def astype(self, dtype: np.typing.DTypeLike) -> "OptimizerState":
        """Return the state converted to `dtype`."""
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


def fit_stochastic(
    parameters: Parameters,
    network: Network,
    samples: Samples,
    options: Options,
    history: History,
    random_state: np.random.RandomState,
    *,
    n_threads: int | None,
    notices: Notices,
    causes: Callable[[Samples], str],
    validation_score: Callable[[], float] | None = None,
    state: OptimizerState | None = None,
    incremental: bool = False,
) -> OptimizerState:
    """Train `parameters` in place by stochastic gradient descent.

    The stopping rules, schedules and messages are those of scikit-learn's multi-layer
    perceptron, and so is the order in which `random_state` is used.

    An interrupt (Ctrl-C) after the first epoch ends training: parameters, state and history
    are those of the steps and epochs so far.

    Parameters
    ----------
    parameters : Parameters
        The network's.
    network : Network
        What it is.
    samples : Samples
        The rows to train on.
    options : Options
        Hyperparameters.
    history : History
        Continued in place.
    random_state : RandomState
        Shuffles the rows.
    n_threads : int or None
        Threads that the user allows; None for as many as pay.
    notices : Notices
        Gets the warnings.
    causes : callable
        Says what may have made training on some samples diverge.
    validation_score : callable, optional
        Scores the current parameters after every epoch, for early stopping.
    state : OptimizerState, optional
        To go on with.
    incremental : bool
        Stop after one epoch, for `partial_fit`.

    Returns
    -------
    OptimizerState

    Raises
    ------
    ValueError
        If training diverges, and no epoch before had a validation score.
    KeyboardInterrupt
        In the first epoch, or in the only one of `partial_fit`: nothing is to be kept.
    """
    if state is not None:
        # What goes on is the optimiser of the state, with the schedule that it has.
        options = replace(options, solver="adam" if state.optimizer == "adam" else "sgd")
    plan = plan_training(
        parameters,
        network,
        options.optimizer if state is None else state.optimizer,
        batch_size=options.batch_size,
        samples=samples,
        gather=options.shuffle or samples.rows is not None,
        n_threads=n_threads,
        state=None if state is None else state.memory,
    )
    plan.set_numbers(
        momentum=options.momentum,
        beta_1=options.beta_1,
        beta_2=options.beta_2,
        epsilon=max(options.epsilon, _SMALLEST_EPSILON[parameters.theta.dtype]),
    )
    plan.table["alpha"] = options.alpha * samples.weight_scale
    plan.table["loss_cap"] = log_loss_cap(parameters)
    if state is None:
        state = OptimizerState(
            options.optimizer, plan.memory.state, float(options.learning_rate_init)
        )
    plan.table["t"] = state.t
    learning_rate, t = plan.columns["learning_rate"], plan.columns["t"]

    order = VisitOrder(samples, random_state if options.shuffle else None, options.max_iter)
    # Otherwise every single epoch is followed by something to decide, to report or to refuse.
    may_run_on = (
        validation_score is None
        and samples.weight is None
        and not (incremental or options.verbose or options.rate_follows_samples)
    )
    history.n_iter = 0
    problem, score = None, 0.0
    # What belongs together after a whole epoch; one assignment, which no interrupt divides.
    consistent = (history.mark(), state.learning_rate)
    with EpochRunner(plan, samples, order.positions) as runner:
        try:
            while history.n_iter < options.max_iter:
                n_epochs = 1
                if may_run_on:
                    to_go = options.max_iter - history.n_iter
                    until_stop = history.epochs_until_stop(options.n_iter_no_change)
                    n_epochs = int(min(runner.epochs_at_once, to_go, until_stop))
                order.prepare(n_epochs)
                learning_rate[0] = state.learning_rate
                losses = runner.run(n_epochs)
                if not all(map(math.isfinite, losses)):
                    visited = order.positions[: samples.n_rows]
                    require_positive_batches(samples, visited, options.batch_size)
                elif validation_score is not None:
                    score = validation_score()
                problem = problem_of_epochs(parameters, losses, score)
                if problem is not None:
                    history.add_divergence(losses[-1], samples.n_rows)
                    break
                state.t = int(t[0])
                for epoch_loss in losses:
                    history.add_epoch(epoch_loss, samples.n_rows)
                    if options.verbose:
                        print(f"Iteration {history.n_iter}, loss = {history.loss:.8f}")
                    if validation_score is None:
                        history.record_loss(options.tol)
                if validation_score is not None:
                    if options.verbose:
                        print(f"Validation score: {score:f}")
                    history.record_score(score, options.tol, parameters.theta)
                if options.rate_follows_samples:
                    decay = _power(history.t + 1, options.power_t)
                    state.learning_rate = float(options.learning_rate_init) / decay
                is_done = _should_stop(options, history, state) or incremental
                consistent = (history.mark(), state.learning_rate)
                if is_done:
                    break
            else:
                notices.warn(
                    f"Stochastic Optimizer: Maximum iterations ({options.max_iter}) "
                    "reached and the optimization hasn't converged yet.",
                    ConvergenceWarning,
                )
        except KeyboardInterrupt:
            mark, state.learning_rate = consistent
            history.go_back_to(mark)
            state.t = int(t[0])  # the engine's last whole step
            if incremental or history.n_iter == 0:
                raise
            notices.warn("Training interrupted by user.")
    where = "" if problem is None else f" It stopped in epoch {history.n_iter}."
    problem = problem or problem_of_memory(parameters, samples, state.optimizer, state.memory)
    if problem is not None:
        if history.best_theta is None:
            raise ValueError(f"{problem} {causes(samples)}")
        notices.warn(
            f"{problem}{where} {causes(samples)} The network with the best validation score, "
            f"{history.best_validation_score:g}, is kept.",
            ConvergenceWarning,
        )
        state.memory[:], state.t = 0.0, 0
        state.learning_rate = float(options.learning_rate_init)
    if history.best_theta is not None:
        parameters.theta[:] = history.best_theta
        history.best_theta = None
    return state


def log_loss_cap(parameters: Parameters) -> float:
    """Return the highest log-loss that scikit-learn reports: of a probability of eps."""
    dtype = parameters.theta.dtype
    return float(dtype.type(np.finfo(dtype).nmant * _LOG_2))


def _power(base: float, exponent: float) -> float:
    """Return a power, rounded once: those of C libraries differ in their last bit."""
    with decimal.localcontext() as context:
        context.prec, context.traps = 25, dict.fromkeys(context.traps, False)
        return float(decimal.Decimal(base) ** decimal.Decimal(float(exponent)))


def require_positive_batches(samples: Samples, order: np.ndarray, batch_size: int) -> None:
    """Raise like scikit-learn where all weights of a batch are zero."""
    if samples.weight is None:
        return
    weight = samples.weight[order] if order.size else samples.weight
    batches = gen_batches(samples.n_rows, batch_size)
    if any(weight[batch].sum() == 0.0 for batch in batches):
        raise ZeroDivisionError(
            "Weights sum to zero, can't be normalized: sample_weight is zero in all of a "
            f"batch of {batch_size}. Leave such samples out or raise batch_size."
        )


def _should_stop(options: Options, history: History, state: OptimizerState) -> bool:
    """Whether too many epochs brought no improvement; may lower the learning rate."""
    if history.no_improvement_count <= options.n_iter_no_change:
        return False
    subject = (
        "Validation score did not improve"
        if history.early_stopping
        else "Training loss did not improve"
    )
    message = (
        f"{subject} more than tol={options.tol:f} for "
        f"{options.n_iter_no_change} consecutive epochs."
    )
    if options.solver != "sgd" or options.learning_rate != "adaptive":
        action, stop = "Stopping.", True
    elif state.learning_rate <= 1e-6:
        action, stop = "Learning rate too small. Stopping.", True
    else:
        state.learning_rate /= 5.0
        history.no_improvement_count = 0
        action, stop = f"Setting learning rate to {state.learning_rate:f}", False
    if options.verbose:
        print(f"{message} {action}")
    return stop
