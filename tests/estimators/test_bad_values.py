"""Every value that a parameter cannot have is refused by name, before anything is done."""

import re

import numpy as np
import pytest
from scipy import sparse

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.models.declarations import ROWS

X = np.random.default_rng(0).standard_normal((40, 3))
Y = {DNNClassifier: np.arange(40) % 3, DNNRegressor: X[:, 0]}
BY_NAME = {"DNNClassifier": DNNClassifier, "DNNRegressor": DNNRegressor}

NO_NUMBER = ["one", True, None, [0.5], np.nan, np.inf, 1j]
NO_NUMBER_BUT_NONE = [value for value in NO_NUMBER if value is not None]
NO_COUNT = [0, -1, 1.5, "two", np.nan, True]
NO_NAME = ["unknown", "", 3, b"relu", True]

#: Values that parameters cannot have, whatever the others are. Those of scikit-learn's
#: parameters are as scikit-learn has them; values are of new parameters, or are new ones.
WRONG = {
    "activation": [*NO_NAME, None, "Relu", ["relu", "unknown"], ["relu"], [], [1, 2], {}],
    "label_smoothing": [*NO_NUMBER, -0.1, 1.0],
    "focal_gamma": [*NO_NUMBER, -0.1],
    "class_weight": ["unbalanced", 2.0, True, {0: -1.0}, {0: np.nan}, {0: "one"}],
    "huber_delta": [*NO_NUMBER, 0.0, -1.0],
    "quantile": [
        *("one", True, None, np.nan, np.inf, 0.0, 1.0, -0.5),
        *([], [0.5, 0.5], [0.9, 0.1], [0.1, np.nan], [0.0, 0.5], ["a"], [True]),
    ],
    "tweedie_power": [*NO_NUMBER, 1.0, 2.0],
    "normalization": [*NO_NAME, "batch", ["layer"]],
    "dropout": [
        *("one", True, None, np.nan, np.inf, -0.1, 1.0),
        *([], [0.1], [0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 1.0], [0.1, np.nan, 0.1], ["a"] * 3),
    ],
    "input_noise": [*NO_NUMBER, -0.1],
    "solver": [*NO_NAME, None, "Adam"],
    "l1": [*NO_NUMBER, -0.1],
    "weight_decay": [*NO_NUMBER_BUT_NONE, -0.1],
    "learning_rate": [*NO_NAME, None],
    "learning_rate_warmup": [*NO_NUMBER, -0.1, 1.0],
    "learning_rate_factor": [*NO_NUMBER, 0.0, 1.1],
    "learning_rate_steps": [
        *(0.5, None, "half", [], [0.5, 0.5], [0.7, 0.3], [0.0], [1.0], [np.nan], ["a"]),
    ],
    "learning_rate_patience": [*NO_COUNT, None],
    "max_time": [*NO_NUMBER_BUT_NONE, 0.0, -1.0],
    "warm_start": ["inexact", 2, None, 0.5],
    "checkpoint": [3, True, ["file"]],
    "checkpoint_seconds": [*NO_NUMBER_BUT_NONE, -1.0],
    "checkpoint_epochs": NO_COUNT,
    "early_stopping": ["always", 2, None, 0.5],
    "validation_fraction": [np.nan, 1.0, -0.1, "half", True],
    "scoring": ["no such scorer", 3, True, [], [3], {}, {"a": "no such scorer"}],
    "rho": [*NO_NUMBER, -0.1, 1.0],
    "clip_norm": [*NO_NUMBER_BUT_NONE, 0.0, -1.0],
    "clip_value": [*NO_NUMBER_BUT_NONE, 0.0, -1.0],
    "max_norm": [*NO_NUMBER_BUT_NONE, 0.0, -1.0],
    "ema_decay": [*NO_NUMBER_BUT_NONE, 0.0, 1.0],
    "swa_start": [*NO_NUMBER_BUT_NONE, 0.0, 1.0],
    "loss": [*NO_NAME, None, "cross_entropy"],
    "n_members": [*NO_COUNT, None],
    "bagging": ["bootstrap", True, 5, 0.5],
}
#: What else has to be set for a parameter to be looked at.
WITH = {
    "label_smoothing": {"loss": "log_loss"},
    "focal_gamma": {"loss": "focal"},
    "quantile": {"loss": "quantile"},
    "huber_delta": {"loss": "huber"},
    "tweedie_power": {"loss": "tweedie"},
    "learning_rate_steps": {"learning_rate": "steps"},
    "scoring": {"early_stopping": True},
    "validation_fraction": {"early_stopping": True},
    "bagging": {"n_members": 2},
}
#: What scikit-learn's classes take as well, with values that they take.
OF_SCIKIT_LEARN = {
    *("hidden_layer_sizes", "alpha", "batch_size", "learning_rate_init", "power_t"),
    *("max_iter", "shuffle", "random_state", "tol", "verbose", "momentum"),
    *("nesterovs_momentum", "n_iter_no_change", "beta_1", "beta_2", "epsilon", "max_fun"),
    *("dtype", "n_threads"),
}

