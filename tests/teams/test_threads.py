"""Worker teams: that they work together, alone where that pays, and without threads."""

import _thread
import threading
import time

import numba
import numpy as np
import pytest

from fastdnn import DNNClassifier
from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.data import conversion as conversion_module
from fastdnn.engine import barrier
from fastdnn.engine.barrier import (
    ATTENDED,
    BROKEN,
    FAILED,
    GENERATION,
    GO_ON,
    QUEUES,
    RUNS,
    is_given_up,
    join_run,
    meet,
    team_size,
)
from fastdnn.system import interruptible
from fastdnn.teams import cpus
from fastdnn.teams import crowding as crowding_module
from fastdnn.teams import threads as threads_module
from fastdnn.teams.threads import Team, run_side_by_side


@pytest.fixture(autouse=True)
def own_crowding(monkeypatch):
    """A crowding that no fit of another test has begun: where it is seen, teams work alone."""
    own = crowding_module.Crowding()
    monkeypatch.setattr(threads_module, "crowding", own)
    return own


def counters():
    return np.zeros(team_size(4), dtype=np.int64)


def require_threads(count):
    """Require that there are so many threads; one that has done its work may still end."""
    until = time.monotonic() + 10.0
    while _thread._count() != count and time.monotonic() < until:
        time.sleep(0.001)
    assert _thread._count() == count


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


@pytest.fixture
def refused(monkeypatch):
    """Let the system refuse to start threads but the first few; return how many were asked."""

    def refuse(n_allowed, error):
        asked, start = [], interruptible._start_new_thread

        def start_or_raise(function, args):
            asked.append(args)
            if len(asked) > n_allowed:
                raise error
            return start(function, args)

        monkeypatch.setattr(interruptible, "_start_new_thread", start_or_raise)
        return asked

    return refuse


