"""Members that share weights: how their step is cut, and where their parameters lie."""

from typing import NamedTuple

import numpy as np

from fastdnn.engine.operations import SHARED
from fastdnn.planning.layout import Workspace, aligned
from fastdnn.planning.program import Operation


class MembersMemory(NamedTuple):
    """Where the parameters and states of the members but the first lie in the workspace."""

    start: int
    apart: int
    theta_size: int
    state_start: int
    state_size: int
    n_members: int

    def thetas(self, work: np.ndarray) -> list[np.ndarray]:
        """View the parameters of each of them."""
        starts = [self.start + m * self.apart for m in range(self.n_members - 1)]
        return [work[start : start + self.theta_size] for start in starts]

    def clear_states(self, work: np.ndarray) -> None:
        """Begin with states of zero."""
        for m in range(self.n_members - 1):
            start = self.start + m * self.apart + self.state_start
            work[start : start + self.state_size] = 0.0


def lay_out_members(
    table: np.ndarray, workspace: Workspace, n_members: int, theta_size: int, state_size: int
) -> MembersMemory:
    """Lay out the parameters and states of all members but the first.

    They lie where those of workers do that have copies of their own.
    """
    table["n_members"] = n_members
    table["replica_state"] = state_start = aligned(theta_size)
    table["replica_size"] = apart = state_start + aligned(state_size)
    table["replica_start"] = start = workspace.take((n_members - 1) * apart)
    return MembersMemory(start, apart, theta_size, state_start, state_size, n_members)


def mark_shared(rows: list[Operation]) -> list[Operation]:
    """Return the operations of members: all have the weights of all layers but the last."""
    linear = [o for o, row in enumerate(rows) if row.is_linear]
    return [
        row._replace(flags=row.flags | SHARED) if o in linear[:-1] else row
        for o, row in enumerate(rows)
    ]
