"""The public steps of backpropagation, called from Python and from a user's kernel."""

from functools import cache

import numba
import numpy as np
import pytest

from fastdnn import textbook as kernels
from fastdnn.textbook.layers import ACTIVATION_CODES
from tests.oracle.activations import ACTIVATIONS, SLOPES
from tests.small_layers import DTYPES, gradients, layer
from tests.without_jit import scalar_warnings_off

N_SAMPLES, N_IN, N_OUT = 7, 5, 4


def from_python(function):
    return function


@cache
def from_users_kernel(function):
    @numba.njit
    def call(*args):
        return function(*args)

    return call


CALLERS = [from_python, from_users_kernel]
# What takes seconds to compile is compiled once for a user's kernel.
CALLS = [(from_python, DTYPES[0]), (from_python, DTYPES[1]), (from_users_kernel, np.float32)]


def arrays(dtype):
    """Return X, W, and b with linear outputs away from the kink of ReLU."""
    rng = np.random.default_rng(0)
    # The same float32 numbers in both precisions.
    drawn = (
        rng.uniform(-1.0, 1.0, shape).astype(np.float32).astype(dtype)
        for shape in ((N_SAMPLES, N_IN), (N_IN, N_OUT), (N_OUT,))
    )
    X, W, b = drawn
    assert np.abs(X @ W + b).min() > 0.01
    return X, W, b


def assert_close(got, exact, dtype, n_roundings):
    """Compare numbers below about 4, each the result of a few roundings."""
    assert got.dtype == dtype
    atol = n_roundings * np.finfo(dtype).eps
    np.testing.assert_allclose(got, exact, rtol=0.0, atol=atol)


ELEMENTWISE = {
    "sigmoid": ACTIVATIONS["sigmoid"],
    "sigmoid_prime": SLOPES["sigmoid"],
    "relu": ACTIVATIONS["relu"],
    "relu_prime": SLOPES["relu"],
}


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_function_equals_numpy(name, caller, dtype):
    Z, _ = layer(dtype)
    before = Z.copy()
    result = caller(getattr(kernels, name))(Z)
    assert_close(result, ELEMENTWISE[name](Z.astype(np.float64)), dtype, 4)
    np.testing.assert_array_equal(Z, before)


