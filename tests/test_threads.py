"""Worker teams, the guard around BLAS, and how many threads a fit is offered."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from fastdnn import _threads
from fastdnn._threads import (
    Team,
    run_side_by_side,
    single_threaded_blas,
    threads_offered,
)
from fastdnn.kernels.barrier import FAILED, GENERATION, LONG_WAITS, RUNS, TEAM_SIZE


def blas_threads():
    info = ThreadpoolController().select(user_api="blas").info()
    return [library["num_threads"] for library in info]


def counters():
    return np.zeros(TEAM_SIZE, dtype=np.int64)


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
            team.run()
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
        team.run()
        time.sleep(0.05)  # the worker has nothing to wait for and sleeps
        team.run()
    assert [worker for worker, _ in work.seen].count(1) == 2


def test_the_threads_of_a_team_end_with_it():
    before = threading.active_count()
    shared = counters()
    with Team(np.array([3]), shared, Work(shared)) as team:
        team.run()
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
            team.run()
    assert shared[FAILED] == 1


def test_an_error_in_the_caller_is_raised():
    shared = counters()

    def interrupt(worker):
        if worker == 0:
            raise KeyboardInterrupt

    with Team(np.array([2]), shared, Work(shared, on_run=interrupt)) as team:
        with pytest.raises(KeyboardInterrupt):
            team.run()
    assert shared[FAILED] == 1


def test_a_team_of_one_starts_no_thread():
    before = threading.active_count()
    shared = counters()
    with Team(np.array([1]), shared, Work(shared)) as team:
        team.run()
        assert threading.active_count() == before


@pytest.fixture
def crowding(monkeypatch):
    """A crowding of its own, on a clock that the test sets."""
    crowding = _threads._Crowding()
    crowding.now = 100.0
    monkeypatch.setattr(_threads, "_crowding", crowding)
    monkeypatch.setattr(_threads.time, "monotonic", lambda: crowding.now)
    return crowding


def test_frequent_long_waits_are_crowding_for_a_while_each_time_longer(crowding):
    seconds = []
    for _ in range(7):
        crowding.report(40, 30)
        assert crowding.is_seen()
        start = crowding.now
        while crowding.is_seen():
            crowding.now += 0.05
        seconds.append(crowding.now - start)
    np.testing.assert_allclose(seconds, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 3.2], atol=0.051)
    crowding.report(1000, 3)  # better now: the next crowding begins with a short while
    assert not crowding.is_seen()
    crowding.report(40, 30)
    crowding.now += 0.11
    assert not crowding.is_seen()


def test_the_waits_of_starting_threads_are_no_crowding(crowding):
    for _ in range(20):
        crowding.report(7, 1)
        crowding.report(93, 0)
    assert not crowding.is_seen()


def test_a_team_works_alone_while_crowding_is_seen(crowding):
    shared, taking_part = counters(), np.array([2])
    sizes = []

    def work(worker, n_joined):
        if worker == 0:
            sizes.append(int(taking_part[0]))
            shared[GENERATION] += 100
            shared[LONG_WAITS] += 50
        return n_joined + worker

    with Team(taking_part, shared, work) as team:
        for _ in range(3):
            team.run()
        crowding.now += 0.2
        team.run()
    assert sizes == [2, 1, 1, 2]


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


def test_blas_is_limited_inside_and_restored_outside():
    before = blas_threads()
    with single_threaded_blas():
        assert set(blas_threads()) == {1}
        with single_threaded_blas():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_the_limit_holds_in_any_thread_and_over_many_at_once():
    before = blas_threads()
    gate = threading.Barrier(4)

    def fit(delay):
        with single_threaded_blas():
            gate.wait(10)
            inside = blas_threads()
            gate.wait(10)
        return inside

    with single_threaded_blas():  # this thread takes control of the limits first
        pass
    with ThreadPoolExecutor(4) as pool:
        assert all(set(inside) == {1} for inside in pool.map(fit, range(4)))
    assert blas_threads() == before


class FakeOpenBLAS:
    """OpenBLAS on OpenMP: a limit for each thread."""

    internal_api, threading_layer = "openblas", "openmp"

    def __init__(self):
        self._local = threading.local()

    def get_num_threads(self):
        return getattr(self._local, "n", 8)

    def set_num_threads(self, n):
        self._local.n = n


def test_limits_that_belong_to_a_thread_are_set_in_every_thread():
    guard = _threads._BlasGuard()
    library = FakeOpenBLAS()
    guard._libraries = [library]

    def inside():
        with guard():
            during = library.get_num_threads()
        return during, library.get_num_threads()

    with guard(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result() == (1, 8)
        assert library.get_num_threads() == 1
    assert library.get_num_threads() == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_during_a_fit_does_not_leave_the_child_limited():
    with single_threaded_blas():
        child = os.fork()
        if child == 0:
            os._exit(0 if single_threaded_blas._users == 0 else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def with_jit(monkeypatch):
    monkeypatch.setattr(_threads, "JIT_ENABLED", True)


def test_the_users_number_counts(with_jit):
    assert threads_offered(3, False) == 3


def test_by_default_the_processors_of_this_process_are_offered(with_jit):
    assert threads_offered(None, True) == joblib.cpu_count()


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_one_thread_inside_a_joblib_worker(with_jit, backend):
    jobs = joblib.Parallel(n_jobs=2, backend=backend)
    assert jobs(joblib.delayed(threads_offered)(None, True) for _ in range(2)) == [1, 1]


def test_small_work_is_not_shared(with_jit):
    assert threads_offered(None, False) == 1


def test_plain_python_runs_alone(monkeypatch):
    monkeypatch.setattr(_threads, "JIT_ENABLED", False)
    assert threads_offered(4, True) == 1
