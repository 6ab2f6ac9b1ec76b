"""Activations of each layer, normalisation, dropout and noise at the estimators."""

import copy
import pickle
import warnings
from functools import cache

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.compiler.jit import JIT_ENABLED
from tests.oracle.activations import ACTIVATIONS
from tests.oracle.hidden_layers import normalized, prelu

N_ROWS = 300
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

#: What may be asked for, by name.
OPTIONS = {
    "dropout": {"dropout": 0.3},
    "dropout of each": {"dropout": [0.2, 0.4, 0.0]},
    "dropout behind tanh": {"dropout": 0.3, "activation": "tanh"},
    "noise": {"input_noise": 0.2},
    "normalization": {"normalization": "layer"},
    "prelu": {"activation": "prelu"},
    "one of each": {"activation": ["gelu", "relu"]},
    "everything": {
        "activation": ["prelu", "silu"],
        "normalization": "layer",
        "dropout": (0.1, 0.2, 0.3),
    },
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, 12)).astype(np.float32).astype(np.float64)
    X[rng.random(X.shape) < 0.3] = 0.0
    return X, (X[:, :3].sum(axis=1) > 0).astype(int) + (X[:, 3] > 1)


def classifier(**options):
    defaults = {"hidden_layer_sizes": (9, 7), "max_iter": 3, "random_state": 1}
    return DNNClassifier(**defaults | {"batch_size": 64} | options)


def learnt(model):
    """Return copies of everything that a model has learnt."""
    names = ("coefs_", "intercepts_", "norm_gains_", "norm_shifts_", "prelu_slopes_")
    return [array.copy() for name in names for array in getattr(model, name, [])]


def assert_same(one, two):
    assert len(learnt(one)) == len(learnt(two))
    for first, second in zip(learnt(one), learnt(two), strict=True):
        np.testing.assert_array_equal(first, second)


# -- what is learnt -------------------------------------------------------------------------


@pytest.mark.slow_without_jit
@every_option
def test_a_network_learns_and_shows_what_it_has_learnt(options):
    X, y = problem()
    model = classifier(max_iter=60, learning_rate_init=0.01, **options).fit(X, y)
    assert model.score(X, y) > 0.75
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    names = ("norm_gains_", "norm_shifts_", "prelu_slopes_")
    shapes = [[each.shape for each in getattr(model, name, [])] for name in names]
    normalizes = options.get("normalization") == "layer"
    activation = options.get("activation")
    n_slopes = {"prelu": 2}.get(activation, 0) if isinstance(activation, str) else 0
    if isinstance(activation, list):
        n_slopes = activation.count("prelu")
    of_norms = [(9,), (7,)] if normalizes else []
    assert shapes == [of_norms, of_norms, [(1,)] * n_slopes]
    assert hasattr(model, "norm_gains_") == normalizes
    assert hasattr(model, "prelu_slopes_") == (n_slopes > 0)
    for gain in getattr(model, "norm_gains_", []):
        assert (gain != 1.0).any()
    for slope in getattr(model, "prelu_slopes_", []):
        assert slope[0] != 0.25


def test_predictions_are_those_of_the_formulas():
    X, y = problem()
    options = OPTIONS["everything"] | {"dtype": "float64"}
    model = classifier(**options).fit(X, y)
    A = X
    for l, name in enumerate(options["activation"]):
        Z = A @ model.coefs_[l] + model.intercepts_[l]
        Z = normalized(Z) * model.norm_gains_[l] + model.norm_shifts_[l]
        A = prelu(Z, model.prelu_slopes_[0]) if name == "prelu" else ACTIVATIONS[name](Z)
    expected = ACTIVATIONS["softmax"](A @ model.coefs_[2] + model.intercepts_[2])
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba(X[:1]), expected[:1], rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba(sparse.csr_matrix(X)), expected, rtol=1e-12)


