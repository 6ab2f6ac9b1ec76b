"""The contenders of a benchmark: each trains the same network on the same samples."""

import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.utils import shuffle

from benchmarks.cases import Case
from benchmarks.numpy_mlp import NumpyMLP, glorot_uniform
from fastdnn import DNNClassifier

Fit = Callable[[], float]
"""Trains from the start, on float64 input as users pass it; returns the last loss."""


def fastdnn(
    case: Case, activation: str = "relu", dtype: str = "float32", one_thread: bool = False
) -> Fit:
    """Return a fit of `DNNClassifier`."""
    n_threads = 1 if one_thread else None
    settings = case.hyperparameters() | {"activation": activation}
    return estimator_fit(DNNClassifier(**settings, dtype=dtype, n_threads=n_threads), case)


def scikit_learn(
    case: Case, activation: str = "relu", dtype: str = "float32", one_thread: bool = False
) -> Fit:
    """Return a fit of `MLPClassifier`, which computes in the input's float64."""
    return estimator_fit(MLPClassifier(**case.hyperparameters(), activation=activation), case)


def estimator_fit(model: DNNClassifier | MLPClassifier, case: Case) -> Fit:
    """Return a fit of an estimator on the data of a case."""
    X, y = case.data()

    def fit() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(X, y).loss_

    return fit


def plain_numpy(
    case: Case, activation: str = "relu", dtype: str = "float32", one_thread: bool = False
) -> Fit:
    """Return a fit of the NumPy baseline, from scikit-learn's initial parameters."""
    X, y = case.data()
    n_outputs = case.layer_sizes()[-1]

    def fit() -> float:
        draw = np.random.RandomState(0)
        coefs, intercepts = glorot_uniform(case.layer_sizes(), activation, draw)
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


def pytorch(
    case: Case, activation: str = "relu", dtype: str = "float32", one_thread: bool = False
) -> Fit:
    """Return a fit of PyTorch's eager mode; it has an attribute `n_threads`."""
    from benchmarks.torch_mlp import TorchFit  # torch is optional

    return TorchFit(case, activation, dtype, n_threads=1 if one_thread else None)


CONTENDERS: dict[str, Callable[..., Fit]] = {
    "fastdnn": fastdnn,
    "scikit-learn": scikit_learn,
    "numpy": plain_numpy,
    "pytorch": pytorch,
}


def why_missing(contender: str) -> str | None:
    """Return why a contender cannot take part, or None if it can."""
    if contender == "pytorch" and find_spec("torch") is None:
        return 'PyTorch is not installed and left out; pip install ".[bench]" brings it.'
    return None
