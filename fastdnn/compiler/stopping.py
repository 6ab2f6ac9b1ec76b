"""Compilations by threads that wait for each other, and can be told to stop."""

import _thread
import gc
import threading
from typing import Any, ClassVar

from fastdnn.compiler.assumptions import find

# How often a thread looks whether it is told to stop while it waits for others to compile.
_SECONDS_TO_LOOK = 0.05

# Where numba's lock is not known, compilations wait for each other by this one, and then for
# numba's, inside of numba.
_own_lock = threading.RLock()


def _lock() -> Any:  # needs jit
    return find("numba.core.compiler_lock.global_compiler_lock._lock", _own_lock)


def is_compiling() -> bool:  # needs jit
    """Whether this thread compiles, so that it need not wait for anybody."""
    return _lock()._is_owned()


def forget_the_parents_compilation() -> None:  # needs jit
    """Let a child process compile that was forked while another thread did."""
    global _own_lock
    lock = _lock()
    if lock.acquire(blocking=False):
        lock.release()  # free, or held by the thread that forked
        return
    if lock is _own_lock:
        _own_lock = threading.RLock()
    else:
        find("numba.core.compiler_lock.global_compiler_lock")._lock = threading.RLock()
    for compilation in Compilation._of_threads.values():
        compilation.let_collect()
    Compilation._of_threads.clear()


class CompilationStopped(BaseException):
    """A compilation was told to stop. Not an `Exception`: numba handles some of those."""


class Compilation:  # needs jit
    """A compilation by this thread, which may be told to stop; a context manager.

    It then stops before the next kernel. numba keeps those that are complete and nothing of
    the others, so that a later compilation goes on from there.

    Meanwhile Python's garbage collector does not walk through numba's many objects.
    """

    _of_threads: ClassVar[dict[int, "Compilation"]] = {}

    def __init__(self) -> None:
        self._is_stopped = self._stops_collector = False
        self._held: Any = None

    def stop(self) -> None:
        """Let it stop; from any thread."""
        self._is_stopped = True

    def __enter__(self) -> None:
        lock = _lock()
        while not lock.acquire(timeout=_SECONDS_TO_LOOK):
            self._look()
        self._held, self._stops_collector = lock, gc.isenabled()
        self._of_threads[_thread.get_ident()] = self
        if self._stops_collector:
            gc.disable()

    def __exit__(self, *error: object) -> None:
        self._of_threads.pop(_thread.get_ident(), None)
        self.let_collect()
        self._held.release()

    def let_collect(self) -> None:
        """Let the garbage collector work again if it did before."""
        if self._stops_collector:
            gc.enable()

    def _look(self) -> None:
        if self._is_stopped:
            raise CompilationStopped

    @classmethod
    def look(cls) -> None:
        """Raise `CompilationStopped` if the compilation of this thread is to stop."""
        compilation = cls._of_threads.get(_thread.get_ident())
        if compilation is not None:
            compilation._look()
