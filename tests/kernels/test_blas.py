"""The three matrix products against NumPy, for whole matrices and blocks of columns."""

import numba
import numpy as np
import pytest

from fastdnn.kernels import blas

DTYPES = [np.float32, np.float64]
# Rows, inner dimension, columns.
SHAPES = [
    (1, 1, 1),
    (1, 1, 6),
    (1, 6, 1),
    (6, 1, 1),
    (2, 3, 4),
    (5, 1, 7),
    (1, 40, 9),
    (33, 17, 65),
]


@numba.njit
def matmul(left, right, out):
    blas.matmul(left, right, out)


@numba.njit
def matmul_right_transposed(left, right, out):
    blas.matmul_right_transposed(left, right, out)


@numba.njit
def matmul_left_transposed(left, first, right, out):
    blas.matmul_left_transposed(left, first, right, out)


def matrix(dtype, seed, *shape):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype(dtype)


def unwritten(dtype, *shape):
    """Return what would show if a product were added to its output."""
    return np.full(shape, np.nan, dtype)


def assert_product(out, left, right):
    """Compare with the product in float64; each term is below 1."""
    exact = left.astype(np.float64) @ right.astype(np.float64)
    atol = left.shape[1] * np.finfo(out.dtype).eps
    np.testing.assert_allclose(out, exact, rtol=0.0, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_matmul(shape, dtype):
    n_rows, n_inner, n_columns = shape
    left, right = matrix(dtype, 0, n_rows, n_inner), matrix(dtype, 1, n_inner, n_columns)
    out = unwritten(dtype, n_rows, n_columns)
    matmul(left, right, out)
    assert_product(out, left, right)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_matmul_right_transposed(shape, dtype):
    n_rows, n_inner, n_columns = shape
    left, right = matrix(dtype, 0, n_rows, n_inner), matrix(dtype, 1, n_columns, n_inner)
    out = unwritten(dtype, n_rows, n_columns)
    matmul_right_transposed(left, right, out)
    assert_product(out, left, right.T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_matmul_left_transposed(shape, dtype):
    n_rows, n_inner, n_columns = shape
    left, right = matrix(dtype, 0, n_inner, n_rows), matrix(dtype, 1, n_inner, n_columns)
    out = unwritten(dtype, n_rows, n_columns)
    matmul_left_transposed(left, 0, right, out)
    assert_product(out, left.T, right)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("first", "n_rows"), [(0, 1), (0, 4), (3, 5), (9, 1), (2, 8)])
def test_matmul_left_transposed_takes_a_block_of_columns(first, n_rows, dtype):
    left, right = matrix(dtype, 0, 6, 10), matrix(dtype, 1, 6, 3)
    out = unwritten(dtype, n_rows, 3)
    matmul_left_transposed(left, first, right, out)
    assert_product(out, left[:, first : first + n_rows].T, right)


@pytest.mark.parametrize("dtype", DTYPES)
def test_inputs_may_be_read_only_and_stay_as_they_are(dtype):
    left, right = matrix(dtype, 0, 4, 4), matrix(dtype, 1, 4, 4)
    copies = left.copy(), right.copy()
    left.flags.writeable = right.flags.writeable = False
    out = unwritten(dtype, 4, 4)
    matmul(left, right, out)
    assert_product(out, left, right)
    matmul_right_transposed(left, right, out)
    assert_product(out, left, right.T)
    matmul_left_transposed(left, 0, right, out)
    assert_product(out, left.T, right)
    np.testing.assert_array_equal((left, right), copies)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_written_outside_the_output(dtype):
    left, right = matrix(dtype, 0, 3, 5), matrix(dtype, 1, 5, 2)
    buffer = np.full((5, 2), 7.0, dtype)
    matmul(left, right, buffer[1:4])
    assert_product(buffer[1:4], left, right)
    assert (buffer[[0, 4]] == 7.0).all()
