"""The elementary functions against NumPy and SciPy: errors, limits, NaN."""

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
from scipy import special

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.machine.processor import rounds_once
from fastdnn.ops import elementary
from tests.without_jit import scalar_warnings_off

FUSED = rounds_once()
N_POINTS = 500_000 if JIT_ENABLED else 10_000


class Case(NamedTuple):
    oracle: Any
    first: float
    """Start of the domain in which the float32 result is a normal number."""
    last: float
    error: float
    """Largest relative error in float32, of all floats in the domain, rounded up."""


CASES = {
    "exp": Case(np.exp, -87.33, 88.37, 9.6e-8),
    "tanh": Case(np.tanh, -20.0, 20.0, 3.0e-7 if FUSED else 4.2e-7),
    "sigmoid": Case(special.expit, -87.0, 88.0, 1.5e-7),
    "log": Case(np.log, 1e-30, 1000.0, 8.2e-8),
    "log1p": Case(np.log1p, 0.0, 1.0, 1.8e-7),
    # SciPy has no erf of higher precision; its own is within one eps.
    "erf": Case(
        lambda x: special.erf(x.astype(np.float64)), -20.0, 20.0, 4.5e-7 if FUSED else 4.7e-7
    ),
    # To e^x - 1 of the largest x with a difference to -1; above, it is used up to 0 only.
    "expm1": Case(np.expm1, -16.0, 0.0, 3.4e-7 if FUSED else 4.6e-7),
    "softplus": Case(lambda x: np.logaddexp(0, x), -87.0, 88.0, 2.3e-7),
}

BOUNDS = {"tanh": (-1.0, 1.0), "erf": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}


@cache
def compiled_map(name):
    function = getattr(elementary, name)

    @numba.njit
    def fill(x, y):
        for i in range(x.size):
            y[i] = function(x[i])

    return fill


def apply(name, x):
    y = np.empty_like(x)
    compiled_map(name)(x, y)
    return y


def dense_grid(first, last, dtype):
    """Cover a domain evenly, and the numbers around zero in every binade."""
    near_zero = np.geomspace(1e-30, 1.0, N_POINTS // 2)
    grid = np.concatenate([np.linspace(first, last, N_POINTS), -near_zero, near_zero])
    return grid[(grid >= first) & (grid <= last)].astype(dtype)


def relative_error(name, x):
    exact = CASES[name].oracle(x.astype(np.longdouble))
    difference = np.abs(apply(name, x) - exact)
    return np.divide(difference, np.abs(exact), where=exact != 0, out=difference)


@pytest.mark.parametrize("name", CASES)
def test_error_in_single_precision(name):
    case = CASES[name]
    x = dense_grid(np.float32(case.first), np.float32(case.last), np.float32)
    assert relative_error(name, x).max() <= case.error


@pytest.mark.parametrize("name", CASES)
def test_error_in_double_precision(name):
    case = CASES[name]
    reach = 1 if name == "log1p" else 8  # the exponent of a double has three bits more
    x = dense_grid(reach * case.first, reach * case.last, np.float64)
    assert relative_error(name, x).max() <= 2 * np.finfo(np.float64).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BOUNDS)
def test_bounded_function_stays_in_its_bounds(name, dtype):
    lowest, highest = BOUNDS[name]
    y = apply(name, dense_grid(-100.0, 100.0, dtype))
    assert y.min() >= lowest
    assert y.max() <= highest


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [90.0, 1e4, np.inf])
@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "softplus", "erf"])
def test_large_arguments_give_the_limit(name, size, dtype):
    info = np.finfo(dtype)
    x = np.array([-size, size], dtype=dtype)
    with scalar_warnings_off():
        low, high = apply(name, x)
    with np.errstate(over="ignore"):
        exact_low, exact_high = CASES[name].oracle(x.astype(np.float64))
    # The clamp of exp stands for zero with the smallest normal number, and for infinity
    # with one in the last two binades.
    np.testing.assert_allclose(low, exact_low, rtol=4 * info.eps, atol=1.01 * info.tiny)
    if name == "exp" and exact_high > info.max / 4:
        assert info.max / 4 < high < np.inf
    else:
        np.testing.assert_allclose(high, exact_high, rtol=4 * info.eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_nan_stays_nan_and_keeps_to_itself(name, dtype):
    x = np.array([0.5, np.nan, 0.5], dtype=dtype)
    with scalar_warnings_off():
        y = apply(name, x)
    assert np.isnan(y[1])
    assert y[0] == y[2] == apply(name, x[:1])[0]


@pytest.mark.parametrize("name", CASES)
def test_single_precision_is_not_promoted(name):
    function = getattr(elementary, name)

    @numba.njit
    def call(x):
        return function(x[0]) * x[0]

    # The product of two float32, taken in float64, would not fit into a float32.
    product = call(np.array([0.7], dtype=np.float32))
    assert product == np.float32(product)