ERRORS = [
    RuntimeError("can't start new thread"),
    RuntimeError("can't create new thread at interpreter shutdown"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("n_allowed", [0, 1, 2])
def test_a_team_whose_threads_cannot_start_goes_on_alone(refused, n_allowed, error):
    before, shared, taking_part = _thread._count(), counters(), np.array([4])
    work = Work(shared)
    asked = refused(n_allowed, error)
    with Team(taking_part, shared, work) as team:
        for _ in range(5):
            team.run(1)
            assert taking_part[0] == 1
    assert [worker for worker, _ in work.seen] == [0] * 5
    assert len(asked) == n_allowed + 1  # nobody asks again and again
    require_threads(before)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("n_allowed", [0, 1, 2])
def test_workers_that_cannot_start_side_by_side_are_left_out(refused, n_allowed, error):
    before, seen = _thread._count(), []
    refused(n_allowed, error)
    everyone = threading.Barrier(n_allowed + 1)

    def work(worker):
        seen.append(worker)
        everyone.wait(timeout=10)

    run_side_by_side(4, work)
    assert sorted(seen) == list(range(n_allowed + 1))
    require_threads(before)


@pytest.mark.skipif(not JIT_ENABLED, reason="plain Python runs alone")
@pytest.mark.parametrize("n_allowed", [0, 1, 2])
def test_fits_and_predictions_without_threads_have_the_same_bits(
    refused, monkeypatch, n_allowed
):
    X = np.random.default_rng(0).standard_normal((3000, 60))
    y = X[:, 0] > 0

    def fit_and_predict():
        model = DNNClassifier((64, 64), n_threads=4, random_state=0, max_iter=2)
        model.fit(X, y)
        small = model.predict_proba(X.astype(np.float32))
        return [*model.coefs_, model.predict_proba(X), small]

    monkeypatch.setattr(cpus, "usable_cpus", lambda: 4)
    monkeypatch.setattr(crowding_module, "_are_too_many", lambda n_workers: False)
    monkeypatch.setattr(conversion_module, "_PIECE_BYTES", 1024)
    monkeypatch.setattr("fastdnn.data.plain_arrays._NUMBERS_FOR_ONE_THREAD", 0)
    expected = fit_and_predict()
    asked = refused(n_allowed, RuntimeError("can't start new thread"))
    for result, wanted in zip(fit_and_predict(), expected, strict=True):
        np.testing.assert_array_equal(result, wanted)
    assert len(asked) >= n_allowed + 4  # by conversion, fit and both predictions


@pytest.fixture
def dying(monkeypatch):
    """Let some threads die before they do anything; return what they were to call."""

    def die(is_dying):
        late, start, n_started = [], interruptible._start_new_thread, iter(range(1000))

        def start_or_die(function, args):
            if is_dying(next(n_started)):
                late.append((function, args))
                return start(lambda: None, ())
            return start(function, args)

        monkeypatch.setattr(interruptible, "_start_new_thread", start_or_die)
        return late

    return die


@pytest.mark.skipif(not JIT_ENABLED, reason="plain Python runs alone")
@pytest.mark.parametrize("layers", [(64, 64), (256, 256)])
@pytest.mark.parametrize(
    "is_dying",
    [lambda n: True, *(lambda n, k=k: n == k for k in range(3))],
    ids=["all", "first", "second", "third"],
)
def test_fits_whose_threads_never_begin_have_the_same_bits(
    dying, monkeypatch, is_dying, layers
):
    """The smaller network's workers have weights of their own."""
    X = np.random.default_rng(0).standard_normal((3000, 60))
    y = X[:, 0] > 0

    def fit():
        options = {"n_threads": 4, "batch_size": 1000, "random_state": 0, "max_iter": 2}
        return DNNClassifier(layers, **options).fit(X, y).coefs_

    monkeypatch.setattr(cpus, "usable_cpus", lambda: 4)
    monkeypatch.setattr(crowding_module, "_are_too_many", lambda n_workers: False)
    monkeypatch.setattr("fastdnn.data.plain_arrays._NUMBERS_FOR_ONE_THREAD", X.size)
    monkeypatch.setattr(conversion_module, "_PIECE_BYTES", X.nbytes)
    before, expected = _thread._count(), fit()
    late = dying(is_dying)
    found = fit()
    assert late
    copies = [coef.copy() for coef in found]
    for function, args in late:  # those who come late have nothing to do any more
        function(*args)
    for result, copy, wanted in zip(found, copies, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)
        np.testing.assert_array_equal(result, copy)
    require_threads(before)


@numba.njit(nogil=True)
def meet_as(team, worker, n_workers):
    return meet(team, worker, n_workers)


@numba.njit(nogil=True)
def join(team, n_joined):
    return join_run(team, n_joined)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_others", [0, 1])
def test_a_worker_who_was_given_up_never_joins(n_others):
    """So that no meeting of the run takes place: nobody has gone on, and it can be redone."""
    team, verdicts = counters(), []
    team[RUNS] = 1
    others = [
        threading.Thread(target=lambda: verdicts.append(join(team, 0) and meet_as(team, 2, 3)))
        for _ in range(n_others)
    ]
    for other in others:
        other.start()
    assert meet_as(team, 0, 3) == BROKEN
    for other in others:
        other.join()
    assert verdicts == [BROKEN] * n_others
    assert is_given_up(team)
    assert not join(team, 0)
    assert not join(team, 0)
    assert team[FAILED] == 1
    assert team[GENERATION] == 0


@pytest.mark.needs_jit
def test_a_worker_who_has_joined_is_waited_for():
    """However long its tasks take."""
    team = counters()
    team[RUNS] = 1
    assert join(team, 0)
    verdicts = []
    waiting = threading.Thread(target=lambda: verdicts.append(meet_as(team, 0, 2)))
    waiting.start()
    waiting.join(1.5)  # more than one who has not joined is waited for
    assert waiting.is_alive()
    assert meet_as(team, 1, 2) == GO_ON
    waiting.join()
    assert verdicts == [GO_ON]
    assert not is_given_up(team)
    assert team[ATTENDED] == 1


@pytest.mark.needs_jit
def test_workers_who_join_while_one_gives_up_are_all_there_or_none_goes_on():
    """Whichever comes first: the same for both."""
    give_up = numba.njit(nogil=True)(barrier._give_up.py_func)
    for _ in range(200):
        team, joined = counters(), []
        team[RUNS] = 1
        late = threading.Thread(target=lambda t=team, j=joined: j.append(join(t, 0)))
        late.start()
        is_given_up_now = give_up(team, 2)
        late.join()
        assert joined == [not is_given_up_now]
        assert is_given_up(team) == is_given_up_now


@pytest.mark.parametrize("error", [None, MemoryError("no room")])
def test_a_run_that_was_given_up_is_done_alone(error):
    before, shared, taking_part = _thread._count(), counters(), np.array([3])
    sizes, has_failed = [], threading.Event()

    def work(worker, n_joined):
        if worker > 0:
            if error is not None:
                has_failed.set()
                raise error
            return n_joined
        sizes.append(int(taking_part[0]))
        if len(sizes) == 1:  # as compiled code does when somebody has not come
            if error is not None:
                has_failed.wait(10)
            shared[ATTENDED], shared[FAILED] = -1, 1
            shared[QUEUES] = 5  # tasks that were taken
        else:
            shared[QUEUES] = 0 if shared[QUEUES] == 0 else 7
        return 0

    with Team(taking_part, shared, work) as team:
        if error is not None:
            with pytest.raises(MemoryError, match="no room"):
                team.run(1)
        else:
            for _ in range(3):
                team.run(1)
                require_threads(before)
            assert sizes == [3, 1, 1, 1]
            assert shared[QUEUES] == 0
    require_threads(before)


def test_waiting_in_vain_is_no_part_of_what_a_run_took(monkeypatch):
    """Otherwise batches would be taken for long ones, each with a thread of its own."""
    shared, taking_part, now = counters(), np.array([2]), [100.0]
    monkeypatch.setattr(threads_module.time, "perf_counter", lambda: now[0])

    def work(worker, n_joined):
        if worker == 0:
            if taking_part[0] == 2:
                now[0] += 1.0
                shared[ATTENDED], shared[FAILED] = -1, 1
            else:
                now[0] += 0.25
        return n_joined

    with Team(taking_part, shared, work) as team:
        assert team.run(1) == 0.25
        assert team.run(1) == 0.25


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


def test_threads_that_begin_late_have_nothing_to_do(monkeypatch):
    started, seen = [], []
    monkeypatch.setattr(interruptible, "_start_new_thread", lambda *late: started.append(late))
    run_side_by_side(3, seen.append)
    for function, args in started:
        function(*args)
    assert seen == [0]
