"""Worker teams on Python threads, and the guard that keeps BLAS to one thread inside them."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

from fastdnn._jit import JIT_ENABLED
from fastdnn.kernels.barrier import CLOSED, FAILED, GENERATION, LONG_WAITS

# Shared out, a piece of work of so many floating-point operations gains more than meeting
# twice costs (a training step), or than starting threads does (a prediction).
STEP_THAT_PAYS, PREDICTION_THAT_PAYS = 2e6, 5e7


class _Crowding:
    """Whether other programs need the processors, as the teams of this process see it.

    Workers that wait for one that is not being run are slower than one worker alone. So
    when long waits are frequent, teams work alone for a while: each time twice as long, as
    long as that does not change.
    """

    # The share of meetings that may keep a worker waiting for long, judged over so many.
    _tolerated, _meetings_to_judge = 0.02, 50
    # Starting and waking threads takes a few long waits; more are no coincidence.
    _waits_to_judge = 6
    _shortest, _longest = 0.1, 3.2

    def __init__(self) -> None:
        self._alone_until, self._next_seconds = 0.0, self._shortest
        self._n_meetings = self._n_long_waits = 0

    def is_seen(self) -> bool:
        """Whether a run is better done alone."""
        return time.monotonic() < self._alone_until

    def report(self, n_meetings: int, n_long_waits: int) -> None:
        """Take note of how often the workers met in a run, and waited for long."""
        self._n_meetings += n_meetings
        self._n_long_waits += n_long_waits
        many = self._n_long_waits >= self._waits_to_judge
        if not many and self._n_meetings < self._meetings_to_judge:
            return
        if many and self._n_long_waits > self._tolerated * self._n_meetings:
            self._alone_until = time.monotonic() + self._next_seconds
            self._next_seconds = min(2.0 * self._next_seconds, self._longest)
        elif self._n_meetings >= self._meetings_to_judge:
            self._next_seconds = self._shortest
        self._n_meetings = self._n_long_waits = 0


_crowding = _Crowding()


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
    return joblib.cpu_count()


class _BlasGuard:
    """Keeps BLAS to one thread while any fit runs.

    The limits of most BLAS libraries belong to the process. If each of several fits saved
    and restored them, one would restore what another had set: so the first to enter saves
    them and the last to leave restores them. OpenBLAS on OpenMP keeps a limit for each
    thread; there every thread that enters sets its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._libraries: list[Any] | None = None
        self._saved: list[tuple[Any, int]] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._libraries is None:
                # Only libraries that are loaded can be limited.
                controller = ThreadpoolController().select(user_api="blas")
                self._libraries = controller.lib_controllers
            if self._users == 0:
                self._saved = _limit(x for x in self._libraries if not _is_per_thread(x))
            self._users += 1
        own = _limit(x for x in self._libraries if _is_per_thread(x))
        try:
            yield
        finally:
            _restore(own)
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    _restore(self._saved)

    def reset_after_fork(self) -> None:
        """Forget the fits of the parent process: its threads do not exist here."""
        if self._users:
            _restore(self._saved)
        self._lock = threading.Lock()
        self._users = 0


def _is_per_thread(library: Any) -> bool:
    openmp = getattr(library, "threading_layer", None) == "openmp"
    return library.internal_api == "openblas" and openmp


def _limit(libraries: Iterable[Any]) -> list[tuple[Any, int]]:
    """Limit the libraries to one thread and return what they had."""
    saved = [(library, library.get_num_threads()) for library in libraries]
    for library, _ in saved:
        _set_num_threads(library, 1)
    return saved


def _restore(saved: list[tuple[Any, int]]) -> None:
    for library, n_threads in saved:
        _set_num_threads(library, n_threads)


def _set_num_threads(library: Any, n_threads: int) -> None:
    # From 3.7 on, threadpoolctl silently ignores all threads but the first that has set
    # a limit of the process, until that one gives up control.
    give_up_control = getattr(library, "clear_controlling_thread", None)
    for _ in range(100):  # another thread may take control in between
        if give_up_control is not None:
            give_up_control(force=True)
        library.set_num_threads(n_threads)
        if library.get_num_threads() == n_threads:
            break
    if give_up_control is not None:
        give_up_control(force=True)


#: ``with single_threaded_blas():`` around solvers that call BLAS.
single_threaded_blas = _BlasGuard()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=single_threaded_blas.reset_after_fork)


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

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._counters[CLOSED] = 1
        for thread in self._threads:
            thread.join()

    def run(self) -> None:
        """Do one run, with all workers or alone.

        Raises
        ------
        BaseException
            The first error of any worker.
        """
        if self._size == 1 or _crowding.is_seen():
            self._taking_part[0] = 1
            self._work(0, 0)
            return
        self._taking_part[0] = self._size
        counters = self._counters
        meetings, long_waits = counters[GENERATION], counters[LONG_WAITS]
        try:
            if not self._threads:
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
        _crowding.report(counters[GENERATION] - meetings, counters[LONG_WAITS] - long_waits)

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
