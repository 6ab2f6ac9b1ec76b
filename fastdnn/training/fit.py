"""One fit: in which precision, by which solver, and whether what came out can be kept."""

from dataclasses import replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastdnn.network.parameters import Parameters
from fastdnn.training.divergence import problem_of_epochs, problem_of_network
from fastdnn.training.lbfgs import fit_lbfgs
from fastdnn.training.likely_causes import (
    likely_causes,
    notice_of_targets,
    notice_of_weights,
)
from fastdnn.training.notices import Notices
from fastdnn.training.objective import Objective
from fastdnn.training.options import Options
from fastdnn.training.precision import exceeds_float32, gains_by_float64
from fastdnn.training.state import TrainingState
from fastdnn.training.stochastic import fit_stochastic


def fit(
    objective: Objective,
    options: Options,
    state: TrainingState,
    incremental: bool = False,
    start: Parameters | None = None,
) -> tuple[TrainingState, Notices]:
    """Train a network.

    Parameters
    ----------
    objective : Objective
        The loss and the samples.
    options : Options
        Hyperparameters.
    state : TrainingState
        To go on from; may be changed.
    incremental : bool, default=False
        Whether to stop after one epoch, for `partial_fit`.
    start : Parameters, optional
        What training goes on from, for the message where it diverges.

    Returns
    -------
    state : TrainingState
        After training, with the best parameters where there was a validation score.
    notices : Notices
        The warnings to give.

    Raises
    ------
    ValueError
        If training diverges.
    """
    given, notices = objective, Notices()

    def causes(objective: Objective) -> str:
        return likely_causes(objective.samples, objective.network.loss, options, start)

    is_single = state.dtype == np.float32
    is_wide = is_single and _is_beyond_float32(objective, options, state)
    widen = is_wide or (
        is_single and gains_by_float64(objective.samples, options, incremental)
    )
    if widen:
        state = state.astype(np.float64)
        objective = objective.on(objective.samples.astype(np.float64))
    if options.solver == "lbfgs":
        fit_lbfgs(objective, options, state, notices)
    else:
        fit_stochastic(objective, options, state, notices, causes, incremental)
    state.take_best()
    problem = problem_of_epochs(state.parameters, [state.history.loss])
    if problem is not None:
        raise ValueError(f"{problem} {causes(objective)}")
    if widen:
        optimizer = state.optimizer
        if optimizer is not None and not is_wide:
            optimizer = optimizer.narrowed()
        with np.errstate(over="ignore"):  # said below
            narrow = state.parameters.astype(np.float32)
        state = replace(state, parameters=narrow, optimizer=optimizer)
    # What float64 has computed may overflow float32.
    doubtful = is_wide or options.solver == "lbfgs"
    problem = problem_of_network(
        state.parameters, given.network, given.samples, options.n_threads, doubtful
    )
    if problem is not None:
        raise ValueError(f"{problem} {causes(given)}")
    said = [notice_of_weights(given.samples, options.alpha)]
    if not incremental:
        said.append(notice_of_targets(given.samples, given.network.loss, state.history.loss))
    for message in filter(None, said):
        notices.warn(message, ConvergenceWarning)
    return state, notices


def _is_beyond_float32(objective: Objective, options: Options, state: TrainingState) -> bool:
    """Whether training in float32 would overflow, or goes on from what would have."""
    optimizer = state.optimizer
    if optimizer is not None and optimizer.memory.dtype == np.float64:
        return True
    return exceeds_float32(objective.samples, objective.network.loss, options)
