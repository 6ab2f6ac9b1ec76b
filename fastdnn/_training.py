"""Epochs over the compiled engine: shuffling, stopping rules, schedules and history."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from fastdnn._history import History
from fastdnn._parameters import Parameters
from fastdnn._plan import Plan, plan_training
from fastdnn._random import shuffle_like_numpy
from fastdnn._samples import AS_THEY_LIE, Samples
from fastdnn._threads import Team
from fastdnn.kernels.engine import train
from fastdnn.kernels.workspace import point_to

# The engine is left this often, so that Ctrl-C and progress reports work.
_SECONDS_PER_RUN = 0.08
# Assumed before the first run has been timed.
_FLOPS_PER_SECOND = 1e10

NON_FINITE_MESSAGE = (
    "Solver produced non-finite parameter weights. The input data may contain large "
    "values and need to be preprocessed."
)


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
    loss_scale: float = 1.0

    @property
    def optimizer(self) -> str:
        """Name of the optimiser in the table of updates."""
        return optimizer_name(self.solver, self.nesterovs_momentum)


def optimizer_name(solver: str, nesterovs_momentum: bool) -> str:
    """Return the row of the table of updates that a solver is."""
    if solver != "sgd":
        return solver
    return "nesterov" if nesterovs_momentum else "momentum"


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


class EpochRunner:
    """Runs epochs of one plan, a slice of the work at a time.

    Parameters
    ----------
    plan : Plan
        From `plan_training`.
    samples : Samples
        The rows to train on.
    order : ndarray of int64
        The rows in the order to visit, read anew in every epoch; empty for all rows as
        they lie.
    """

    def __init__(self, plan: Plan, samples: Samples, order: np.ndarray) -> None:
        self._plan, network = plan, plan.network  # kept alive: the table holds addresses
        self._first, self._last = plan.columns["first"], plan.columns["last"]
        self._loss_sum = plan.columns["loss_sum"]
        self._batch_size = int(plan.table["batch_size"][0])
        self._is_total = bool(plan.table["total_weight"][0] > 0.0)
        self._n_rows = samples.n_rows
        self._data = samples.data(order, network.theta.dtype)  # kept alive as well
        point_to(plan.table, self._data)
        address, real = plan.address, network.theta.dtype.type(0)

        def work(worker: int, n_joined: int) -> int:
            return train(address, real, worker, n_joined)

        self._team = Team(plan.columns["n_workers"], network.team, work)
        n_weights = int(plan.table["n_weights"][0])
        weights = network.theta[:n_weights].astype(np.float64)
        # Not a dot product: BLAS would make its rounding depend on BLAS's threads.
        plan.table["weight_squares"] = np.square(weights, out=weights).sum()
        flops = 6.0 * n_weights * self._batch_size
        self._batches_per_run = max(1, int(_FLOPS_PER_SECOND * _SECONDS_PER_RUN / flops))

    def __enter__(self) -> "EpochRunner":
        self._team.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._team.__exit__(*error)

    def run(self) -> float:
        """Train on every row once.

        Returns
        -------
        float
            The mean over the rows of the loss of their batch, each taken before its step;
            with a total weight, the sum of all losses divided by it.
        """
        n_rows = self._n_rows
        self._loss_sum[0] = 0.0
        first = 0
        while first < n_rows:
            batches = full = self._batches_per_run
            if self._team.is_to_compare:
                batches = max(1, full // 4)
            last = min(n_rows, first + batches * self._batch_size)
            self._first[0], self._last[0] = first, last
            start = time.perf_counter()
            self._team.run(-(-(last - first) // self._batch_size))
            seconds = time.perf_counter() - start
            # A run cut short says little; never grow by much from a single timing.
            if last - first == full * self._batch_size:
                growth = min(2.0, _SECONDS_PER_RUN / max(seconds, 1e-9))
                self._batches_per_run = max(1, int(full * growth))
            first = last
        loss = float(self._loss_sum[0])
        return loss if self._is_total else loss / n_rows


def fit_stochastic(
    parameters: Parameters,
    activations: Sequence[str],
    loss: str,
    samples: Samples,
    options: Options,
    history: History,
    random_state: np.random.RandomState,
    *,
    n_threads: int | None,
    validation_score: Callable[[], float] | None = None,
    state: OptimizerState | None = None,
    incremental: bool = False,
) -> OptimizerState:
    """Train `parameters` in place by stochastic gradient descent.

    The stopping rules, schedules and messages are those of scikit-learn's multi-layer
    perceptron, and so is the order in which `random_state` is used.

    Parameters
    ----------
    parameters : Parameters
        The network.
    activations : sequence of str
        The activation of every layer but the input.
    loss : str
        Name of the loss.
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
        If the parameters become infinite or NaN.
    """
    plan = plan_training(
        parameters,
        activations,
        loss,
        options.optimizer if state is None else state.optimizer,
        batch_size=options.batch_size,
        samples=samples,
        gather=options.shuffle or samples.rows is not None,
        n_threads=n_threads,
        state=None if state is None else state.memory,
    )
    for name in ("alpha", "loss_scale", "momentum", "beta_1", "beta_2", "epsilon"):
        plan.table[name] = getattr(options, name)
    plan.table["loss_cap"] = log_loss_cap(parameters)
    if state is None:
        state = OptimizerState(
            options.optimizer, plan.network.state, float(options.learning_rate_init)
        )
    plan.table["t"] = state.t
    learning_rate, t = plan.columns["learning_rate"], plan.columns["t"]

    n_rows = samples.n_rows
    order = AS_THEY_LIE
    if options.shuffle:
        order = np.arange(n_rows, dtype=np.int64)
    elif samples.rows is not None:
        order = samples.rows
    visit = order if samples.rows is None else samples.rows.copy()
    history.n_iter = 0
    with EpochRunner(plan, samples, visit) as runner:
        try:
            for _ in range(options.max_iter):
                if options.shuffle:
                    shuffle_like_numpy(random_state, order)
                    if samples.rows is not None:
                        np.take(samples.rows, order, out=visit, mode="clip")
                learning_rate[0] = state.learning_rate
                history.loss = runner.run()
                if not math.isfinite(history.loss):
                    require_positive_batches(samples, visit, options.batch_size)
                    if validation_score is None:
                        require_finite(parameters)
                state.t = int(t[0])
                history.n_iter += 1
                history.t += n_rows
                history.loss_curve.append(history.loss)
                if options.verbose:
                    print(f"Iteration {history.n_iter}, loss = {history.loss:.8f}")
                if validation_score is not None:
                    score = validation_score()
                    if options.verbose:
                        print(f"Validation score: {score:f}")
                    history.record_score(score, options.tol, parameters.theta)
                else:
                    history.record_loss(options.tol)
                if options.solver == "sgd" and options.learning_rate == "invscaling":
                    decay = (history.t + 1) ** options.power_t
                    state.learning_rate = float(options.learning_rate_init) / decay
                if _should_stop(options, history, state):
                    break
                if incremental:
                    break
                if history.n_iter == options.max_iter:
                    warnings.warn(
                        f"Stochastic Optimizer: Maximum iterations ({options.max_iter}) "
                        "reached and the optimization hasn't converged yet.",
                        ConvergenceWarning,
                        stacklevel=7,  # the line that called `fit`
                    )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
    if history.best_theta is not None:
        parameters.theta[:] = history.best_theta
        history.best_theta = None
    require_finite(parameters)
    return state


def log_loss_cap(parameters: Parameters) -> float:
    """Return the highest log-loss that scikit-learn reports: of a probability of eps."""
    return -float(np.log(np.finfo(parameters.theta.dtype).eps))


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


def require_finite(parameters: Parameters) -> None:
    """Raise if training has diverged."""
    if not np.isfinite(parameters.theta).all():
        raise ValueError(NON_FINITE_MESSAGE)


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
