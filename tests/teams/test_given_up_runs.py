"""Runs that somebody has not joined: they are given up by all or by none, and redone alone."""

import _thread
import threading

import numba
import numpy as np
import pytest

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
)
from fastdnn.teams import threads as threads_module
from fastdnn.teams.threads import Team
from tests.teams.work import counters, require_threads

pytestmark = pytest.mark.usefixtures("own_crowding")


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
