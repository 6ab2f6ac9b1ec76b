"""Layer normalisation and the leaky ReLU that learns, against NumPy."""

import numpy as np
import pytest

from fastdnn.ops.normalization import normalize, normalize_backward
from fastdnn.ops.prelu import prelu, prelu_backward
from tests.ops.transform_calls import backward, forward
from tests.oracle import hidden_layers

DTYPES = [np.float32, np.float64]
SHAPES = [(1, 1), (5, 1), (4, 2), (3, 7), (7, 33), (5, 128), (2, 300)]


def drawn(shape, dtype):
    rng = np.random.default_rng(shape[1])
    X, D = (rng.standard_normal(shape) for _ in range(2))
    # The same numbers in both precisions.
    return [array.astype(np.float32).astype(dtype) for array in (3 * X + 2, D)], rng


@pytest.mark.parametrize("floor", [-np.inf, 0.0])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_are_normalised(shape, dtype, floor):
    (X, _), rng = drawn(shape, dtype)
    gain, shift = rng.standard_normal((2, shape[1]))
    rows, Y = X.copy(), np.empty_like(X)
    forward(normalize, rows, Y, [*gain, *shift], amount=floor)
    gain, shift = (each.astype(dtype).astype(np.float64) for each in (gain, shift))
    normal = hidden_layers.normalized(X.astype(np.float64))
    # Of a row of one number nothing is left, but what rounding leaves; its root is 300.
    tolerance = 50 * np.finfo(dtype).eps
    np.testing.assert_array_equal(rows, X)
    expected = np.maximum(normal * gain + shift, floor)
    np.testing.assert_allclose(Y, expected, rtol=0, atol=4 * tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_deltas_go_back_through_the_normalisation(shape, dtype):
    (X, given), rng = drawn(shape, dtype)
    gain, shift = rng.standard_normal((2, shape[1])).astype(np.float32)
    rows, Y, D = X.copy(), np.empty_like(X), given.copy()
    own = [*gain, *shift]
    memory = forward(normalize, rows, Y, own, amount=-np.inf)
    own_gradient, sums = backward(normalize_backward, rows, Y, D, memory, own)
    X, given = X.astype(np.float64), given.astype(np.float64)
    expected = hidden_layers.normalized_backward(X, given * gain)
    largest = max(1.0, float(np.abs(memory[:, 1]).max()))
    tolerance = 200 * np.finfo(dtype).eps * largest
    np.testing.assert_allclose(D, expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(sums, expected.sum(axis=0), rtol=0, atol=5 * tolerance)
    of_gain = (given * hidden_layers.normalized(X)).sum(axis=0)
    np.testing.assert_allclose(own_gradient[: shape[1]], of_gain, rtol=0, atol=tolerance)
    assert not own_gradient[shape[1] :].any()  # what follows adds up that of the shifts


def test_a_row_of_equal_numbers_becomes_the_shift():
    X, Y = np.full((2, 12), 7.0), np.empty((2, 12))
    forward(normalize, X, Y, [*np.ones(12), *np.arange(12.0)], amount=-np.inf)
    np.testing.assert_array_equal(Y, [np.arange(12.0)] * 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", [0.25, 0.0, -0.5, 1.5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_slope_below_zero_is_learnt(shape, slope, dtype):
    (X, given), _ = drawn(shape, dtype)
    Y, D = np.empty_like(X), given.copy()
    forward(prelu, X, Y, [slope])
    np.testing.assert_array_equal(Y, np.where(X > 0, X, dtype(slope) * X))
    own_gradient, sums = backward(prelu_backward, X.copy(), Y, D, own=[slope])
    through = np.where(X > 0, given, dtype(slope) * given)
    np.testing.assert_array_equal(D, through)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(sums, through.sum(axis=0), atol=eps * shape[0] * 10)
    exact = (given.astype(np.float64) * np.minimum(X, 0)).sum()
    terms = np.abs(given * np.minimum(X, 0)).sum()
    np.testing.assert_allclose(own_gradient, [exact], rtol=0, atol=eps * (10 + 10 * terms))
