"""A table and targets for the tests of the table estimators."""

import numpy as np
import pandas as pd
import pytest

from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor

SMALL = dict(n_members=2, hidden_layer_sizes=(16,), max_epochs=15, random_state=0)
BOTH = pytest.mark.parametrize("Estimator", [TabularDNNClassifier, TabularDNNRegressor])


def table(n_rows=400, seed=0):
    """Return a table of numbers and categories, and numbers that it tells."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n_rows),
            "age": np.where(rng.random(n_rows) < 0.1, np.nan, rng.exponential(size=n_rows)),
            "colour": rng.choice(["red", "green", "blue"], n_rows),
        }
    )
    y = X["size"] + 2.0 * (X["colour"] == "red") + X["age"].isna()
    return X, y.to_numpy()


def targets(Estimator, y):
    """Return numbers as what an estimator predicts."""
    return np.where(y > 0.7, "high", "low") if Estimator is TabularDNNClassifier else y


def outputs(model, X):
    """Return all that the networks of a model predict."""
    return model.predict_members(X)
