"""Every loss of the tables against NumPy, finite differences, and extremes."""

import numba
import numpy as np
import pytest

from fastdnn.ops.losses import LOSS, LOSSES, require_pair
from tests.ops.activation_calls import backward, forward
from tests.oracle.activations import ACTIVATIONS, BOUNDED_SLOPES
from tests.oracle.losses import CANONICAL as CANONICAL_ORACLES
from tests.oracle.losses import OF_OUTPUTS as OUTPUT_ORACLES
from tests.small_layers import DTYPES, layer
from tests.without_jit import scalar_warnings_off

#: Pairs of a loss and an output activation; losses of outputs.
CANONICAL_LOSSES = [(name, output) for name, row in LOSSES.items() for output in row.canonical]
OUTPUT_LOSSES = [name for name, row in LOSSES.items() if row.of_outputs is not None]

#: The losses that grow no faster than Z; the Poisson loss grows like its exponential.
LOG_LOSSES = [pair for pair in CANONICAL_LOSSES if pair[0] == "log_loss"]

N_ROWS, N_OUTPUTS = 5, 3


take_loss = LOSS.call


@numba.njit
def compiled_loss(address, Z, Y, w, cap, D, db, losses):
    take_loss(address, (Z, Y, w, cap, 0.0, D, db, losses))


def canonical(pair, Z, b, Y, w, cap=np.inf):
    """Return the loss, dL/dZ, and its column sums."""
    kernel, is_canonical = LOSSES[pair[0]].kernel(pair[1])
    assert is_canonical
    D, db, losses = (
        np.full_like(Z, np.nan),
        np.zeros_like(b),
        np.full_like(Z, np.nan, shape=len(Z)),
    )
    compiled_loss(kernel.address(Z.dtype), Z + b, Y, w, cap, D, db, losses)
    return losses.sum(dtype=np.float64), D, db


def of_output(loss, A, Y, w):
    """Return the loss and dL/dA."""
    kernel, is_canonical = LOSSES[loss].kernel("identity")
    assert not is_canonical
    D, losses = np.full_like(A, np.nan), np.full_like(A, np.nan, shape=len(A))
    sums = np.zeros(A.shape[1], A.dtype)
    compiled_loss(kernel.address(A.dtype), A.copy(), Y, w, np.inf, D, sums, losses)
    assert not sums.any()  # those are of the activation's backward pass
    return losses.sum(dtype=np.float64), D


def no_weights(dtype):
    return np.zeros(0, dtype)


def outputs_and_targets(dtype):
    """Return Z, b, and targets in [0, 1] with rows that sum to 1, as probabilities do."""
    rng = np.random.default_rng(0)
    Z = rng.normal(0.0, 2.0, (N_ROWS, N_OUTPUTS))
    b = rng.uniform(-1.0, 1.0, N_OUTPUTS)
    Y = rng.multinomial(8, np.full(N_OUTPUTS, 1 / N_OUTPUTS), N_ROWS) / 8
    # The same float32 numbers in both precisions.
    return tuple(array.astype(np.float32).astype(dtype) for array in (Z, b, Y))


def numeric_gradient(function, Z):
    """Central differences of a scalar function of a float64 matrix."""
    step = 6e-6  # about the cube root of eps
    gradient = np.empty_like(Z)
    for index in np.ndindex(*Z.shape):
        above, below = Z.copy(), Z.copy()
        above[index] += step
        below[index] -= step
        gradient[index] = (function(above) - function(below)) / (2 * step)
    return gradient


# Losses here are below 100, whose rounding the step divides: 100 eps / 6e-6 < 4e-9.
NUMERIC = {"rtol": 0.0, "atol": 4e-9}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pair", CANONICAL_LOSSES, ids="-".join)
def test_canonical_loss_equals_numpy(pair, dtype):
    Z, b, Y = outputs_and_targets(dtype)
    loss, D, db = canonical(pair, Z, b, Y, no_weights(dtype))
    total = Z.astype(np.float64) + b
    exact = CANONICAL_ORACLES[pair](total, Y.astype(np.float64)).sum()
    delta = ACTIVATIONS[pair[1]](total) - Y
    eps = np.finfo(dtype).eps
    # The loss has terms of the size of z: rounding counts in eps of |z|, not of the loss.
    size = np.abs(total).sum() + (np.exp(total).sum() if pair[1] == "exp" else 0.0)
    np.testing.assert_allclose(loss, exact, rtol=0.0, atol=2 * eps * size)
    scale = max(1.0, np.abs(delta).max())
    np.testing.assert_allclose(D, delta, rtol=0.0, atol=8 * eps * scale)
    np.testing.assert_allclose(db, D.sum(axis=0), rtol=0.0, atol=4 * eps * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OUTPUT_LOSSES)
