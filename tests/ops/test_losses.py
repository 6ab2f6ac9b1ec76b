"""Every loss of the tables against NumPy, finite differences, and extremes."""

import numba
import numpy as np
import pytest
from sklearn._loss import (
    AbsoluteError,
    HalfBinomialLoss,
    HalfGammaLoss,
    HalfPoissonLoss,
    HalfSquaredError,
    HalfTweedieLoss,
    HuberLoss,
    PinballLoss,
)

from fastdnn.ops.losses import LOSS, LOSSES, require_pair
from tests.ops.activation_calls import backward, forward
from tests.oracle.activations import BOUNDED_SLOPES
from tests.oracle.losses import CANONICAL as CANONICAL_ORACLES
from tests.oracle.losses import CANONICAL_SLOPES, PARAMETERS, SLOPES, default_of
from tests.oracle.losses import OF_OUTPUTS as OUTPUT_ORACLES
from tests.small_layers import DTYPES, layer
from tests.without_jit import scalar_warnings_off

#: Pairs of a loss and an output activation; losses of outputs.
CANONICAL_LOSSES = [(name, output) for name, row in LOSSES.items() for output in row.canonical]
OUTPUT_LOSSES = [name for name, row in LOSSES.items() if row.of_outputs is not None]


def with_parameters(losses):
    """Pair each loss with its default parameter and with others that it may have."""
    return [
        (loss, c)
        for loss in losses
        for name in [loss if isinstance(loss, str) else loss[0]]
        for c in (default_of(name), *PARAMETERS.get(name, (0.0, []))[1])
    ]


CANONICAL_CASES = with_parameters(CANONICAL_LOSSES)
OUTPUT_CASES = with_parameters(OUTPUT_LOSSES)

#: The losses of probabilities, which grow no faster than Z.
LOG_LOSSES = [pair for pair in CANONICAL_LOSSES if pair[1] in ("sigmoid", "softmax")]
#: Pairs that take class positions.
BY_POSITION = [pair for pair in CANONICAL_LOSSES if LOSSES[pair[0]].positions_with == pair[1]]

N_ROWS, N_OUTPUTS = 5, 3


take_loss = LOSS.call


@numba.njit
def compiled_loss(address, Z, Y, w, cap, parameter, D, db, losses):
    take_loss(address, (Z, Y, w, cap, parameter, D, db, losses))


def canonical(pair, Z, b, Y, w, cap=np.inf, c=None):
    """Return the loss, dL/dZ, and its column sums."""
    kernel, is_canonical = LOSSES[pair[0]].kernel(pair[1])
    assert is_canonical
    D, db, losses = (
        np.full_like(Z, np.nan),
        np.zeros_like(b),
        np.full_like(Z, np.nan, shape=len(Z)),
    )
    c = default_of(pair[0]) if c is None else c
    compiled_loss(kernel.address(Z.dtype), Z + b, Y, w, cap, c, D, db, losses)
    return losses.sum(dtype=np.float64), D, db


def of_output(loss, A, Y, w, c=None):
    """Return the loss and dL/dA."""
    kernel, is_canonical = LOSSES[loss].kernel("identity")
    assert not is_canonical
    D, losses = np.full_like(A, np.nan), np.full_like(A, np.nan, shape=len(A))
    sums = np.zeros(A.shape[1], A.dtype)
    c = default_of(loss) if c is None else c
    compiled_loss(kernel.address(A.dtype), A.copy(), Y, w, np.inf, c, D, sums, losses)
    assert not sums.any()  # those are of the activation's backward pass
    return losses.sum(dtype=np.float64), D


def no_weights(dtype):
    return np.zeros(0, dtype)


def outputs_and_targets(dtype, loss=None):
    """Return Z, b, and targets in [0, 1] with rows that sum to 1, as probabilities do.

    Those for the gamma deviance are above 0.
    """
    rng = np.random.default_rng(0)
    Z = rng.normal(0.0, 2.0, (N_ROWS, N_OUTPUTS))
    b = rng.uniform(-1.0, 1.0, N_OUTPUTS)
    Y = rng.multinomial(8, np.full(N_OUTPUTS, 1 / N_OUTPUTS), N_ROWS) / 8
    Y += 0.25 * (loss == "gamma")
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


