"""Calls of the textbook network's methods, with arguments that fit."""

import traceback
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastdnn
from fastdnn import DeepNeuralNetwork
from tests.wrong_arrays import NO_NUMBERS, NOT_FINITE, OTHER_SHAPES, OTHER_TYPES, SAME_NUMBERS

PACKAGE = Path(fastdnn.__file__).parent
SIZES = (3, 4, 2)
X = np.linspace(-1.0, 1.0, 15).reshape(5, 3)
Y = np.array([[1.0, 0.0], [0.0, 1.0], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]])
#: What is made of an array: something else, and the same.
WRONG = NO_NUMBERS | OTHER_SHAPES | NOT_FINITE
SAME = SAME_NUMBERS | OTHER_TYPES


def network(dtype="float64", output="softmax", loss="log_loss"):
    made = DeepNeuralNetwork(SIZES, "relu", output, loss, dtype)
    made.initialize_parameters(random_state=0)
    return made


def given_to(method, made):
    """Return arguments of a method that fit, by name."""
    AL, caches = made.forward(X)
    if method in ("forward", "predict_proba", "predict"):
        return {"X": X}
    if method == "cost":
        return {"AL": AL, "Y": Y, "l2": 0.3, "caches": caches}
    if method == "backward":
        return {"AL": AL, "Y": Y, "caches": caches}
    if method == "update_parameters":
        return {"grads": made.backward(AL, Y, caches), "learning_rate": 0.1, "l2": 0.3}
    if method == "score":
        return {"X": X, "Y": Y.round()}
    assert method == "gradient_descent"
    settings = {"learning_rate": 0.1, "n_iterations": 2, "batch_size": 2, "l2": 0.3}
    return {"X": X, "Y": Y} | settings | {"record_every": 1, "n_threads": 1}


METHODS = [
    *("forward", "predict_proba", "predict", "score", "cost", "backward"),
    *("update_parameters", "gradient_descent"),
]


def theta(made):
    """Return a copy of all parameters."""
    return made.__getstate__()["theta"].copy()


def refused(made, method, arguments):
    """Call a method with what does not fit; return what is said."""
    before = theta(made)
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(made, method)(**arguments)
    assert_array_equal(theta(made), before)
    assert_said_by_a_check(caught.tb)
    return str(caught.value)


def assert_said_by_a_check(tb):
    """Assert that an error comes from a check, not from what would have been done."""
    places = [(Path(frame.filename), frame.name) for frame in traceback.extract_tb(tb)]
    last, _ = [place for place in places if PACKAGE in place[0].parents][-1]
    if (last.parent.name, last.name) == ("ops", "targets.py"):
        return  # a loss's check of targets
    assert last.parent.name in ("textbook", "data"), last  # not a kernel
    allowed = {"step_inputs.py", "kernel_inputs.py", "costs.py", "steps.py", "network.py"}
    assert last.name in allowed, last
