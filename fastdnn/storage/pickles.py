"""What an estimator is in a pickle, a copy or a file of skops: plain data; and `save`.

The parameters are stored once, as one vector; the matrices in ``coefs_`` are views into it,
which are cut again when it is loaded. Nothing that training goes on from is left out, and
everything has its own precision. What is loaded is checked before it is taken.
"""

import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import fields
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from fastdnn._version import VERSION
from fastdnn.models.consistency import checked_parameters
from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.prediction.predictor import Predictor
from fastdnn.storage.saving import save
from fastdnn.training.history import History
from fastdnn.training.loop import OptimizerState

#: The types of this package in files of skops: ``skops.io.load(path, trusted=SKOPS_TRUSTED)``.
SKOPS_TRUSTED = [
    "fastdnn.estimators.classifier.DNNClassifier",
    "fastdnn.textbook.network.DeepNeuralNetwork",
    "fastdnn.estimators.regressor.DNNRegressor",
]

_VIEWS = {"coefs_": "coefs", "intercepts_": "intercepts"}
_ADVICE = "The stored state is damaged; use an intact copy, or fit the estimator again."
# What is made anew, and what earlier versions stored.
_NOT_STORED = ("_predictor", "_incremental")


def parameters_from(stored: Any) -> Parameters:
    """Return parameters with the values of `stored`.

    Parameters
    ----------
    stored : dict or Parameters
        With ``layer_sizes`` and ``theta``.

    Raises
    ------
    ValueError
        If they do not fit each other.
    """
    if isinstance(stored, Parameters):  # as fastdnn 0.2 stored them, and as files are read
        _require_vector("theta", stored.theta, stored.theta.size)
        return stored
    _require_names("_parameters", stored, {"layer_sizes", "theta"})
    sizes, theta = stored["layer_sizes"], stored["theta"]
    is_sequence = isinstance(sizes, tuple | list) and len(sizes) > 1
    if not is_sequence or not all(_is_integer(size, least=1) for size in sizes):
        raise ValueError(
            f"layer_sizes={sizes!r} must be two or more positive integers. {_ADVICE}"
        )
    sizes = [int(size) for size in sizes]
    n_parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    _require_vector("theta", theta, n_parameters)
    parameters = Parameters(sizes, theta.dtype)
    parameters.theta[:] = theta
    return parameters


def optimizer_state_from(stored: Any, parameters: Parameters) -> OptimizerState | None:
    """Return the state of an optimiser, in its own or the parameters' higher precision.

    Parameters
    ----------
    stored : dict, OptimizerState or None
        With the fields of an `OptimizerState`.
    parameters : Parameters
        What the optimiser steps.

    Raises
    ------
    ValueError
        If it is not a state, or not one of so many parameters.
    """
    if stored is None:
        return None
    if isinstance(stored, OptimizerState):
        stored = vars(stored)
    _require_names("_optimizer_state", stored, {f.name for f in fields(OptimizerState)})
    state = OptimizerState(**stored)
    if state.optimizer not in OPTIMIZERS:
        raise ValueError(
            f"optimizer={state.optimizer!r} must be one of {list(OPTIMIZERS)}. {_ADVICE}"
        )
    n_slots = OPTIMIZERS[state.optimizer].n_slots
    _require_vector("memory", state.memory, n_slots * parameters.theta.size)
    rate = state.learning_rate
    if not isinstance(rate, Real) or not math.isfinite(rate) or rate < 0:
        raise ValueError(f"learning_rate={rate!r} must be a number >= 0. {_ADVICE}")
    if not _is_integer(state.t, least=0):
        raise ValueError(f"t={state.t!r} must be an integer >= 0. {_ADVICE}")
    if state.memory.dtype in (np.float64, parameters.theta.dtype):
        return state
    return state.astype(parameters.theta.dtype)


def history_from(stored: Any, parameters: Parameters) -> History:
    """Return the record of a fit.

    Parameters
    ----------
    stored : dict or History
        With the fields of a `History`.
    parameters : Parameters
        What was fitted.

    Raises
    ------
    ValueError
        If it is not a record of so many parameters.
    """
    if isinstance(stored, History):
        stored = vars(stored)
    _require_names("_history", stored, {f.name for f in fields(History)})
    history = History(**stored)
    for name in ("loss_curve", "validation_scores"):
        curve = getattr(history, name)
        if not isinstance(curve, list) or not all(isinstance(x, Real) for x in curve):
            raise ValueError(f"{name} must be a list of numbers. {_ADVICE}")
    for name in ("no_improvement_count", "n_iter", "t"):
        if not _is_integer(getattr(history, name), least=0):
            value = getattr(history, name)
            raise ValueError(f"{name}={value!r} must be an integer >= 0. {_ADVICE}")
    for name in ("best_loss", "best_validation_score", "loss"):
        if not isinstance(getattr(history, name), Real):
            raise ValueError(f"{name}={getattr(history, name)!r} must be a number. {_ADVICE}")
    if history.best_theta is not None:
        _require_vector("best_theta", history.best_theta, parameters.theta.size)
    return history