# Losses here are below 500, whose rounding the step divides: 500 eps / 6e-6 < 2e-8.
NUMERIC = {"rtol": 0.0, "atol": 2e-8}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("pair", "c"), CANONICAL_CASES)
def test_canonical_loss_equals_numpy(pair, c, dtype):
    Z, b, Y = outputs_and_targets(dtype, pair[0])
    loss, D, db = canonical(pair, Z, b, Y, no_weights(dtype), c=c)
    total, targets = Z.astype(np.float64) + b, Y.astype(np.float64)
    exact = CANONICAL_ORACLES[pair](total, targets, c)
    delta = CANONICAL_SLOPES[pair](total, targets, c)
    eps = np.finfo(dtype).eps
    # The loss has terms of the size of z: rounding counts in eps of |z|, not of the loss.
    size = np.abs(total).sum() + np.abs(exact).sum()
    if pair[1] == "exp":
        # Those of the Tweedie deviance cancel, the more the nearer the power is to 1 or 2.
        factor = 1 / ((c - 1) * (2 - c)) if pair[0] == "tweedie" else 1.0
        size += factor * np.exp(np.abs(total)).sum()
    np.testing.assert_allclose(loss, exact.sum(), rtol=0.0, atol=2 * eps * size)
    scale = max(1.0, np.abs(delta).max())
    np.testing.assert_allclose(D, delta, rtol=0.0, atol=8 * eps * scale)
    np.testing.assert_allclose(db, D.sum(axis=0), rtol=0.0, atol=4 * eps * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "c"), OUTPUT_CASES)
def test_output_loss_equals_numpy(name, c, dtype):
    A, _, Y = outputs_and_targets(dtype)
    loss, D = of_output(name, A, Y, no_weights(dtype), c=c)
    A, Y, eps = A.astype(np.float64), Y.astype(np.float64), np.finfo(dtype).eps
    np.testing.assert_allclose(loss, OUTPUT_ORACLES[name](A, Y, c).sum(), rtol=4 * eps)
    slope = SLOPES[name](A, Y, c)
    np.testing.assert_allclose(D, slope, rtol=4 * eps, atol=eps * np.abs(slope).max())


@pytest.mark.parametrize(("pair", "c"), CANONICAL_CASES)
def test_canonical_delta_equals_finite_differences(pair, c):
    Z, b, Y = outputs_and_targets(np.float64, pair[0])
    weights = np.linspace(0.5, 2.0, N_ROWS)
    numeric = numeric_gradient(lambda Z: canonical(pair, Z, b, Y, weights, c=c)[0], Z)
    _, D, _ = canonical(pair, Z, b, Y, weights, c=c)
    np.testing.assert_allclose(D, numeric, **NUMERIC)


@pytest.mark.parametrize(
    "pair", [pair for pair in CANONICAL_LOSSES if pair[1] == "softmax" or pair in BY_POSITION]
)
def test_delta_of_targets_that_do_not_sum_to_one(pair):
    Z, b, Y = outputs_and_targets(np.float64)
    Y *= np.linspace(0.0, 3.0, N_ROWS)[:, None]
    weights = np.linspace(0.5, 2.0, N_ROWS)
    loss, D, _ = canonical(pair, Z, b, Y, weights)
    exact = weights @ CANONICAL_ORACLES[pair](Z + b, Y, default_of(pair[0])).sum(axis=1)
    np.testing.assert_allclose(loss, exact, rtol=8 * np.finfo(np.float64).eps)
    numeric = numeric_gradient(lambda Z: canonical(pair, Z, b, Y, weights)[0], Z)
    np.testing.assert_allclose(D, numeric, **NUMERIC)


