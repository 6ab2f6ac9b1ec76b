"""Rows that are not in the tables: what a row says of itself changes no bit, only the way."""

from itertools import product

import numba
import numpy as np
import pytest

from fastdnn.compiler.addressed import Addressed
from fastdnn.data.samples import Samples
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.activations import ACTIVATIONS, from_input, from_output
from fastdnn.ops.loss_rows import row_weight
from fastdnn.ops.losses import LOSS, LOSSES, Loss, LossParameter
from fastdnn.planning.plan import plan_training
from fastdnn.training.epochs import EpochRunner

PROPERTIES = ("is_floor", "makes_zeros", "stops_gradient")


def initial(sizes):
    size = Parameters(sizes, np.float32).theta.size
    theta = np.random.default_rng(1).standard_normal(size) / np.sqrt(sizes[0])
    return theta.astype(np.float32)


def trained(sizes, activation, loss="log_loss", output="softmax", n_rows=400, batch_size=200):
    """Return parameters and losses after two epochs."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, sizes[0])).astype(np.float32)
    Y = rng.integers(0, sizes[-1], (n_rows, 1)).astype(np.float32)
    if output != "softmax":
        Y = rng.standard_normal((n_rows, sizes[-1])).astype(np.float32)
    parameters = Parameters(sizes, np.dtype(np.float32))
    parameters.theta[:] = initial(sizes)
    activations = [activation] * (len(sizes) - 2) + [output]
    network = Network.dense(sizes, activations, loss)
    samples = Samples(X, Y)
    plan = plan_training(
        parameters, network, "sgd",
        batch_size=batch_size, samples=samples, gather=False, n_threads=1,
    )  # fmt: skip
    plan.set_numbers(learning_rate=0.05)
    with EpochRunner(plan, samples, np.zeros(0, np.int64)) as runner:
        losses = runner.run() + runner.run()
    return parameters, losses, X, Y


def same_bits(first, second):
    np.testing.assert_array_equal(first[0].theta, second[0].theta)
    assert first[1] == second[1]


# One whose shards make the gradients, and one where these are made block by block.
NETWORKS = [(20, 60, 40, 3), (300, 256, 128, 3)]


@pytest.mark.needs_jit  # without it nothing is left out
@pytest.mark.parametrize("sizes", NETWORKS, ids=str)
@pytest.mark.parametrize("properties", product([True, False], repeat=3), ids=str)
def test_relu_trains_alike_whatever_is_known_of_it(properties, sizes, monkeypatch):
    known = dict(zip(PROPERTIES, properties, strict=True))
    usual = trained(sizes, "relu")
    monkeypatch.setitem(ACTIVATIONS, "relu", ACTIVATIONS["relu"]._replace(**known))
    same_bits(trained(sizes, "relu"), usual)


@numba.njit
def capped(z):
    return min(max(z, type(z)(0)), type(z)(1))


@numba.njit
def capped_prime(a):
    return type(a)(1) if type(a)(0) < a < type(a)(1) else type(a)(0)


@pytest.mark.needs_jit
@pytest.mark.parametrize("sizes", NETWORKS, ids=str)
def test_a_capped_relu_has_zeros_in_its_output(sizes, monkeypatch):
    results = []
    for known in ({"makes_zeros": True}, {}):
        row = from_output(None, capped, capped_prime, **known)
        monkeypatch.setitem(ACTIVATIONS, "capped", row)
        results.append(trained(sizes, "capped"))
    same_bits(*results)


@numba.njit
def leaky(z):
    return z if z > 0 else z * type(z)(0.125)


@numba.njit
def leaky_prime(z):
    return type(z)(1) if z > 0 else type(z)(0.125)


def test_functions_from_outside_train_as_those_of_the_table(monkeypatch):
    table = ACTIVATIONS["relu"]
    monkeypatch.setitem(ACTIVATIONS, "leaky", from_input(None, leaky, leaky_prime))
    slopes = trained(NETWORKS[0], "leaky")
    assert np.isfinite(slopes[0].theta).all() and slopes[1][1] < slopes[1][0]
    usual = trained(NETWORKS[0], "relu")
    assert not np.array_equal(slopes[0].theta, usual[0].theta)
    assert ACTIVATIONS["relu"] is table


def pinball(A, Y, w, cap, parameters, D, sums, losses):
    """The quantile loss of level ``parameters[0]``."""
    for i in range(A.shape[0]):
        weight, losses[i] = row_weight(w, i), 0
        for j in range(A.shape[1]):
            over = A[i, j] - Y[i, j]
            slope = (1.0 if over > 0 else 0.0) - parameters[0]
            losses[i] += slope * over * weight
            D[i, j] = slope * weight


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_a_loss_has_a_parameter(level, monkeypatch):
    parameter = LossParameter("level", level, 0.0, 1.0)
    row = Loss({}, Addressed(LOSS, pinball, None), parameter=parameter)
    monkeypatch.setitem(LOSSES, "pinball", row)
    parameters, losses, X, Y = trained(
        (4, 1), "identity", "pinball", "identity", n_rows=64, batch_size=64
    )
    theta = initial((4, 1)).astype(np.float64)
    for expected in losses:  # two steps of gradient descent by hand
        over = X.astype(np.float64) @ theta[:4, None] + theta[4] - Y
        slope = (over > 0) - level
        np.testing.assert_allclose(expected, np.mean(slope * over), rtol=1e-5)
        theta[:4] -= 0.05 * (X.T @ slope)[:, 0] / 64
        theta[4] -= 0.05 * slope.mean()
    np.testing.assert_allclose(parameters.theta, theta, rtol=0, atol=1e-6)