def test_output_loss_equals_numpy(name, dtype):
    A, _, Y = outputs_and_targets(dtype)
    loss, _ = of_output(name, A, Y, no_weights(dtype))
    exact = OUTPUT_ORACLES[name](A.astype(np.float64), Y.astype(np.float64)).sum()
    np.testing.assert_allclose(loss, exact, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("pair", CANONICAL_LOSSES, ids="-".join)
def test_canonical_delta_equals_finite_differences(pair):
    Z, b, Y = outputs_and_targets(np.float64)
    weights = np.linspace(0.5, 2.0, N_ROWS)
    numeric = numeric_gradient(lambda Z: canonical(pair, Z, b, Y, weights)[0], Z)
    _, D, _ = canonical(pair, Z, b, Y, weights)
    np.testing.assert_allclose(D, numeric, **NUMERIC)


def test_softmax_delta_of_targets_that_do_not_sum_to_one():
    pair = ("log_loss", "softmax")
    Z, b, Y = outputs_and_targets(np.float64)
    Y *= np.linspace(0.0, 3.0, N_ROWS)[:, None]
    weights = np.linspace(0.5, 2.0, N_ROWS)
    loss, D, _ = canonical(pair, Z, b, Y, weights)
    exact = weights @ CANONICAL_ORACLES[pair](Z + b, Y).sum(axis=1)
    np.testing.assert_allclose(loss, exact, rtol=8 * np.finfo(np.float64).eps)
    numeric = numeric_gradient(lambda Z: canonical(pair, Z, b, Y, weights)[0], Z)
    np.testing.assert_allclose(D, numeric, **NUMERIC)


@pytest.mark.parametrize("activation", BOUNDED_SLOPES)
@pytest.mark.parametrize("name", OUTPUT_LOSSES)
def test_output_delta_equals_finite_differences_through_the_activation(name, activation):
    Z, b = layer(np.float64)
    rng = np.random.default_rng(2)
    A = forward(activation, Z, b)[1]
    # The targets keep away from the kink of the absolute error.
    Y = A + rng.choice([-1.0, 1.0], A.shape) * rng.uniform(0.5, 1.5, A.shape)
    weights = np.linspace(0.5, 2.0, len(A))

    def loss_of(Z):
        return of_output(name, forward(activation, Z, b)[1], Y, weights)

    _, dA = loss_of(Z)
    D, _ = backward(activation, Z, b, dA, np.zeros_like(b))
    numeric = numeric_gradient(lambda Z: loss_of(Z)[0], Z)
    np.testing.assert_allclose(D, numeric, **NUMERIC)


def test_absolute_error_has_slope_zero_at_its_kink():
    A = np.array([[2.0]])
    loss, D = of_output("absolute_error", A, A, no_weights(np.float64))
    assert loss == 0.0
    assert D[0, 0] == 0.0


ALL_LOSSES = [*CANONICAL_LOSSES, *((name,) for name in OUTPUT_LOSSES)]


def loss_and_delta(row, Z, Y, w):
    """Evaluate a row of either table; without bias, Z of one is A of the other."""
    if row in CANONICAL_LOSSES:
        return canonical(row, Z, np.zeros_like(Z[0]), Y, w)[:2]
    return of_output(row[0], Z, Y, w)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ALL_LOSSES, ids="-".join)
def test_weight_counts_as_repetition(row, dtype):
    Z, _, Y = outputs_and_targets(dtype)
    times = np.array([1, 0, 2, 3, 1])
    loss, D = loss_and_delta(row, Z, Y, times.astype(dtype))
    repeated, repeated_D = loss_and_delta(
        row, Z.repeat(times, axis=0), Y.repeat(times, axis=0), no_weights(dtype)
    )
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(loss, repeated, rtol=2 * eps)
    first = np.cumsum(times) - times
    for i in np.flatnonzero(times):
        expected = times[i] * repeated_D[first[i]]
        np.testing.assert_allclose(D[i], expected, rtol=2 * eps, atol=2 * times[i] * eps)
    assert not D[1].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pair", CANONICAL_LOSSES, ids="-".join)
