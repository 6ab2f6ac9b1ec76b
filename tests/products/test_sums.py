"""Sums in a defined order, against the same order in NumPy: equal to the last bit."""

import numba
import numpy as np
import pytest

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.products.sums import (
    sum_in_double,
    sum_of,
    sum_of_products,
    sum_of_sizes,
    sum_of_square_deviations,
    sum_of_squares,
    sum_of_squares_in_double,
    sum_of_weighted_deviations,
)

DTYPES = [np.float32, np.float64]
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 1000, 4099]
MARGIN = 40

#: The bytes of vectors of partial sums, from the longest to the shortest.
VECTORS = {"sum": (128, 32, 16), "squares": (256,), "products": (128, 32), "double": (128,)}


@numba.njit
def total(x):
    return sum_of(x)


@numba.njit
def total_in_double(x):
    return sum_in_double(x)


@numba.njit
def sizes(x):
    return sum_of_sizes(x)


@numba.njit
def squares_in_double(x):
    return sum_of_squares_in_double(x)


@numba.njit
def squares(x):
    return sum_of_squares(x)


@numba.njit
def products(x, y):
    return sum_of_products(x, y)


@numba.njit
def square_deviations(x, number):
    return sum_of_square_deviations(x, number)


@numba.njit
def weighted_deviations(x, y, z, number):
    return sum_of_weighted_deviations(x, y, z, number)


def in_order(terms, vectors, dtype=None):
    """Add up terms as `fastdnn.products.sums` describes it, in their or another dtype."""
    longest = next((n for n in vectors if terms.nbytes >= n), terms.itemsize)
    n_lanes = longest // terms.itemsize if JIT_ENABLED else 1
    sums = np.zeros(n_lanes, dtype or terms.dtype)
    whole = (terms.size - 1) // n_lanes * n_lanes if terms.size else 0
    for first in range(0, whole, n_lanes):
        sums += terms[first : first + n_lanes]
    last = terms[whole:]
    sums[n_lanes - last.size :] += last
    while sums.size > 1:
        half = sums.size // 2
        sums = sums[:half] + sums[half:]
    return sums[0]


def short_numbers(size, dtype, seed=0):
    """Return numbers whose products are exact, between others that a sum must not read."""
    buffer = np.full(MARGIN + size + MARGIN, np.nan, dtype)
    numbers = buffer[MARGIN : MARGIN + size]
    generator = np.random.default_rng((seed, size))
    scales = 2.0 ** generator.integers(-9, 9, size)
    numbers[:] = generator.integers(-(2**11), 2**11, size) * scales
    return numbers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_sums_have_the_bits_of_their_order(size, dtype):
    x, y = short_numbers(size, dtype), short_numbers(size, dtype, seed=1)
    assert total(x) == in_order(x, VECTORS["sum"])
    assert total_in_double(x) == in_order(x, VECTORS["double"], np.float64)
    assert sizes(x) == in_order(abs(x), VECTORS["double"], np.float64)
    assert squares_in_double(x) == in_order(x * x, VECTORS["double"], np.float64)
    assert squares(x) == in_order(x * x, VECTORS["squares"])
    assert products(x, y) == in_order(x * y, VECTORS["products"])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_sums_of_deviations_have_the_bits_of_their_order(size, dtype):
    x, y = short_numbers(size, dtype), short_numbers(size, dtype, seed=1)
    ones = np.pad(np.ones(size, dtype), MARGIN, constant_values=np.nan)[MARGIN:][:size]
    none = dtype(0)
    assert square_deviations(x, none) == in_order(x * x, VECTORS["products"])
    assert weighted_deviations(x, ones, y, none) == in_order(x * y, VECTORS["products"])
    # Whole numbers, whose sums are exact in any order: a number to leave out counts nowhere.
    z = np.full(MARGIN + size + MARGIN, np.nan, dtype)[MARGIN:][:size]
    z[:] = np.arange(size) % 7
    assert square_deviations(z, dtype(3)) == ((z - 3) ** 2).sum()
    assert weighted_deviations(z, z, z, dtype(3)) == (z * z * (z - 3)).sum()


def test_the_order_counts():
    x = short_numbers(1000, np.float32)
    assert in_order(x, (128,)) != in_order(x, (32,)) or not JIT_ENABLED


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_nan_and_infinity_reach_the_sum(size, dtype):
    x = short_numbers(size, dtype)
    for value in (np.nan, np.inf):
        for position in range(size)[:70]:
            kept, x[position] = x[position], value
            np.testing.assert_equal(total(x), dtype(value))
            np.testing.assert_equal(squares(x), dtype(value))
            np.testing.assert_equal(squares_in_double(x), value)
            np.testing.assert_equal(sizes(x), value)
            x[position] = kept


def test_squares_beyond_the_range_of_single_precision_are_added_up():
    x = np.full(100, 1e30, np.float32)
    assert squares_in_double(x) == pytest.approx(1e62, rel=1e-6)
