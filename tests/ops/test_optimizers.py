"""Every optimiser of the table against scikit-learn's and PyTorch's, and on toy problems."""

import json
from itertools import pairwise
from pathlib import Path

import numba
import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from fastdnn.ops.optimizers import (
    LEARNING_RATE,
    MOST_NUMBERS,
    OPTIMIZERS,
    STEP_CONSTANTS,
    UPDATE,
    WEIGHT_DECAY,
)
from tests.oracle.optimizers import Stepper

DTYPES = [np.float32, np.float64]
RATE, MOMENTUM, BETA_1, BETA_2, EPSILON = 0.01, 0.9, 0.9, 0.999, 1e-8
#: The numbers of an optimiser where a test says nothing else.
NUMBERS = {
    "learning_rate": RATE, "weight_decay": 0.0, "momentum": MOMENTUM, "rho": 0.9,
    "beta_1": BETA_1, "beta_2": BETA_2, "epsilon": EPSILON,
}  # fmt: skip
#: Steps of PyTorch's, see scripts/optimizer_steps.py.
STORED = json.loads(
    (Path(__file__).parent.parent / "stored" / "optimizer_steps.json").read_text()
)


class PlainDescent:
    """Gradient descent with the interface of scikit-learn's optimisers."""

    def __init__(self, params, learning_rate):
        self.learning_rate = learning_rate

    def update_params(self, params, grads):
        for param, grad in zip(params, grads, strict=True):
            param -= self.learning_rate * grad


#: scikit-learn's optimisers by our names.
REFERENCES = {
    "sgd": PlainDescent,
    "momentum": lambda p, rate: SGDOptimizer(p, rate, "constant", MOMENTUM, False),
    "nesterov": lambda p, rate: SGDOptimizer(p, rate, "constant", MOMENTUM, True),
    "adam": lambda p, rate: AdamOptimizer(p, rate, BETA_1, BETA_2, EPSILON),
}
#: "gradient" is no step.
STEPPING = [name for name in OPTIMIZERS if name != "gradient"]


step_constants, update = STEP_CONSTANTS.call, UPDATE.call


@numba.njit
def compiled_update(kernels, numbers, t, theta, state, start, grad, rest, scale, decay, keep):
    constants = step_constants(kernels[0], (numbers, t))
    arguments = constants, theta, state, start, grad, rest, scale, decay, keep
    return update(kernels[1], arguments)


@numba.njit
def compiled_constants(kernel, numbers, t):
    return step_constants(kernel, (numbers, t))


class Optimizer:
    """One row of the table with its settings and memory."""

    def __init__(self, name, theta, **numbers):
        row, self.theta = OPTIMIZERS[name], theta
        self.kernels = row.constants.address(theta.dtype), row.update.address(theta.dtype)
        self.state = np.zeros(OPTIMIZERS[name].n_slots * theta.size, theta.dtype)
        known = NUMBERS | numbers
        self.numbers = np.zeros(MOST_NUMBERS)
        self.numbers[: len(row.numbers)] = [known[number] for number in row.numbers]

    def step(self, t, grad, rest=None, *, start=0, scale=1.0, decay=0.0):
        """Step theta[start:...] as the engine does and return the sum of squares."""
        keep = 1.0 - self.numbers[LEARNING_RATE] * self.numbers[WEIGHT_DECAY]
        return compiled_update(
            self.kernels,
            self.numbers,
            t,
            self.theta,
            self.state,
            start,
            grad,
            grad[:0] if rest is None else rest,
            scale,
            decay,
            keep,
        )


def parameters_and_gradients(dtype, size=13, n_steps=6):
    rng = np.random.default_rng(0)
    # The same float32 numbers in both precisions.
    theta = rng.standard_normal(size).astype(np.float32).astype(dtype)
    grads = rng.standard_normal((n_steps, size)).astype(np.float32).astype(dtype)
    return theta, grads


def rounding_of_theta(dtype, n_steps):
    """Bound the error of `n_steps` steps of parameters below 4."""
    eps = np.finfo(dtype).eps
    # 1 - beta_2 of the rounded beta_2 is wrong by eps / 4 of 0.001, and the root in the
    # denominator halves that; a step of Adam is as long as the learning rate.
    adam = RATE * eps / 4 / (1 - BETA_2) / 2
    return n_steps * (4 * eps + adam)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REFERENCES)
def test_steps_by_blocks_equal_the_reference(name, dtype):
    theta, grads = parameters_and_gradients(dtype)
    expected = theta.astype(np.float64)
    reference = REFERENCES[name]([expected], RATE)
    optimizer = Optimizer(name, theta)
    scale, decay = 0.25, 0.125
    for t, grad in enumerate(grads, start=1):
        total = scale * grad.astype(np.float64) + decay * expected
        reference.update_params([expected], [total])
        for start, stop in ((5, 13), (0, 5)):
            optimizer.step(t, grad[start:stop], start=start, scale=scale, decay=decay)
        atol = rounding_of_theta(dtype, t)
        np.testing.assert_allclose(theta, expected, rtol=0.0, atol=atol)


