"""The circles run: full-batch gradient descent from two initialisations."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastdnn import DeepNeuralNetwork

DATA = Path(__file__).parents[1] / "stored"


@pytest.fixture(params=["0.01", "he"])
def run(request, reference):
    return next(r for r in reference("circles.json") if r["init"] == request.param)


@pytest.fixture
def samples():
    with np.load(DATA / "circles.npz") as data:
        return data["X"].T, data["Y"].ravel(), data["Xt"].T, data["Yt"].ravel()


@pytest.fixture
def network(run, ours):
    network = DeepNeuralNetwork(run["layers"])
    for name, value in run["init_params"].items():
        setattr(network, name, ours(name, value))
    return network


def test_first_gradients(run, network, samples, ours):
    X, Y, _, _ = samples
    AL, caches = network.forward(X)
    grads = network.backward(AL, Y, caches)
    for name, value in run["grads0"].items():
        assert_allclose(grads[name], ours(name, value), rtol=1e-8, atol=1e-18)


@pytest.mark.slow_without_jit
def test_costs_parameters_and_accuracies(run, network, samples, ours):
    X, Y, X_test, Y_test = samples
    costs = network.gradient_descent(X, Y, learning_rate=run["lr"], n_iterations=run["n"])
    for step, cost in run["costs"].items():
        assert_allclose(costs[int(step)], cost, rtol=1e-8)
    for name, value in run["params"].items():
        assert_allclose(getattr(network, name), ours(name, value), rtol=1e-8)
    assert_allclose(100 * network.score(X, Y), run["train"], rtol=1e-12)
    assert_allclose(100 * network.score(X_test, Y_test), run["test"], rtol=1e-12)


def test_explicit_steps_take_the_same_path(run, network, samples):
    X, Y, _, _ = samples
    by_steps = DeepNeuralNetwork(run["layers"])
    for name in ("W1", "b1", "W2", "b2"):
        setattr(by_steps, name, getattr(network, name))
    costs = []
    for _ in range(20):
        AL, caches = by_steps.forward(X)
        costs.append(by_steps.cost(AL, Y, caches=caches))
        by_steps.update_parameters(by_steps.backward(AL, Y, caches), run["lr"])
    engine = network.gradient_descent(X, Y, learning_rate=run["lr"], n_iterations=20)
    assert_allclose(engine, costs, rtol=1e-12)
    assert_allclose(network.W1, by_steps.W1, rtol=1e-10)