def test_gains_and_slopes_begin_where_they_are_said_to_and_draw_nothing():
    X, y = problem()
    tiny = {"max_iter": 1, "learning_rate_init": 1e-30, "dtype": "float64"}
    model = classifier(activation="prelu", normalization="layer", **tiny).fit(X, y)
    for gain, shift in zip(model.norm_gains_, model.norm_shifts_, strict=True):
        np.testing.assert_array_equal(gain, np.ones_like(gain))
        np.testing.assert_allclose(shift, 0.0, atol=1e-25)
    np.testing.assert_array_equal(np.concatenate(model.prelu_slopes_), [0.25, 0.25])
    plain = classifier(**tiny).fit(X, y)
    for W, same in zip(model.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(W, same)


def test_a_list_of_equal_activations_is_one_for_all():
    X, y = problem()
    for name in ("relu", "logistic"):
        assert_same(
            classifier(activation=name).fit(X, y),
            classifier(activation=np.array([name, name])).fit(X, y),
        )


def test_a_logistic_layer_is_drawn_from_its_own_range():
    X, y = problem()
    tiny = {"max_iter": 1, "learning_rate_init": 1e-30, "dtype": "float64"}
    mixed = classifier(activation=["logistic", "relu"], **tiny).fit(X, y)
    usual, logistic = (
        classifier(activation=name, **tiny).fit(X, y) for name in ("relu", "logistic")
    )
    for l, same in enumerate([logistic, usual, usual]):
        np.testing.assert_array_equal(mixed.coefs_[l], same.coefs_[l])


@pytest.mark.slow_without_jit
def test_the_penalty_leaves_gains_shifts_and_slopes_alone():
    X, y = problem()
    options = {"activation": "prelu", "normalization": "layer", "max_iter": 20}
    model, without = (
        classifier(alpha=alpha, learning_rate_init=0.01, **options).fit(X, y)
        for alpha in (1e4, 0.0)
    )
    for W, free in zip(model.coefs_, without.coefs_, strict=True):
        assert np.abs(W).max() < 0.3 * np.abs(free).max()
    for gain in model.norm_gains_:
        assert gain.min() > 0.5


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("options", [{}, {"sparse": True}], ids=["dense", "sparse"])
def test_a_regressor_has_them_too(options):
    X, _ = problem()
    y = X @ np.arange(12.0) / 10 + 3
    X = sparse.csr_matrix(X) if options else X
    model = DNNRegressor(
        hidden_layer_sizes=(20, 10), activation=["prelu", "gelu"], normalization="layer",
        dropout=[0.0, 0.05, 0.0], learning_rate_init=0.01, random_state=0, max_iter=150,
    ).fit(X, y)  # fmt: skip
    assert model.score(X, y) > 0.8


# -- where bits are the same ----------------------------------------------------------------


@pytest.mark.slow_without_jit
@every_option
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_partial_fits_are_the_epochs_of_one_fit(options, weighted):
    X, y = problem()
    weight = np.arange(N_ROWS) % 4 / 4 + 0.25 if weighted else None
    whole = classifier(shuffle=False, **options).fit(X, y, sample_weight=weight)
    parts = classifier(shuffle=False, **options)
    for _ in range(3):
        parts.partial_fit(X, y, classes=[0, 1, 2], sample_weight=weight)
        parts = pickle.loads(pickle.dumps(parts))
    assert_same(whole, parts)
    # Without JIT the penalty is added up in single precision where training begins.
    rtol = 0 if JIT_ENABLED else 1e-6
    np.testing.assert_allclose(whole.loss_curve_, parts.loss_curve_, rtol=rtol)


@pytest.mark.slow_without_jit
@every_option
def test_sparse_rows_train_like_dense_ones(options):
    if "input_noise" in options:
        return
    X, y = problem()
    dense, of_csr = (
        classifier(dtype="float64", **options).fit(each, y)
        for each in (X, sparse.csr_array(X))
    )
    for one, two in zip(learnt(dense), learnt(of_csr), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-7, atol=1e-9)


@pytest.mark.slow_without_jit
@every_option
def test_fits_repeat_and_copies_predict_alike(options):
    X, y = problem()
    one, two = (classifier(**options).fit(X, y) for _ in range(2))
    assert_same(one, two)
    for copied in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert_same(one, copied)
        np.testing.assert_array_equal(one.predict_proba(X), copied.predict_proba(X))
        assert_same(one.partial_fit(X, y), copied.partial_fit(X, y))
        one = two


def test_another_seed_leaves_out_others_and_no_dropout_draws_nothing():
    X, y = problem()
    state = np.random.RandomState(3)
    drawn = np.random.RandomState(3)
    classifier(random_state=state, shuffle=False).fit(X, y)
    classifier(random_state=drawn, shuffle=False, dropout=0.5).fit(X, y)
    state.randint(2**31 - 1)  # a seed, once for a fit
    assert state.randint(1000) == drawn.randint(1000)
    first, second = (
        classifier(dropout=0.5, shuffle=False, random_state=seed).fit(X, y) for seed in (1, 2)
    )
    assert first.loss_curve_ != second.loss_curve_


@pytest.mark.slow_without_jit
@every_option
def test_early_stopping_keeps_the_best_of_all_that_is_learnt(options):
    X, y = problem()
    model = classifier(
        early_stopping=True, max_iter=12, learning_rate_init=0.02, **options
    ).fit(X, y)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.predict(X).shape == y.shape


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"activation": ["relu"]}, "hidden_layer_sizes has 2 layers"),
        ({"activation": ["relu", "swish"]}, "'swish'"),
        ({"activation": ["relu", None]}, "None"),
        ({"activation": "ascending"}, "activation"),
        ({"dropout": [0.1, 0.2]}, "the input and 2 hidden layers need 3"),
        ({"dropout": [0.1, 0.2, 1.0]}, "at least 0 and below 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"input_noise": -1.0}, "input_noise"),
        ({"input_noise": np.inf}, "input_noise"),
        ({"input_noise": np.nan}, "input_noise"),
        ({"normalization": "batch"}, "normalization"),
        ({"dropout": 0.5, "solver": "lbfgs"}, "needs a stochastic solver"),
        ({"input_noise": 0.5, "solver": "lbfgs"}, "needs a stochastic solver"),
    ],
)
def test_wrong_values_are_named(options, said):
    X, y = problem()
    with pytest.raises(ValueError, match=said):
        classifier(**options).fit(X, y)