CASES = [
    pytest.param(row.name, BY_NAME[estimator], value, id=f"{row.name}-{estimator}-{value!r}")
    for row in ROWS
    for estimator in row.estimators
    for value in WRONG.get(row.name, ())
]


def test_every_new_parameter_has_wrong_values():
    assert {row.name for row in ROWS} == set(WRONG) | OF_SCIKIT_LEARN


@pytest.fixture
def work_is_an_error(monkeypatch):
    """Draw no parameters: whoever does has looked at too little before."""

    def draw(*args, **options):
        raise AssertionError("parameters are drawn before all values have been looked at")

    monkeypatch.setattr("fastdnn.network.parameters.Parameters.draw", draw, raising=False)


def refused(model, X, y, method="fit", **given):
    """Return why a fit is refused; it must leave everything as it was."""
    random_state = np.random.RandomState(0)
    before = random_state.get_state()[1].copy()
    if model.random_state is None:
        model.set_params(random_state=random_state)
    attributes = dict(vars(model))
    with pytest.raises(ValueError) as error:
        getattr(model, method)(X, y, **given)
    assert vars(model).keys() == attributes.keys()
    assert all(vars(model)[name] is value for name, value in attributes.items())
    np.testing.assert_array_equal(random_state.get_state()[1], before)
    return str(error.value)


@pytest.mark.parametrize(("name", "Estimator", "value"), CASES)
def test_a_wrong_value_is_refused_by_name(name, Estimator, value):
    model = Estimator(
        hidden_layer_sizes=(3, 2), max_iter=2, **WITH.get(name, {}) | {name: value}
    )
    said = refused(model, X, Y[Estimator])
    assert re.search(rf"\b{name}\b", said), said
    told = [repr(value), str(value)]
    if isinstance(value, list | dict):  # or the one of them that is wrong
        told += [repr(one) for one in (value.values() if isinstance(value, dict) else value)]
    assert any(one in said for one in told), said


@pytest.mark.parametrize(
    ("name", "value"), [("dropout", 1.0), ("activation", "unknown"), ("clip_norm", 0.0)]
)
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_a_wrong_value_is_refused_by_partial_fit(Estimator, name, value):
    given = {"classes": [0, 1, 2]} if Estimator is DNNClassifier else {}
    said = refused(
        Estimator(hidden_layer_sizes=(3, 2), **{name: value}),
        X,
        Y[Estimator],
        "partial_fit",
        **given,
    )
    assert name in said


# -- what does not fit each other ----------------------------------------------------------

#: What only solvers have that take steps, with a value that others refuse.
OF_STEPS = {
    "dropout": 0.1,
    "input_noise": 0.1,
    "l1": 0.1,
    "weight_decay": 0.1,
    "learning_rate_warmup": 0.1,
    "learning_rate_factor": 0.5,
    "learning_rate_steps": (0.25,),
    "learning_rate_patience": 3,
    "checkpoint": "file",
    "checkpoint_seconds": 3.0,
    "checkpoint_epochs": 3,
    "rho": 0.5,
    "clip_norm": 1.0,
    "clip_value": 1.0,
    "max_norm": 1.0,
    "ema_decay": 0.5,
    "swa_start": 0.5,
    "warm_start": "exact",
}


def test_all_that_needs_steps_is_listed():
    assert {row.name for row in ROWS if row.needs_steps} | {"warm_start"} == set(OF_STEPS)


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize("name", OF_STEPS)
def test_lbfgs_has_no_steps(Estimator, name):
    model = Estimator(hidden_layer_sizes=(3,), solver="lbfgs", **{name: OF_STEPS[name]})
    said = refused(model, X, Y[Estimator])
    assert all(word in said for word in (f"{name}={OF_STEPS[name]!r}", "lbfgs", "adam"))


