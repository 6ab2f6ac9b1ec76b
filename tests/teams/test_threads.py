"""Worker teams: that they work together, and end together whatever is raised."""

import _thread
import threading
import time

import numpy as np
import pytest

from fastdnn.engine.barrier import (
    FAILED,
)
from fastdnn.system import interruptible
from fastdnn.teams.threads import Team, run_side_by_side
from tests.teams.work import Work, counters, require_threads

pytestmark = pytest.mark.usefixtures("own_crowding")


@pytest.mark.parametrize("n_runs", [1, 50])
def test_every_worker_joins_every_run_and_the_caller_is_worker_zero(n_runs):
    shared = counters()
    everyone = threading.Barrier(3)
    work = Work(shared, on_run=lambda worker: everyone.wait(timeout=10))
    with Team(np.array([3]), shared, work) as team:
        for _ in range(n_runs):
            team.run(1)
    workers = [worker for worker, _ in work.seen]
    assert [workers.count(worker) for worker in range(3)] == [n_runs] * 3
    threads = dict(work.seen)
    assert threads[0] == threading.get_ident()
    assert len(set(threads.values())) == 3


def test_workers_that_slept_join_the_next_run():
    shared = counters()
    both = threading.Barrier(2)
    work = Work(shared, on_run=lambda worker: both.wait(timeout=10))
    with Team(np.array([2]), shared, work) as team:
        team.run(1)
        time.sleep(0.05)  # the worker has nothing to wait for and sleeps
        team.run(1)
    assert [worker for worker, _ in work.seen].count(1) == 2


def test_the_threads_of_a_team_end_with_it():
    before = _thread._count()
    shared = counters()
    with Team(np.array([3]), shared, Work(shared)) as team:
        team.run(1)
    require_threads(before)


def test_an_error_in_a_worker_reaches_the_caller_and_releases_the_others():
    shared = counters()
    raised = threading.Event()

    def fail(worker):
        if worker == 1:
            raised.set()
            raise MemoryError("no room")
        raised.wait(timeout=10)
        while shared[FAILED] == 0:
            time.sleep(0.001)

    with Team(np.array([2]), shared, Work(shared, on_run=fail)) as team:
        with pytest.raises(MemoryError, match="no room"):
            team.run(1)
    assert shared[FAILED] == 1


def test_an_error_in_the_caller_is_raised():
    shared = counters()

    def interrupt(worker):
        if worker == 0:
            raise KeyboardInterrupt

    with Team(np.array([2]), shared, Work(shared, on_run=interrupt)) as team:
        with pytest.raises(KeyboardInterrupt):
            team.run(1)
    assert shared[FAILED] == 1


def test_a_team_of_one_starts_no_thread():
    before = _thread._count()
    shared = counters()
    with Team(np.array([1]), shared, Work(shared)) as team:
        team.run(1)
        assert _thread._count() == before


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_team_is_entered_once(n_workers):
    shared = counters()
    work = Work(shared)
    with Team(np.array([n_workers]), shared, work) as team:
        with pytest.raises(RuntimeError, match=r"entered before.* make a new Team"), team:
            pass
        team.run(1)  # which the refused context has not ended
    with pytest.raises(RuntimeError, match=r"entered before.* make a new Team"), team:
        pass
    assert work.seen


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_team_that_has_ended_runs_no_more(n_workers):
    before = _thread._count()
    shared = counters()
    work = Work(shared)
    with Team(np.array([n_workers]), shared, work) as team:
        team.run(1)
    n_seen = len(work.seen)
    with pytest.raises(RuntimeError, match=r"has ended.* make a new Team"):
        team.run(1)
    require_threads(before)
    assert len(work.seen) == n_seen


def test_side_by_side_calls_every_worker_once():
    seen, everyone = {}, threading.Barrier(3)

    def work(worker):
        seen[worker] = threading.get_ident()
        everyone.wait(timeout=10)

    run_side_by_side(3, work)
    assert sorted(seen) == [0, 1, 2]
    assert seen[0] == threading.get_ident()


def test_an_error_side_by_side_reaches_the_caller():
    begun = threading.Event()

    def work(worker):
        if worker == 1:
            begun.set()
            raise MemoryError("no room")
        begun.wait(10)

    with pytest.raises(MemoryError, match="no room"):
        run_side_by_side(2, work)


@pytest.mark.parametrize("error", [RecursionError("deep"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("team_size", [0, 3])
def test_an_error_from_elsewhere_while_a_thread_starts_leaves_nobody_at_work(
    team_size, error, monkeypatch
):
    """As from a signal handler: the thread has started, though `start` raises."""
    start, at_work, shared = interruptible._start_new_thread, [], counters()

    def start_and_raise(function, args):
        start(function, args)
        raise error

    def work(worker, n_joined=0):
        at_work.append(worker)
        time.sleep(0.05)
        at_work.remove(worker)
        return n_joined + 1

    monkeypatch.setattr(interruptible, "_start_new_thread", start_and_raise)
    with pytest.raises(type(error)):
        if team_size:
            with Team(np.array([team_size]), shared, work) as team:
                team.run(1)
        else:
            run_side_by_side(3, work)
    assert at_work == []
    time.sleep(0.01)
    assert at_work == []  # nor does anybody begin later


@pytest.mark.parametrize("team_size", [0, 2])
def test_an_interrupt_is_raised_when_all_have_left(team_size, monkeypatch):
    """Memory that they work on is the caller's, and may be gone afterwards."""
    shared, begun, sleep, n_sleeps = counters(), threading.Event(), time.sleep, []
    at_work = []

    def interrupted_sleep(seconds):
        n_sleeps.append(seconds)
        if len(n_sleeps) in (2, 3):
            raise KeyboardInterrupt
        sleep(seconds)

    def work(worker, n_joined=0):
        if worker == 0:
            begun.wait(10)
            monkeypatch.setattr(interruptible.time, "sleep", interrupted_sleep)
            return 1
        at_work.append(worker)
        begun.set()
        sleep(0.1)
        at_work.remove(worker)
        return n_joined + 1

    with pytest.raises(KeyboardInterrupt):
        if team_size:
            with Team(np.array([team_size]), shared, work) as team:
                team.run(1)
        else:
            run_side_by_side(2, work)
    assert len(n_sleeps) > 3
    assert at_work == []


def test_a_team_that_gives_way_works_alone_until_it_need_not():
    shared, size = counters(), np.array([2])
    both = threading.Barrier(2)

    def meet(worker):
        if size[0] == 2:
            both.wait(timeout=10)

    work = Work(shared, on_run=meet)
    answers = iter([False, True, True, False])
    with Team(size, shared, work) as team:
        team.gives_way = lambda: next(answers)
        team._is_crowded_out = lambda: False  # by other programs
        for expected in (False, True, True, False):
            assert team.look_around() is expected
            team.run(1)
            assert size[0] == (1 if expected else 2)
    workers = [worker for worker, _ in work.seen]
    assert (workers.count(0), workers.count(1)) == (4, 2)