def test_canonical_bias_gradient_sums_the_weighted_deltas(pair, dtype):
    weights = np.array([1.0, 0.0, 2.0, 3.0, 1.0], dtype)
    Z, b, Y = outputs_and_targets(dtype)
    _, D, db = canonical(pair, Z, b, Y, weights)
    atol = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(db, D.sum(axis=0), rtol=0.0, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_takes_positions_and_one_hot_rows(dtype):
    Z, b, _ = outputs_and_targets(dtype)
    positions = np.array([2, 0, 1, 1, 0])
    weights = np.linspace(0.5, 2.0, N_ROWS).astype(dtype)
    pair = ("log_loss", "softmax")
    by_position = canonical(pair, Z, b, positions[:, None].astype(dtype), weights)
    one_hot = canonical(pair, Z, b, np.eye(N_OUTPUTS, dtype=dtype)[positions], weights)
    eps = np.finfo(dtype).eps
    # The loss of a row is rounded to its type, which is relative: the loss is above 1.
    np.testing.assert_allclose(by_position[0], one_hot[0], rtol=eps)
    for got, expected in zip(by_position[1:], one_hot[1:], strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=4 * eps)


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
        exact = CANONICAL_ORACLES[pair](Z.astype(np.float64), Y).sum()
        delta = ACTIVATIONS[pair[1]](Z.astype(np.float64)) - Y
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(loss, exact, rtol=4 * eps)
        np.testing.assert_allclose(D, delta, rtol=0.0, atol=2 * eps)
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
        exact = CANONICAL_ORACLES[pair](z, target)
        np.testing.assert_allclose(loss, exact, rtol=4 * info.eps, atol=2 * info.tiny)
        delta = rate - target
        np.testing.assert_allclose(D[0, 0], delta, rtol=4 * info.eps, atol=2 * info.tiny)
    else:
        assert min(loss, D[0, 0]) > info.max / 4


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [40.0, 90.0, 1e4])
@pytest.mark.parametrize("name", OUTPUT_LOSSES)
def test_output_loss_of_large_outputs_is_exact_and_finite(name, size, dtype):
    A = np.array([[size, -size]], dtype)
    Y = np.array([[1.0, 1.0]], dtype)
    loss, D = of_output(name, A, Y, no_weights(dtype))
    exact = OUTPUT_ORACLES[name](A.astype(np.float64), Y).sum()
    np.testing.assert_allclose(loss, exact, rtol=4 * np.finfo(dtype).eps)
    step = 0.5  # exact for parabolas, and for straight lines
    above, below = (OUTPUT_ORACLES[name](A + np.float64(s), Y) for s in (step, -step))
    np.testing.assert_allclose(D, above - below, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ALL_LOSSES, ids="-".join)
def test_nan_output_shows_in_loss_and_delta(row, dtype):
    Z, _, Y = outputs_and_targets(dtype)
    Z[2, 1] = np.nan
    with scalar_warnings_off():
        loss, D = loss_and_delta(row, Z, Y, no_weights(dtype))
    assert np.isnan(loss)
    assert np.isnan(D[2, 1])
    assert np.isfinite(np.delete(D, 2, axis=0)).all()


def test_unknown_loss_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="loss='hinge' is unknown") as error:
        require_pair("hinge", "sigmoid")
    for choice in ("log_loss", *OUTPUT_LOSSES):
        assert repr(choice) in str(error.value)


def test_loss_without_its_output_activation_is_refused_with_the_choices():
    message = r"loss='log_loss' needs output_activation .*got 'tanh'"
    with pytest.raises(ValueError, match=message) as error:
        require_pair("log_loss", "tanh")
    for choice in (output for name, output in CANONICAL_LOSSES if name == "log_loss"):
        assert repr(choice) in str(error.value)


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
    assert free == 100.0
    # Softmax has one loss a row, sigmoid one an output.
    assert loss == (7.0 if pair[1] == "softmax" else 14.0)
    np.testing.assert_array_equal(D, D_free)