@pytest.mark.parametrize("shape", [(6,), (2, 3), (2, 1, 3), (0, 4)])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_function_takes_any_shape(name, shape):
    Z = np.random.default_rng(0).standard_normal(shape)
    result = getattr(kernels, name)(Z)
    assert result.shape == shape
    np.testing.assert_allclose(result, ELEMENTWISE[name](Z), rtol=1e-14)


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [40.0, 90.0, 1e4])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_function_is_exact_at_large_arguments(name, size, dtype):
    Z = np.array([size, -size], dtype)
    with scalar_warnings_off():
        result = getattr(kernels, name)(Z)
    # Of s (1 - s) with s near 1, no more than an absolute eps is left.
    exact = ELEMENTWISE[name](Z.astype(np.float64))
    np.testing.assert_allclose(result, exact, rtol=0.0, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("name", ["sigmoid", "sigmoid_prime", "relu"])
def test_nan_stays_nan(name):
    with scalar_warnings_off():
        result = getattr(kernels, name)(np.array([np.nan, 1.0], np.float32))
    assert np.isnan(result[0])
    assert np.isfinite(result[1])


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", ["sigmoid", "relu"])
def test_elementwise_backward_equals_numpy(name, caller, dtype):
    Z, _ = layer(dtype)
    dA, _ = gradients(Z.shape, dtype)
    result = caller(getattr(kernels, f"{name}_backward"))(dA, Z)
    slope = ELEMENTWISE[f"{name}_prime"](Z.astype(np.float64))
    assert_close(result, dA * slope, dtype, 4)


@pytest.mark.parametrize(("caller", "dtype"), CALLS)
def test_linear_forward_equals_numpy(caller, dtype):
    X, W, b = arrays(dtype)
    Z, cache = caller(kernels.linear_forward)(X, W, b)
    assert_close(Z, X.astype(np.float64) @ W + b, dtype, 4)
    for kept, given in zip(cache, (X, W, b), strict=True):
        np.testing.assert_array_equal(kept, given)


@pytest.mark.parametrize(("caller", "dtype"), CALLS)
def test_linear_backward_equals_numpy(caller, dtype):
    X, W, b = arrays(dtype)
    dZ, _ = gradients((N_SAMPLES, N_OUT), dtype)
    dX, dW, db = caller(kernels.linear_backward)(dZ, (X, W, b))
    exact = dZ.astype(np.float64)
    assert_close(dX, exact @ W.T, dtype, 4)
    assert_close(dW, X.T @ exact / N_SAMPLES, dtype, 4)
    assert_close(db, exact.mean(axis=0), dtype, 4)


@pytest.mark.parametrize(("caller", "dtype"), CALLS)
@pytest.mark.parametrize("name", ACTIVATION_CODES)
def test_layer_forward_equals_numpy(name, caller, dtype):
    X, W, b = arrays(dtype)
    code = getattr(kernels, name.upper())
    A, (linear_cache, Z) = caller(kernels.linear_activation_forward)(X, W, b, code)
    exact = X.astype(np.float64) @ W + b
    assert_close(A, ACTIVATIONS[name](exact), dtype, 6)
    assert_close(Z, exact, dtype, 4)
    for kept, given in zip(linear_cache, (X, W, b), strict=True):
        np.testing.assert_array_equal(kept, given)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", ACTIVATION_CODES)
def test_layer_backward_equals_finite_differences(name, caller):
    X, W, b = arrays(np.float64)
    code = ACTIVATION_CODES[name]
    dA, _ = gradients((N_SAMPLES, N_OUT), np.float64)
    step = 6e-6  # about the cube root of eps

    def loss():
        A, _ = kernels.linear_activation_forward(X, W, b, code)
        return np.sum(dA * A)

    def numeric(array):
        gradient = np.empty_like(array)
        for index in np.ndindex(*array.shape):
            value = array[index]
            array[index] = value + step
            above = loss()
            array[index] = value - step
            gradient[index] = (above - loss()) / (2 * step)
            array[index] = value
        return gradient

    _, cache = kernels.linear_activation_forward(X, W, b, code)
    dX, dW, db = caller(kernels.linear_activation_backward)(dA, cache, code)
    # dA is of each sample's loss, and so is dX; dW and db are of the mean loss.
    for got, exact in ((dX, numeric(X)), (dW, numeric(W) / N_SAMPLES)):
        np.testing.assert_allclose(got, exact, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(db, numeric(b) / N_SAMPLES, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATION_CODES)
def test_layer_backward_in_single_precision_equals_double(name):
    code = ACTIVATION_CODES[name]

    def run(dtype):
        _, cache = kernels.linear_activation_forward(*arrays(dtype), code)
        dA, _ = gradients((N_SAMPLES, N_OUT), dtype)
        return kernels.linear_activation_backward(dA, cache, code)

    for got, exact in zip(*map(run, DTYPES), strict=True):
        assert_close(got, exact, np.float32, 8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("caller", CALLERS)
def test_cost_of_one_column_is_binary_cross_entropy(caller, dtype):
    rng = np.random.default_rng(0)
    AL = rng.uniform(0.01, 0.99, (20, 1)).astype(dtype)
    Y = rng.integers(0, 2, AL.shape).astype(dtype)
    exact_AL = AL.astype(np.float64)
    exact = -np.mean(np.where(Y == 1, np.log(exact_AL), np.log1p(-exact_AL)))
    # The sum is taken in float64 in both precisions.
    np.testing.assert_allclose(caller(kernels.compute_cost)(AL, Y), exact, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("caller", CALLERS)
def test_cost_of_several_columns_is_categorical_cross_entropy(caller, dtype):
    rng = np.random.default_rng(0)
    AL = rng.dirichlet(np.ones(3), 20).astype(dtype)
    classes = rng.integers(0, 3, 20)
    exact = -np.mean(np.log(AL[np.arange(20), classes].astype(np.float64)))
    cost = caller(kernels.compute_cost)(AL, np.eye(3, dtype=dtype)[classes])
    np.testing.assert_allclose(cost, exact, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("right", [True, False])
def test_cost_of_rounded_probabilities_is_finite(right, dtype):
    AL = np.array([[0.0], [1.0]], dtype)
    Y = AL.copy() if right else 1 - AL
    info = np.finfo(dtype)
    # Zero counts as the smallest normal number, one as the largest number below it.
    sure = (-np.log1p(-float(info.tiny)), -np.log1p(-float(info.eps) / 2))
    wrong = (-np.log(float(info.tiny)), -np.log(float(info.eps) / 2))
    exact = np.mean(sure if right else wrong)
    np.testing.assert_allclose(kernels.compute_cost(AL, Y), exact, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("caller", CALLERS)
def test_update_is_a_decayed_step_in_place(caller, dtype):
    _, W, b = arrays(dtype)
    dW, db = gradients(W.shape, dtype)
    rate, decay = 0.1, 0.25
    exact_W = W - rate * (dW.astype(np.float64) + decay * W.astype(np.float64))
    exact_b = b - rate * db.astype(np.float64)
    caller(kernels.update_parameters)(W, b, dW, db, rate, decay)
    assert_close(W, exact_W, dtype, 2)
    assert_close(b, exact_b, dtype, 2)


def test_public_codes_are_those_of_the_table():
    public = {name: getattr(kernels, name) for name in kernels.__all__}
    codes = {name.lower(): code for name, code in public.items() if name.isupper()}
    assert codes == ACTIVATION_CODES
