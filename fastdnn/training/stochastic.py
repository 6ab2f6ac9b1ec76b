"""Stochastic training: epochs of the engine until a rule says stop."""

import math
import time
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from fastdnn.data.samples import Samples
from fastdnn.planning.plan import Plan, plan_training
from fastdnn.training.checkpoints import Checkpoints, deadline_of
from fastdnn.training.divergence import problem_of_epochs, problem_of_memory
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.held_out import hold_out
from fastdnn.training.notices import Notices
from fastdnn.training.objective import Objective, log_loss_cap
from fastdnn.training.options import Options, rows_of_batch
from fastdnn.training.order import VisitOrder
from fastdnn.training.schedules import Progress, first_rate, schedule_of
from fastdnn.training.state import OptimizerState, TrainingState, optimizer_name
from fastdnn.training.stopping import (
    count_loss,
    count_score,
    epochs_until_stop,
    has_stopped,
    is_to_stop,
)

# The engine takes smaller numbers for 0, by which Adam would divide where a gradient is 0.
_SMALLEST_EPSILON = {
    np.dtype(dtype): float(np.finfo(dtype).tiny) for dtype in (np.float32, np.float64)
}


def fit_stochastic(
    objective: Objective,
    options: Options,
    state: TrainingState,
    notices: Notices,
    causes: Callable[[Objective], str],
    incremental: bool = False,
    n_steps: int | None = None,
    write: Callable[[], None] | None = None,
) -> None:
    """Train by stochastic gradient descent, up to ``max_iter`` epochs of the history.

    The stopping rules, schedules and messages are those of scikit-learn's multi-layer
    perceptron, and so is the order in which the random state is used. A state whose training
    has ended after some epochs, or within one at ``max_time``, goes on, with a larger
    ``max_iter``, as if it had not.

    An interrupt (Ctrl-C) after the first epoch ends training: the state is that of the steps
    and epochs so far.

    Parameters
    ----------
    objective : Objective
        The loss and the samples, some of which may be held out.
    options : Options
        Hyperparameters.
    state : TrainingState
        Continued in place. With early stopping it has the best parameters beside the last.
    notices : Notices
        Gets the warnings.
    causes : callable
        Says what may have made training diverge.
    incremental : bool
        Stop after one epoch, for `partial_fit`.
    n_steps : int, optional
        Then stop after so many batches instead, of one epoch or of several.
    write : callable, optional
        Writes a checkpoint of the state.

    Raises
    ------
    ValueError
        If training diverges, and no epoch before had a validation score.
    KeyboardInterrupt
        In the first epoch, or in the only one of `partial_fit`: nothing is to be kept.
    """
    parameters, history = state.parameters, state.history
    validation_score = None
    if options.early_stopping:
        objective, validation_score = hold_out(objective, options, state)
    samples = objective.samples
    plan, optimizer = _plan(objective, options, state)
    schedule = schedule_of(options, optimizer.optimizer)
    learning_rate, t = plan.columns["learning_rate"], plan.columns["t"]
    random_state = state.random_state if options.shuffle else None
    order = VisitOrder(samples, random_state, options.max_iter, state.order)
    n_rows, batch_size = samples.n_rows, int(plan.table["batch_size"][0])
    most_epochs = math.inf if incremental else options.max_iter
    steps_left = math.inf if n_steps is None else n_steps
    deadline = deadline_of(options, incremental)
    checkpoints = None if write is None else Checkpoints(options, write, history.n_iter)
    # Otherwise every single epoch is followed by something to decide, to report or to refuse.
    may_run_on = (
        validation_score is None
        and samples.weight is None
        and schedule.rate is None
        and not (incremental or options.verbose)
    )
    problem, is_late = None, False
    # What has stopped for want of improvement has stopped, when it is gone on with.
    is_done = 0 < history.n_iter and has_stopped(history, options) and not incremental
    # What belongs together after a whole epoch; one assignment, which no interrupt divides.
    consistent = state.mark()
    with EpochRunner(plan, samples, order.positions) as runner:
        try:
            while history.n_iter < most_epochs and not is_done:
                n_epochs, is_begun = 1, state.rows_done > 0
                if may_run_on and not is_begun:
                    until_stop = epochs_until_stop(history, options)
                    if checkpoints is not None:
                        until_due = checkpoints.epochs_until_due(history.n_iter)
                        until_stop = min(until_stop, until_due)
                    n_epochs = int(min(runner.epochs_at_once, until_stop))
                if not is_begun:
                    order.prepare(n_epochs)
                learning_rate[0] = optimizer.learning_rate
                last = int(min(n_rows, steps_left * batch_size))
                if n_epochs > 1 or (last == n_rows and deadline == math.inf and not is_begun):
                    losses, done = runner.run(n_epochs), last
                else:
                    losses, done = _run_part(runner, state, last, deadline)
                score, is_late = None, done < last
                if not all(map(math.isfinite, losses)):
                    visited = order.positions[:n_rows]
                    _require_positive_batches(samples, visited, plan)
                elif validation_score is not None and not is_late:
                    score = validation_score()
                problem = problem_of_epochs(parameters, losses, score)
                if problem is not None:
                    history.add_divergence(losses[-1], done)
                    break
                optimizer.t = int(t[0])
                if is_late:
                    history.loss = losses[-1] if history.n_iter == 0 else history.loss
                    consistent = state.mark()
                    break
                state.rows_done, state.loss_sum = 0, 0.0
                _record(state, options, losses, score, done)
                if schedule.rate is not None:
                    progress = Progress(history.t, history.n_iter / options.max_iter)
                    optimizer.learning_rate = schedule.rate(options, progress)
                is_done = is_to_stop(history, options, schedule, optimizer)
                if incremental:
                    steps_left -= -(-done // batch_size)
                    is_done = n_steps is None or steps_left == 0
                consistent = state.mark()
                if checkpoints is not None and checkpoints.is_due(history.n_iter):
                    state.order = order.latest()
                    checkpoints.write(history.n_iter)
                is_late = time.monotonic() >= deadline and history.n_iter < most_epochs
                if is_late:
                    break
            if is_late and not is_done:
                notices.warn(
                    f"Stochastic Optimizer: max_time={options.max_time} seconds are over after "
                    f"{history.n_iter} epochs, and the optimization hasn't converged yet. Raise "
                    "it, or go on with warm_start='exact'.",
                    ConvergenceWarning,
                )
            elif problem is None and not is_done:
                notices.warn(
                    f"Stochastic Optimizer: Maximum iterations ({options.max_iter}) "
                    "reached and the optimization hasn't converged yet.",
                    ConvergenceWarning,
                )
        except KeyboardInterrupt:
            state.go_back_to(consistent)
            state.rows_done, state.loss_sum = 0, 0.0  # it goes on with a new epoch
            optimizer.t = int(t[0])  # the engine's last whole step
            if incremental or history.n_iter == 0:
                raise
            notices.warn("Training interrupted by user.")
    state.order = order.latest()
    where = "" if problem is None else f" It stopped in epoch {history.n_iter}."
    problem = problem or problem_of_memory(
        parameters, samples, optimizer.optimizer, optimizer.memory
    )
    if problem is None:
        return
    if state.best_theta is None:
        raise ValueError(f"{problem} {causes(objective)}")
    notices.warn(
        f"{problem}{where} {causes(objective)} The network with the best validation score, "
        f"{history.best_validation_score:g}, is kept.",
        ConvergenceWarning,
    )
    optimizer.begin_anew(first_rate(schedule, options))
    state.parameters.theta[:] = state.best_theta
    state.rows_done, state.loss_sum = 0, 0.0


def _run_part(
    runner: EpochRunner, state: TrainingState, last: int, deadline: float
) -> tuple[list[float], int]:
    """Go on with an epoch, up to a row of it; return its loss so far, and to which row."""
    done, loss_sum = runner.run_rows(state.rows_done, last, state.loss_sum, deadline)
    state.rows_done, state.loss_sum = done, loss_sum
    return [loss_sum / done], done


def _record(
    state: TrainingState,
    options: Options,
    losses: list[float],
    score: float | None,
    n_rows: int,
) -> None:
    """Record epochs over so many rows, and the validation score after them, if any."""
    history = state.history
    for loss in losses:
        history.add_epoch(loss, n_rows)
        if options.verbose:
            print(f"Iteration {history.n_iter}, loss = {history.loss:.8f}")
        if score is None:
            count_loss(history, options.tol)
    if score is not None:
        if options.verbose:
            print(f"Validation score: {score:f}")
        if count_score(history, score, options.tol):
            state.best_theta = state.parameters.theta.copy()


def _plan(
    objective: Objective, options: Options, state: TrainingState
) -> tuple[Plan, OptimizerState]:
    """Plan the steps of the state's optimiser, or of one that begins, which it gets."""
    samples, kept = objective.samples, state.optimizer
    name = optimizer_name(options.solver, options.nesterovs_momentum)
    plan = plan_training(
        state.parameters,
        objective.network,
        name if kept is None else kept.optimizer,
        batch_size=rows_of_batch(options.batch_size, samples.n_rows),
        samples=samples,
        gather=options.shuffle or samples.rows is not None,
        n_threads=options.n_threads,
        state=None if kept is None else kept.memory,
    )
    plan.set_numbers(
        momentum=options.momentum,
        beta_1=options.beta_1,
        beta_2=options.beta_2,
        epsilon=max(options.epsilon, _SMALLEST_EPSILON[state.dtype]),
    )
    plan.table["alpha"] = options.alpha * samples.weight_scale
    plan.table["loss_cap"] = log_loss_cap(state.dtype)
    if kept is None:
        rate = first_rate(schedule_of(options, name), options)
        kept = state.optimizer = OptimizerState(name, plan.memory.state, rate)
    plan.table["t"] = kept.t
    return plan, kept


def _require_positive_batches(samples: Samples, order: np.ndarray, plan: Plan) -> None:
    """Raise like scikit-learn where all weights of a batch are zero."""
    if samples.weight is None:
        return
    batch_size = int(plan.table["batch_size"][0])
    weight = samples.weight[order] if order.size else samples.weight
    batches = gen_batches(samples.n_rows, batch_size)
    if any(weight[batch].sum() == 0.0 for batch in batches):
        raise ZeroDivisionError(
            "Weights sum to zero, can't be normalized: sample_weight is zero in all of a "
            f"batch of {batch_size}. Leave such samples out or raise batch_size."
        )
