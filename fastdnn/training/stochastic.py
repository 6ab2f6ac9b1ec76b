"""Stochastic training: epochs of the engine until a rule says stop."""

import math
import time
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from fastdnn.data.blocks import StreamedSamples
from fastdnn.data.file_rows import StreamError
from fastdnn.data.samples import Samples
from fastdnn.planning.plan import Plan, plan_training
from fastdnn.planning.step_options import StepOptions
from fastdnn.training.averages import Averaging
from fastdnn.training.blockwise import BlockRunner, order_for, runner_for
from fastdnn.training.checkpoints import Checkpoints, deadline_of, said_of_time
from fastdnn.training.divergence import problem_of_epochs, problem_of_memory
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.notices import INTERRUPTED, Notices
from fastdnn.training.objective import Objective, log_loss_cap
from fastdnn.training.options import Options, horizon_of, rows_of_batch, weight_decay_of
from fastdnn.training.recording import Run, record
from fastdnn.training.schedules import Progress, first_rate, has_factors, schedule_of
from fastdnn.training.state import OptimizerState, TrainingState, optimizer_name
from fastdnn.training.step_sizes import StepSizes
from fastdnn.training.stopping import epochs_until_stop, has_stopped, is_to_stop
from fastdnn.training.validation import validation_of
from fastdnn.training.watching import Watches

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
    watch: Watches | None = None,
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
        The loss and the samples, some of which may be held out, or others to validate on.
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
    watch : Watches, optional
        Is told of each epoch, and may end training.

    Raises
    ------
    ValueError
        If training diverges, and no epoch before had a validation score.
    KeyboardInterrupt
        In the first epoch, or in the only one of `partial_fit`: nothing is to be kept.
    """
    parameters, history = state.parameters, state.history
    averaging, n_all_rows = Averaging(options, state), objective.samples.n_rows
    objective, validation = validation_of(objective, options, state, averaging.scored)
    history.is_validated = validation is not None
    samples = objective.samples
    if state.order is not None and state.order.size != samples.rows_of_order:
        what = "Hold out, and give as X_val and y_val, the same ones"
        if isinstance(samples, StreamedSamples):
            what = "Give a Stream with the same block_rows"
        raise ValueError(
            f"There are {samples.rows_of_order} samples to train on, but the fit that is gone "
            f"on with had {state.order.size}. {what} as then, or use warm_start=True."
        )
    plan, optimizer = plan_of_steps(objective, options, state, averaging.moving)
    schedule = schedule_of(options, optimizer.optimizer)
    learning_rate, t = plan.columns["learning_rate"], plan.columns["t"]
    random_state = state.random_state if options.shuffle else None
    order = order_for(samples, random_state, options.max_iter, state)
    n_rows, batch_size = samples.n_rows, int(plan.table["batch_size"][0])
    most_epochs = math.inf if incremental else options.max_iter
    steps_left = math.inf if n_steps is None else n_steps
    deadline = math.inf if incremental else deadline_of(options)
    checkpoints = None if write is None else Checkpoints(options, write, history.n_iter)
    # Otherwise every single epoch is followed by something to decide, to report or to refuse.
    may_run_on = (
        validation is None
        and samples.weight is None
        and schedule.rate is None
        and watch is None
        and not (incremental or options.verbose)
    )
    problem, is_late = None, False
    # What has stopped for want of improvement has stopped, when it is gone on with.
    is_done = 0 < history.n_iter and has_stopped(history, options) and not incremental
    # What belongs together after a whole epoch; one assignment, which no interrupt divides.
    consistent = state.mark()
    step_sizes = StepSizes(schedule, options, optimizer, -(-n_rows // batch_size))
    rates = step_sizes.rates if step_sizes.differ else None
    n_left = max(0, options.max_iter - history.n_iter)
    with runner_for(plan, samples, order, rates, history.n_iter, n_left) as runner:
        try:
            while history.n_iter < most_epochs and not is_done:
                n_epochs, begun = 1, state.rows_done
                if watch is not None:
                    watch.begin_epoch()
                if may_run_on and not begun:
                    until_stop = epochs_until_stop(history, options, schedule)
                    until_mean = averaging.epochs_at_once(step_sizes.fraction(optimizer.t))
                    n_epochs = int(min(runner.epochs_at_once, until_stop, until_mean))
                    if checkpoints is not None:
                        n_epochs = checkpoints.at_most(n_epochs, history.n_iter)
                if not begun:
                    order.prepare(n_epochs)
                learning_rate[0] = optimizer.learning_rate
                last = int(min(n_rows, steps_left * batch_size))
                start = time.perf_counter()
                if n_epochs > 1 or (last == n_rows and deadline == math.inf and not begun):
                    losses, done = runner.run(n_epochs), last
                else:
                    losses, done = _run_part(runner, state, last, deadline)
                evaluation, is_late = None, done < last
                if not is_late:
                    averaging.update(step_sizes.fraction(int(t[0])))
                if not all(map(math.isfinite, losses)):
                    visited = order.positions[:n_rows]
                    _require_positive_batches(samples, visited, plan)
                elif validation is not None and not is_late:
                    evaluation = validation()
                score = None
                if evaluation is not None and options.early_stopping:
                    score = evaluation.score
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
                seconds = (time.perf_counter() - start) / n_epochs
                of_epochs = step_sizes.at_ends_of_epochs(optimizer.t, n_epochs)
                run = Run(losses, done, of_epochs, seconds, evaluation)
                record(run, state, options, averaging.scored)
                if schedule.rate is not None:
                    progress = Progress(history.t, history.n_iter / horizon_of(options))
                    optimizer.learning_rate = schedule.rate(options, progress)
                is_done = is_to_stop(history, options, schedule, optimizer)
                if incremental:
                    steps_left -= -(-done // batch_size)
                    is_done = n_steps is None or steps_left == 0
                consistent = state.mark()
                is_due = checkpoints is not None and checkpoints.is_due(history.n_iter)
                if is_due or watch is not None:
                    state.order, state.n_rows = order.latest(), n_all_rows
                if checkpoints is not None and is_due:
                    checkpoints.write(history.n_iter)
                if watch is not None and watch.end_epoch(history):
                    is_done = True
                is_late = time.monotonic() >= deadline and history.n_iter < most_epochs
                if is_late:
                    break
            if is_late and not is_done:
                notices.warn(said_of_time(options, history.n_iter), ConvergenceWarning)
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
            notices.warn(INTERRUPTED)
        except StreamError as error:
            state.go_back_to(consistent)
            optimizer.t = int(t[0])
            if isinstance(runner, BlockRunner):
                _keep_until(error, runner, state, notices)
        if isinstance(samples, StreamedSamples):
            state.rows_done, state.loss_sum = 0, 0.0  # the blocks of an epoch are gone
        if watch is not None:
            watch.leave_epoch()
    state.order, state.n_rows = order.latest(), n_all_rows
    where = "" if problem is None else f" It stopped in epoch {history.n_iter}."
    problem = problem or problem_of_memory(
        parameters, samples.head, optimizer.optimizer, optimizer.memory
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
    parameters.theta[:] = state.best_theta
    state.rows_done, state.loss_sum = 0, 0.0


def _run_part(
    runner: EpochRunner,
    state: TrainingState,
    last: int,
    deadline: float,
) -> tuple[list[float], int]:
    """Go on with an epoch, up to a row of it; return its loss so far, and to which row."""
    done, loss_sum = runner.run_rows(state.rows_done, last, state.loss_sum, deadline)
    state.rows_done, state.loss_sum = done, loss_sum
    return [loss_sum / done], done


def _keep_until(
    error: StreamError, runner: BlockRunner, state: TrainingState, notices: Notices
) -> None:
    """Let what was trained be kept, and the error be raised when it is.

    Where there is nothing, it is raised now.
    """
    history = state.history
    if history.n_iter == 0:
        if runner.done == 0:
            raise error
        history.loss = runner.loss_sum / runner.done

    def give_error() -> None:
        raise error

    notices.append(give_error)


def plan_of_steps(
    objective: Objective, options: Options, state: TrainingState, average: np.ndarray | None
) -> tuple[Plan, OptimizerState]:
    """Plan the steps of the state's optimiser, or of one that begins, which it gets."""
    samples, kept = objective.samples, state.optimizer
    name = optimizer_name(options.solver, options.nesterovs_momentum)
    schedule = schedule_of(options, name if kept is None else kept.optimizer)
    l1 = options.l1 * samples.weight_scale
    plan = plan_training(
        state.parameters,
        objective.network,
        name if kept is None else kept.optimizer,
        batch_size=rows_of_batch(options.batch_size, samples.n_rows),
        samples=samples,
        gather=options.shuffle or samples.rows is not None,
        n_threads=options.n_threads,
        state=None if kept is None else kept.memory,
        step=StepOptions(
            l1, options.clip_value, options.clip_norm, options.max_norm, options.ema_decay
        ),
        average=average,
        has_rates=has_factors(schedule, options),
    )
    plan.set_numbers(
        weight_decay=weight_decay_of(options),
        momentum=options.momentum,
        rho=options.rho,
        beta_1=options.beta_1,
        beta_2=options.beta_2,
        epsilon=max(options.epsilon, _SMALLEST_EPSILON[state.dtype]),
    )
    plan.table["seed"] = 0 if state.seed is None else state.seed
    plan.table["alpha"] = options.alpha * samples.weight_scale
    plan.table["loss_cap"] = log_loss_cap(state.dtype)
    if kept is None:
        rate = first_rate(schedule, options)
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
