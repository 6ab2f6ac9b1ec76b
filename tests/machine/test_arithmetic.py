"""Arithmetic whose rounding is fixed, against exact fractions."""

from fractions import Fraction

import numba
import numpy as np
import pytest

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.machine.arithmetic import integer_power, multiply_add
from fastdnn.machine.processor import rounds_once

DTYPES = [np.float32, np.float64]


@numba.njit
def map_multiply_add(x, y, z, out):
    for i in range(x.size):
        out[i] = multiply_add(x[i], y[i], z[i])


@numba.njit
def power(base, exponent):
    return integer_power(base, exponent)


def rounded(exact, dtype):
    """Round a fraction to the nearest number of `dtype`; ties, which are rare, to none."""
    near = dtype(float(exact))
    around = [np.nextafter(near, dtype(-np.inf)), near, np.nextafter(near, dtype(np.inf))]
    return min(around, key=lambda number: abs(Fraction(float(number)) - exact))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_and_a_sum_are_rounded_once_in_vectors_and_beyond(dtype):
    generator = np.random.default_rng(0)
    x, y, z = generator.standard_normal((3, 103)).astype(dtype)
    z[::2] = -(x * y)[::2]  # all that is left is the rounding of the product
    out = np.empty_like(x)
    map_multiply_add(x, y, z, out)
    twice = x * y + z
    if not rounds_once():
        np.testing.assert_array_equal(out, twice)
        return
    exact = [
        Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        for a, b, c in zip(x, y, z, strict=True)
    ]
    np.testing.assert_array_equal(out, [rounded(number, dtype) for number in exact])
    assert np.any(out != twice)


@pytest.mark.skipif(not JIT_ENABLED, reason="NumPy takes numbers of different types")
def test_numbers_have_one_type():
    with pytest.raises(numba.TypingError):
        map_multiply_add(np.ones(1), np.ones(1, np.float32), np.ones(1), np.ones(1))


@pytest.mark.parametrize("exponent", [1, 2, 3, 10, 1000, 123_457])
@pytest.mark.parametrize("base", [0.0, 0.5, 0.9, 0.999, 1.0])
def test_integer_power(base, exponent):
    assert power(base, exponent) == pytest.approx(base**exponent, rel=1e-15 * exponent)
