"""Workers that share a processor."""

import os
import threading

import numba
import numpy as np
import pytest

from fastdnn.engine.placement import (
    PLACE_SIZE,
    current_processor,
    let_stay,
    move_apart,
    note_processor,
)

pytestmark = [
    pytest.mark.needs_jit,
    pytest.mark.skipif(
        not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
        reason="threads are moved on Linux, where there are several processors",
    ),
]

FIRST = 8  # where the places start
MINE = FIRST + PLACE_SIZE  # that of worker 1


@numba.njit
def where():
    return current_processor()


@numba.njit
def move_from(team, run):
    """Move worker 1, if worker 0 was seen where it runs; return where it is then."""
    note_processor(team, MINE)
    move_apart(team, FIRST, 1, 2, run)
    return current_processor()


def in_a_thread(function):
    """Return what `function` returns in a thread of its own, whose processors it may set."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]


def team_with(other):
    """Return a team of two whose worker 0 was seen on the processor `other`."""
    team = np.zeros(FIRST + 2 * PLACE_SIZE, dtype=np.int64)
    team[FIRST] = other + 1
    return team


def test_the_processor_is_the_one_that_a_thread_is_bound_to():
    def bind_and_see(processor):
        os.sched_setaffinity(0, {processor})
        return where()

    for processor in os.sched_getaffinity(0):
        assert in_a_thread(lambda p=processor: bind_and_see(p)) == processor


def test_a_worker_that_shares_its_processor_moves_and_may_still_run_anywhere():
    allowed = os.sched_getaffinity(0)

    def share():
        # Where this thread runs may change between two instructions, but not for ever.
        for attempt in range(1, 1000):
            team = team_with(where())
            after = move_from(team, attempt)
            if team[MINE + 1] == attempt:
                return team, after, os.sched_getaffinity(0)
        return None

    team, after, allowed_after = in_a_thread(share)
    assert allowed_after == allowed
    noted, other = team[MINE] - 1, team[FIRST] - 1
    assert noted != other
    assert noted in allowed
    assert after in allowed


def test_the_first_of_those_who_share_stays():
    @numba.njit
    def move_first(team):
        note_processor(team, FIRST)
        move_apart(team, FIRST, 0, 2, 1)

    def try_to_move():
        team = team_with(-1)
        team[MINE] = where() + 1
        move_first(team)
        return team

    team = in_a_thread(try_to_move)
    assert team[FIRST] > 0
    assert not team[FIRST + 1 : MINE].any()


@pytest.mark.parametrize("reason", ["alone", "moved", "switched off", "no room"])
def test_a_worker_stays(reason):
    here = min(os.sched_getaffinity(0))

    def try_to_move():
        os.sched_setaffinity(0, {here})
        team = team_with(here if reason != "alone" else -1)
        if reason == "moved":
            team[MINE + 1] = 7  # in this very run
        if reason == "switched off":
            let_stay(team, MINE)
        after = move_from(team, 7)
        return team, after, os.sched_getaffinity(0)

    team, after, allowed = in_a_thread(try_to_move)
    assert after == here
    assert allowed == {here}
    assert team[MINE] == here + 1
    assert team[MINE + 1] == (7 if reason in ("moved", "no room") else 0)
    # It has looked where it might go, or has not.
    assert team[MINE + 8 : MINE + PLACE_SIZE].any() == (reason == "no room")
