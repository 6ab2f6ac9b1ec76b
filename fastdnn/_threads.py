"""Worker teams on Python threads, and how many threads a workload is offered."""

import functools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
from joblib.parallel import get_active_backend

from fastdnn._crowding import TeamRecord, crowding
from fastdnn._jit import JIT_ENABLED
from fastdnn.kernels.barrier import CLOSED, FAILED, LONG_WAITS

# Shared out, a prediction of so many floating-point operations gains more than starting
# threads costs. What pays in training, where they wait for the next step: `fastdnn._plan`.
PREDICTION_THAT_PAYS = 5e7


def threads_offered(n_threads: int | None, pays: bool) -> int:
    """Return how many threads the engine may use.

    Parameters
    ----------
    n_threads : int or None
        A number that the user chose, or None for: one inside a joblib worker or for work
        too small to share, otherwise the CPUs that this process may use (affinity and
        container limits count).
    pays : bool
        Whether the work is large enough to share.
    """
    if not JIT_ENABLED:
        return 1  # plain Python kernels cannot run side by side
    if n_threads is not None:
        return int(n_threads)
    if not pays:
        return 1
    backend, _ = get_active_backend()
    if getattr(backend, "nesting_level", 0):
        return 1
    return _usable_cpus()


def _usable_cpus() -> int:
    """Return `joblib.cpu_count()`, which reads files for a quarter of a millisecond."""
    try:
        affinity = frozenset(os.sched_getaffinity(0))
    except (AttributeError, NotImplementedError):  # as on Windows
        return joblib.cpu_count()
    return _count_cpus(affinity, os.environ.get("LOKY_MAX_CPU_COUNT"))


@functools.lru_cache(maxsize=16)
def _count_cpus(affinity: frozenset[int], limit: str | None) -> int:
    # Besides its arguments, the count depends on the limit of a container: a new one that it
    # is given while it runs is not noticed.
    return joblib.cpu_count()


class Team:
    """Workers that train together, run after run; a context manager.

    The calling thread is worker 0. The others are Python threads that start at the first
    run and live until the context ends. Between two runs they wait inside compiled code,
    without the interpreter's lock, so that the next run begins at once; when none comes
    for about a millisecond they sleep.

    Where other programs need the processors, worker 0 does runs alone; the results are the
    same.

    Parameters
    ----------
    n_workers : ndarray of one int64
        Size of the team, from where the engine reads how many take part in a run.
    counters : ndarray of int64
        The team's counters, see `fastdnn.kernels.barrier`.
    work : callable
        ``work(worker, n_joined) -> n_joined``, with the rules of
        `fastdnn.kernels.engine.train`.
    """

    def __init__(
        self, n_workers: np.ndarray, counters: np.ndarray, work: Callable[[int, int], int]
    ) -> None:
        self._size, self._taking_part = int(n_workers[0]), n_workers
        self._counters, self._work = counters, work
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self._changed = threading.Condition(threading.Lock())
        self._n_runs = 0
        self._is_closed = False
        self._record = TeamRecord()

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._counters[CLOSED] = 1
        for thread in self._threads:
            thread.join()

    def run(self, n_batches: int) -> None:
        """Do one run of so many batches, with all workers or alone.

        Raises
        ------
        BaseException
            The first error of any worker.
        """
        if self._size == 1:
            self._work(0, 0)
        elif crowding.is_seen():
            self._run_alone()
        elif self.is_to_compare:
            seconds = self._run_alone()
            if seconds < n_batches * self._record.seconds_per_batch:
                crowding.begin()
            else:
                crowding.dismiss()
            self._record = TeamRecord()
        else:
            if self._record.is_complete:
                if self._record.is_flawless:
                    crowding.end()
                self._record = TeamRecord()
            self._run_together(n_batches)

    @property
    def is_to_compare(self) -> bool:
        """Whether the next run is done alone to see which is faster: a short one will do."""
        return self._record.is_suspicious and crowding.may_compare()

    def _run_alone(self) -> float:
        start = time.perf_counter()
        self._taking_part[0] = 1
        self._work(0, 0)
        return time.perf_counter() - start

    def _run_together(self, n_batches: int) -> None:
        self._taking_part[0] = self._size
        counters = self._counters
        long_waits = int(counters[LONG_WAITS])
        start = time.perf_counter()
        are_awake = bool(self._threads)
        try:
            if not are_awake:
                self._start()
            with self._changed:
                self._n_runs += 1
                self._changed.notify_all()
            self._work(0, 0)
        except BaseException:
            counters[FAILED] = 1  # those who started must not wait for ever
            raise
        if self._errors:
            raise self._errors[0]
        if are_awake:  # until threads and processors are, runs are slow for once
            self._record.add(
                n_batches,
                time.perf_counter() - start,
                int(counters[LONG_WAITS]) - long_waits,
            )

    def _start(self) -> None:
        for worker in range(1, self._size):
            thread = threading.Thread(
                target=self._join_runs, args=(worker,), name=f"fastdnn-{worker}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def _join_runs(self, worker: int) -> None:
        n_joined = 0
        try:
            while self._sleep_until_run(n_joined):
                n_joined = self._work(worker, n_joined)
        except BaseException as error:
            self._errors.append(error)
            self._counters[FAILED] = 1

    def _sleep_until_run(self, n_joined: int) -> bool:
        """Return True once a run is about to begin, False when the team is closed."""
        with self._changed:
            while self._n_runs == n_joined and not self._is_closed:
                self._changed.wait()
        return not self._is_closed


def run_side_by_side(n_workers: int, work: Callable[[int], object]) -> None:
    """Call ``work(worker)`` once for every worker, worker 0 in the calling thread."""
    if n_workers == 1:
        work(0)
        return
    with ThreadPoolExecutor(n_workers - 1, thread_name_prefix="fastdnn") as pool:
        others = [pool.submit(work, worker) for worker in range(1, n_workers)]
        work(0)
        for other in others:
            other.result()
