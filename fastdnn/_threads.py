"""Worker teams on Python threads, and the guard that keeps BLAS to one thread inside them."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

from fastdnn._jit import JIT_ENABLED
from fastdnn.kernels.barrier import FAILED

# Waking the workers for one run costs about as much as this many operations save.
_FLOPS_THAT_PAY = 2e8


def threads_offered(n_threads: int | None, flops: float) -> int:
    """Return how many threads one run of the engine may use.

    Parameters
    ----------
    n_threads : int or None
        A number that the user chose, or None for: one inside a joblib worker or for a
        run too short to share, otherwise the CPUs that this process may use (affinity and
        container limits count).
    flops : float
        Floating-point operations of the run: an epoch, or a prediction.
    """
    if not JIT_ENABLED:
        return 1  # plain Python kernels cannot run side by side
    if n_threads is not None:
        return int(n_threads)
    if flops < _FLOPS_THAT_PAY:
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
                # Only libraries that are loaded can be limited. The compiled kernels use
                # SciPy's BLAS, which importing fastdnn.kernels has loaded.
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


#: ``with single_threaded_blas():`` around every run of the engine.
single_threaded_blas = _BlasGuard()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=single_threaded_blas.reset_after_fork)


class Team:
    """Workers that run one compiled function together; a context manager.

    Parameters
    ----------
    n_workers : int
        Size of the team. The calling thread is worker 0; the others live in a pool until
        the context ends.
    counters : ndarray of int64
        The team's counters, see `fastdnn.kernels.barrier`.
    """

    def __init__(self, n_workers: int, counters: np.ndarray) -> None:
        self._n_workers = n_workers
        self._counters = counters
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> "Team":
        if self._n_workers > 1:
            self._pool = ThreadPoolExecutor(self._n_workers - 1, thread_name_prefix="fastdnn")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def run(self, work: Callable[[int], object]) -> None:
        """Call ``work(worker)`` once for every worker and wait for all of them."""
        if self._pool is None:
            work(0)
            return
        others = []
        try:
            for worker in range(1, self._n_workers):
                others.append(self._pool.submit(self._run_one, work, worker))
            self._run_one(work, 0)
        except BaseException:
            self._counters[FAILED] = 1  # those who started must not wait for ever
            raise
        finally:
            for other in others:
                other.result()

    def _run_one(self, work: Callable[[int], object], worker: int) -> None:
        try:
            with single_threaded_blas():
                work(worker)
        except BaseException:
            self._counters[FAILED] = 1
            raise
