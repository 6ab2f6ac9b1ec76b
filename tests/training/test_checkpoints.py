"""When a checkpoint is due, and when the time of a fit is up."""

import math
import time

import pytest

from fastdnn.training.checkpoints import Checkpoints, deadline_of, said_of_time
from fastdnn.training.options import Options


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def checkpoints(seconds=None, epochs=None, n_iter=0):
    written = []
    options = Options(checkpoint_seconds=seconds, checkpoint_epochs=epochs)
    return Checkpoints(options, lambda: written.append(1), n_iter), written


def test_epochs_are_counted_from_the_last_one(clock):
    due, written = checkpoints(epochs=3, n_iter=10)
    assert [due.is_due(n_iter) for n_iter in (10, 11, 12, 13)] == [False, False, False, True]
    assert [due.at_most(100, n_iter) for n_iter in (10, 11, 12, 13)] == [3, 2, 1, 1]
    due.write(13)
    assert written == [1]
    assert due.at_most(100, 13) == 3
    assert due.at_most(2, 13) == 2
    assert not due.is_due(15)


def test_seconds_are_counted_from_the_last_one(clock):
    due, _ = checkpoints(seconds=5.0)
    assert due.at_most(100, 0) == 100
    assert not due.is_due(1000)
    clock[0] += 5.0
    assert due.is_due(1)
    due.write(1)
    assert not due.is_due(2)


def test_without_both_none_is_ever_due(clock):
    due, _ = checkpoints()
    clock[0] += 1e9
    assert not due.is_due(10**9)
    due, _ = checkpoints(seconds=0)
    assert due.is_due(1)


def test_a_deadline_is_so_many_seconds_from_now(clock):
    assert deadline_of(Options(max_time=None)) == math.inf
    assert deadline_of(Options(max_time=2)) == 102.0


def test_what_is_said_names_the_parameter_and_what_was_done():
    said = said_of_time(Options(max_time=2, solver="adam"), 7)
    assert "max_time=2 seconds were over after 7 epochs" in said
    assert "warm_start='exact'" in said
    said = said_of_time(Options(max_time=2, solver="lbfgs"), 7)
    assert "7 iterations" in said
    assert "exact" not in said
