"""Rounds on a Dask cluster: a task for each shard, where the shard is.

Nothing is kept on workers but shards: a round's parameters and the optimiser's memory come
with its job, and their mean goes back. So a worker that dies loses no more than a round, whose
tasks Dask does again elsewhere; its shards Dask makes again of what the user's collections
are made of.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from fastdnn.distributed.dask_imports import dask_module
from fastdnn.distributed.places import placed
from fastdnn.distributed.rounds import Job, Part
from fastdnn.distributed.shards import Shard, copied, size_of
from fastdnn.distributed.sums import FAN_IN, Sum, added_up

# Up to so many bytes a job is sent along with each task, and is no task of its own.
_MOST_BYTES = 2**22


class OnCluster:
    """Does rounds on the workers of a client.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    shards : sequence of distributed.Future of Shard
        In their order.
    n_threads : int or None
        Threads of a task at most; None for its share of its worker's.
    """

    def __init__(self, client: Any, shards: Sequence[Any], n_threads: int | None) -> None:
        self._client, self._shards, self._n_threads = client, list(shards), n_threads
        self._workers: dict[str, int] = {}
        self._places: list[str] = []
        self.look_around()

    def sizes(self) -> list[int]:
        """Return the rows of each shard."""
        futures = [self._client.submit(size_of, shard) for shard in self._shards]
        return self._client.gather(futures)

    def look_around(self) -> None:
        """Share out shards anew, if others have joined or are gone."""
        workers = workers_of(self._client)
        if workers == self._workers or not workers:
            return
        dask_module("distributed").wait(self._shards)
        found = self._client.who_has(self._shards)
        holders = [sorted(found.get(shard.key, ())) for shard in self._shards]
        self._places = placed([(some or [None])[0] for some in holders], workers)
        for i, (place, some) in enumerate(zip(self._places, holders, strict=True)):
            if place not in some:
                self._shards[i] = self._submit(copied, place, self._shards[i])
        self._workers = workers

    def do(self, function: Callable, add: Callable, job: Job) -> Sum:
        """Do one thing with all shards, and add up in their order what comes of it."""
        given: Any = job
        if _bytes_of(job) * len(self._shards) > _MOST_BYTES:
            given = self._submit(_as_given, None, job)  # once, and each worker fetches it
        n_here, parts = Counter(self._places), []
        for shard, place in zip(self._shards, self._places, strict=True):
            told = function, shard, given, n_here[place], self._n_threads
            parts.append(self._submit(do_here, place, *told))
        if len(parts) <= FAN_IN:  # to add them up elsewhere would be one more way to go
            return added_up(self._client.gather(parts), add, lambda f, some: f(some))
        total = added_up(parts, add, lambda add_some, some: self._submit(add_some, None, some))
        return self._client.gather(total)

    def _submit(self, function: Callable, place: str | None, *args: Any) -> Any:
        """Let a task be done, at a place if that is still there."""
        pinned: dict[str, Any] = {}
        if place is not None:
            pinned = {"workers": [place], "allow_other_workers": True}
        with warnings.catch_warnings():  # a job with the parameters is as large as it is
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._client.submit(function, *args, pure=False, **pinned)


def workers_of(client: Any) -> dict[str, int]:
    """Return the workers, each with its threads."""
    return dict(client.nthreads())


def do_here(
    function: Callable, shard: Shard, job: Job, n_shards_here: int, limit: int | None
) -> Part:
    """Do something with a shard, as a task, with its share of the threads of its worker."""
    n_threads = threads_of_task(n_shards_here)
    return function(shard, job, n_threads if limit is None else min(limit, n_threads))


def threads_of_task(n_tasks: int) -> int:
    """Return how many threads each of so many tasks has that run beside each other."""
    worker = dask_module("distributed").get_worker()
    return max(1, int(worker.state.nthreads) // max(1, n_tasks))


def _bytes_of(job: Job) -> int:
    return job.theta.nbytes + job.memory.nbytes


def _as_given(job: Job) -> Job:
    return job
