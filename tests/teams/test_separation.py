"""Workers that share a processor move to another one, if there is one."""

import os
import threading

import numpy as np
import pytest

from fastdnn.data import conversion
from fastdnn.data.conversion import for_pieces
from fastdnn.data.samples import Samples
from fastdnn.prediction import predictor
from fastdnn.products.switched_off import without
from fastdnn.teams import separation as separation_module
from fastdnn.teams.separation import Separation
from tests.networks import predictor_of, random_parameters


class Machine:
    """Processors that threads pretend to run on; stands in for the system's calls."""

    def __init__(self, allowed, processor=0):
        self.allowed, self.processor, self.sets = set(allowed), processor, []

    def current(self):
        return self.processor

    def get_affinity(self, thread):
        assert thread == 0
        return set(self.allowed)

    def set_affinity(self, thread, processors):
        assert thread == 0
        self.allowed = set(processors)
        self.sets.append(set(processors))
        if self.processor not in processors:
            self.processor = min(processors)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine({0, 1, 2})
    monkeypatch.setattr(separation_module, "_current_processor", machine.current)
    monkeypatch.setattr(os, "sched_getaffinity", machine.get_affinity, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", machine.set_affinity, raising=False)
    return machine


def test_a_worker_moves_away_from_one_before_it_and_may_go_back(machine):
    separation = Separation(3)  # worker 0 is on processor 0
    separation.keep_apart(1)
    assert machine.processor == 1
    assert machine.sets == [{1, 2}, {0, 1, 2}]
    machine.processor = 1
    separation.keep_apart(2)
    assert machine.processor == 2
    assert machine.allowed == {0, 1, 2}


def test_who_has_a_processor_alone_stays(machine):
    separation = Separation(2)
    machine.processor = 2
    separation.keep_apart(1)
    assert machine.processor == 2
    assert not machine.sets


def test_worker_0_never_moves(machine):
    separation = Separation(2)
    machine.processor = 1
    separation.keep_apart(1)
    separation.keep_apart(0)  # comes to where worker 1 is
    assert machine.processor == 1
    assert not machine.sets


def test_without_a_free_processor_nobody_moves(machine):
    machine.allowed = {0}
    separation = Separation(2)
    separation.keep_apart(1)
    assert not machine.sets
    assert machine.allowed == {0}


def test_moving_comes_to_an_end(machine):
    separation = Separation(2)
    for _ in range(10):
        machine.processor = 0
        separation.keep_apart(1)
    assert machine.processor == 0
    assert len(machine.sets) == 2 * 3


def test_switched_off_nobody_moves(machine):
    with without("places of threads"):
        separation = Separation(2)
    separation.keep_apart(1)
    assert machine.processor == 0
    assert not machine.sets


def test_what_is_forbidden_is_not_insisted_on(machine, monkeypatch):
    def forbidden(thread, processors):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    separation = Separation(2)
    separation.keep_apart(1)
    assert machine.processor == 0


def test_where_processors_are_not_known_nothing_happens(machine, monkeypatch):
    monkeypatch.setattr(separation_module, "_current_processor", None)
    Separation(2).keep_apart(1)
    assert not machine.sets


def test_an_unknown_processor_is_not_shared(machine):
    machine.processor = -1
    separation = Separation(3)
    separation.keep_apart(1)
    separation.keep_apart(2)
    assert not machine.sets


def test_a_team_of_one_asks_nothing(machine, monkeypatch):
    monkeypatch.setattr(
        separation_module, "_current_processor", lambda: pytest.fail("was asked")
    )
    Separation(1).keep_apart(0)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no affinity")
def test_threads_may_use_the_same_processors_afterwards():
    separation, seen = Separation(3), []

    def work(worker):
        before = os.sched_getaffinity(0)
        for _ in range(5):
            separation.keep_apart(worker)
        seen.append(os.sched_getaffinity(0) == before)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True, True]


@pytest.fixture
def kept_apart(monkeypatch):
    """Record the size of teams and who was kept apart, instead of moving anybody."""
    calls = []

    class Recorder:
        def __init__(self, n_workers):
            self.n_workers = n_workers

        def keep_apart(self, worker):
            calls.append((self.n_workers, worker))

    monkeypatch.setattr(conversion, "Separation", Recorder)
    monkeypatch.setattr(predictor, "Separation", Recorder)
    return calls


def test_workers_are_kept_apart_before_every_piece(kept_apart):
    worked = []

    def make_work(worker):
        return lambda first, last: worked.append((2, worker))

    for_pieces(20, 3, 2, make_work)
    assert len(worked) == 7
    assert sorted(kept_apart) == sorted(worked)


@pytest.mark.needs_jit
@pytest.mark.usefixtures("four_cpus")
def test_workers_of_a_prediction_are_kept_apart(kept_apart, monkeypatch):
    both, predict = threading.Barrier(2), predictor.predict

    def predict_together(*args):
        both.wait(timeout=10)  # else one may have done before the other begins
        return predict(*args)

    monkeypatch.setattr(predictor, "predict", predict_together)
    rng = np.random.default_rng(0)
    parameters = random_parameters(rng, (5, 6, 3)).astype(np.float32)
    X = rng.standard_normal((2000, 5)).astype(np.float32)
    predictor_of(parameters, ["relu", "softmax"])(Samples(X), n_threads=2)
    assert sorted(kept_apart) == [(2, 0), (2, 1)]
