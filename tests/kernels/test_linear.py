"""The products of a dense layer, with one unit and with several, against NumPy."""

import numba
import numpy as np
import pytest

from fastdnn.kernels.linear import linear_delta, linear_gradient, linear_product


@numba.njit
def product(A, W, Z):
    linear_product(A, W, Z)


@numba.njit
def delta(D, W, D_prev):
    linear_delta(D, W, D_prev)


@numba.njit
def gradient(A, first, D, dW):
    linear_gradient(A, first, D, dW)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_out", [1, 2, 5])
@pytest.mark.parametrize("n_in", [1, 7, 16])
@pytest.mark.parametrize("n_rows", [1, 3, 4, 9])
def test_products_equal_numpy(n_rows, n_in, n_out, dtype):
    rng = np.random.default_rng(0)
    shapes = (n_rows, n_in), (n_in, n_out), (n_rows, n_out)
    A, W, D = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    A64, W64, D64 = (array.astype(np.float64) for array in (A, W, D))
    Z, D_prev = np.full_like(D, np.nan), np.full_like(A, np.nan)
    product(A, W, Z)
    delta(D, W, D_prev)
    eps = 16 * np.finfo(dtype).eps
    np.testing.assert_allclose(Z, A64 @ W64, rtol=0.0, atol=eps)
    np.testing.assert_allclose(D_prev, D64 @ W64.T, rtol=0.0, atol=eps)
    for first, last in [(0, n_in), (n_in // 2, n_in)]:
        dW = np.full((last - first, n_out), np.nan, dtype)
        gradient(A, first, D, dW)
        np.testing.assert_allclose(dW, A64[:, first:last].T @ D64, rtol=0.0, atol=eps)
