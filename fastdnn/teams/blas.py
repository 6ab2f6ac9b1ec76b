"""The guard that keeps BLAS to one thread, for solvers that call it."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController


class _BlasGuard:
    """Keeps BLAS to one thread while any fit runs.

    The first to enter saves the limits, and the last to leave restores them. OpenBLAS on
    OpenMP keeps a limit for each thread; there every thread that enters sets its own. Why so:
    ``scripts/docs/engine/teams.md``.
    """

    def __init__(self) -> None:
        # A signal handler that fits may interrupt one who holds it.
        self._lock = threading.RLock()
        self._users = 0
        self._libraries: list[Any] | None = None
        self._saved: list[tuple[Any, int]] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if self._libraries is None:
            # Only libraries that are loaded can be limited.
            controller = ThreadpoolController().select(user_api="blas")
            self._libraries = controller.lib_controllers
        own: list[tuple[Any, int]] = []
        is_counted = False
        try:  # an interrupt at any point leaves the limits as they were
            with self._lock:
                self._users += 1  # first: a signal handler must not save what is half limited
                is_counted = True
                if self._users == 1:
                    self._saved = _numbers_of(
                        x for x in self._libraries if not _is_per_thread(x)
                    )
                    _set_all(self._saved, 1)
            own = _numbers_of(x for x in self._libraries if _is_per_thread(x))
            _set_all(own, 1)
            yield
        finally:
            _restore(own)
            if is_counted:
                with self._lock:
                    if self._users == 1:
                        _restore(self._saved)
                    self._users -= 1

    def reset_after_fork(self) -> None:
        """Forget the fits of the parent process: its threads do not exist here."""
        if self._users:
            _restore(self._saved)
        self._lock = threading.RLock()
        self._users = 0


def _is_per_thread(library: Any) -> bool:
    openmp = getattr(library, "threading_layer", None) == "openmp"
    return library.internal_api == "openblas" and openmp


def _numbers_of(libraries: Iterable[Any]) -> list[tuple[Any, int]]:
    """Return libraries with their numbers of threads."""
    return [(library, library.get_num_threads()) for library in libraries]


def _set_all(libraries: Iterable[tuple[Any, int]], n_threads: int) -> None:
    for library, _ in libraries:
        _set_num_threads(library, n_threads)


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
