"""Every loss of the tables against NumPy, scikit-learn and finite differences."""

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

from fastdnn.ops.losses import LOSSES, require_pair
from tests.ops.activation_calls import backward, forward
from tests.ops.loss_calls import (
    ALL_LOSSES,
    BY_POSITION,
    CANONICAL_CASES,
    CANONICAL_LOSSES,
    N_OUTPUTS,
    N_ROWS,
    OUTPUT_CASES,
    OUTPUT_LOSSES,
    canonical,
    loss_and_delta,
    no_weights,
    of_output,
    outputs_and_targets,
)
from tests.oracle.activations import BOUNDED_SLOPES
from tests.oracle.losses import CANONICAL as CANONICAL_ORACLES
from tests.oracle.losses import CANONICAL_SLOPES, SLOPES, default_of
from tests.oracle.losses import OF_OUTPUTS as OUTPUT_ORACLES
from tests.small_layers import DTYPES, layer


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


@pytest.mark.slow_without_jit
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