def stored_gradients(theta, t):
    """Return what the stored steps were made with."""
    disturbance = ((7 * t + 3 * np.arange(theta.size)) % 11 - 5) / 10
    return np.array(STORED["curvatures"]) * (theta - 1.0) + disturbance


def test_every_optimiser_but_that_of_scikit_learn_is_stored():
    names = {case["name"] for case in STORED["cases"]}
    assert names == set(STEPPING) - {"adam"}
    for case in STORED["cases"]:
        assert len(case["steps"]) == 50
        decayed = case["numbers"].get("weight_decay", 0.0) > 0.0
        assert set(case["numbers"]) | {"weight_decay"} == set(OPTIMIZERS[case["name"]].numbers)
        assert decayed == (case["numbers"].get("weight_decay") is not None)


@pytest.mark.parametrize(
    "case", STORED["cases"], ids=lambda case: f"{case['name']}-{case['numbers']}"
)
def test_the_first_steps_equal_those_of_pytorch(case):
    theta = np.array(STORED["start"])
    optimizer = Optimizer(case["name"], theta, **case["numbers"])
    for t, expected in enumerate(case["steps"], start=1):
        optimizer.step(t, stored_gradients(theta, t))
        np.testing.assert_allclose(theta, expected, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize(
    "case", STORED["cases"], ids=lambda case: f"{case['name']}-{case['numbers']}"
)
def test_steps_in_single_precision_equal_those_of_pytorch(case):
    theta = np.array(STORED["start"], np.float32)
    optimizer = Optimizer(case["name"], theta, **case["numbers"])
    exact = np.array(STORED["start"])
    # A gradient is a sum of terms up to 60; the quotient of moments, and Lion's sign, are
    # taken from the same gradients, so that rounding does not grow by them.
    atol = 2e-5
    for t, expected in enumerate(case["steps"], start=1):
        optimizer.step(t, stored_gradients(exact, t).astype(np.float32))
        exact = np.array(expected)
        np.testing.assert_allclose(theta, exact, rtol=0.0, atol=atol)


def assert_oracle_steps_like_pytorch(solver, expected, **options):
    theta = np.array(STORED["start"])
    stepper = Stepper(solver, **options)
    for t, parameters in enumerate(expected, start=1):
        stepper.step([theta], [], [stored_gradients(theta, t)])
        np.testing.assert_allclose(theta, parameters, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize(
    "case", STORED["cases"], ids=lambda case: f"{case['name']}-{case['numbers']}"
)
def test_the_oracle_steps_like_pytorch(case):
    assert_oracle_steps_like_pytorch(case["name"], case["steps"], **case["numbers"])


@pytest.mark.parametrize("case", STORED["clipped"], ids=lambda case: str([*case][:-1]))
def test_the_oracle_clips_gradients_like_pytorch(case):
    """`tests/engine/test_step_options.py` compares the engine with it."""
    options = {name: value for name, value in case.items() if name != "steps"}
    assert_oracle_steps_like_pytorch("sgd", case["steps"], **options)


@pytest.mark.parametrize("t", [1, 2, 7, 50, 300, 10_000, 10**7])
@pytest.mark.parametrize("beta_1", [0.0, 0.5, 0.9, 0.99])
def test_momenta_of_nadam_multiply_to_their_product(beta_1, t):
    numbers = np.zeros(MOST_NUMBERS)
    numbers[:5] = 1.0, 0.0, beta_1, 0.0, 0.0  # without a second moment
    constants = OPTIMIZERS["nadam"].constants.address(np.float64)
    of_gradient, of_mean = compiled_constants(constants, numbers, t)[:2]
    i = np.arange(1, min(t, 10_000) + 1.0)  # beyond, the product is 0
    momenta = beta_1 * (1.0 - 0.5 * 0.96 ** (0.004 * i))
    product = np.prod(momenta)
    now, after = (beta_1 * (1.0 - 0.5 * 0.96 ** (0.004 * step)) for step in (t, t + 1))
    np.testing.assert_allclose(of_gradient, (1 - now) / (1 - product), rtol=1e-13)
    np.testing.assert_allclose(of_mean, after / (1 - product * after), rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", STEPPING)
def test_weight_decay_shrinks_theta_before_the_step(name, dtype):
    theta, grads = parameters_and_gradients(dtype)
    weight_decay = 0.5
    decayed = Optimizer(name, theta.copy(), weight_decay=weight_decay)
    by_hand = Optimizer(name, theta.copy())
    for t, grad in enumerate(grads, start=1):
        decayed.step(t, grad)
        by_hand.theta *= dtype(1.0 - RATE * weight_decay)
        by_hand.step(t, grad)
        np.testing.assert_allclose(
            decayed.theta, by_hand.theta, rtol=0, atol=rounding_of_theta(dtype, t)
        )
    np.testing.assert_array_equal(decayed.state, by_hand.state)  # it saw the same gradients


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", STEPPING)
def test_a_gradient_that_is_not_a_number_shows_in_theta(name, dtype):
    theta, grads = parameters_and_gradients(dtype)
    grads[1, 3] = np.nan
    optimizer = Optimizer(name, theta)
    for t, grad in enumerate(grads[:2], start=1):
        optimizer.step(t, grad)
    np.testing.assert_array_equal(np.isnan(theta), np.arange(theta.size) == 3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_accumulates_and_leaves_theta_alone(dtype):
    theta, grads = parameters_and_gradients(dtype)
    before = theta.copy()
    optimizer = Optimizer("gradient", theta)
    scale, decay = 0.25, 0.125
    expected = np.zeros(theta.size)
    for t, grad in enumerate(grads, start=1):
        expected += scale * grad.astype(np.float64) + decay * theta.astype(np.float64)
        for start, stop in ((5, 13), (0, 5)):
            optimizer.step(t, grad[start:stop], start=start, scale=scale, decay=decay)
    atol = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(optimizer.state, expected, rtol=0.0, atol=atol)
    np.testing.assert_array_equal(theta, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_step_returns_the_squares_of_its_block_and_touches_no_other(name, dtype):
    theta, grads = parameters_and_gradients(dtype)
    before = theta.copy()
    squares = Optimizer(name, theta).step(1, grads[0, 4:9], start=4, decay=0.5)
    exact = np.sum(theta[4:9].astype(np.float64) ** 2)
    np.testing.assert_allclose(squares, exact, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(theta[:4], before[:4])
    np.testing.assert_array_equal(theta[9:], before[9:])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_counts_as_a_gradient_along_theta(name, dtype):
    theta, grads = parameters_and_gradients(dtype)
    decayed, plain = Optimizer(name, theta.copy()), Optimizer(name, theta.copy())
    scale, decay = 0.25, 0.125
    for t, grad in enumerate(grads, start=1):
        plain.step(t, grad + plain.theta * (decay / scale), scale=scale)
        decayed.step(t, grad, scale=scale, decay=decay)
    atol = rounding_of_theta(dtype, len(grads))
    for name in ("theta", "state"):
        got, expected = getattr(decayed, name), getattr(plain, name)
        np.testing.assert_allclose(got, expected, rtol=0.0, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_parts_of_a_gradient_count_as_their_sum(name, dtype):
    theta, grads = parameters_and_gradients(dtype, size=37)
    in_parts, whole = Optimizer(name, theta.copy()), Optimizer(name, theta.copy())
    for t, (grad, rest) in enumerate(pairwise(grads), start=1):
        squares = in_parts.step(t, grad, rest, scale=0.25, decay=0.125)
        expected = whole.step(t, grad + rest, scale=0.25, decay=0.125)
        # The compiler may fuse other multiplications with additions.
        atol = rounding_of_theta(dtype, t)
        of_squares = 2 * np.abs(whole.theta).sum(dtype=float) * atol
        np.testing.assert_allclose(squares, expected, rtol=0.0, atol=of_squares)
        np.testing.assert_allclose(in_parts.theta, whole.theta, rtol=0.0, atol=atol)
        np.testing.assert_allclose(in_parts.state, whole.state, rtol=0.0, atol=atol)


def parabola_gradient(x):
    return 2.0 * (x - 1.0)


def rosenbrock_gradient(x):
    curve = x[1] - x[0] ** 2
    slope = [-2.0 * (1.0 - x[0]) - 400.0 * x[0] * curve, 200.0 * curve]
    return np.array(slope, dtype=x.dtype)


# Both have their minimum at (1, 1).
TOY_PROBLEMS = {"parabola": parabola_gradient, "rosenbrock": rosenbrock_gradient}
# The valley of Rosenbrock's function is stable below a rate of 0.002 without momentum.
TOY_RATES = {
    "sgd": 1.8e-3, "momentum": 1e-3, "nesterov": 1e-3, "adagrad": 0.5, "adadelta": 0.03,
    "rmsprop": 1e-4, "lion": 1e-4, "nadam": 5e-3,
}  # fmt: skip
TOY_STEPS = {"rmsprop": 40_000, "lion": 40_000, "adamax": 20_000, "adadelta": 40_000}


@pytest.mark.slow_without_jit
@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("problem", TOY_PROBLEMS)
@pytest.mark.parametrize("name", STEPPING)
def test_optimiser_finds_the_minimum(name, problem, dtype):
    x = np.zeros(2, dtype)
    optimizer = Optimizer(name, x, learning_rate=TOY_RATES.get(name, 1e-2))
    for t in range(1, TOY_STEPS.get(name, 10_000) + 1):
        optimizer.step(t, TOY_PROBLEMS[problem](x))
    np.testing.assert_allclose(x, [1.0, 1.0], rtol=0.0, atol=1e-3)
