"""Calls that an interrupt need not wait for: who waits, who stops, and what is raised."""

import _thread
import atexit
import collections
import ctypes
import itertools
import operator
import threading
import time

import pytest

from fastdnn.system import interruptible
from fastdnn.system.interruptible import Attendance, call_interruptibly
from tests.interrupts import Interrupted


class Interrupt(BaseException):
    """Raised in a thread by another."""


set_to_raise = ctypes.pythonapi.PyThreadState_SetAsyncExc
set_to_raise.argtypes = ctypes.c_ulong, ctypes.py_object


def raise_in(thread, error=Interrupt):
    set_to_raise(thread, error)


class LongWork:
    """Works until it is told to stop, and interrupts the calling thread once it works."""

    def __init__(self, *, takes_after_stop=0.0):
        self.caller, self.told = _thread.get_ident(), threading.Event()
        self.takes, self.has_ended = takes_after_stop, False

    def __call__(self):
        raise_in(self.caller)
        assert self.told.wait(10)
        time.sleep(self.takes)
        self.has_ended = True

    def stop(self):
        self.told.set()


def test_the_result_is_that_of_another_thread():
    assert call_interruptibly(_thread.get_ident, lambda: None) != _thread.get_ident()


def test_what_the_work_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        call_interruptibly(lambda: 1 / 0, lambda: None)


def test_nobody_is_told_to_stop_without_an_interrupt():
    told = []
    call_interruptibly(lambda: None, lambda: told.append(True))
    with pytest.raises(ZeroDivisionError):
        call_interruptibly(lambda: 1 / 0, lambda: told.append(True))
    assert told == []


def interrupted(work, **options):
    with pytest.raises(Interrupt):
        call_interruptibly(work, work.stop, **options)


def test_an_interrupt_stops_the_work_and_is_raised_when_that_has_ended():
    work = LongWork(takes_after_stop=0.05)
    interrupted(work)
    assert work.has_ended


def test_an_interrupt_of_another_thread_than_the_main_one():
    ended = []

    def call():
        work = LongWork()
        interrupted(work)
        ended.append(work.has_ended)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(10)
    assert ended == [True]


def test_work_that_may_outlive_the_call_ends_before_the_interpreter(monkeypatch):
    at_exit = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(interruptible, "_outliving", interruptible._Outliving())
    goes_on = threading.Event()
    work = LongWork()
    work.stop = lambda: None
    interrupted(work, may_outlive=True)
    assert not work.has_ended
    threading.Timer(0.05, work.told.set).start()
    assert not goes_on.is_set()
    for wait in at_exit:
        wait()
    assert at_exit and work.has_ended


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_without_a_thread_the_caller_works(monkeypatch, error):
    def refuse(function, args):
        raise error

    monkeypatch.setattr(interruptible, "_start_new_thread", refuse)
    told = []
    result = call_interruptibly(_thread.get_ident, lambda: told.append(True))
    assert result == _thread.get_ident()
    assert told == []


def test_a_call_that_is_given_up_before_it_begins_never_begins(monkeypatch):
    started, begun = [], []

    def start_late(function, args):
        started.append((function, args))
        raise Interrupt

    monkeypatch.setattr(interruptible, "_start_new_thread", start_late)
    with pytest.raises(Interrupt):
        call_interruptibly(lambda: begun.append(True), lambda: None)
    for function, args in started:
        function(*args)
    assert len(started) == 1
    assert begun == []


def test_attendance_is_closed_although_the_first_wait_is_interrupted(monkeypatch):
    attendance, waits = Attendance(), []
    close = Attendance._close
    assert attendance.enter(1)

    def close_or_raise(self):
        waits.append(True)
        if len(waits) == 1:
            raise Interrupt
        threading.Timer(0.02, attendance.leave, (1,)).start()
        close(self)

    monkeypatch.setattr(Attendance, "_close", close_or_raise)
    with pytest.raises(Interrupt):
        attendance.close()
    assert len(waits) == 2
    assert not attendance.enter(2)


def test_what_is_raised_in_a_thread_before_it_begins_is_raised(monkeypatch):
    """As Python before 3.12 does with what is set in a thread that starts another one."""
    start = interruptible._start_new_thread

    def start_interrupted(function, args):
        # Without a step of Python in between, which would be the one that raises.
        raised = map(set_to_raise, map(operator.call, [_thread.get_ident]), [Interrupt])
        steps = itertools.chain(raised, map(function, *zip(args)))
        return start(collections.deque, (steps, 0))

    monkeypatch.setattr(interruptible, "_start_new_thread", start_interrupted)
    begun = []
    with pytest.raises(Interrupt):
        call_interruptibly(lambda: begun.append(True), lambda: None)
    assert begun == []


def test_an_interrupt_while_a_thread_is_prepared_is_raised():
    """At any instruction of that, in the calling thread."""
    paths = {interruptible.__file__}
    undisturbed = Interrupted(paths=paths)
    undisturbed(lambda: call_interruptibly(lambda: None, lambda: None))
    assert undisturbed.n_seen > 100
    for n in range(1, undisturbed.n_seen + 1):
        interrupted = Interrupted(n, paths)
        is_raised = interrupted(lambda: call_interruptibly(lambda: None, lambda: None))
        assert is_raised or interrupted.place is None
