"""Calls that an interrupt need not wait for: who waits, who stops, and what is raised."""

import _thread
import atexit
import collections
import itertools
import operator
import threading
import time

import pytest

from fastdnn.system import interruptible
from fastdnn.system.interruptible import Attendance, call_interruptibly
from tests.interrupts import Interrupt, Interrupted, raise_in, set_to_raise


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


@pytest.fixture
def late(monkeypatch):
    """Let threads die before they do anything; return what they were to call."""
    started, start = [], interruptible._start_new_thread

    def start_and_die(function, args):
        started.append((function, args))
        return start(lambda: None, ())

    monkeypatch.setattr(interruptible, "_start_new_thread", start_and_die)
    monkeypatch.setattr(interruptible, "_LOOKS_UNTIL_MISSED", 2)
    return started


def test_where_a_started_thread_never_begins_the_caller_works(late):
    begun, told = [], []

    def work():
        begun.append(_thread.get_ident())
        return len(begun)

    assert call_interruptibly(work, lambda: told.append(True)) == 1
    for function, args in late:  # nor does it when it comes late
        function(*args)
    assert len(late) == 1
    assert begun == [_thread.get_ident()]
    assert told == []


def test_an_error_of_the_caller_who_works_for_a_dead_thread_is_raised(late):
    with pytest.raises(ZeroDivisionError):
        call_interruptibly(lambda: 1 / 0, lambda: None)


@pytest.mark.parametrize("error", [MemoryError(), SystemError("without exception set")])
def test_a_thread_without_memory_for_its_first_step_is_one_that_never_begins(
    monkeypatch, error
):
    enter, callers = Attendance.enter, []

    def enter_without_memory(self, worker):
        callers.append(_thread.get_ident())
        if len(callers) == 1:
            raise error
        return enter(self, worker)

    monkeypatch.setattr(Attendance, "enter", enter_without_memory)
    monkeypatch.setattr(interruptible, "_LOOKS_UNTIL_MISSED", 2)
    assert call_interruptibly(_thread.get_ident, lambda: None) == _thread.get_ident()
    assert callers[0] != _thread.get_ident()


def test_a_thread_without_room_for_functions_in_python_calls_none(monkeypatch):
    callers = []

    def has_no_room(worker):
        callers.append(_thread.get_ident())
        return False

    monkeypatch.setattr(interruptible, "_has_room", has_no_room)
    monkeypatch.setattr(interruptible, "_LOOKS_UNTIL_MISSED", 2)
    assert call_interruptibly(_thread.get_ident, lambda: None) == _thread.get_ident()
    assert len(callers) == 1
    assert callers[0] != _thread.get_ident()


def test_a_thread_that_has_begun_is_waited_for(monkeypatch):
    """However long it takes."""
    monkeypatch.setattr(interruptible, "_LOOKS_UNTIL_MISSED", 1)
    monkeypatch.setattr(interruptible, "_SECONDS_TO_LOOK", 0.0)
    begun, looks = [], []
    give_up = Attendance.give_up

    def give_up_late(self):
        while not begun:  # it comes just before it would have been missed
            time.sleep(0.001)
        looks.append(give_up(self))
        return looks[-1]

    def work():
        begun.append(_thread.get_ident())
        time.sleep(0.05)
        return begun

    monkeypatch.setattr(Attendance, "give_up", give_up_late)
    assert len(call_interruptibly(work, lambda: None)) == 1
    assert begun != [_thread.get_ident()]
    assert not any(looks)


def test_nobody_is_given_up_while_it_is_to_be_seen_whether_he_has_begun():
    attendance, answers = Attendance(), []

    class Present(set):
        def add(self, worker):
            super().add(worker)
            answers.append(attendance.give_up())

    attendance._present = Present()
    assert not attendance.enter(1)  # it has been closed meanwhile
    assert answers == [False]
    assert attendance.give_up()
    begun = Attendance()
    assert begun.enter(1)
    assert not begun.give_up()
    begun.leave(1)
    assert not begun.give_up()


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
