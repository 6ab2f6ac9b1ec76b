"""Small fits of several networks, for the tests of members."""

import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_diabetes, load_iris

from fastdnn import DNNClassifier, DNNRegressor

BOTH = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "batch_size": 30}


def samples(Estimator):
    load = load_iris if Estimator is DNNClassifier else load_diabetes
    X, y = load(return_X_y=True)
    return X[:150], y[:150]


def fitted(Estimator, n_members=3, **options):
    X, y = samples(Estimator)
    return Estimator(**SMALL | options, n_members=n_members).fit(X, y), X, y


def assert_same_networks(one, other):
    for mine, theirs in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        assert_array_equal(mine, theirs)
