"""Schedules of the learning rate: rows of a table, and what a row is told."""

import math

import numpy as np
import pytest

from fastdnn import DNNRegressor
from fastdnn.training import schedules
from fastdnn.training.options import Options
from fastdnn.training.schedules import (
    SCHEDULES,
    START,
    Progress,
    Schedule,
    _power,
    first_rate,
    schedule_of,
)

OPTIONS = Options(learning_rate_init=0.5, power_t=0.5, learning_rate="invscaling")


@pytest.mark.parametrize("exponent", [0.0, 0.5, 0.25, 1.0, 2.0, -0.3])
def test_powers_of_schedules_are_rounded_once(exponent):
    for base in (1, 2, 3, 1798, 10**7 + 1):
        assert _power(base, exponent) == pytest.approx(base**exponent, rel=4e-16)
    assert _power(17, 0.5) == 17**0.5
    assert _power(2, 1e6) == np.inf


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_begins_with_the_initial_rate(name):
    assert first_rate(SCHEDULES[name], OPTIONS) == 0.5


def test_inverse_scaling_counts_samples():
    rate = SCHEDULES["invscaling"].rate
    assert rate(OPTIONS, START) == 0.5
    assert rate(OPTIONS, Progress(99, 0.1)) == pytest.approx(0.05)


def test_plateaus_divide_the_rate_until_it_is_small():
    lowered = SCHEDULES["adaptive"].on_plateau
    assert lowered(0.5) == 0.1
    assert lowered(1e-6) is None
    assert SCHEDULES["constant"].on_plateau is None


def test_adam_has_a_constant_rate_whatever_the_schedule():
    assert schedule_of(OPTIONS, "adam") is SCHEDULES["constant"]
    assert schedule_of(OPTIONS, "nesterov") is SCHEDULES["invscaling"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_schedule_is_one_row(monkeypatch):
    """A cosine over the epochs, taken in the place of another row."""
    seen = []

    def cosine(options, progress):
        seen.append(progress)
        return options.learning_rate_init * 0.5 * (1.0 + math.cos(math.pi * progress.fraction))

    monkeypatch.setitem(schedules.SCHEDULES, "constant", Schedule(rate=cosine))
    X = np.arange(12.0).reshape(6, 2) / 12.0
    options = {"hidden_layer_sizes": (3,), "max_iter": 4, "random_state": 0, "solver": "sgd"}
    model = DNNRegressor(**options).fit(X, X[:, 0])
    assert seen == [START, *(Progress(6 * n, n / 4) for n in (1, 2, 3, 4))]
    assert model._state.optimizer.learning_rate == pytest.approx(0.0, abs=1e-18)
