"""Searches over small networks, and how two of them are compared."""

import numpy as np
from sklearn.datasets import load_iris

from fastdnn import DNNClassifier, DNNRegressor

X, LABELS = load_iris(return_X_y=True)
TARGETS = X @ np.array([1.0, -2.0, 0.5, 1.0])
DRAWS = {"learning_rate_init": [1e-3, 1e-2, 3e-2, 1e-1], "alpha": [1e-4, 1e-2, 1.0]}
SMALL = {"hidden_layer_sizes": (5,), "batch_size": 20, "random_state": 0}
HALVING = {"n_candidates": 9, "min_resources": 2, "max_resources": 18, "cv": 3}
HALVING |= {"random_state": 0}


def network(Estimator=DNNClassifier, **options):
    return Estimator(**SMALL | options)


def targets_of(Estimator):
    return TARGETS if Estimator is DNNRegressor else LABELS


def require_equal_results(one, other):
    """Compare what does not depend on the clock, bit by bit."""
    assert set(one) == set(other)
    for name in one:
        if name == "params":
            assert one[name] == other[name]
        elif "time" not in name:
            np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]), name)


def require_equal_networks(one, other):
    for a, b in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        np.testing.assert_array_equal(a, b)
