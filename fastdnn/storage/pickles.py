"""What an estimator is in a pickle, a copy or a file of skops: plain data; and `save`.

The parameters are stored once, as one vector; the matrices in ``coefs_`` are views into it,
which are cut again when it is loaded. Nothing that training goes on from is left out, and
everything has its own precision. What is loaded is checked before it is taken.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from fastdnn._version import VERSION
from fastdnn.models.consistency import checked_parameters
from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.prediction.predictor import Predictor
from fastdnn.storage.model_file import save
from fastdnn.storage.tensors import count_parameters
from fastdnn.training.history import History
from fastdnn.training.state import OptimizerState, TrainingState

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


def stored_training(training: TrainingState) -> dict[str, Any]:
    """Return a state as plain data, in the three parts that earlier versions had."""
    parameters, optimizer = training.parameters, training.optimizer
    if optimizer is not None and not optimizer.fits(parameters):
        optimizer = None  # one of another network's is not gone on from
    return {
        "_parameters": {"layer_sizes": parameters.layer_sizes, "theta": parameters.theta},
        "_history": vars(training.history) | {"best_theta": training.best_theta},
        "_optimizer_state": None if optimizer is None else vars(optimizer).copy(),
    }


def training_from(state: dict[str, Any]) -> TrainingState:
    """Return what training goes on from, whose three parts are taken out of a plain state.

    Raises
    ------
    ValueError
        If they are not those of a `TrainingState`, or do not fit each other.
    """
    parameters = _parameters_from(state.pop("_parameters"))
    n_parameters = parameters.theta.size
    stored = _dict_of("_history", state.pop("_history", None), History, "best_theta")
    best_theta = stored.pop("best_theta")
    if best_theta is not None:
        _require_vector("best_theta", best_theta, n_parameters)
    history = History(**stored)
    for field in fields(History):
        value = getattr(history, field.name)
        kind, is_right = _KINDS[field.type]
        if not is_right(value):
            raise ValueError(f"{field.name}={value!r} must be {kind}. {_ADVICE}")
    optimizer, given = None, state.pop("_optimizer_state", None)
    if given is not None:
        optimizer = OptimizerState(**_dict_of("_optimizer_state", given, OptimizerState))
        problem = optimizer.problem()
        if problem is not None:
            raise ValueError(f"{problem} {_ADVICE}")
        n_slots = OPTIMIZERS[optimizer.optimizer].n_slots
        _require_vector("memory", optimizer.memory, n_slots * n_parameters)
        if optimizer.memory.dtype not in (np.float64, parameters.theta.dtype):
            optimizer = optimizer.astype(parameters.theta.dtype)
    return TrainingState(parameters, history, optimizer, best_theta)


def _parameters_from(stored: Any) -> Parameters:
    if isinstance(stored, Parameters):  # as fastdnn 0.2 stored them, and as files are read
        _require_vector("theta", stored.theta, stored.theta.size)
        return stored
    stored = _dict_of("_parameters", stored, None, "layer_sizes", "theta")
    sizes, theta = stored["layer_sizes"], stored["theta"]
    is_sequence = isinstance(sizes, tuple | list) and len(sizes) > 1
    if not is_sequence or not all(_is_count(size) and size > 0 for size in sizes):
        raise ValueError(
            f"layer_sizes={sizes!r} must be two or more positive integers. {_ADVICE}"
        )
    sizes = [int(size) for size in sizes]
    _require_vector("theta", theta, count_parameters(sizes))
    return Parameters(sizes, theta.dtype, np.array(theta))


def _dict_of(name: str, stored: Any, kind: type | None, *more: str) -> dict[str, Any]:
    """Return a copy of a mapping that has the fields of a dataclass, and more."""
    if kind is not None and isinstance(stored, kind):  # as fastdnn 0.2 stored it
        stored = vars(stored)
    needed = {*more, *(field.name for field in (fields(kind) if kind else ()))}
    if not isinstance(stored, Mapping) or set(stored) != needed:
        raise ValueError(f"{name} must be a dict of {sorted(needed)}. {_ADVICE}")
    return dict(stored)


def _require_vector(name: str, array: Any, size: int) -> None:
    """Raise ValueError unless `array` is a vector of so many numbers in a known precision."""
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
        raise ValueError(f"{name} must be an array of float32 or float64. {_ADVICE}")
    if array.shape != (size,):
        raise ValueError(
            f"{name} has shape {array.shape}, but the layers need {(size,)}. {_ADVICE}"
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


# What fields of a `History` must be, by their types.
_KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    bool: ("True or False", lambda value: isinstance(value, bool | np.bool_)),
    int: ("an integer >= 0", _is_count),
    float: ("a number", lambda value: isinstance(value, Real)),
    list[float]: (
        "a list of numbers",
        lambda value: isinstance(value, list) and all(isinstance(x, Real) for x in value),
    ),
}


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
        training = state.pop("_state", None)
        if training is None:
            return state
        for attribute, own in _VIEWS.items():
            given, views = state.pop(attribute, None), getattr(training.parameters, own)
            replaced = _without_views(given, views)
            if replaced is not None:
                state[attribute] = replaced
        return state | stored_training(training)

    def __setstate__(self, state: dict) -> None:
        state = dict(state)
        _warn_of_another_version(self, state.pop("_fastdnn_version", "unknown"))
        for name in _NOT_STORED:
            state.pop(name, None)
        if "_parameters" not in state:
            super().__setstate__(state)
            return
        state["_state"] = training = training_from(state)
        for name, own in _VIEWS.items():
            state[name] = _with_views(state.get(name), getattr(training.parameters, own))
        super().__setstate__(state)
        try:
            checked_parameters(self)
        except AttributeError as error:
            raise ValueError(f"The state has no {error.name!r}. {_ADVICE}") from None
        self._predictor = Predictor(training.parameters, self._network(training.parameters))


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
