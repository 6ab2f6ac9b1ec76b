"""Every row of the activation table against NumPy, finite differences, and extremes."""

import numpy as np
import pytest

from fastdnn.ops.activations import ACTIVATIONS
from tests.ops.activation_calls import backward, forward
from tests.oracle.activations import ACTIVATIONS as ORACLES
from tests.oracle.activations import BOUNDED_SLOPES, OF_ELEMENTS
from tests.small_layers import DTYPES, gradients, layer
from tests.without_jit import scalar_warnings_off

# Where the function is a small part of z, rounding counts in eps of |z|, as in a sum.
OF_Z = ("gelu",)


def growth(D):
    """Return the factor of absolute rounding where exp makes large numbers."""
    return max(1.0, float(np.abs(D).max()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_equals_numpy(name, dtype):
    Z, b = layer(dtype)
    exact = ORACLES[name](Z.astype(np.float64) + b)
    # Rounding of Z + b, at most half an eps of |z| < 5, grows by the slope of log g.
    eps = np.finfo(dtype).eps
    atol = 4 * eps * np.abs(Z + b).max() if name in OF_Z else 0.0
    np.testing.assert_allclose(forward(name, Z, b)[1], exact, rtol=6 * eps, atol=atol)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_keeps_the_input_where_the_table_says_so(name):
    Z, b = layer(np.float64)
    kept, A = forward(name, Z, b)
    if ACTIVATIONS[name].keeps_input:
        np.testing.assert_array_equal(kept, Z + b)
    else:
        assert np.shares_memory(kept, A)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_equals_finite_differences(name):
    Z, b = layer(np.float64)
    dA, db = gradients(Z.shape, Z.dtype)
    step = 6e-6  # about the cube root of eps, the best for central differences
    numeric = np.empty_like(Z)
    for j in range(Z.shape[1]):
        above, below = Z.copy(), Z.copy()
        above[:, j] += step
        below[:, j] -= step
        difference = forward(name, above, b)[1] - forward(name, below, b)[1]
        numeric[:, j] = (dA * difference).sum(axis=1) / (above - below)[:, j]
    D, _ = backward(name, Z, b, dA, db)
    np.testing.assert_allclose(D, numeric, rtol=0.0, atol=5e-10 * growth(D))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_adds_the_column_sums(name, dtype):
    Z, b = layer(dtype)
    dA, db_before = gradients(Z.shape, dtype)
    D, db = backward(name, Z, b, dA, db_before)
    exact = db_before.astype(np.float64) + D.astype(np.float64).sum(axis=0)
    atol = 8 * np.finfo(dtype).eps * growth(D)
    np.testing.assert_allclose(db, exact, rtol=0.0, atol=atol)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_in_single_precision_equals_double(name):
    single, double = (
        backward(name, *layer(dtype), *gradients((7, 4), dtype)) for dtype in DTYPES
    )
    eps = np.finfo(np.float32).eps
    for got, exact in zip(single, double, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, exact, rtol=0.0, atol=8 * eps * growth(exact))


def test_softmax_backward_equals_its_jacobian():
    Z, b = layer(np.float64)
    dA, db = gradients(Z.shape, Z.dtype)
    A = ORACLES["softmax"](Z + b)
    D, _ = backward("softmax", Z, b, dA, db)
    for a, d_out, d_in in zip(A, dA, D, strict=True):
        jacobian = np.diag(a) - np.outer(a, a)
        np.testing.assert_allclose(d_in, jacobian @ d_out, rtol=0.0, atol=1e-15)


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [40.0, 90.0, 1e4])
@pytest.mark.parametrize("name", BOUNDED_SLOPES)
def test_saturated_units_are_exact_and_finite(name, size, dtype):
    Z = np.array([[size, 0.0, -size], [-size, -size, -size], [0.0, size, size]], dtype)
    b = np.zeros(3, dtype)
    info = np.finfo(dtype)
    # Where exp is clamped, zero becomes the smallest normal number; silu multiplies by z.
    floor = 1.01 * info.tiny * size
    with scalar_warnings_off():
        _, A = forward(name, Z, b)
        D, db = backward(name, Z, b, np.ones_like(Z), b)
    exact = ORACLES[name](Z.astype(np.float64))
    np.testing.assert_allclose(A, exact, rtol=4 * info.eps, atol=floor)
    if name in OF_ELEMENTS:  # columns of the others depend on each other
        above, below = (ORACLES[name](Z + np.float64(step)) for step in (1.0, -1.0))
        far = Z != 0.0  # where the function is a straight line
        slope = (above - below)[far] / 2.0
        # The difference of two numbers of that size was rounded, in float64.
        atol = 4 * info.eps + size * np.finfo(np.float64).eps
        np.testing.assert_allclose(D[far], slope, rtol=0.0, atol=atol)
    assert np.isfinite(D).all()
    np.testing.assert_allclose(db, D.sum(axis=0), rtol=2 * info.eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_stays_nan_and_in_its_row(name, dtype):
    Z, b = layer(dtype)
    clean = forward(name, Z, b)[1]
    Z[2, 1] = np.nan
    with scalar_warnings_off():
        A = forward(name, Z, b)[1]
    assert np.isnan(A[2, 1])
    other_rows = np.arange(len(Z)) != 2
    np.testing.assert_array_equal(A[other_rows], clean[other_rows])
