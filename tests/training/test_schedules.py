"""Schedules of the learning rate: rows of a table, and what a row is told."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.planning import plan as planning
from fastdnn.training import schedules
from fastdnn.training.options import Options
from fastdnn.training.schedules import (
    SCHEDULES,
    START,
    Progress,
    Schedule,
    Steps,
    _power,
    factors_of,
    first_rate,
    half_cosine,
    has_factors,
    power_of,
    schedule_of,
)

DEFAULTS = {
    "learning_rate": "constant", "learning_rate_init": 0.5, "power_t": 0.5,
    "learning_rate_warmup": 0.0, "learning_rate_factor": 0.1,
    "learning_rate_steps": (0.5, 0.75), "learning_rate_patience": 5,
}  # fmt: skip
OPTIONS = Options(**DEFAULTS | {"learning_rate": "invscaling"})
#: PyTorch's, see scripts/optimizer_steps.py.
STORED = json.loads(
    (Path(__file__).parent.parent / "stored" / "optimizer_steps.json").read_text()
)["rates"]
FORESEEN = [name for name, row in SCHEDULES.items() if row.factors is not None]


def rates(total=None, before=None, optimizer="nesterov", **parameters):
    """Return the learning rates of some steps, or of all of them."""
    options = Options(**DEFAULTS | parameters)
    schedule = schedule_of(options, optimizer)
    before = np.arange(total) if before is None else np.array(before)
    factors = factors_of(schedule, options, Steps(before, total))
    return first_rate(schedule, options) * factors


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


@pytest.mark.parametrize("name", SCHEDULES)
def test_adam_ignores_what_it_ignores_in_scikit_learn(name):
    options = Options(**DEFAULTS | {"learning_rate": name})
    ignored = name in ("invscaling", "adaptive")
    wanted = SCHEDULES["constant" if ignored else name]
    assert schedule_of(options, "adam") is wanted
    for optimizer in ("nesterov", "adamw", "lion"):
        assert schedule_of(options, optimizer) is SCHEDULES[name]


# -- rates of single steps ----------------------------------------------------------------


def test_half_a_cosine_is_that_of_the_c_library_to_rounding():
    x = np.linspace(0.0, 1.0, 1001)
    exact = [0.5 + 0.5 * math.cos(math.pi * value) for value in x]
    np.testing.assert_allclose(half_cosine(x), exact, rtol=0.0, atol=4e-16)
    np.testing.assert_array_equal(half_cosine(np.array([0.0, 1.0])), [1.0, 0.0])
    assert (np.diff(half_cosine(x)) < 0.0).all()


@pytest.mark.parametrize("base", [1e-9, 0.1, 0.5, 0.99, 1.0])
def test_powers_are_those_of_the_c_library_to_rounding(base):
    x = np.linspace(0.0, 1.0, 1001)
    exact = [base**value for value in x]
    # The exponent to the base 2, up to 30, is rounded twice.
    np.testing.assert_allclose(power_of(base, x), exact, rtol=2e-14)
    assert power_of(base, x[:1]) == 1.0


@pytest.mark.parametrize("case", STORED, ids=lambda case: case["learning_rate"])
def test_rates_equal_those_of_pytorch(case):
    parameters = {name: value for name, value in case.items() if name != "rates"}
    got = rates(len(case["rates"]), **parameters)
    np.testing.assert_allclose(got, case["rates"], rtol=0.0, atol=1e-12)


def test_every_schedule_of_pytorch_is_compared_with_it():
    assert {case["learning_rate"] for case in STORED} == set(FORESEEN)


@pytest.mark.parametrize("name", [name for name in FORESEEN if name != "one_cycle"])
def test_warm_up_multiplies_any_schedule(name):
    plain = rates(40, learning_rate=name)
    warmed = rates(40, learning_rate=name, learning_rate_warmup=0.25)
    ramp = np.minimum(np.arange(1, 41) / 10, 1.0)
    np.testing.assert_allclose(warmed, ramp * plain, rtol=1e-15)


@pytest.mark.parametrize("name", ["constant", "invscaling", "adaptive", "plateau"])
def test_warm_up_goes_with_rates_that_change_by_epoch(name):
    options = Options(**DEFAULTS | {"learning_rate": name, "learning_rate_warmup": 0.5})
    assert has_factors(SCHEDULES[name], options)
    factors = factors_of(SCHEDULES[name], options, Steps(np.arange(4), 4))
    np.testing.assert_array_equal(factors, [0.5, 1.0, 1.0, 1.0])
    assert not has_factors(SCHEDULES[name], Options(**DEFAULTS))


def test_one_cycle_rises_over_the_warm_up_to_the_rate():
    cycle = rates(100, learning_rate="one_cycle", learning_rate_warmup=0.2)
    assert cycle.argmax() == 19
    assert cycle[19] == 0.5
    assert cycle[0] == pytest.approx(0.5 / 25)
    assert cycle[-1] == pytest.approx(0.5 / 25 / 1e4)


@pytest.mark.parametrize("name", FORESEEN)
def test_one_step_is_enough(name):
    assert np.isfinite(rates(1, learning_rate=name)).all()


@pytest.mark.parametrize("name", FORESEEN)
def test_what_goes_on_after_the_end_keeps_the_last_rate(name):
    beyond = rates(10, [10, 11, 10**12], learning_rate=name)
    np.testing.assert_array_equal(beyond, beyond[0])
    last = {"cosine": 0.0, "exponential": 0.05, "steps": 0.005}.get(name, 0.5 / 25 / 1e4)
    np.testing.assert_allclose(beyond, last, rtol=1e-14)


def test_a_callable_is_asked_for_every_step():
    got = rates(4, learning_rate=lambda fraction: 1.0 + fraction)
    np.testing.assert_array_equal(got, [0.5, 0.625, 0.75, 0.875])


@pytest.mark.parametrize("value", [-0.5, math.nan, math.inf, None, "0.5", True, np.ones(2)])
def test_a_callable_that_returns_no_factor(value):
    def bad(fraction):
        return 1.0 if fraction < 0.5 else value

    with pytest.raises(ValueError, match="for step 3 of 4") as error:
        rates(4, learning_rate=bad)
    assert f"returned {value!r}" in str(error.value)


def fit(**options):
    """Fit and return what a fit leaves behind, with the model."""
    X, y = load_iris(return_X_y=True)
    defaults = {"hidden_layer_sizes": (5,), "max_iter": 24, "batch_size": 32}
    model = DNNClassifier(**defaults | {"random_state": 0, "dtype": "float64"} | options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    return [*model.coefs_, *model.intercepts_, model.loss_curve_], model


BY_STEPS = [
    *({"learning_rate": name} for name in FORESEEN),
    {"learning_rate": np.cos},
    {"learning_rate_warmup": 0.3},
    {"learning_rate": "cosine", "learning_rate_warmup": 0.1, "solver": "sgd"},
    {"learning_rate": "plateau", "learning_rate_patience": 2, "tol": 0.05},
    {"learning_rate": "adaptive", "learning_rate_warmup": 0.2, "solver": "adamw"},
    {"learning_rate": "invscaling", "learning_rate_warmup": 0.2, "solver": "rmsprop"},
]


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("options", BY_STEPS, ids=str)
def test_rates_do_not_depend_on_how_epochs_are_run(options, monkeypatch):
    together, _ = fit(**options)
    plain, _ = fit(solver=options.get("solver", "adam"))
    assert any(not np.array_equal(*pair) for pair in zip(together, plain, strict=True))
    monkeypatch.setattr(planning, "_MOST_RATES", 3)  # an epoch has 5 batches
    single, _ = fit(**options)
    for got, expected in zip(together, single, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("at_once", [1, 1000])
@pytest.mark.parametrize("name", [*FORESEEN, "constant", "plateau"])
def test_the_rate_of_the_last_step_of_each_epoch_is_recorded(name, at_once, monkeypatch):
    if at_once == 1:
        monkeypatch.setattr(planning, "_MOST_RATES", 5)  # batches of an epoch
    options = {"learning_rate": name, "learning_rate_patience": 1, "tol": 10.0}
    _, model = fit(**options, n_iter_no_change=np.inf, max_iter=6)
    ends = [5 * epoch - 1 for epoch in range(1, 7)]
    expected = 0.002 * rates(30, ends, learning_rate=name)  # of 0.5 it is 0.001
    if name == "plateau":  # after the first epoch every one loses patience
        expected = [0.001 * 0.1 ** max(0, epoch - 1) for epoch in range(6)]
    np.testing.assert_allclose(model.history_["learning_rate"], expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_partial_fit_goes_on_in_the_schedule():
    X, y = load_iris(return_X_y=True)
    options = {
        "hidden_layer_sizes": (4,), "max_iter": 6, "batch_size": 50, "dtype": "float64",
        "learning_rate": "cosine", "shuffle": False, "random_state": 0, "solver": "adamw",
    }  # fmt: skip
    whole, parts = DNNClassifier(**options), DNNClassifier(**options)
    whole.fit(X, y)
    for _ in range(6):
        parts.partial_fit(X, y, classes=np.unique(y))
    np.testing.assert_array_equal(parts.coefs_[0], whole.coefs_[0])
    parts.partial_fit(X, y)  # beyond max_iter epochs the rate stays 0
    np.testing.assert_allclose(parts.coefs_[0], whole.coefs_[0], rtol=1e-15)


def test_a_plateau_lowers_the_rate_whenever_patience_is_lost():
    options = {"learning_rate": "plateau", "learning_rate_patience": 3, "tol": 10.0}
    _, model = fit(**options, learning_rate_factor=0.5, n_iter_no_change=8)
    # No epoch but the first is better: so it is after epochs 4 and 7; training stops at 10.
    assert model.n_iter_ == 10
    assert model._state.optimizer.learning_rate == 0.001 * 0.25


def test_an_error_of_the_callable_leaves_the_estimator_as_it_was():
    _, model = fit()
    before = model.coefs_[0].copy()
    model.set_params(learning_rate=lambda fraction: -1.0 if fraction > 0.5 else 1.0)
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="for step 62 of 120"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], before)


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
