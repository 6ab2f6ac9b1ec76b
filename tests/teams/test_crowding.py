"""When a team works alone: where others need the processors, now or for longer."""

import sys
import threading
import zlib

import numpy as np
import pytest

from fastdnn.engine.barrier import LONG_WAITS
from fastdnn.products.switched_off import without
from fastdnn.teams import crowding as crowding_module
from fastdnn.teams import threads as threads_module
from fastdnn.teams.threads import Team
from tests.teams.work import counters


@pytest.fixture
def crowding(own_crowding, monkeypatch):
    """A crowding on a clock that the test sets."""
    own_crowding.now = 100.0
    monkeypatch.setattr(crowding_module.time, "monotonic", lambda: own_crowding.now)
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


def test_switched_off_there_is_no_crowding(crowding):
    crowding.begin()
    with without("crowding"):
        assert not crowding.is_seen()
        assert not crowding.may_compare()
    assert crowding.is_seen()
    assert crowding.may_compare()


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
        monkeypatch.setattr(threads_module.time, "perf_counter", lambda: crowding.now)
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


class Load:
    """What the system says about running threads, one answer after the other."""

    def __init__(self, monkeypatch, answers, *, ours=True):
        self._answers = list(answers)
        monkeypatch.setattr(crowding_module, "threads_running", self)
        monkeypatch.setattr(crowding_module, "are_ours_running", lambda: ours)
        monkeypatch.setattr(crowding_module.Watch, "_crowded_by_others_since", None)
        monkeypatch.setattr(crowding_module.os, "cpu_count", lambda: 2)
        self.n_asked = 0

    def __call__(self):
        self.n_asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def run_looking(team, work, n_runs):
    for _ in range(n_runs):
        team.look_around()
        team.run(1)
    return work.sizes


@pytest.mark.parametrize(
    ("running", "sizes"),
    [
        ([1], [2, 2, 2, 2]),  # this thread only
        ([0], [2, 2, 2, 2]),  # not known
        ([2, 1], [2, 2, 2, 2]),  # a thread that is gone when looked for again
        ([2, 2, 2, 2, 1], [1, 1, 2, 2]),  # one that goes on spinning for a while
        ([9], [1, 1, 1, 1]),
    ],
)
def test_a_team_begins_alone_where_others_keep_its_processors(
    crowding, monkeypatch, running, sizes
):
    shared, taking_part = counters(), np.array([2])
    work = CrowdedWork(crowding, monkeypatch, shared, taking_part)
    load = Load(monkeypatch, running)
    with Team(taking_part, shared, work) as team:
        assert run_looking(team, work, 4) == sizes
        before = load.n_asked
        run_looking(team, work, 2)
    if sizes[-1] == 2:  # once it has begun together, it looks no more
        assert load.n_asked == before


def test_a_team_that_is_alone_for_long_no_longer_looks(crowding, monkeypatch):
    shared, taking_part = counters(), np.array([2])
    work = CrowdedWork(crowding, monkeypatch, shared, taking_part)
    work.seconds[1] = 0.04
    Load(monkeypatch, [9])
    with Team(taking_part, shared, work) as team:
        assert run_looking(team, work, 7) == [1, 1, 1, 1, 2, 2, 2]


def test_for_other_processes_all_teams_together_are_alone_no_longer(crowding, monkeypatch):
    load = Load(monkeypatch, [9], ours=False)

    def sizes_of_a_team(n_runs):
        shared, taking_part = counters(), np.array([2])
        work = CrowdedWork(crowding, monkeypatch, shared, taking_part)
        work.seconds[1] = 0.04
        with Team(taking_part, shared, work) as team:
            return run_looking(team, work, n_runs)

    assert sizes_of_a_team(2) + sizes_of_a_team(2) == [1, 1, 1, 1]
    assert sizes_of_a_team(2) == [2, 2]
    load._answers = [1]
    assert sizes_of_a_team(1) == [2]  # and finds that they have gone
    load._answers = [9]
    assert sizes_of_a_team(1) == [1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_threads_of_this_process_that_run_are_seen():
    leave, text = threading.Event(), b"0" * 2**22
    waiting = threading.Thread(target=leave.wait)
    waiting.start()

    def run():
        while not leave.is_set():
            zlib.crc32(text)  # without the interpreter's lock

    running = threading.Thread(target=run)
    running.start()
    seen = any(crowding_module.are_ours_running() for _ in range(10_000))
    leave.set()
    waiting.join()
    running.join()
    assert seen


def test_where_a_team_was_faster_than_one_alone_nobody_looks(crowding, monkeypatch):
    shared, taking_part = counters(), np.array([2])
    work = CrowdedWork(crowding, monkeypatch, shared, taking_part)
    load = Load(monkeypatch, [9])
    crowding.dismiss()
    with Team(taking_part, shared, work) as team:
        assert run_looking(team, work, 2) == [2, 2]
    assert load.n_asked == 0


@pytest.mark.parametrize(
    ("text", "n_running"),
    [("0.20 0.18 0.12 3/80 11206\n", 3), ("", 0), ("0.20 0.18", 0), ("a b c d/e f", 0)],
)
def test_the_system_tells_how_many_threads_run(text, n_running, tmp_path, monkeypatch):
    file = tmp_path / "loadavg"
    file.write_text(text)
    monkeypatch.setattr(crowding_module, "_LOAD", str(file))
    assert crowding_module.threads_running() == n_running
    monkeypatch.setattr(crowding_module, "_LOAD", str(tmp_path / "missing"))
    assert crowding_module.threads_running() == 0