@pytest.mark.pairwise
@pytest.mark.parametrize("activation", BOUNDED_SLOPES)
@pytest.mark.parametrize(("name", "c"), OUTPUT_CASES)
def test_output_delta_equals_finite_differences_through_the_activation(name, c, activation):
    Z, b = layer(np.float64)
    rng = np.random.default_rng(2)
    A = forward(activation, Z, b)[1]
    # The targets keep away from the kinks: at 0, and of the Huber loss at delta.
    Y = A + rng.choice([-1.0, 1.0], A.shape) * rng.uniform(0.5, 0.9, A.shape)
    weights = np.linspace(0.5, 2.0, len(A))

    def loss_of(Z):
        return of_output(name, forward(activation, Z, b)[1], Y, weights, c=c)

    _, dA = loss_of(Z)
    D, _ = backward(activation, Z, b, dA, np.zeros_like(b))
    numeric = numeric_gradient(lambda Z: loss_of(Z)[0], Z)
    np.testing.assert_allclose(D, numeric, **NUMERIC)


@pytest.mark.parametrize("name", OUTPUT_LOSSES)
def test_loss_and_slope_of_a_perfect_output_are_zero(name):
    A = np.array([[2.0]])
    loss, D = of_output(name, A, A, no_weights(np.float64))
    assert loss == 0.0
    assert D[0, 0] == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_cosh_of_small_and_large_differences_is_exact(dtype):
    A = np.geomspace(1e-6, 50.0, 200, dtype=dtype)[None, :]
    A = np.concatenate([A, -A], axis=1)
    for a in A.T:
        loss, D = of_output("log_cosh", a[:, None], np.zeros((1, 1), dtype), no_weights(dtype))
        exact, slope = (
            table["log_cosh"](a.astype(np.float64), 0.0, 0.0)[0]
            for table in (OUTPUT_ORACLES, SLOPES)
        )
        np.testing.assert_allclose(loss, exact, rtol=8 * np.finfo(dtype).eps)
        np.testing.assert_allclose(D[0, 0], slope, rtol=4 * np.finfo(dtype).eps)


#: scikit-learn's own, of a target and what is before its link function.
THEIRS = [
    ("poisson", "exp", 0.0, HalfPoissonLoss()),
    ("gamma", "exp", 0.0, HalfGammaLoss()),
    ("tweedie", "exp", 1.5, HalfTweedieLoss(power=1.5)),
    ("tweedie", "exp", 1.9, HalfTweedieLoss(power=1.9)),
    ("log_loss", "sigmoid", 0.0, HalfBinomialLoss()),
    ("half_squared_error", "identity", 0.0, HalfSquaredError()),
    ("absolute_error", "identity", 0.0, AbsoluteError()),
    ("quantile", "identity", 0.2, PinballLoss(quantile=0.2)),
    ("huber", "identity", 0.6, HuberLoss(delta=0.6)),
]


@pytest.mark.parametrize(("name", "output", "c", "theirs"), THEIRS)
def test_loss_and_gradient_equal_those_of_scikit_learn(name, output, c, theirs):
    Z, _, Y = outputs_and_targets(np.float64, name)
    z, y = Z.ravel(), Y.ravel()
    exact = theirs.loss(y_true=y, raw_prediction=z)
    if output == "exp":  # ours are deviances, 0 where the mean is y
        exact = exact + theirs.constant_to_optimal_zero(y)
    gradient = theirs.gradient(y_true=y, raw_prediction=z)
    b, (_, is_canonical) = np.zeros(N_OUTPUTS), LOSSES[name].kernel(output)
    if is_canonical:
        loss, D, _ = canonical((name, output), Z, b, Y, no_weights(float), c=c)
    else:
        loss, D = of_output(name, Z, Y, no_weights(float), c=c)
    np.testing.assert_allclose(loss, exact.sum(), rtol=1e-13)
    np.testing.assert_allclose(D.ravel(), gradient, rtol=1e-13, atol=1e-14)


