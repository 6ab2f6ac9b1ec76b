"""Jobs that know nothing of each other, such as fits, done side by side by few threads.

Each thread does one job after another, and jobs may use the CPUs that are left over for teams
of their own. An interrupt of the calling thread, which does nothing but wait, is raised in all
jobs under way: they end as fits do at Ctrl-C, and no further one begins.
"""

import _thread
import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastdnn.system.interruptible import call_interruptibly
from fastdnn.teams.cpus import at_most, threads_offered
from fastdnn.teams.threads import run_side_by_side

_raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in_thread.argtypes = ctypes.c_ulong, ctypes.py_object


class Jobs:
    """Some jobs, and what has become of each.

    Parameters
    ----------
    jobs : sequence of callable
        Called without arguments, each at most once; those at the beginning begin first.
    n_threads : int or None
        Threads that the user allows; None for as many as there are CPUs.

    Attributes
    ----------
    results : list
        What each job has returned; None of one that has not.
    n_workers : int
        Threads that do jobs.
    is_interrupted : bool
        Whether not all was done, for an interrupt.
    """

    def __init__(self, jobs: Sequence[Callable[[], Any]], n_threads: int | None) -> None:
        offered = threads_offered(n_threads, pays=True)
        self.n_workers = max(1, min(len(jobs), offered))
        self.results: list[Any] = [None] * len(jobs)
        self.is_interrupted = False
        self._share = max(1, offered // self.n_workers)
        self._waiting: Iterator[tuple[int, Callable]] = iter(list(enumerate(jobs)))
        self._errors: dict[int, BaseException] = {}
        self._is_stopped = False
        # Threads at work, and at what: one that is not may have ended, and another may have
        # its number.
        self._at_work: dict[int, int] = {}
        self._lock = _thread.RLock()  # a signal handler may interrupt one who holds it

    def run(self) -> None:
        """Do all of them, and return when nobody is at work any more.

        An interrupt is not raised: whoever calls this knows what to make of the results.

        Raises
        ------
        BaseException
            The error of a job, the first by its position; it stops those after it.
        """
        try:
            call_interruptibly(self._run, self.interrupt)
        except KeyboardInterrupt:
            self.is_interrupted = True
        if self._errors:
            raise self._errors[min(self._errors)]

    def interrupt(self) -> None:
        """Let no further job begin, and raise KeyboardInterrupt in those under way."""
        self.is_interrupted = True
        self._stop()

    def begin_no_more(self) -> None:
        """Let no further job begin: one has been interrupted where it is done."""
        self.is_interrupted = self._is_stopped = True

    def _stop(self, position: int = -1) -> None:
        """Let no further job begin, and end those under way after a position."""
        self._is_stopped = True
        with self._lock:
            for thread, its_position in self._at_work.items():
                if its_position > position:
                    _raise_in_thread(thread, KeyboardInterrupt)

    def _run(self) -> None:
        run_side_by_side(self.n_workers, self._work)

    def _work(self, worker: int) -> bool:
        """Do the next job; return whether there may be more.

        An interrupt may come at any instruction of this, and is no error then.
        """
        try:
            with at_most(self._share):
                return self._do_next()
        except KeyboardInterrupt:
            self.begin_no_more()
            return False

    def _do_next(self) -> bool:
        position, job = next(self._waiting, (-1, None))
        if job is None or self._is_stopped:
            return False
        thread = _thread.get_ident()
        try:
            with self._lock:
                if self._is_stopped:
                    return False
                self._at_work[thread] = position
            self.results[position] = job()
        except KeyboardInterrupt:
            self.begin_no_more()
        except BaseException as error:
            self._errors[position] = error
            self._stop(position)
        finally:
            with self._lock:
                self._at_work.pop(thread, None)
        return not self._is_stopped
