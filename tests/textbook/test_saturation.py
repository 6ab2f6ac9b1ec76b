"""Where the textbooks' formulas overflow or divide by zero: huge pre-activations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastdnn import DeepNeuralNetwork

SATURATED = [40.0, 90.0, 1e4]


def network_at(z, output_activation, dtype):
    """Return a network of one layer whose outputs have pre-activation +z or -z."""
    n_outputs = 1 if output_activation == "sigmoid" else 2
    network = DeepNeuralNetwork(
        [1, n_outputs], output_activation=output_activation, dtype=dtype
    )
    network.W1 = np.full((1, 1), z) if n_outputs == 1 else np.array([[0.0, z]])
    return network


@pytest.mark.pairwise
@pytest.mark.parametrize("z", SATURATED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output_activation", ["sigmoid", "softmax"])
def test_cost_and_gradients_are_finite_and_right(z, dtype, output_activation):
    network = network_at(z, output_activation, dtype)
    X = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    Y = np.array([1, 0, 0, 1])  # two samples right, two as wrong as can be

    AL, caches = network.forward(X)
    grads = network.backward(AL, Y, caches)

    # log(1 + e^-z) vanishes beside z: two of four samples cost z each.
    assert_allclose(network.cost(AL, Y, caches=caches), z / 2, rtol=1e-6)
    assert np.isfinite(network.cost(AL, Y))
    assert np.isfinite(AL).all()
    assert all(np.isfinite(gradient).all() for gradient in grads.values())
    # dW = mean of x (a - y): -1 and 1 for the two wrong samples of class 1 and 0.
    assert_allclose(grads["dW1"][:, -1], [(1.0 + 1.0) / 4], rtol=1e-6)


@pytest.mark.pairwise
@pytest.mark.parametrize("z", SATURATED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output_activation", ["sigmoid", "softmax"])
def test_training_goes_on(z, dtype, output_activation):
    network = network_at(z, output_activation, dtype)
    X = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    Y = np.array([1, 0, 0, 1])
    costs = network.gradient_descent(X, Y, learning_rate=1.0, n_iterations=3)
    assert_allclose(costs[0], z / 2, rtol=1e-6)
    assert np.isfinite(costs).all()
    assert costs[-1] < costs[0]


@pytest.mark.pairwise
@pytest.mark.parametrize("z", SATURATED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "identity", "silu"])
def test_saturated_hidden_layers_stay_finite(z, dtype, activation):
    network = DeepNeuralNetwork([1, 3, 1], activation=activation, dtype=dtype)
    network.W1 = np.array([[z, -z, 1.0]])
    network.W2 = np.array([[1.0], [1.0], [1.0]])
    X, Y = np.array([[1.0], [-1.0]]), np.array([1, 0])
    AL, caches = network.forward(X)
    grads = network.backward(AL, Y, caches)
    assert np.isfinite(network.cost(AL, Y, caches=caches))
    assert np.isfinite(AL).all()
    assert all(np.isfinite(gradient).all() for gradient in grads.values())
