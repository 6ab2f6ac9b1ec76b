"""Batches of which a single one takes so long that an interrupt is not to wait for its end."""

from collections.abc import Iterator

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.engine.barrier import STOP
from fastdnn.engine.operations import N_IN, N_OUT
from fastdnn.planning.plan import Plan
from fastdnn.system.interruptible import call_interruptibly
from fastdnn.teams.threads import Stopped, Team

# A run of batches that take longer is made so that it can be interrupted.
_SECONDS_OF_LONG_BATCH = 0.1
# A step that takes longer is left in the middle and undone; a shorter one is completed.
_SECONDS_OF_LONG_STEP = 0.2
# Share of the time of a batch that the copies to undo it by may take, and their pace.
_SHARE_FOR_COPIES, _BYTES_PER_SECOND = 0.05, 4e9
# Numbers that are copied from one look at whether to stop to the next.
_NUMBERS_OF_PIECE = 2**20
# Assumed of one thread before a batch has been timed.
_FLOPS_PER_SECOND = 2.5e10
# Of the three products of a layer one is made in the step, unless shards make it.
_SHARE_OF_STEP = 1 / 3


class LongBatches:
    """Knows how long batches take, and does runs of long ones.

    Parameters
    ----------
    plan : Plan
        From `plan_training`.
    samples : Samples
        The rows to train on.

    Attributes
    ----------
    seconds : float
        What a whole batch is expected to take; set to what it took.
    """

    def __init__(self, plan: Plan, samples: Samples) -> None:
        self._plan, memory = plan, plan.memory
        n_weights = float(plan.table["n_weights"][0])
        if samples.is_sparse:
            n_in, n_out = memory.operations[0, [N_IN, N_OUT]]
            per_row = samples.X.nnz / max(1, samples.X.shape[0])
            n_weights += float(n_out) * (per_row - float(n_in))
        flops = 6.0 * n_weights * float(plan.table["batch_size"][0])
        self.seconds = flops / _FLOPS_PER_SECOND
        self._copies: list[np.ndarray] = []

    @property
    def are_expected(self) -> bool:
        """Whether runs are to be done by `run`."""
        return self.seconds > _SECONDS_OF_LONG_BATCH

    def run(self, team: Team, n_batches: int) -> float:
        """Do a run of the team; an interrupt leaves the network of a whole batch.

        Returns
        -------
        float
            The seconds that it took, as the team says.

        Raises
        ------
        BaseException
            The first error of any worker, or what interrupts the calling thread.
        """
        return call_interruptibly(lambda: self._run(team, n_batches), team.stop)

    def _run(self, team: Team, n_batches: int) -> float:
        """Do a run in a thread that nothing interrupts."""
        table, stop = self._plan.table, self._plan.team_address + 8 * STOP
        stepped = self._stepped()
        may_undo = n_batches == 1 and self._is_step_to_undo(stepped) and self._copy(stepped)
        table["stop"], table["stop_in_step"] = stop, stop if may_undo else 0
        try:
            return team.run(n_batches)
        except Stopped:
            if table["is_step_left"][0]:
                self._undo(stepped)
            raise

    def _stepped(self) -> list[np.ndarray]:
        """Return what a step that is left in the middle has to be undone in."""
        memory = self._plan.memory
        if self._plan.optimizer == "gradient":
            return []  # L-BFGS has no use for a part of the gradient that this writes
        return [memory.theta, memory.state, memory.average]

    def _is_step_to_undo(self, stepped: list[np.ndarray]) -> bool:
        if self._plan.table["gradient_by_shard"][0]:
            return False  # in the step they are only added up
        if _SHARE_OF_STEP * self.seconds <= _SECONDS_OF_LONG_STEP:
            return False
        n_bytes = sum(array.nbytes for array in stepped)
        return n_bytes / _BYTES_PER_SECOND <= _SHARE_FOR_COPIES * self.seconds

    def _copy(self, stepped: list[np.ndarray]) -> bool:
        """Copy what a step changes; return False where there is no room for that."""
        try:
            if not self._copies:
                self._copies = [np.empty_like(array) for array in stepped]
        except MemoryError:
            return False
        for array, copy in _pieces(stepped, self._copies):
            if self._plan.memory.team[STOP]:
                return False  # before anything is stepped
            copy[:] = array
        return True

    def _undo(self, stepped: list[np.ndarray]) -> None:
        for array, copy in _pieces(stepped, self._copies):
            # What the step has not come to is not written to, perhaps for the first time.
            if not np.array_equal(array.view(np.int32), copy.view(np.int32)):
                array[:] = copy


def _pieces(
    arrays: list[np.ndarray], copies: list[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut vectors and their copies alike: fresh memory takes seconds a gigabyte."""
    for array, copy in zip(arrays, copies, strict=False):
        for first in range(0, array.size, _NUMBERS_OF_PIECE):
            piece = slice(first, first + _NUMBERS_OF_PIECE)
            yield array[piece], copy[piece]
