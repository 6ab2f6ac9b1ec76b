"""Losses of outputs that are large, saturated or no numbers, and their cap."""

import numpy as np
import pytest

from tests.ops.loss_calls import (
    ALL_LOSSES,
    LOG_LOSSES,
    OUTPUT_LOSSES,
    canonical,
    loss_and_delta,
    no_weights,
    of_output,
    outputs_and_targets,
)
from tests.oracle.losses import CANONICAL as CANONICAL_ORACLES
from tests.oracle.losses import CANONICAL_SLOPES, SLOPES, default_of
from tests.oracle.losses import OF_OUTPUTS as OUTPUT_ORACLES
from tests.small_layers import DTYPES
from tests.without_jit import scalar_warnings_off


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [40.0, 90.0, 1e4])
@pytest.mark.parametrize("pair", LOG_LOSSES, ids="-".join)
def test_saturated_canonical_loss_is_exact_and_finite(pair, size, dtype):
    Z = np.array([[size, -size], [-size, size], [size, size], [-size, 0.0]], dtype)
    b = np.zeros(2, dtype)
    for target in ([1.0, 0.0], [0.0, 1.0]):
        Y = np.tile(np.array(target, dtype), (len(Z), 1))
        loss, D, db = canonical(pair, Z, b, Y, no_weights(dtype))
        c = default_of(pair[0])
        exact = CANONICAL_ORACLES[pair](Z.astype(np.float64), Y, c).sum()
        delta = CANONICAL_SLOPES[pair](Z.astype(np.float64), Y, c)
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(loss, exact, rtol=4 * eps)
        np.testing.assert_allclose(D, delta, rtol=0.0, atol=4 * eps)
        np.testing.assert_allclose(db, delta.sum(axis=0), rtol=0.0, atol=4 * eps)


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", [0.0, 3.0])
@pytest.mark.parametrize("z", [-1e4, -90.0, -40.0, 40.0, 90.0, 1e4])
def test_poisson_loss_of_extreme_rates_is_exact_or_clamped(z, target, dtype):
    pair = ("poisson", "exp")
    Z, Y = np.array([[z]], dtype), np.array([[target]], dtype)
    loss, D, db = canonical(pair, Z, np.zeros(1, dtype), Y, no_weights(dtype))
    assert np.isfinite([loss, D[0, 0], db[0]]).all()
    info = np.finfo(dtype)
    with np.errstate(over="ignore"):
        rate = np.exp(z)
    if rate < info.max / 4:
        exact = CANONICAL_ORACLES[pair](z, target, 0.0)
        np.testing.assert_allclose(loss, exact, rtol=4 * info.eps, atol=2 * info.tiny)
        delta = rate - target
        np.testing.assert_allclose(D[0, 0], delta, rtol=4 * info.eps, atol=2 * info.tiny)
    else:
        assert min(loss, D[0, 0]) > info.max / 4


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["gamma", "tweedie"])
@pytest.mark.parametrize("z", [-1e4, -90.0, -40.0, 40.0, 90.0, 1e4])
def test_deviance_of_extreme_means_is_exact_or_too_large(z, name, dtype):
    pair, c, info = (name, "exp"), default_of(name), np.finfo(dtype)
    Z, Y = np.array([[z]], dtype), np.array([[3.0]], dtype)
    with scalar_warnings_off():
        loss, D, _ = canonical(pair, Z, np.zeros(1, dtype), Y, no_weights(dtype))
    with np.errstate(over="ignore"):
        exact = CANONICAL_ORACLES[pair](np.array([[z]]), np.array([[3.0]]), c)[0, 0]
        delta = CANONICAL_SLOPES[pair](np.array([[z]]), np.array([[3.0]]), c)[0, 0]
    for got, expected in ((loss, exact), (D[0, 0], delta)):
        if abs(expected) < np.sqrt(info.max):
            np.testing.assert_allclose(got, expected, rtol=64 * info.eps, atol=2 * info.tiny)
        else:  # e^z ends before the type does, and its root with it
            assert np.sign(got) == np.sign(expected)
            assert np.abs(got) >= np.sqrt(info.max) / 4


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [40.0, 90.0, 1e4])
@pytest.mark.parametrize("name", OUTPUT_LOSSES)
def test_output_loss_of_large_outputs_is_exact_and_finite(name, size, dtype):
    A = np.array([[size, -size]], dtype)
    Y = np.array([[1.0, 1.0]], dtype)
    loss, D = of_output(name, A, Y, no_weights(dtype))
    c = default_of(name)
    exact = OUTPUT_ORACLES[name](A.astype(np.float64), Y, c).sum()
    np.testing.assert_allclose(loss, exact, rtol=4 * np.finfo(dtype).eps)
    slope = SLOPES[name](A.astype(np.float64), Y, c)
    np.testing.assert_allclose(D, slope, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ALL_LOSSES, ids="-".join)
def test_nan_output_shows_in_loss_and_delta(row, dtype):
    Z, _, Y = outputs_and_targets(dtype, row[0])
    Z[2, 1] = np.nan
    with scalar_warnings_off():
        loss, D = loss_and_delta(row, Z, Y, no_weights(dtype))
    assert np.isnan(loss)
    assert np.isnan(D[2, 1])
    assert np.isfinite(np.delete(D, 2, axis=0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pair", LOG_LOSSES, ids="-".join)
def test_a_capped_loss_is_reported_and_its_delta_is_not_touched(pair, dtype):
    Z, b, Y = (
        np.array([[50.0, -50.0]], dtype),
        np.zeros(2, dtype),
        np.array([[0.0, 1.0]], dtype),
    )
    free, D_free, _ = canonical(pair, Z, b, Y, no_weights(dtype))
    loss, D, _ = canonical(pair, Z, b, Y, no_weights(dtype), cap=7.0)
    assert free == pytest.approx(100.0, rel=0.06)  # a smoothed one is less
    # Softmax has one loss a row, sigmoid one an output.
    assert loss == (7.0 if pair[1] == "softmax" else 14.0)
    np.testing.assert_array_equal(D, D_free)
