"""Threads that an interrupt does not leave at work, and long calls that it need not wait for.

Python raises interrupts between two steps of its own: Ctrl-C in the main thread, exceptions
set by ``PyThreadState_SetAsyncExc`` in any. Nothing here holds a lock that an interrupted
frame could leave locked, and what waits for threads does so twice: an interrupt that ends
the first wait, wherever it comes, is raised after the second.
"""

import _thread
import atexit
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_start_new_thread = _thread.start_new_thread

# Seconds between two looks whether others are still at work: mostly they end together.
_LONGEST_PAUSE = 1e-3
# Seconds within which a thread that is not the main one sees what was set to be raised in it.
# The main thread is woken by signals, but for Windows.
_SECONDS_TO_LOOK = 0.05
# So many times a call looks whether its thread has begun. One that is started and finds no
# memory for its first step never does.
_LOOKS_UNTIL_MISSED = 20


class Attendance:
    """Who of some threads is at work: none begins, and nobody is, once it is closed.

    That does not depend on what starting a thread seemed to do. There is no lock that an
    interrupted caller could leave locked: a thread adds itself and then looks whether it may,
    the one who closes says so and then looks who is there.
    """

    def __init__(self) -> None:
        self.is_closed = self.has_begun = False
        self._present: set[int] = set()

    def enter(self, worker: int) -> bool:
        """Begin; return False where nobody is to begin any more."""
        self._present.add(worker)
        if self.is_closed:
            self._present.discard(worker)
            return False
        self.has_begun = True
        return True

    @property
    def is_anybody_here(self) -> bool:
        """Whether somebody is at work."""
        return bool(self._present)

    def give_up(self) -> bool:
        """Let nobody begin; return True where nobody has.

        Returns False, too, while somebody who comes just now finds out: a later call tells.
        """
        self.is_closed = True
        return not self._present and not self.has_begun  # in this order: they may leave

    def leave(self, worker: int) -> None:
        """End what began with `enter`."""
        self._present.discard(worker)

    def close(self) -> None:
        """Let nobody begin, and wait until all have left; interrupts are raised afterwards."""
        try:
            self._close()
        finally:
            self._close()

    def _close(self) -> None:
        interrupt: BaseException | None = None
        self.is_closed, pause = True, 0.0
        while self._present:
            try:
                time.sleep(pause)
                pause = min(pause + 2e-5, _LONGEST_PAUSE)
            except BaseException as error:
                interrupt = interrupt or error
        if interrupt is not None:
            raise interrupt


def start_thread(
    work: Callable[[int], object],
    worker: int,
    attendance: Attendance,
    report: Callable[[BaseException], object],
) -> bool:
    """Call ``work(worker)`` in a new thread; return False where there are no more of them.

    That is where the system has a limit, or the interpreter ends. What else is raised here
    comes from elsewhere, such as a signal handler: then the thread may well be running.

    Parameters
    ----------
    work : callable
        Does not begin once `attendance` is closed.
    worker : int
        Its number.
    attendance : Attendance
        Who is at work.
    report : callable
        Called in the new thread with what is raised there.
    """
    body = _body(work, worker, attendance, report)
    next(body)
    try:
        # Not `threading.Thread`: that takes locks of the process, which a frame that was
        # interrupted by a signal handler may hold.
        _start_new_thread(next, (body, None))
    except MemoryError:
        return False
    except RuntimeError as error:
        if "new thread" not in str(error):
            raise
        return False
    return True


def _body(
    work: Callable[[int], object],
    worker: int,
    attendance: Attendance,
    report: Callable[[BaseException], object],
) -> Iterator[None]:
    """Do what a thread does, from the first `next` to the second.

    Until Python 3.12, what is set to be raised in a thread that is just starting another one
    may be raised in the new one, in its first step. Then that is here, and gets reported.
    """
    is_present, caller = False, _thread.get_ident()
    try:
        yield
        if not any(map(_has_room, (worker,))):
            return
        is_present = attendance.enter(worker)
        if is_present:
            work(worker)
    except GeneratorExit:
        pass  # the thread could not be started
    except BaseException as error:
        if _thread.get_ident() == caller:
            raise  # in the first `next`
        # Without memory for the first step, which Python may call a SystemError, this thread
        # is one that never came: nothing has been done, and the caller will see to it.
        if is_present or not isinstance(error, (MemoryError, SystemError)):
            report(error)
    finally:
        if is_present:
            attendance.leave(worker)


def _has_room(worker: int) -> bool:
    """Return True, where a new thread has the memory for frames of functions in Python.

    The first call of one allocates it. Without memory, Python 3.11 drops a reference too many
    to a function that Python calls, which later is gone. Not to one that C calls, as `map`
    does; that then ends without an error.
    """
    return True


class _Call:
    """A call that another thread makes."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.is_done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.attendance, self._work = Attendance(), work
        self._until_done = _thread.allocate_lock()
        self._until_done.acquire()

    def start(self) -> bool:
        """Let a new thread make the call; return False where there is none."""
        return start_thread(self._make, 0, self.attendance, self._end)

    def _make(self, worker: int) -> None:
        self.result = self._work()
        self._end()

    def _end(self, error: BaseException | None = None) -> None:
        self.is_done, self.error = True, error
        if self._until_done.locked():
            self._until_done.release()

    def wait(self) -> bool:
        """Wait until it is done, or an interrupt is raised; False where nobody makes it."""
        n_looks = 0
        while not self.is_done:
            self._until_done.acquire(timeout=_SECONDS_TO_LOOK)
            if not self.attendance.has_begun:
                n_looks += 1
                if n_looks >= _LOOKS_UNTIL_MISSED and self.attendance.give_up():
                    # `_end` may have been called, for what was raised before it began.
                    return self.is_done
        return True


class _Outliving:
    """Calls that go on although nobody waits for them: the interpreter does when it ends."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, call: _Call) -> None:
        """Add a call; more than once is as good."""
        if not self._calls:
            # As late as this: it has to come before what the called libraries do at the end.
            atexit.register(self.wait)
        self._calls = [kept for kept in self._calls if not kept.is_done] + [call]

    def wait(self) -> None:
        """Wait for all."""
        for call in list(self._calls):
            call.attendance.close()


_outliving = _Outliving()


def call_interruptibly(
    work: Callable[[], _Result], stop: Callable[[], object], *, may_outlive: bool = False
) -> _Result:
    """Return ``work()``, made by a thread of its own: interrupts are raised soon.

    Compiled code does not look for them. Here the calling thread does. What is raised in it
    leaves this function as soon as `work` has returned, which is told to by `stop` and never
    sees an interrupt itself. Where no thread can be started, or none begins within about a
    second, the calling one works.

    Parameters
    ----------
    work : callable
        Takes long.
    stop : callable
        Lets `work` return early; it may be called more than once.
    may_outlive : bool
        Whether an interrupt is raised at once although `work` goes on for a while.

    Raises
    ------
    BaseException
        What `work` raises, or what is raised while this waits for it.
    """
    call, is_started = _Call(work), True

    def end() -> None:
        if is_started and not call.is_done:
            stop()
            if may_outlive:
                _outliving.add(call)
                call.attendance.is_closed = True
                return
        call.attendance.close()

    try:
        try:
            is_started = call.start()
            if is_started:
                is_started = call.wait()
        finally:
            end()
    finally:
        end()
    if not is_started:
        return work()
    if call.error is not None:
        raise call.error
    return call.result