def test_focal_and_smoothed_losses_by_hand():
    Z, nothing = np.log(np.array([[1.0, 2.0, 5.0]])), no_weights(np.float64)
    p, zero = np.array([1.0, 2.0, 5.0]) / 8, np.zeros(3)
    focal, _, _ = canonical(("focal", "softmax"), Z, zero, np.array([[1.0]]), nothing)
    assert focal == pytest.approx(-((6 / 8) ** 2) * np.log(2 / 8), rel=1e-14)
    plain, _, _ = canonical(("focal", "softmax"), Z, zero, np.array([[1.0]]), nothing, c=0.0)
    assert plain == pytest.approx(-np.log(2 / 8), rel=1e-14)
    smoothed, _, _ = canonical(
        ("smoothed_log_loss", "softmax"), Z, zero, np.array([[1.0]]), nothing, c=0.3
    )
    assert smoothed == pytest.approx(-np.log(p) @ [0.1, 0.8, 0.1], rel=1e-14)
    one = np.array([[np.log(3.0)]])  # p = 3/4
    of_label, _, _ = canonical(
        ("focal", "sigmoid"), one, np.zeros(1), np.ones((1, 1)), nothing
    )
    assert of_label == pytest.approx(-np.log(0.75) / 16, rel=1e-14)
    of_label, _, _ = canonical(
        ("smoothed_log_loss", "sigmoid"), one, np.zeros(1), np.ones((1, 1)), nothing, c=0.2
    )
    assert of_label == pytest.approx(-0.9 * np.log(0.75) - 0.1 * np.log(0.25), rel=1e-14)


@pytest.mark.parametrize("of_labels", [True, False])
def test_without_smoothing_or_exponent_it_is_the_log_loss(of_labels):
    output = "sigmoid" if of_labels else "softmax"
    Z, b, Y = outputs_and_targets(np.float64)
    expected = canonical(("log_loss", output), Z, b, Y, no_weights(float))
    for name in ("smoothed_log_loss", "focal"):
        got = canonical((name, output), Z, b, Y, no_weights(float), c=0.0)
        for ours, theirs in zip(got, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-14, atol=1e-15)


def test_hinge_of_a_single_class_is_nothing():
    loss, D, db = canonical(
        ("hinge_of_classes", "identity"), np.array([[3.0]]), np.zeros(1), np.ones((1, 1)),
        no_weights(np.float64),
    )  # fmt: skip
    assert (loss, D[0, 0], db[0]) == (0.0, 0.0, 0.0)


ALL_LOSSES = [*CANONICAL_LOSSES, *((name,) for name in OUTPUT_LOSSES)]


def loss_and_delta(row, Z, Y, w):
    """Evaluate a row of either table; without bias, Z of one is A of the other."""
    if row in CANONICAL_LOSSES:
        return canonical(row, Z, np.zeros_like(Z[0]), Y, w)[:2]
    return of_output(row[0], Z, Y, w)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ALL_LOSSES, ids="-".join)
def test_weight_counts_as_repetition(row, dtype):
    Z, _, Y = outputs_and_targets(dtype, row[0])
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
    Z, b, Y = outputs_and_targets(dtype, pair[0])
    _, D, db = canonical(pair, Z, b, Y, weights)
    atol = 8 * np.finfo(dtype).eps * max(1.0, np.abs(D).max())
    np.testing.assert_allclose(db, D.sum(axis=0), rtol=0.0, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pair", BY_POSITION, ids="-".join)
def test_losses_of_classes_take_positions_and_one_hot_rows(pair, dtype):
    Z, b, _ = outputs_and_targets(dtype)
    positions = np.array([2, 0, 1, 1, 0])
    weights = np.linspace(0.5, 2.0, N_ROWS).astype(dtype)
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


def test_unknown_loss_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="loss='squared' is unknown") as error:
        require_pair("squared", "sigmoid")
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
    assert free == pytest.approx(100.0, rel=0.06)  # a smoothed one is less
    # Softmax has one loss a row, sigmoid one an output.
    assert loss == (7.0 if pair[1] == "softmax" else 14.0)
    np.testing.assert_array_equal(D, D_free)