def _require_names(name: str, stored: Any, needed: set[str]) -> None:
    """Raise ValueError unless `stored` is a mapping with just these names."""
    if not isinstance(stored, Mapping) or set(stored) != needed:
        raise ValueError(f"{name} must be a dict of {sorted(needed)}. {_ADVICE}")


def _require_vector(name: str, array: Any, size: int) -> None:
    """Raise ValueError unless `array` is a vector of so many numbers in a known precision."""
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
        raise ValueError(f"{name} must be an array of float32 or float64. {_ADVICE}")
    if array.shape != (size,):
        raise ValueError(
            f"{name} has shape {array.shape}, but the layers need {(size,)}. {_ADVICE}"
        )


def _is_integer(value: Any, least: int) -> bool:
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    return is_integer and int(value) >= least


class SavingMixin:
    """What all models inherit: `save`, whose counterpart is `fastdnn.load`."""

    def save(self, path: str | os.PathLike, *, compact: bool = False) -> None:
        """Save the model to a file without code, which `fastdnn.load` reads.

        The file is in the safetensors format, with what the model is in its header. It holds
        everything, so that training can go on; it is written as a whole or not at all.

        Parameters
        ----------
        path : str or PathLike
            The file; one of that name is replaced.
        compact : bool, default=False
            Leave out the state of the optimiser, which takes twice as much as the
            parameters with ``solver='adam'``. The model predicts the same, but `partial_fit`
            will start the optimiser anew.

        Raises
        ------
        ModelFileError
            If the model has what a file cannot hold, or the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import fastdnn
        >>> network = fastdnn.DeepNeuralNetwork([2, 3, 1])
        >>> network.initialize_parameters(random_state=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "network.safetensors"
        ...     network.save(path)
        ...     same = fastdnn.load(path)
        >>> bool((same.W1 == network.W1).all())
        True
        """
        save(self, path, compact)


class EstimatorStorage(SavingMixin, BaseEstimator):
    """What `BaseDNN` inherits: its state as plain data, and back."""

    def __getstate__(self) -> dict:
        state = super().__getstate__() | {"_fastdnn_version": VERSION}
        for name in _NOT_STORED:
            state.pop(name, None)
        parameters = state.get("_parameters")
        if parameters is None:
            return state
        for attribute, own in _VIEWS.items():
            given, views = state.pop(attribute, None), getattr(parameters, own)
            replaced = _without_views(given, views)
            if replaced is not None:
                state[attribute] = replaced
        state["_parameters"] = {
            "layer_sizes": parameters.layer_sizes,
            "theta": parameters.theta,
        }
        state["_history"] = vars(state["_history"]).copy()
        kept = state["_optimizer_state"]
        if kept is not None:
            n_slots = OPTIMIZERS[kept.optimizer].n_slots
            # One of another network's is not gone on from, so it is not stored.
            fits = kept.memory.shape == (n_slots * parameters.theta.size,)
            state["_optimizer_state"] = vars(kept).copy() if fits else None
        return state

    def __setstate__(self, state: dict) -> None:
        state = dict(state)
        _warn_of_another_version(self, state.pop("_fastdnn_version", "unknown"))
        for name in _NOT_STORED:
            state.pop(name, None)
        if "_parameters" not in state:
            super().__setstate__(state)
            return
        parameters = parameters_from(state["_parameters"])
        state["_parameters"] = parameters
        state["_history"] = history_from(state.get("_history"), parameters)
        kept = state.get("_optimizer_state")
        state["_optimizer_state"] = optimizer_state_from(kept, parameters)
        for name, own in _VIEWS.items():
            state[name] = _with_views(state.get(name), getattr(parameters, own))
        super().__setstate__(state)
        try:
            checked_parameters(self)
        except AttributeError as error:
            raise ValueError(f"The state has no {error.name!r}. {_ADVICE}") from None
        self._predictor = Predictor(parameters, self._network(parameters))


def _without_views(given: Any, views: list[np.ndarray]) -> Any:
    """Return what the user put in the place of the views, with None for each view.

    None if there is nothing but the views.
    """
    if not isinstance(given, list):
        return given
    same = [l < len(views) and array is views[l] for l, array in enumerate(given)]
    if all(same) and len(same) == len(views):
        return None
    return [None if is_view else array for is_view, array in zip(same, given, strict=True)]


def _with_views(given: Any, views: list[np.ndarray]) -> Any:
    """Return the list that `_without_views` was given."""
    if given is None:
        return list(views)
    if not isinstance(given, list):
        return given
    n_views = len(views)
    return [
        views[l] if array is None and l < n_views else array for l, array in enumerate(given)
    ]


def _warn_of_another_version(model: Any, saved_by: Any) -> None:
    """Warn where another version of fastdnn has stored the model."""
    if saved_by != VERSION:
        kind = type(model).__name__
        warnings.warn(
            f"This {kind} was saved by fastdnn {saved_by} and is loaded by fastdnn {VERSION}. "
            f"If it does not work, load it with {saved_by} and save its `to_sklearn()`.",
            UserWarning,
            stacklevel=3,
        )
