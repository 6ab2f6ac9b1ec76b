"""What an estimator is in a pickle, a copy or a file of skops: plain data; and `save`.

The parameters are stored once, as one vector; the matrices in ``coefs_`` are views into it,
which are cut again when it is loaded. Nothing that training goes on from is left out, and
everything has its own precision. What is loaded is checked before it is taken.
"""

import os
import warnings
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from fastdnn._version import VERSION
from fastdnn.models.consistency import LEARNT_BESIDES, checked_parameters
from fastdnn.models.declarations import Hyperparameter
from fastdnn.models.transaction import twin_of
from fastdnn.prediction.predictor import Predictor
from fastdnn.storage.model_file import save
from fastdnn.storage.plain_state import ADVICE, plain_state, state_from
from fastdnn.storage.resumable import plain_resumable, resumable_from
from fastdnn.training.state import TrainingState

#: The types of this package in files of skops: ``skops.io.load(path, trusted=SKOPS_TRUSTED)``.
SKOPS_TRUSTED = [
    "fastdnn.estimators.classifier.DNNClassifier",
    "fastdnn.textbook.network.DeepNeuralNetwork",
    "fastdnn.estimators.regressor.DNNRegressor",
    "fastdnn.tables.classifier.TabularDNNClassifier",
    "fastdnn.tables.encoder.TableEncoder",
    "fastdnn.tables.regressor.TabularDNNRegressor",
]

_VIEWS = {"coefs_": "coefs", "intercepts_": "intercepts", **LEARNT_BESIDES}
# What scikit-learn's callbacks know of a fit that is running.
_OF_RUNNING_FIT = "_callback_fit_ctx", "_skl_callbacks_to_teardown", "_parent_callback_ctx"
# What is made anew, what earlier versions stored, and what nobody else has a part in.
_NOT_STORED = ("_predictor", "_incremental", *_OF_RUNNING_FIT)
# What is read from the history, or only holds during a fit.
_MADE_ANEW = (
    *("loss_curve_", "validation_scores_", "validation_loss_curve_", "history_"),
    "_validate_for_prediction",
)


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

    _hyperparameters: ClassVar[dict[str, Hyperparameter]]

    def __copy__(self) -> Any:
        if "_callback_fit_ctx" not in self.__dict__:
            copied = object.__new__(type(self))
            copied.__setstate__(self.__getstate__())
            return copied
        # scikit-learn copies the estimator in a fit, and then sets all that is learnt by then.
        copied = twin_of(self)
        for name in _OF_RUNNING_FIT:
            copied.__dict__.pop(name, None)
        return copied

    def __getstate__(self) -> dict:
        state = super().__getstate__() | {"_fastdnn_version": VERSION}
        for name in (*_NOT_STORED, *_MADE_ANEW):
            state.pop(name, None)
        training, kept = state.pop("_state", None), state.pop("_resumable", None)
        if training is None:
            return state
        if kept is not None:
            state["_resumable"] = plain_resumable(kept, training)
        for attribute, own in _VIEWS.items():
            given, views = state.pop(attribute, None), getattr(training.parameters, own)
            replaced = _without_views(given, views)
            if replaced is not None:
                state[attribute] = replaced
        return state | plain_state(training)

    def __setstate__(self, state: dict) -> None:
        state = dict(state)
        _warn_of_another_version(self, state.pop("_fastdnn_version", "unknown"))
        for name in _NOT_STORED:
            state.pop(name, None)
        for name, row in self._hyperparameters.items():
            state.setdefault(name, row.default)  # which an earlier version may not have
        if "_parameters" not in state:
            super().__setstate__(state)
            return
        state["_state"] = training = state_from(state)
        if state.get("_resumable") is not None:
            state["_resumable"] = _resumable_from(state["_resumable"], training)
        for name, own in _VIEWS.items():
            views = getattr(training.parameters, own)
            if views or name in state or name not in LEARNT_BESIDES:
                state[name] = _with_views(state.get(name), views)
        super().__setstate__(state)
        try:
            checked_parameters(self)
        except AttributeError as error:
            raise ValueError(f"The state has no {error.name!r}. {ADVICE}") from None
        self._predictor = Predictor(training.parameters, self._network(training.parameters))


def _resumable_from(plain: Any, training: TrainingState) -> TrainingState:
    try:
        return resumable_from(plain, training)
    except ValueError as error:
        raise ValueError(f"{error} {ADVICE}") from None


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