CLASSIFIER_COMBINATIONS = [
    ({"label_smoothing": 0.1, "loss": "hinge"}, "label_smoothing=0.1 needs loss='log_loss'"),
    ({"label_smoothing": 0.1, "loss": "focal"}, "label_smoothing=0.1 needs loss='log_loss'"),
    ({"class_weight": [{0: 1.0}]}, "class_weight"),
]


@pytest.mark.parametrize(("options", "words"), CLASSIFIER_COMBINATIONS, ids=str)
def test_parameters_of_a_classifier_fit_each_other(options, words):
    assert words in refused(
        DNNClassifier(hidden_layer_sizes=(3,), **options), X, Y[DNNClassifier]
    )


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_lists_have_one_for_each_layer(Estimator):
    for name, value, n in (("activation", ["relu"], 2), ("dropout", [0.1, 0.1], 3)):
        said = refused(Estimator(hidden_layer_sizes=(3, 2), **{name: value}), X, Y[Estimator])
        assert f"{name}={value!r}" in said
        assert str(n) in said


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_noise_needs_dense_samples(Estimator):
    model = Estimator(hidden_layer_sizes=(3,), input_noise=0.5)
    said = refused(model, sparse.csr_matrix(X), Y[Estimator])
    assert "input_noise=0.5" in said and "dense" in said


@pytest.mark.parametrize(
    ("loss", "target"),
    [("poisson", -1.0), ("tweedie", -1.0), ("gamma", 0.0), ("gamma", -1.0)],
)
def test_targets_lie_where_the_loss_is_defined(loss, target):
    y = np.ones(40)
    y[7] = target
    said = refused(DNNRegressor(hidden_layer_sizes=(3,), loss=loss), X, y)
    assert loss in said


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5, "fast", None])
def test_a_callable_schedule_returns_factors(bad):
    model = DNNRegressor(
        hidden_layer_sizes=(3,), learning_rate=lambda fraction: bad, max_iter=3
    )
    with pytest.raises(ValueError, match="learning_rate"):
        model.fit(X, Y[DNNRegressor])
    assert not hasattr(model, "coefs_")


# -- validation sets -----------------------------------------------------------------------

VALIDATION_SETS = {
    "X alone": ({"X_val": X}, "y_val"),
    "y alone": ({"y_val": np.arange(40) % 3}, "X_val"),
    "weights alone": ({"sample_weight_val": np.ones(40)}, "X_val"),
    "features": ({"X_val": X[:, :2], "y_val": np.arange(40) % 3}, "X_val.*2 features"),
    "rows": ({"X_val": X[:5], "y_val": np.arange(6) % 3}, "X_val|y_val"),
    "empty": ({"X_val": X[:0], "y_val": np.arange(0)}, "X_val"),
    "NaN": ({"X_val": X * np.nan, "y_val": np.arange(40) % 3}, "X_val"),
    "weights": (
        {"X_val": X, "y_val": np.arange(40) % 3, "sample_weight_val": np.ones(3)},
        "sample_weight_val",
    ),
}


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize(("given", "words"), VALIDATION_SETS.values(), ids=VALIDATION_SETS)
def test_validation_sets_are_looked_at_before_training(Estimator, given, words):
    said = refused(Estimator(hidden_layer_sizes=(3,), max_iter=2), X, Y[Estimator], **given)
    assert re.search(words, said), said


def test_classes_of_a_validation_set_are_known():
    given = {"X_val": X[:4], "y_val": np.array([0, 1, 2, 7])}
    said = refused(DNNClassifier(hidden_layer_sizes=(3,)), X, Y[DNNClassifier], **given)
    assert "y_val" in said and "7" in said


# -- units smaller than an epoch -----------------------------------------------------------


@pytest.mark.parametrize("n_steps", [0, -1, 1.5, "two", True, np.nan])
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_steps_are_counted(Estimator, n_steps):
    given = {"classes": [0, 1, 2]} if Estimator is DNNClassifier else {}
    model = Estimator(hidden_layer_sizes=(3,))
    said = refused(model, X, Y[Estimator], "partial_fit", n_steps=n_steps, **given)
    assert f"n_steps={n_steps!r}" in said
