"""The wheat seeds runs: one sample a step, and full batch with the L2 penalty."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastdnn import DeepNeuralNetwork

DATA = Path(__file__).parents[1] / "stored"


@pytest.mark.slow_without_jit
def test_one_sample_a_step(reference, ours):
    run = reference("seeds_sgd.json")
    with np.load(DATA / "seeds_sgd_split.npz") as split:
        X, y, X_test, y_test = split["Xtr"], split["ytr"], split["Xte"], split["yte"]
    network = DeepNeuralNetwork([7, 2, 1], activation="sigmoid")
    network.W1 = ours("W1", run["W1_init"])
    network.W2 = ours("W2", run["W2_init"])
    network.b1, network.b2 = np.ones(2), np.ones(1)

    costs = network.gradient_descent(
        X, y, learning_rate=run["alpha"], n_iterations=run["iters"], batch_size=1
    )

    # The reference prints its costs with eight decimals.
    assert_allclose(costs, run["costs"], rtol=0, atol=0.5e-8 * (1 + 1e-6))
    for name in ("W1", "b1", "W2", "b2"):
        assert_allclose(getattr(network, name), ours(name, run[name]), rtol=1e-8)
    assert_allclose(100 * network.score(X, y), run["accs"][-1], rtol=1e-12)
    assert_allclose(100 * network.score(X_test, y_test), run["test"], rtol=1e-12)


@pytest.mark.parametrize("l2", ["0", "0.05", "5.0"])
@pytest.mark.slow_without_jit
def test_l2_penalty(l2, reference, ours, seeds):
    run = reference("seeds_l2.json")["runs"][l2]
    X, y = seeds
    network = DeepNeuralNetwork([7, 5, 3, 1])
    draw = np.random.RandomState(1)
    for name, n_in, n_out in [("W1", 7, 5), ("W2", 5, 3), ("W3", 3, 1)]:
        setattr(network, name, (draw.randn(n_out, n_in) / np.sqrt(n_in)).T)

    costs = network.gradient_descent(X, y, learning_rate=0.1, n_iterations=500, l2=float(l2))

    AL, caches = network.forward(X)
    costs.append(network.cost(AL, y, l2=float(l2), caches=caches))
    for step, cost in run["costs"].items():
        assert_allclose(costs[int(step)], cost, rtol=1e-8)
    for name, value in run["params"].items():
        assert_allclose(getattr(network, name), ours(name, value), rtol=1e-8)
    assert_allclose(100 * network.score(X, y), run["train_acc"], rtol=1e-12)
