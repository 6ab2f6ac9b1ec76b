"""Targets and weights of any scale train as usual ones do."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.training.precision import targets_in, weights_in

# NumPy's own, where the kernels run without JIT.
pytestmark = [] if JIT_ENABLED else [pytest.mark.filterwarnings("ignore:.* encountered in")]

SMALL = {"hidden_layer_sizes": (8,), "batch_size": 20, "random_state": 0, "max_iter": 3}
X = np.random.default_rng(0).standard_normal((60, 3))
Y = X[:, 0] - 0.5 * X[:, 1]


def fitted(model, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*args)


def r2(model, X, y):
    """Return the coefficient of determination, of numbers whose squares may overflow."""
    unit = np.abs(y).max()
    return 1.0 - np.mean((model.predict(X) / unit - y / unit) ** 2) / np.var(y / unit)


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("scale", [1e8, 1e10, 1e12, 1e16, 1e20, 1e30, 3e37])
@pytest.mark.parametrize(
    "settings",
    [{}, {"early_stopping": True}, {"hidden_layer_sizes": (8, 8)}, {"activation": "identity"}],
    ids=str,
)
def test_targets_of_any_scale(scale, settings):
    X = np.random.default_rng(0).standard_normal((200, 3))
    y = (X[:, 0] - 0.5 * X[:, 1]) * scale
    Y = np.stack([y, 2.0 * y], axis=1)
    depth = 1 + len(settings.get("hidden_layer_sizes", (8,)))
    for target, rows in ((y, X), (Y, X), (y, scipy.sparse.csr_matrix(X))):
        scores = {}
        for dtype in ("float32", "float64"):
            model = DNNRegressor(**SMALL | {"max_iter": 150, "dtype": dtype} | settings)
            model.set_params(learning_rate_init=0.01 * scale ** (1 / depth))
            scores[dtype] = r2(fitted(model, rows, target), rows, target)
            assert np.isfinite(model.loss_curve_).all()
        assert scores["float64"] > 0.8
        assert scores["float32"] > scores["float64"] - 0.02


@pytest.mark.slow_without_jit
def test_what_the_optimiser_remembers_of_large_targets_goes_on():
    scores = {}
    for dtype in ("float32", "float64"):
        model = DNNRegressor(**SMALL, dtype=dtype, learning_rate_init=2e17)
        model.set_params(hidden_layer_sizes=[])
        model.partial_fit(X, Y)  # of a usual scale, and then of another
        for _ in range(200):
            model.partial_fit(X, Y * 3e19)
        scores[dtype] = r2(model, X, Y * 3e19)
    assert model.coefs_[0].dtype == np.float64
    assert scores["float64"] > 0.9
    assert scores["float32"] == pytest.approx(scores["float64"], abs=0.02)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_go_on_from_what_the_optimiser_remembers_of_large_targets(duplicate):
    model = DNNRegressor(**SMALL, learning_rate_init=1e13).partial_fit(X, Y * 1e28)
    twin = duplicate(model).partial_fit(X, Y * 1e28)
    model.partial_fit(X, Y * 1e28)
    assert_array_equal(twin.coefs_[0], model.coefs_[0])
    assert twin.loss_curve_ == model.loss_curve_


@pytest.mark.slow_without_jit
def test_what_scikit_learns_optimiser_remembers_of_large_targets_goes_on():
    settings = {"hidden_layer_sizes": (8,), "batch_size": 20, "learning_rate_init": 1e13}
    theirs = MLPRegressor(**settings, max_iter=150, random_state=0)
    fitted(theirs, X, Y * 1e28)
    scores = {}
    for dtype in ("float32", "float64"):
        model = DNNRegressor.from_sklearn(theirs, dtype=dtype)
        for _ in range(5):
            model.partial_fit(X, Y * 1e28)
        scores[dtype] = r2(model, X, Y * 1e28)
    assert scores["float64"] > 0.9
    assert scores["float32"] == pytest.approx(scores["float64"], abs=1e-4)


def test_large_targets_leave_the_precision_of_the_network():
    model = fitted(DNNRegressor(**SMALL, learning_rate_init=1e8), X, Y * 1e16)
    assert {W.dtype for W in [*model.coefs_, *model.intercepts_]} == {np.dtype(np.float32)}
    again = fitted(DNNRegressor(**SMALL, learning_rate_init=1e8), X, Y * 1e16)
    assert_array_equal(again.coefs_[0], model.coefs_[0])


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("y", [1e39, 1e300])
def test_targets_that_float32_cannot_hold(solver, y):
    with pytest.raises(ValueError, match=r"y has values of up to .* too large for float32"):
        DNNRegressor(**SMALL, solver=solver).fit(X, np.full(60, y))


def test_targets_are_converted_and_kept():
    y = np.array([[1.0], [3e38]])
    assert_array_equal(targets_in(y, np.dtype(np.float32))[0], y.astype(np.float32))
    assert targets_in(y, y.dtype) == (y, 3e38)
    Y, size = targets_in(np.array([[True], [False]]), y.dtype)
    assert (Y.tolist(), size) == ([[1.0], [0.0]], 1.0)
    assert targets_in(np.array([[2], [0.5]], object), y.dtype)[0].tolist() == [[2.0], [0.5]]
    whole = np.array([[-(2**62)], [3]])
    assert targets_in(whole, y.dtype)[1] == 2.0**62


# -- sample weights -----------------------------------------------------------------------

WEIGHT = np.arange(60) % 4 / 4.0 + 0.25


@pytest.mark.pairwise
@pytest.mark.parametrize("exponent", [-149, -133, -100, -41, 41, 100, 125, 500, -600])
@pytest.mark.parametrize(
    "settings",
    [{}, {"solver": "sgd"}, {"solver": "lbfgs"}, {"early_stopping": True, "max_iter": 6}],
    ids=str,
)
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_a_common_factor_of_weights_changes_no_bit(Estimator, settings, exponent):
    # The penalty is divided by the sum of weights, so it gets the factor, too.
    y = Y if Estimator is DNNRegressor else (Y > 0).astype(int)
    model = Estimator(**SMALL | settings, alpha=0.5)
    expected = fitted(model, X, y, WEIGHT)
    curve, coefs = getattr(expected, "loss_curve_", None), expected.coefs_
    model = Estimator(**SMALL | settings, alpha=0.5 * 2.0**exponent)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Stochastic Optimizer|lbfgs failed")
        model.fit(X, y, WEIGHT * 2.0**exponent)
    assert getattr(model, "loss_curve_", None) == curve
    for W, W_expected in zip(model.coefs_, coefs, strict=True):
        assert_array_equal(W, W_expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-40, 1e-30, 1e30, 1e38, 1e300])
def test_weights_are_brought_near_one(size, dtype):
    dtype = np.dtype(dtype)
    given = np.array([1.0, 0.0, 0.5]) * size
    weight, factor = weights_in(given, dtype)
    assert weight.dtype == dtype
    assert np.log2(factor) % 1.0 == 0.0
    assert_allclose(weight, given * factor, rtol=1e-7)
    if dtype == np.float32 or not 1e-100 < size < 1e100:
        assert 0.0 < weight.max() < 2.0


def test_usual_weights_stay():
    for given in (np.array([1.0, 3.0]), np.zeros(2), np.array([-1.0, 1e-9])):
        weight, factor = weights_in(given, given.dtype)
        assert weight is given
        assert factor == 1.0


def test_weights_that_differ_by_more_than_float32_holds():
    weight = np.where(np.arange(60) < 40, 1e-300, 1.0)
    settings = SMALL | {"shuffle": False, "max_iter": 20}
    coefs = {}
    for dtype in ("float32", "float64"):
        model = DNNRegressor(**settings, dtype=dtype, alpha=0.0)
        coefs[dtype] = fitted(model, X, Y, weight).coefs_
    assert coefs["float32"][0].dtype == np.float32
    for W, expected in zip(*coefs.values(), strict=True):
        assert_allclose(W, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_so_small_that_only_the_penalty_counts(dtype):
    model = DNNClassifier(**SMALL, dtype=dtype)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, (Y > 0).astype(int), np.full(60, 1e-12))
    said = [w for w in caught if "The penalty outweighs the losses" in str(w.message)]
    assert "sample_weight has a mean of 1e-12" in str(said[0].message)
    assert said[0].filename == __file__
    model.set_params(alpha=0.0)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations") as caught:
        model.fit(X, (Y > 0).astype(int), np.full(60, 1e-12))
    assert len(caught) == 1


# -- Adam's epsilon -----------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [1e-20, 1e-40, 1e-310, 5e-324])
def test_epsilon_of_any_size(epsilon):
    # Half of the features are 0, and so are the gradients of their weights.
    rows = np.hstack([X, np.zeros_like(X)])
    coefs = {}
    for dtype in ("float32", "float64"):
        model = DNNRegressor(**SMALL, epsilon=epsilon, alpha=0.0, dtype=dtype)
        coefs[dtype] = fitted(model, rows, Y).coefs_
    for W, expected in zip(*coefs.values(), strict=True):
        assert np.isfinite(expected).all()
        assert_allclose(W, expected, rtol=1e-5)
