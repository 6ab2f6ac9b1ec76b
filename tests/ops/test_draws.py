"""Random bits, dropout and noise: by the formula, their statistics, and where they agree."""

import numpy as np
import pytest
from scipy import stats

from fastdnn.ops.draws import HIDDEN_DROPOUT, INPUT_NOISE
from fastdnn.ops.dropout import drop, drop_deltas, drop_in_place, scale_deltas
from fastdnn.ops.noise import add_noise, add_noise_in_place
from tests.ops.transform_calls import backward, forward, mask, noise

WORD = 2**32
SEED = 2**31 - 2


# -- by the formula, in Python's integers -------------------------------------------------


def mixed(x, key):
    x ^= x >> 16
    x = x * 0x21F0AAAD % WORD
    x ^= (x >> 15) ^ key
    x = x * 0xD35A2D97 % WORD
    return x ^ (x >> 15)


def mixed_into(keys, number):
    first, second = keys
    for word in (number % WORD, number // WORD):
        first, second = mixed((first + word) % WORD, second), mixed(second ^ word, first)
    return first, second


def bits(seed, step, stream, row, column):
    keys = 0x9E3779B9, 0xBB67AE85
    for number in (seed, step, stream, row):
        keys = mixed_into(keys, number)
    return mixed((column * 0x9E3779B9 + keys[0]) % WORD, keys[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.001, 0.3, 0.5, 0.999])
def test_units_are_left_out_where_the_bits_are_below_the_rate(rate, dtype):
    seed, step, stream, first = SEED, 2**33 + 5, HIDDEN_DROPOUT + 2, 7
    found = mask((3, 37), rate, seed, step, stream, dtype, first)
    for i, j in np.ndindex(found.shape):
        is_kept = bits(seed, step, stream, first + i, j) >= int(rate * WORD)
        assert found[i, j] == (dtype(1 / (1 - rate)) if is_kept else 0)


def test_noise_is_the_inverse_of_the_normal_distribution():
    found = noise((3, 41), SEED, 6, INPUT_NOISE)
    for i, j in np.ndindex(found.shape):
        word = bits(SEED, 6, INPUT_NOISE, i, j) >> 9
        # Half-way between the ends of one of 2**23 intervals.
        probability = (word + 0.5) / 2**23
        np.testing.assert_allclose(found[i, j], stats.norm.ppf(probability), atol=1e-6)


# -- statistics: bounds that a sound generator leaves once in a million tests --------------

MOST_DEVIATIONS = 5.0


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_as_many_are_left_out_as_the_rate_says(rate):
    shape = 400, 250
    dropped = mask(shape, rate, 1, 0, HIDDEN_DROPOUT) == 0
    deviation = np.sqrt(rate * (1 - rate))
    assert abs(dropped.mean() - rate) < MOST_DEVIATIONS * deviation / np.sqrt(dropped.size)
    for axis in (0, 1):
        means = dropped.mean(axis=axis)
        assert abs(means - rate).max() < MOST_DEVIATIONS * deviation / np.sqrt(shape[axis])


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("other", ["column", "row", "step", "seed", "stream"])
def test_neighbours_do_not_know_each_other(other):
    shape, rate = (400, 250), 0.5
    key = {"seed": 1, "step": 10, "stream": HIDDEN_DROPOUT}
    one = mask(shape, rate, **key) == 0
    if other in key:
        two = mask(shape, rate, **key | {other: key[other] + 1}) == 0
    else:
        two = np.roll(one, 1, axis=other == "column")
    correlation = np.corrcoef(one.ravel(), two.ravel())[0, 1]
    assert abs(correlation) < MOST_DEVIATIONS / np.sqrt(one.size)


@pytest.mark.slow_without_jit
def test_masks_of_many_steps_differ_unit_by_unit():
    counts = sum(mask((20, 30), 0.5, 3, step, HIDDEN_DROPOUT) == 0 for step in range(500))
    deviations = (counts - 250) / np.sqrt(125)
    assert abs(deviations).max() < MOST_DEVIATIONS
    assert 0.8 < deviations.std() < 1.2


@pytest.mark.slow_without_jit
def test_noise_is_normal():
    values = noise((400, 250), 1, 0, INPUT_NOISE)
    n = values.size
    assert abs(values.mean()) < MOST_DEVIATIONS / np.sqrt(n)
    assert abs(values.var() - 1) < MOST_DEVIATIONS * np.sqrt(2 / n)
    assert stats.kstest(values.ravel(), "norm").pvalue > 1e-6
    assert np.isfinite(values).all()


# -- where they agree ----------------------------------------------------------------------


@pytest.mark.parametrize("n_columns", [1, 3, 16, 50])
def test_rows_of_a_batch_draw_alike_in_any_shard_and_precision(n_columns):
    whole = mask((9, n_columns), 0.4, 5, 2, HIDDEN_DROPOUT)
    parts = [
        mask((3, n_columns), 0.4, 5, 2, HIDDEN_DROPOUT, np.float32, first)
        for first in (0, 3, 6)
    ]
    np.testing.assert_array_equal(np.vstack(parts) == 0, whole == 0)
    whole = noise((9, n_columns), 5, 2, INPUT_NOISE)
    parts = [noise((3, n_columns), 5, 2, INPUT_NOISE, np.float32, i) for i in (0, 3, 6)]
    np.testing.assert_allclose(np.vstack(parts), whole, rtol=0, atol=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_in_place_and_its_backward_pass_leave_out_the_same(dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 21)).astype(dtype)
    options = {"draw": (4, 3, HIDDEN_DROPOUT, 2), "amount": 0.35}
    found = mask(X.shape, 0.35, 4, 3, HIDDEN_DROPOUT, dtype, first=2)
    apart, in_place = np.empty_like(X), X.copy()
    forward(drop, X, apart, **options)
    forward(drop_in_place, in_place, in_place, **options)
    np.testing.assert_array_equal(apart, X * found)
    np.testing.assert_array_equal(in_place, apart)
    given = rng.standard_normal(X.shape).astype(dtype)
    D = given.copy()
    _, sums = backward(drop_deltas, X, apart, D, **options)
    np.testing.assert_array_equal(D, given * found)
    assert not sums.any()  # whoever is next adds them up
    D = given.copy()
    backward(scale_deltas, in_place, in_place, D, **options)
    np.testing.assert_array_equal(D, given * found.max())


def test_noise_is_added_in_place_or_not():
    X = np.random.default_rng(0).standard_normal((4, 30))
    apart, in_place = np.empty_like(X), X.copy()
    options = {"draw": (4, 3, INPUT_NOISE, 0), "amount": 0.25}
    forward(add_noise, X, apart, **options)
    forward(add_noise_in_place, in_place, in_place, **options)
    np.testing.assert_array_equal(in_place, apart)
    np.testing.assert_allclose(apart, X + 0.25 * noise(X.shape, 4, 3, INPUT_NOISE), rtol=1e-13)


def test_what_is_left_out_may_be_anything():
    X = np.full((6, 40), np.nan)
    X[::2] = np.inf
    out = np.empty_like(X)
    forward(drop, X, out, draw=(1, 0, HIDDEN_DROPOUT, 0), amount=0.5)
    is_kept = mask(X.shape, 0.5, 1, 0, HIDDEN_DROPOUT) != 0
    np.testing.assert_array_equal(out, np.where(is_kept, X, 0.0))
