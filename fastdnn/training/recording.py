"""Epochs that the engine has run are recorded, and counted as better ones or not."""

from typing import NamedTuple

from fastdnn.network.parameters import Parameters
from fastdnn.training.options import Options
from fastdnn.training.state import TrainingState
from fastdnn.training.stopping import count_loss, count_score
from fastdnn.training.validation import Evaluation


class Run(NamedTuple):
    """What is recorded of epochs that the engine has run."""

    losses: list[float]
    """Mean loss of each epoch."""
    n_rows: int
    """Rows of an epoch."""
    learning_rates: list[float]
    """Of the last step of each epoch."""
    seconds: float
    """What each epoch took, with its validation."""
    evaluation: Evaluation | None
    """What validation tells after the last epoch."""


def record(run: Run, state: TrainingState, options: Options, scored: Parameters) -> None:
    """Record a run; with early stopping keep the parameters of the best score.

    Parameters
    ----------
    run : Run
        One epoch, if validation followed it, or several.
    state : TrainingState
        Gets it.
    options : Options
        Hyperparameters.
    scored : Parameters
        What was validated.
    """
    history, evaluation = state.history, run.evaluation
    decides = evaluation is not None and options.early_stopping
    columns = {} if evaluation is None else evaluation.columns()
    for loss, rate in zip(run.losses, run.learning_rates, strict=True):
        history.add_epoch(loss, run.n_rows, rate, run.seconds, columns)
        if options.verbose:
            print(f"Iteration {history.n_iter}, loss = {history.loss:.8f}")
        if not decides:
            count_loss(history, options.tol)
    if evaluation is None:
        return
    if options.verbose:
        print(f"Validation score: {evaluation.score:f}")
    if decides and count_score(history, evaluation.score, options.tol):
        state.best_theta = scored.theta.copy()
