"""Work that teams do in tests, and what they count."""

import _thread
import threading
import time

import numpy as np

from fastdnn.engine.barrier import RUNS, team_size


def counters():
    """Return the memory in which a team of up to four counts."""
    return np.zeros(team_size(4), dtype=np.int64)


def require_threads(count):
    """Require that there are so many threads; one that has done its work may still end."""
    until = time.monotonic() + 10.0
    while _thread._count() != count and time.monotonic() < until:
        time.sleep(0.001)
    assert _thread._count() == count


class Work:
    """What a team does, in Python: counts runs the way the engine does."""

    def __init__(self, shared, *, on_run=None):
        self._shared, self._on_run = shared, on_run
        self.seen = []

    def __call__(self, worker, n_joined):
        if worker == 0:
            self._shared[RUNS] += 1
        elif self._shared[RUNS] == n_joined:
            return n_joined  # as if no run had begun in the time that a worker waits
        self.seen.append((worker, threading.get_ident()))
        if self._on_run is not None:
            self._on_run(worker)
        return n_joined + 1
