"""Moves a thread that shares a processor with another one of its team, on Linux.

This is for teams that take pieces of work from Python; `fastdnn.engine.placement` does it
inside the engine. Why threads come to share one: ``scripts/docs/engine/teams.md``.
"""

import ctypes
import os
from collections.abc import Callable

from fastdnn.products.switched_off import switched_off
from fastdnn.products.switches import NO_PLACES

# Where there are fewer free processors than workers, moving would never end.
_MOST_MOVES = 3


def _processor_function() -> Callable[[], int] | None:
    """Return the C library's `sched_getcpu`, or None where it or affinity is missing."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        return ctypes.CDLL(None).sched_getcpu
    except (OSError, AttributeError):
        return None


_current_processor = _processor_function()


class Separation:
    """The processors that the workers of a team were seen on last.

    Parameters
    ----------
    n_workers : int
        Size of the team. The thread that makes this object is worker 0.
    """

    def __init__(self, n_workers: int) -> None:
        self._processors = [-1] * n_workers
        self._moves = [0] * n_workers
        self._stay = bool(switched_off() & NO_PLACES)
        if n_workers > 1:
            self.keep_apart(0)

    def keep_apart(self, worker: int) -> None:
        """Note where this thread, a worker, runs; move it away from a worker before it.

        Worker 0 stays where it is: its thread is the user's. So does everybody where no
        processor is free or known. The set of processors that a thread may use is the same
        afterwards.
        """
        if _current_processor is None or self._stay or len(self._processors) == 1:
            return
        mine = self._processors[worker] = _current_processor()
        if mine < 0:
            return
        if mine not in self._processors[:worker] or self._moves[worker] == _MOST_MOVES:
            return
        self._moves[worker] += 1
        try:
            allowed = os.sched_getaffinity(0)  # 0 is the calling thread
            free = allowed.difference(self._processors)
            if free:
                os.sched_setaffinity(0, free)
                os.sched_setaffinity(0, allowed)
        except OSError:  # forbidden, as in some sandboxes
            return
        self._processors[worker] = _current_processor()
