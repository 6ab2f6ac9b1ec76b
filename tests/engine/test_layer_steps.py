"""Steps that differ between layers and learnt scales of inputs, as a NumPy network."""

import numpy as np
import pytest
from scipy import sparse

from fastdnn.data.samples import Samples
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.planning.layer_steps import LayerSteps
from fastdnn.training.epochs import EpochRunner
from tests.networks import random_parameters
from tests.oracle.optimizers import Stepper
from tests.plans import IN_ORDER, plan

pytestmark = [pytest.mark.usefixtures("four_cpus"), pytest.mark.slow_without_jit]

#: Layer sizes, rows of a batch: one shard, several of them, several blocks.
SHAPES = {
    "one shard": ((5, 4, 3), 8),
    "by shard": ((50, 64, 3), 256),
    "by block": ((300, 128, 5), 64),
}
FACTORS, OF_TAIL, OF_SCALES, ALPHA, DECAY = (0.5, 0.25), 0.1, 6.0, 0.1, 0.5


def samples_of(sizes, n_rows, kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, sizes[0]))
    Y = rng.integers(0, sizes[-1], (n_rows, 1)).astype(np.float64)
    if kind == "sparse":
        X[rng.random(X.shape) < 0.7] = 0.0
        return Samples(sparse.csr_matrix(X), Y), X
    weight = rng.integers(1, 4, n_rows).astype(np.float64) if kind == "weighted" else None
    return Samples(X, Y, weight), X


class NumpyTraining:
    """A network ``softmax(tanh(X diag(s) W0 + b0) W1 + b1)`` with steps of their own sizes."""

    def __init__(self, parameters, solver, has_scales):
        self.W0, self.W1 = (W.copy() for W in parameters.coefs)
        self.b0, self.b1 = (b.copy() for b in parameters.intercepts)
        self.s, self.has_scales = np.ones(len(self.W0)), has_scales
        rates = (*FACTORS, OF_TAIL, OF_SCALES)
        self.steppers = [
            Stepper(solver, learning_rate=0.01 * rate, weight_decay=decay)
            for rate, decay in zip(rates, (DECAY / 0.5, DECAY / 0.25, 0, 0), strict=True)
        ]

    def step(self, X, Y, weight):
        scaled = X * self.s
        H = np.tanh(scaled @ self.W0 + self.b0)
        Z = H @ self.W1 + self.b1
        P = np.exp(Z - Z.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        D = (P - np.eye(P.shape[1])[Y]) * (weight / weight.sum())[:, np.newaxis]
        D0 = (D @ self.W1.T) * (1 - H**2)
        total = weight.sum()
        gradients = (
            scaled.T @ D0 + ALPHA / total * self.W0,
            H.T @ D + ALPHA / total * self.W1,
            ((D0 @ self.W0.T) * X).sum(axis=0),
        )
        first, second, tail, scales = self.steppers
        first.step([self.W0], [], [gradients[0]])
        second.step([self.W1], [], [gradients[1]])
        tail.step([], [self.b0, self.b1], [D0.sum(axis=0), D.sum(axis=0)])
        if self.has_scales:
            scales.step([], [self.s], [gradients[2]])

    def theta(self):
        V = self.s[:, np.newaxis] * self.W0
        return np.concatenate([V.ravel(), self.W1.ravel(), self.b0, self.b1])


def trained(parameters, solver, samples, batch_size, n_threads, has_scales, n_epochs=3):
    steps = LayerSteps(FACTORS, OF_TAIL, OF_SCALES if has_scales else None)
    steps.begin(parameters, OPTIMIZERS[solver])
    made = plan(
        parameters, ["tanh", "softmax"], "log_loss", solver, samples, batch_size=batch_size,
        n_threads=n_threads, alpha=ALPHA, weight_decay=DECAY, layer_steps=steps,
    )  # fmt: skip
    with EpochRunner(made, samples, IN_ORDER) as runner:
        for _ in range(n_epochs):
            runner.run()
    return steps


@pytest.mark.pairwise
@pytest.mark.parametrize("has_scales", [True, False])
@pytest.mark.parametrize("kind", ["dense", "weighted", "sparse"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("solver", ["sgd", "momentum", "nesterov", "adam", "adamw", "lion"])
def test_training_equals_numpy(solver, shape, kind, has_scales):
    sizes, batch_size = SHAPES[shape]
    samples, X = samples_of(sizes, batch_size * 3 // 2, kind)
    parameters = random_parameters(np.random.default_rng(1), sizes)
    expected = NumpyTraining(parameters, solver, has_scales)
    steps = trained(parameters, solver, samples, batch_size, 2, has_scales)
    weight = np.ones(len(X)) if samples.weight is None else samples.weight
    for _ in range(3):
        for first in range(0, len(X), batch_size):
            rows = slice(first, first + batch_size)
            Y = samples.Y[rows, 0].astype(int)
            expected.step(X[rows], Y, weight[rows])
    np.testing.assert_allclose(parameters.theta, expected.theta(), rtol=1e-7, atol=1e-9)
    if has_scales:
        assert not np.allclose(steps.scales, 1.0)
        np.testing.assert_allclose(steps.scales, expected.s, rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_bits_do_not_depend_on_threads(shape, dtype):
    sizes, batch_size = SHAPES[shape]
    samples, _ = samples_of(sizes, batch_size * 3 // 2, "dense")
    samples = samples.astype(dtype)
    thetas = []
    for n_threads in (1, 2, 3):
        parameters = random_parameters(np.random.default_rng(1), sizes).astype(dtype)
        trained(parameters, "adam", samples, batch_size, n_threads, True)
        thetas.append(parameters.theta)
    np.testing.assert_array_equal(thetas[1], thetas[0])
    np.testing.assert_array_equal(thetas[2], thetas[0])


def test_factors_of_one_change_no_bit():
    sizes, batch_size = SHAPES["by block"]
    samples, _ = samples_of(sizes, batch_size * 2, "dense")
    thetas = []
    for steps in (None, LayerSteps((1.0, 1.0))):
        parameters = random_parameters(np.random.default_rng(1), sizes)
        made = plan(
            parameters, ["tanh", "softmax"], "log_loss", "adam", samples,
            batch_size=batch_size, alpha=ALPHA, layer_steps=steps,
        )  # fmt: skip
        with EpochRunner(made, samples, IN_ORDER) as runner:
            runner.run()
        thetas.append(parameters.theta)
    np.testing.assert_array_equal(thetas[1], thetas[0])
