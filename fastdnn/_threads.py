"""Worker teams on Python threads, and the guard that keeps BLAS to one thread inside them."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

from fastdnn._jit import JIT_ENABLED
from fastdnn.kernels.barrier import FAILED


def threads_offered(n_threads: int | None) -> int:
    """Return how many threads a fit may use.

    Parameters
    ----------
    n_threads : int or None
        A number that the user chose, or None for: one inside a joblib worker, otherwise
        the CPUs that this process may use (affinity and container limits count).
    """
    if not JIT_ENABLED:
        return 1  # plain Python kernels cannot run side by side
    if n_threads is not None:
        return int(n_threads)
    backend, _ = get_active_backend()
    if getattr(backend, "nesting_level", 0):
        return 1
    return joblib.cpu_count()


class _BlasGuard:
    """Keeps BLAS to one thread while any fit runs.

    The limits of BLAS libraries belong to the process. If each of several fits saved and
    restored them, one would restore what another had set: so the first to enter saves
    them and the last to leave restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._controller: ThreadpoolController | None = None
        self._saved: list[tuple] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._users == 0:
                self._enter()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    for library, n_threads in self._saved:
                        library.set_num_threads(n_threads)

    def _enter(self) -> None:
        if self._controller is None:
            # Only libraries that are loaded can be limited. The compiled kernels use
            # SciPy's BLAS, which importing fastdnn.kernels has loaded.
            self._controller = ThreadpoolController().select(user_api="blas")
        self._saved = [
            (library, library.get_num_threads())
            for library in self._controller.lib_controllers
        ]
        for library, _ in self._saved:
            library.set_num_threads(1)

    def reset_after_fork(self) -> None:
        """Forget the fits of the parent process: its threads do not exist here."""
        if self._users:
            for library, n_threads in self._saved:
                library.set_num_threads(n_threads)
        self._lock = threading.Lock()
        self._users = 0


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
            work(worker)
        except BaseException:
            self._counters[FAILED] = 1
            raise
