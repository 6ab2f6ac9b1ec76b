"""Rounds in this process: what a cluster does, without one."""

from collections.abc import Callable, Sequence

from fastdnn.distributed.rounds import Job
from fastdnn.distributed.shards import Shard, size_of
from fastdnn.distributed.sums import Sum, added_up


class InThisProcess:
    """Does rounds one shard after the other.

    Parameters
    ----------
    shards : sequence of Shard
        In their order.
    n_threads : int, default=1
        Threads of each.
    """

    def __init__(self, shards: Sequence[Shard], n_threads: int = 1) -> None:
        self._shards, self._n_threads = list(shards), n_threads

    def sizes(self) -> list[int]:
        """Return the rows of each shard."""
        return [size_of(shard) for shard in self._shards]

    def do(self, function: Callable, add: Callable, job: Job) -> Sum:
        """Do one thing with all shards, and add up in their order what comes of it."""
        parts = [function(shard, job, self._n_threads) for shard in self._shards]
        return added_up(parts, add, lambda add_some, group: add_some(group))

    def look_around(self) -> None:
        """Nobody joins and nobody dies."""
