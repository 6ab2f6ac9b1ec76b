"""Compiles ahead what will be needed: for container images and clusters."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastdnn.compiler import cache
from fastdnn.compiler.addressed import Addressed
from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.engine import (
    layer_steps,
    shared_weights,
    step_options,
    table_rows,
    transforms,
)
from fastdnn.estimators.classifier import DNNClassifier
from fastdnn.estimators.regressor import DNNRegressor
from fastdnn.ops import dropout, noise, normalization
from fastdnn.ops.activations import ACTIVATIONS
from fastdnn.ops.losses import LOSSES
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.ops.results import RESULTS
from fastdnn.ops.sparse import (
    csr_forward,
    csr_forward_of_some,
    csr_weight_gradient,
    csr_weight_gradient_of_some,
)
from fastdnn.products.matmul import multiply
from fastdnn.products.nonzeros import multiply_masked, multiply_nonzeros
from fastdnn.textbook.network import DeepNeuralNetwork

# More rows than are computed in double precision whatever the dtype, and fewer.
_N_ROWS, _FEW_ROWS = 512, 50

_PRODUCTS = multiply, multiply_nonzeros, multiply_masked


def warmup(dtype: str = "float32", everything: bool = False) -> Path | None:
    """Compile what training and predicting in one precision calls by default.

    That is whatever data, targets and methods the estimators are given, with the activations,
    losses and solvers that scikit-learn's have. `everything` adds all others.

    Later processes on the same kind of processor load the compiled code and wait for
    nothing: those of the same user, and of any other if the folder belongs to root, as in an
    image, or may be written by a group and is named by ``FASTDNN_CACHE_DIR``. With
    ``dtype='float32'`` training in float64 is compiled as well, which L-BFGS and data sets of
    a few rows are computed in.

    Parameters
    ----------
    dtype : {'float32', 'float64'}, default='float32'
        The precision that will be computed in.
    everything : bool, default=False
        Whether to compile every activation, loss and optimiser that there is, and what steps
        may do besides. Otherwise a fit that is the first to use one of those compiles it, in
        less than a second.

    Returns
    -------
    pathlib.Path or None
        The folder that holds the compiled code; None under ``NUMBA_DISABLE_JIT=1``.

    Raises
    ------
    ValueError
        If `dtype` is neither of the two.
    TypeError
        If `everything` is no bool.
    RuntimeError
        If there is no folder to keep compiled code in, or something had to be compiled that
        could not be stored there.

    Examples
    --------
    >>> import fastdnn
    >>> folder = fastdnn.warmup()
    """
    if str(dtype) not in ("float32", "float64"):
        raise ValueError(f"dtype={dtype!r} must be 'float32' or 'float64'.")
    if not isinstance(everything, bool | np.bool_):
        raise TypeError(f"everything={everything!r} must be True or False.")
    if not JIT_ENABLED:
        return None
    return _compile_all(str(dtype), bool(everything))


# What the estimators use with the values that scikit-learn's parameters may have.
_ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "softmax", "exp")
_LOSSES = ("log_loss", "half_squared_error", "poisson")
_OPTIMIZERS = ("gradient", "sgd", "momentum", "nesterov", "adam")


def _kernels(everything: bool) -> Iterator[Addressed]:  # needs jit
    """Yield what the engine may find by address."""
    for activation in ACTIVATIONS if everything else _ACTIVATIONS:
        yield from (ACTIVATIONS[activation].forward, ACTIVATIONS[activation].backward)
    for loss in LOSSES if everything else _LOSSES:
        yield from LOSSES[loss].canonical.values()
        of_outputs = LOSSES[loss].of_outputs
        if of_outputs is not None:
            yield of_outputs
    for optimizer in OPTIMIZERS if everything else _OPTIMIZERS:
        yield from (OPTIMIZERS[optimizer].constants, OPTIMIZERS[optimizer].update)
    if everything:
        yield from (step_options.complete, step_options.finish, step_options.sum_up)
        yield from (transforms.transform_rows, transforms.transform_deltas)
        yield from (layer_steps.step_of_layer, shared_weights.step_of_members)
        yield from (table_rows.table_rows, table_rows.table_gradient, table_rows.table_sums)
        yield from (dropout.drop, dropout.drop_in_place)
        yield from (dropout.drop_deltas, dropout.scale_deltas)
        yield from (noise.add_noise, noise.add_noise_in_place)
        yield from (normalization.normalize, normalization.normalize_backward)
        yield from (csr_forward_of_some, csr_weight_gradient_of_some)
    yield from (csr_forward, csr_weight_gradient)
    yield from _PRODUCTS
    for results in RESULTS.values():
        yield from (results.same_type, results.in_double)


def _compile_all(dtype: Any, everything: bool) -> Path:  # needs jit
    folder = cache.cache_directory()
    if folder is None:
        raise RuntimeError(
            "fastdnn.warmup() found no folder to keep compiled code in. Set "
            "FASTDNN_CACHE_DIR to a folder that you alone can write to."
        )
    X, y = _samples(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for solver in ("adam", "lbfgs"):
            model = DNNClassifier(
                hidden_layer_sizes=(2,), solver=solver, max_iter=1, dtype=dtype
            )
            model.fit(X, y).predict_log_proba(X)
        options: dict[str, Any] = {
            "hidden_layer_sizes": (2,),
            "early_stopping": True,
            "max_iter": 1,
        }
        DNNRegressor(**options, dtype=dtype).fit(X, X[:, 0])
    for kind in {dtype, "float64"}:
        for kernel in _kernels(everything):
            kernel.address(kind)
    network = DeepNeuralNetwork([2, 2, 1], dtype=dtype)
    network.initialize_parameters(random_state=0)
    AL, caches = network.forward(X)
    network.cost(AL, y, l2=0.1)
    gradients = network.backward(AL, y, caches)
    network.update_parameters(gradients, learning_rate=0.1, l2=0.1)
    missing = cache.missing_entries()
    if missing:
        reason = next(filter(None, missing.values()), "they were removed meanwhile")
        raise RuntimeError(
            f"fastdnn.warmup() leaves {folder} without {len(missing)} of the functions "
            f"compiled in this process ({reason}). Set FASTDNN_CACHE_DIR to a folder that you "
            "alone can write to, and call fastdnn.warmup() in a new process."
        )
    return folder


def use_defaults() -> None:
    """Fit and predict once with the defaults of both estimators, on many rows and on few.

    What that compiles is what wheels with compiled code bring.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n_rows in (_N_ROWS, _FEW_ROWS):
            for n_classes in (2, 3):
                X, y = _samples(n_classes)
                model = DNNClassifier(max_iter=1).fit(X[:n_rows], y[:n_rows])
                for predict in (model.predict, model.predict_proba, model.predict_log_proba):
                    predict(X[:n_rows])
            DNNRegressor(max_iter=1).fit(X[:n_rows], X[:n_rows, 0]).predict(X[:n_rows])
    for product in _PRODUCTS:  # larger networks need others than small ones
        for dtype in ("float32", "float64"):
            product.address(dtype)


def _samples(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    X = np.linspace(-1.0, 1.0, 2 * _N_ROWS).reshape(_N_ROWS, 2)
    return X, np.arange(_N_ROWS) % n_classes
