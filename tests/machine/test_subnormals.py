"""The mode in which subnormal numbers count as zero, and that it ends with every call."""

import numba
import numpy as np
import pytest

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.data.samples import Samples
from fastdnn.machine.subnormals import flush_subnormals, restore_mode
from fastdnn.network.parameters import Parameters
from tests.networks import predictor_of

pytestmark = pytest.mark.needs_jit

SMALLEST = {name: np.finfo(name).smallest_normal for name in ("float32", "float64")}


@numba.njit
def halves(x, out, *, flush):
    """Write the halves of `x` into the first row of `out`, their doubles into the second."""
    mode = flush_subnormals() if flush else 0
    for i in range(x.size):
        out[0, i] = x[i] * x.dtype.type(0.5)
    for i in range(x.size):
        out[1, i] = out[0, i] * x.dtype.type(2)
    if flush:
        restore_mode(mode)


def subnormals_exist():
    """Whether subnormal numbers are numbers in this thread."""
    return all((np.full(40, x) / 4 > 0).all() for x in SMALLEST.values())


@pytest.mark.parametrize("dtype", SMALLEST)
def test_subnormal_numbers_count_as_zero_until_the_mode_is_restored(dtype):
    x = np.full(40, SMALLEST[dtype])
    out = np.empty((2, 40), dtype)
    halves(x, out, flush=True)
    assert not out.any()
    assert subnormals_exist()
    halves(x, out, flush=False)
    assert (out[1] == x).all()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_weights_of_an_empty_feature_shrink_to_zero_not_to_subnormal_numbers(n_threads):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((256, 8)).astype(np.float32)
    X[:, 3] = 0.0
    y = (X[:, 0] > 0).astype(int)
    # Each step takes three quarters off a weight that has no other gradient.
    shrinking = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 1.0, "alpha": 96.0}
    model = DNNClassifier(
        hidden_layer_sizes=(128, 64),
        batch_size=128,
        max_iter=1,
        warm_start=True,
        n_threads=n_threads,
        **shrinking,
    )
    model.fit(X, y)
    model.coefs_[0][3] = 2e-38
    model.fit(X, y)
    assert not model.coefs_[0][3].any()


def test_fits_and_predictions_leave_the_mode_of_the_caller_alone():
    X = np.random.default_rng(0).standard_normal((64, 4))
    model = DNNRegressor(hidden_layer_sizes=(8,), max_iter=2).fit(X, X[:, 0])
    assert subnormals_exist()
    model.predict(X)
    assert subnormals_exist()
    model.predict(X[:1])
    assert subnormals_exist()
    DNNRegressor(hidden_layer_sizes=(8,), solver="lbfgs", max_iter=2).fit(X, X[:, 0])
    assert subnormals_exist()


def test_probabilities_that_are_subnormal_are_not_zero():
    parameters = Parameters([3, 3], np.dtype(np.float32))
    parameters.coefs[0][:] = np.eye(3)
    parameters.intercepts[0][:] = 0.0
    rows = np.array([[0.0, 0.0, -100.0]] * 9, np.float32)
    probabilities = predictor_of(parameters, ["softmax"])(Samples(rows))
    assert (probabilities[:, 2] > 0.0).all()
    assert (probabilities[:, 2] < np.finfo(np.float32).smallest_normal).all()
