"""One fit: in which precision, by which solver, and whether what came out can be kept."""

import functools
from collections.abc import Callable
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
from fastdnn.training.watching import Watches


class Fit:
    """A fit, which can be left after some epochs and gone on with.

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
    n_steps : int, optional
        Batches to stop after instead of one epoch.
    write : callable, optional
        Is called with this fit to write a checkpoint.

    Attributes
    ----------
    state : TrainingState
        What it has come to, in the precision that it computes in.
    notices : Notices
        The warnings to give.
    watch : Watches or None
        Who is told of each epoch; None, unless it is set.
    """

    def __init__(
        self,
        objective: Objective,
        options: Options,
        state: TrainingState,
        incremental: bool = False,
        start: Parameters | None = None,
        n_steps: int | None = None,
        write: Callable[["Fit"], None] | None = None,
    ) -> None:
        self._given, self._options, self._start = objective, options, start
        self._incremental, self._n_steps, self._write = incremental, n_steps, write
        is_single = objective.samples.X.dtype == np.float32
        self._is_wide = is_single and _is_beyond_float32(objective, options, state)
        self._widens = self._is_wide or (
            is_single and gains_by_float64(objective.samples, options, incremental)
        )
        if self._widens:
            objective = objective.astype(np.float64)
        # One that goes on as if it had not stopped may be in float64 already.
        dtype = np.float64 if self._widens or not is_single else np.float32
        state = state if state.dtype == dtype else state.astype(dtype)
        self._objective, self.state, self.notices = objective, state, Notices()
        self.watch: Watches | None = None

    def run(self) -> None:
        """Train until the solver stops: at the latest after ``max_iter`` epochs in all.

        Raises
        ------
        ValueError
            If training diverges.
        """
        self.notices.clear()
        told = self._objective, self._options, self.state, self.notices
        try:
            if self._options.solver == "lbfgs":
                fit_lbfgs(*told, self.watch)
            else:
                fit_stochastic(
                    *told,
                    self._causes,
                    self._incremental,
                    self._n_steps,
                    None if self._write is None else functools.partial(self._write, self),
                    self.watch,
                )
        finally:
            if self.watch is not None:
                self.watch.close()

    def result(self) -> TrainingState:
        """Return what to keep, in the precision that was given; training is over.

        With early stopping it has the best parameters.

        Raises
        ------
        ValueError
            If the network, or its loss, is not finite.
        """
        given, options = self._given, self._options
        wide = self.state
        wide.take_best()
        wide.take_average()
        problem = problem_of_epochs(wide.parameters, [wide.history.loss])
        if problem is not None:
            raise ValueError(f"{problem} {self._causes(self._objective)}")
        state, samples = self._as_given(wide), given.samples.head
        # What float64 has computed may overflow float32.
        doubtful = self._is_wide or options.solver == "lbfgs"
        problem = problem_of_network(
            state.parameters, given.network, samples, options.n_threads, doubtful
        )
        if problem is not None:
            raise ValueError(f"{problem} {self._causes(given)}")
        said = [notice_of_weights(samples, options.alpha)]
        if not self._incremental and samples is given.samples:  # they are all of them
            loss = state.history.loss
            said.append(notice_of_targets(samples, given.network, loss))
        for message in filter(None, said):
            self.notices.warn(message, ConvergenceWarning)
        return state

    def so_far(self) -> tuple[TrainingState, TrainingState]:
        """Return what would be kept if training ended now, and what it would go on from."""
        return self._kept(self.state), self.state

    def snapshot(self) -> tuple[TrainingState, TrainingState]:
        """Return what `so_far` does, as copies that training does not change."""
        state = self.state.copy()
        return self._kept(state), state

    def _kept(self, state: TrainingState) -> TrainingState:
        kept = state.copy_to_resume()
        kept.take_best()
        kept.take_average()
        return self._as_given(kept).without_order()

    def _as_given(self, state: TrainingState) -> TrainingState:
        """Return a state in the precision that was given."""
        if not self._widens:
            return state
        optimizer, average = state.optimizer, state.average
        if optimizer is not None and not self._is_wide:
            optimizer = optimizer.narrowed()
        with np.errstate(over="ignore"):  # said when training is over
            parameters = state.parameters.astype(np.float32)
            average = None if average is None else average.astype(np.float32)
        return replace(state, parameters=parameters, optimizer=optimizer, average=average)

    def _causes(self, objective: Objective) -> str:
        loss = objective.network.loss
        return likely_causes(objective.samples.head, loss, self._options, self._start)


def _is_beyond_float32(objective: Objective, options: Options, state: TrainingState) -> bool:
    """Whether training in float32 would overflow, or goes on from what would have."""
    optimizer = state.optimizer
    if optimizer is not None and optimizer.memory.dtype != state.dtype:
        return True
    return exceeds_float32(objective.samples, objective.network.loss, options)
