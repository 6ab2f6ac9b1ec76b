"""Loops over whole vectors, beside NumPy."""

import numba
import numpy as np
import pytest

from fastdnn.machine import vectors

SIZES = [0, 1, 7, 8, 33, 257]


@numba.njit
def run(x, y, factor, out):
    """Write into each row of `out` what one loop makes of it."""
    vectors.copy(x, out[0])
    vectors.clear(out[1])
    vectors.add(x, out[2])
    vectors.write_sum(x, y, out[3])
    vectors.add_multiple(factor, x, out[4])
    vectors.write_multiple(factor, x, out[5])
    vectors.write_multiple(factor, out[6], out[6])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_each_equals_numpy(size, dtype):
    rng = np.random.default_rng(size)
    # Small integers, so that no way of rounding matters.
    x, y = rng.integers(-9, 10, (2, size)).astype(dtype)
    before = rng.integers(-9, 10, (7, size)).astype(dtype)
    out, factor = before.copy(), x.dtype.type(3)
    run(x, y, factor, out)
    expected = [x, 0 * x, before[2] + x, x + y, before[4] + 3 * x, 3 * x, 3 * before[6]]
    np.testing.assert_array_equal(out, np.array(expected, dtype))
