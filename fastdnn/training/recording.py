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
    columns = {} if evaluation is None else evaluation.columns()
    history.add_epochs(run.losses, run.n_rows, run.learning_rates, run.seconds, columns)
    if options.verbose:  # then there is one only
        print(f"Iteration {history.n_iter}, loss = {history.loss:.8f}")
        if evaluation is not None:
            print(f"Validation score: {evaluation.score:f}")
    if evaluation is None or not options.early_stopping:
        for loss in run.losses:
            count_loss(history, loss, options.tol)
    elif count_score(history, evaluation.score, options.tol):
        state.best_theta = scored.theta.copy()
