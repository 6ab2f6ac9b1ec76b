"""Saves and logs models by MLflow, as files of skops whose types are trusted."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from fastdnn.callbacks import Checkpoint, MLflow, ProgressBar, TensorBoard, TimeLimit
from fastdnn.storage.pickles import SKOPS_TRUSTED

# What a model may have by `set_callbacks`: who logs it has set them.
_CALLBACKS = [
    f"{kind.__module__}.{kind.__qualname__}"
    for kind in (Checkpoint, MLflow, ProgressBar, TensorBoard, TimeLimit)
]


def save_model(model: Any, path: Any, **options: Any) -> None:
    """Save a model to a folder, as ``mlflow.sklearn.save_model`` does.

    MLflow loads it by ``mlflow.sklearn.load_model`` and ``mlflow.pyfunc.load_model``, which
    need no more than the path.

    Parameters
    ----------
    model : estimator
        Fitted; of fastdnn, or of scikit-learn with such inside.
    path : str or PathLike
        The folder, which must not be there.
    **options
        As of ``mlflow.sklearn.save_model``. Types of your own that are to be trusted besides
        are given as ``skops_trusted_types``.

    Raises
    ------
    ImportError
        If MLflow is not installed.
    """
    save = mlflow_sklearn().save_model
    save(model, path, **_trusting(save, options))


def log_model(model: Any, **options: Any) -> Any:
    """Log a model to the active run, as ``mlflow.sklearn.log_model`` does.

    Parameters
    ----------
    model : estimator
        Fitted; of fastdnn, or of scikit-learn with such inside.
    **options
        As of ``mlflow.sklearn.log_model``, such as ``name``. Types of your own that are to be
        trusted besides are given as ``skops_trusted_types``.

    Returns
    -------
    mlflow.models.model.ModelInfo
        Its ``model_uri`` is what ``mlflow.sklearn.load_model`` takes.

    Raises
    ------
    ImportError
        If MLflow is not installed.
    """
    log = mlflow_sklearn().log_model
    return log(model, **_trusting(log, options))


def mlflow_sklearn() -> Any:
    """Return MLflow's module for scikit-learn.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return importlib.import_module("mlflow.sklearn")
    except ImportError as error:
        raise ImportError(
            "This needs MLflow, which is not installed. Install it with "
            "pip install 'fastdnn[mlflow]'."
        ) from error


def _trusting(function: Callable, options: dict[str, Any]) -> dict[str, Any]:
    """Return options with our types among those that are trusted."""
    name = "skops_trusted_types"
    if name not in inspect.signature(function).parameters:
        return options  # earlier versions of MLflow pickle
    return options | {name: [*SKOPS_TRUSTED, *_CALLBACKS, *(options.get(name) or [])]}
