"""Steps by a gradient from elsewhere, beside the formulas of Adam and of gradient descent."""

import numpy as np
from numpy.testing import assert_allclose

from fastdnn.ops.given_gradient import step_by


def test_gradient_descent_with_penalty_of_weights_only():
    theta, grad = np.array([1.0, -2.0, 4.0]), np.array([0.5, 0.5, 0.5])
    step_by("sgd", {"learning_rate": 0.1}, 1, theta, np.zeros(0), grad, 2, decay=0.2)
    assert_allclose(theta, [1 - 0.1 * (0.5 + 0.2), -2 - 0.1 * (0.5 - 0.4), 4 - 0.1 * 0.5])
    assert grad.tolist() == [0.5, 0.5, 0.5]


def test_adam():
    theta, state, grad = np.zeros(2), np.array([0.1, 0.0, 0.04, 0.0]), np.array([1.0, -3.0])
    numbers = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 0.0}
    step_by("adam", numbers, 2, theta, state, grad, 1, decay=0.0)
    m, v = (
        0.9 * np.array([0.1, 0.0]) + 0.1 * grad,
        0.99 * np.array([0.04, 0.0]) + 0.01 * grad**2,
    )
    assert_allclose(state, [*m, *v])
    assert_allclose(theta, -0.01 * (m / (1 - 0.81)) / np.sqrt(v / (1 - 0.99**2)))