def test_noise_is_not_added_to_sparse_rows():
    X, y = problem()
    with pytest.raises(ValueError, match=r"input_noise=0\.5 needs a dense X"):
        classifier(input_noise=0.5).fit(sparse.csr_matrix(X), y)


@pytest.mark.parametrize(
    ("fitted", "changed"),
    [
        ({"normalization": "layer"}, {"normalization": None}),
        ({}, {"normalization": "layer"}),
        ({"activation": "prelu"}, {"activation": "relu"}),
        ({"activation": "relu"}, {"activation": ["relu", "prelu"]}),
    ],
)
@pytest.mark.parametrize("use", ["predict", "partial_fit", "fit"])
def test_what_a_fitted_network_has_not_learnt_cannot_be_set(fitted, changed, use):
    X, y = problem()
    model = classifier(warm_start=True, **fitted).fit(X, y)
    model.set_params(**changed)
    with pytest.raises(ValueError, match="does not fit the network"):
        getattr(model, use)(*((X,) if use == "predict" else (X, y)))
    model.set_params(warm_start=False).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()


def test_dropout_may_be_set_for_what_follows():
    X, y = problem()
    model = classifier().fit(X, y)
    before = model.predict_proba(X)
    model.set_params(dropout=0.5)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    model.partial_fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()


# -- L-BFGS ---------------------------------------------------------------------------------


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("name", ["normalization", "prelu"])
def test_lbfgs_learns_gains_shifts_and_slopes(name):
    X, y = problem()
    options = OPTIONS[name] | {"solver": "lbfgs", "max_iter": 100, "alpha": 0.1}
    model = classifier(**options).fit(X, y)
    assert model.score(X, y) > 0.95
    own = getattr(model, "norm_gains_", []) + getattr(model, "prelu_slopes_", [])
    assert all((each != (1.0 if name == "normalization" else 0.25)).all() for each in own)


# -- attributes that are edited ------------------------------------------------------------


@cache
def fitted():
    X, y = problem()
    return X, classifier(**OPTIONS["everything"]).fit(X, y)


def edited():
    """Return the samples, and a model to edit."""
    return copy.deepcopy(fitted())


def test_edited_and_exchanged_values_count():
    X, model = edited()
    before = model.predict_proba(X)
    model.norm_gains_[0][:] = 0.0
    in_place = model.predict_proba(X)
    assert not np.array_equal(before, in_place)
    X, other = edited()
    other.norm_gains_[0] = np.zeros(9)
    np.testing.assert_array_equal(other.predict_proba(X), in_place)
    same = pickle.loads(pickle.dumps(other))
    np.testing.assert_array_equal(same.predict_proba(X), in_place)
    same.partial_fit(*problem())
    assert np.isfinite(same.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("norm_gains_", [np.ones(9)], "list of 2 vectors"),
        ("norm_gains_", [np.ones(9), np.ones(8)], "needs 7"),
        ("norm_shifts_", [np.ones(9), np.full(7, np.nan)], "NaN"),
        ("norm_shifts_", [np.ones(9), "seven"], "real numbers"),
        ("prelu_slopes_", [np.ones(2)], "needs 1"),
        ("prelu_slopes_", 0.25, "list of 1 vectors"),
        ("coefs_", [np.ones((12, 3))], "hidden layers"),
    ],
)
def test_values_that_do_not_fit_are_named(name, value, said):
    X, model = edited()
    setattr(model, name, value)
    if name == "coefs_":
        model.intercepts_ = [np.ones(3)]
    with pytest.raises(ValueError, match=said):
        model.predict(X)


def test_attributes_that_were_deleted_are_missed():
    X, model = edited()
    del model.prelu_slopes_
    with pytest.raises(ValueError, match="prelu_slopes_"):
        model.predict(X)


@pytest.mark.parametrize("options", [OPTIONS["normalization"], OPTIONS["prelu"]], ids=str)
def test_scikit_learn_has_no_such_network(options):
    X, y = problem()
    with pytest.raises(ValueError, match=next(iter(options))):
        classifier(**options).fit(X, y).to_sklearn()


def test_a_fit_that_is_widened_draws_alike():
    X, y = problem()
    few = slice(0, 150)  # one batch of all is computed in float64
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        single, double = (
            classifier(batch_size="auto", dtype=dtype, dropout=0.4).fit(X[few], y[few])
            for dtype in ("float32", "float64")
        )
    np.testing.assert_allclose(single.loss_curve_, double.loss_curve_, rtol=1e-7)
