"""When training stops: after as many epochs as were asked for, or without improvement.

The rules and their messages are scikit-learn's.
"""

from collections.abc import Callable

from fastdnn.training.history import History
from fastdnn.training.options import Options
from fastdnn.training.schedules import Schedule
from fastdnn.training.state import OptimizerState


def count_loss(history: History, loss: float, tol: float) -> None:
    """Count an epoch whose loss is not better than the best by `tol`."""
    is_better = not loss > history.best_loss - tol
    history.no_improvement_count = 0 if is_better else history.no_improvement_count + 1
    history.best_loss = min(loss, history.best_loss)


def count_score(history: History, score: float, tol: float) -> bool:
    """Count an epoch whose score is not better by `tol`; return whether it is the best."""
    is_better = not score < history.best_validation_score + tol
    history.no_improvement_count = 0 if is_better else history.no_improvement_count + 1
    is_best = score > history.best_validation_score
    if is_best:
        history.best_validation_score = score
    return is_best


def epochs_until_stop(history: History, options: Options, schedule: Schedule) -> float:
    """Return after how many more epochs training stops, or the rate falls, at the earliest."""
    count = history.no_improvement_count
    patience = max(1, options.n_iter_no_change + 1 - count)
    if schedule.on_patience is not None:
        wanted = options.learning_rate_patience
        patience = min(patience, wanted - count % wanted)
    return min(patience, options.max_iter - history.n_iter)


def has_stopped(history: History, options: Options) -> bool:
    """Whether too many epochs brought no improvement."""
    return history.no_improvement_count > options.n_iter_no_change


def is_to_stop(
    history: History, options: Options, schedule: Schedule, optimizer: OptimizerState
) -> bool:
    """Whether too many epochs brought no improvement; the schedule may lower the rate."""
    if not has_stopped(history, options):
        if schedule.on_patience is not None:
            _lose_patience(history, options, schedule.on_patience, optimizer)
        return False
    lowered = None
    action = "Stopping."
    if schedule.on_plateau is not None:
        lowered = schedule.on_plateau(optimizer.learning_rate)
        action = "Learning rate too small. Stopping."
    if lowered is not None:
        optimizer.learning_rate, history.no_improvement_count = lowered, 0
        action = f"Setting learning rate to {lowered:f}"
    if options.verbose:
        subject = "Validation score" if history.early_stopping else "Training loss"
        print(
            f"{subject} did not improve more than tol={options.tol:f} for "
            f"{options.n_iter_no_change} consecutive epochs. {action}"
        )
    return lowered is None


def _lose_patience(
    history: History,
    options: Options,
    on_patience: Callable[[Options, float], float],
    optimizer: OptimizerState,
) -> None:
    """Lower the learning rate whenever so many epochs brought no improvement."""
    count = history.no_improvement_count
    if count == 0 or count % options.learning_rate_patience != 0:
        return
    optimizer.learning_rate = on_patience(options, optimizer.learning_rate)
    if options.verbose:
        print(
            f"No improvement by more than tol={options.tol:f} in {count} epochs. Setting "
            f"learning rate to {optimizer.learning_rate:f}"
        )
