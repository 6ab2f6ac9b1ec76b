"""Worker teams, when they pay, and how many threads a workload is offered."""

import os
import threading
import time

import joblib
import numpy as np
import pytest

from fastdnn import _crowding, _threads
from fastdnn._threads import (
    Team,
    run_side_by_side,
    threads_offered,
)
from fastdnn.kernels.barrier import FAILED, LONG_WAITS, RUNS, team_size


@pytest.fixture(autouse=True)
def own_crowding(monkeypatch):
    """A crowding that no fit of another test has begun: where it is seen, teams work alone."""
    own = _crowding.Crowding()
    monkeypatch.setattr(_threads, "crowding", own)
    return own


def counters():
    return np.zeros(team_size(4), dtype=np.int64)


class Work:
    """What a team does, in Python: counts runs the way the engine does."""

    def __init__(self, shared, *, on_run=None):
        self._shared, self._on_run = shared, on_run
        self.seen = []

    def __call__(self, worker, n_joined):
        if worker == 0:
            self._shared[RUNS] += 1
        elif self._shared[RUNS] == n_joined:
            return n_joined  # as if no run had begun in the time that a worker waits
        self.seen.append((worker, threading.get_ident()))
        if self._on_run is not None:
            self._on_run(worker)
        return n_joined + 1


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
    before = threading.active_count()
    shared = counters()
    with Team(np.array([3]), shared, Work(shared)) as team:
        team.run(1)
    assert threading.active_count() == before


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
    before = threading.active_count()
    shared = counters()
    with Team(np.array([1]), shared, Work(shared)) as team:
        team.run(1)
        assert threading.active_count() == before


@pytest.fixture
def crowding(own_crowding, monkeypatch):
    """A crowding on a clock that the test sets."""
    own_crowding.now = 100.0
    monkeypatch.setattr(_crowding.time, "monotonic", lambda: own_crowding.now)
    return own_crowding


def test_crowding_is_seen_for_a_while_each_time_longer(crowding):
    seconds = []
    for _ in range(5):
        assert not crowding.is_seen()
        crowding.begin()
        start = crowding.now
        while crowding.is_seen():
            crowding.now += 0.05
        seconds.append(crowding.now - start)
    np.testing.assert_allclose(seconds, [0.1, 0.2, 0.4, 0.8, 0.8], atol=0.051)
    crowding.end()
    crowding.begin()  # the next crowding begins with a short while
    crowding.now += 0.11
    assert not crowding.is_seen()


def test_comparisons_that_a_team_wins_come_ever_more_rarely(crowding):
    pauses = []
    for _ in range(5):
        assert crowding.may_compare()
        crowding.dismiss()
        start = crowding.now
        while not crowding.may_compare():
            crowding.now += 0.05
        pauses.append(crowding.now - start)
    np.testing.assert_allclose(pauses, [0.4, 0.8, 1.6, 3.2, 3.2], atol=0.051)
    crowding.begin()  # after a crowding the next pause is short again
    crowding.dismiss()
    crowding.now += 0.45
    assert crowding.may_compare()


class CrowdedWork:
    """Work whose runs take the time, and the long waits, that the test says."""

    def __init__(self, crowding, monkeypatch, shared, taking_part):
        self._crowding, self._shared, self._taking_part = crowding, shared, taking_part
        monkeypatch.setattr(_threads.time, "perf_counter", lambda: crowding.now)
        self.seconds = {1: 0.001, 2: 0.001}
        self.long_waits = 0
        self.sizes = []

    def __call__(self, worker, n_joined):
        if worker == 0:
            size = int(self._taking_part[0])
            self.sizes.append(size)
            self._crowding.now += self.seconds[size]
            if size == 2:
                self._shared[LONG_WAITS] += self.long_waits
        return n_joined + worker


@pytest.mark.parametrize(
    ("long_waits", "together", "sizes"),
    [
        (0, 0.03, [2, 2, 2, 2, 2, 2]),  # slow, but not for waiting
        (1, 0.03, [2, 2, 2, 2, 2, 2]),  # a thread that started
        (3, 0.3, [2, 2, 2, 2, 2, 2]),  # long waits that hardly count
        (30, 0.01, [2, 2, 1, 2, 2, 2]),  # many, and yet faster than one alone
        (30, 0.03, [2, 2, 1, 1, 1, 1]),  # crowded: alone for a while
    ],
)
def test_a_team_works_alone_where_that_is_faster(
    crowding, monkeypatch, long_waits, together, sizes
):
    shared, taking_part = counters(), np.array([2])
    work = CrowdedWork(crowding, monkeypatch, shared, taking_part)
    work.seconds, work.long_waits = {1: 0.02, 2: together}, long_waits
    with Team(taking_part, shared, work) as team:
        for _ in sizes:
            team.run(1)
        assert work.sizes == sizes
        work.long_waits = 0
        crowding.now += 1.0
        team.run(1)
        team.run(1)
    assert work.sizes[-1] == 2  # crowding is over


def test_side_by_side_calls_every_worker_once():
    seen = {}
    run_side_by_side(3, lambda worker: seen.setdefault(worker, threading.get_ident()))
    assert sorted(seen) == [0, 1, 2]
    assert seen[0] == threading.get_ident()


def test_an_error_side_by_side_reaches_the_caller():
    def work(worker):
        if worker == 1:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        run_side_by_side(2, work)


@pytest.fixture
def with_jit(monkeypatch):
    monkeypatch.setattr(_threads, "JIT_ENABLED", True)


def test_the_users_number_counts(with_jit):
    assert threads_offered(3, False) == 3


def test_by_default_the_processors_of_this_process_are_offered(with_jit):
    assert threads_offered(None, True) == joblib.cpu_count()


def test_processors_taken_from_this_process_later_are_not_offered(with_jit, monkeypatch):
    threads_offered(None, True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert threads_offered(None, True) == 1


def test_systems_without_affinity_have_the_processors_that_joblib_counts(
    with_jit, monkeypatch
):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 3)
    assert threads_offered(None, True) == 3


def test_the_limit_of_joblib_may_be_set_later(with_jit, monkeypatch):
    threads_offered(None, True)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert threads_offered(None, True) == 1


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_one_thread_inside_a_joblib_worker(with_jit, backend):
    jobs = joblib.Parallel(n_jobs=2, backend=backend)
    assert jobs(joblib.delayed(threads_offered)(None, True) for _ in range(2)) == [1, 1]


def test_small_work_is_not_shared(with_jit):
    assert threads_offered(None, False) == 1


def test_plain_python_runs_alone(monkeypatch):
    monkeypatch.setattr(_threads, "JIT_ENABLED", False)
    assert threads_offered(4, True) == 1
