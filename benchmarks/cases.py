"""The workloads that benchmarks and documents speak of: one table."""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.preprocessing import StandardScaler


class Case(NamedTuple):
    """One workload: a data set and a network."""

    n_samples: int
    n_features: int
    hidden: tuple[int, ...]
    batch_size: int
    n_classes: int
    epochs: int
    """Epochs of one timed fit: about the same work for every case."""

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return X (float64, as users pass it) and class labels."""
        if (self.n_samples, self.n_features) == (1797, 64):
            X, y = load_digits(return_X_y=True)
            return StandardScaler().fit_transform(X), y
        if (self.n_samples, self.n_features) == (569, 30):
            X, y = load_breast_cancer(return_X_y=True)
            return StandardScaler().fit_transform(X), y
        return _made_up(self.n_samples, self.n_features, self.n_classes)

    def layer_sizes(self) -> list[int]:
        """Return the units of every layer; two classes take one output."""
        n_outputs = self.n_classes if self.n_classes > 2 else 1
        return [self.n_features, *self.hidden, n_outputs]

    def steps(self) -> int:
        """Return the optimiser steps of one timed fit."""
        return self.epochs * -(-self.n_samples // self.batch_size)

    def hyperparameters(self) -> dict:
        """Return what scikit-learn's estimator and ours are both given."""
        return {
            "hidden_layer_sizes": self.hidden,
            "batch_size": self.batch_size,
            "max_iter": self.epochs,
            "n_iter_no_change": 10_000,  # every contender runs all epochs
            "random_state": 0,
        }


def _made_up(n_samples: int, n_features: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Label random samples by a random network, so that there is something to learn."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((n_samples, n_features))
    hidden = np.tanh(X @ generator.standard_normal((n_features, 16)) / n_features**0.5)
    scores = hidden @ generator.standard_normal((16, n_classes))
    return X, (scores + 0.1 * generator.standard_normal(scores.shape)).argmax(axis=1)


#: The cases by name, from the smallest step to the largest.
CASES = {
    "tiny": Case(1797, 64, (32,), 32, 10, 40),
    "small": Case(569, 30, (100,), 200, 2, 200),
    "digits": Case(1797, 64, (100,), 200, 10, 60),
    "medium": Case(20_000, 50, (128, 128), 128, 2, 4),
    "wide": Case(20_000, 784, (512, 256), 256, 10, 1),
}
