"""Operations on one row, of every number of elements around those of vectors."""

import numba
import numpy as np
import pytest

from fastdnn.ops.softmax_rows import multiply_by, subtract_largest

DTYPES = [np.float32, np.float64]
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 24, 31, 100]
MARGIN = 16


@numba.njit
def subtract(row):
    subtract_largest(row)


@numba.njit
def multiply(factor, row):
    multiply_by(factor, row)


def row_in_buffer(size, dtype):
    """Return a row, and the buffer that shows what is written or read beside it."""
    buffer = np.full(MARGIN + size + MARGIN, np.nan, dtype)
    row = buffer[MARGIN : MARGIN + size]
    row[:] = np.random.default_rng(size).uniform(-1.0, 1.0, size)
    return row, buffer


def assert_only_the_row_is_written(row, buffer):
    assert np.isnan(buffer).sum() == buffer.size - row.size


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_the_largest_is_subtracted_wherever_it_is(size, dtype):
    for position in range(size):
        row, buffer = row_in_buffer(size, dtype)
        row[position] = 2.0
        expected = row - row.dtype.type(2.0)
        subtract(row)
        np.testing.assert_array_equal(row, expected)
        assert_only_the_row_is_written(row, buffer)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_every_element_is_multiplied_once(size, dtype):
    row, buffer = row_in_buffer(size, dtype)
    expected = row * dtype(3.0)
    multiply(dtype(3.0), row)
    np.testing.assert_array_equal(row, expected)
    assert_only_the_row_is_written(row, buffer)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_nan_and_infinity_reach_the_result(size, dtype):
    for value in (np.nan, np.inf):
        for position in range(size):
            row, _ = row_in_buffer(size, dtype)
            row[position] = value
            with np.errstate(invalid="ignore"):
                subtract(row)
            assert np.isnan(row[position])  # inf - inf as well
