"""The contenders of a benchmark: each trains the same network on the same samples."""

import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.utils import shuffle

from benchmarks.cases import Case
from benchmarks.numpy_mlp import NumpyMLP
from fastdnn import DNNClassifier

Fit = Callable[[], float]
"""Trains from the start, on float64 input as users pass it; returns the last loss."""


def fastdnn(case: Case, **settings: object) -> Fit:
    """Return a fit of `DNNClassifier`."""
    return _estimator(DNNClassifier(**case.hyperparameters(), **settings), case)


def scikit_learn(case: Case, **settings: object) -> Fit:
    """Return a fit of `MLPClassifier`."""
    return _estimator(MLPClassifier(**case.hyperparameters(), **settings), case)


def _estimator(model: DNNClassifier | MLPClassifier, case: Case) -> Fit:
    X, y = case.data()

    def fit() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(X, y).loss_

    return fit


def plain_numpy(case: Case, activation: str = "relu", dtype: str = "float32") -> Fit:
    """Return a fit of the NumPy baseline, from scikit-learn's initial parameters."""
    X, y = case.data()
    n_outputs = case.n_classes if case.n_classes > 2 else 1
    sizes = [X.shape[1], *case.hidden, n_outputs]
    factor = 2.0 if activation == "logistic" else 6.0

    def fit() -> float:
        draw = np.random.RandomState(0)
        coefs, intercepts = [], []
        for n_in, n_out in pairwise(sizes):
            bound = np.sqrt(factor / (n_in + n_out))
            coefs.append(draw.uniform(-bound, bound, (n_in, n_out)))
            intercepts.append(draw.uniform(-bound, bound, n_out))
        network = NumpyMLP(
            coefs,
            intercepts,
            activation=activation,
            loss="softmax" if n_outputs > 1 else "logistic",
            batch_size=case.batch_size,
            dtype=dtype,
        )
        samples = np.ascontiguousarray(X, dtype=dtype)
        targets = y if n_outputs > 1 else y.reshape(-1, 1).astype(dtype)
        order, loss = np.arange(len(samples)), np.nan
        for _ in range(case.epochs):
            order = shuffle(order, random_state=draw)
            loss = network.train_epoch(samples, targets, order)
        return loss

    return fit


CONTENDERS: dict[str, Callable[..., Fit]] = {
    "fastdnn": fastdnn,
    "scikit-learn": scikit_learn,
    "numpy": plain_numpy,
}
