"""Hyperparameters in a model file, and back: what JSON has no word for, and what is code."""

import math
import os
from numbers import Integral, Real
from typing import Any

import numpy as np

from fastdnn.ops.own_functions import OwnFunctions
from fastdnn.storage import checked_json
from fastdnn.storage.labels import decode_random_state, encode_random_state
from fastdnn.storage.own import with_own
from fastdnn.storage.tensors import RANDOM_KEY

#: Stands for the path of the file itself: a file from anywhere does not say where to write to.
THIS_FILE = "this file"
_TUPLES = "hidden_layer_sizes", "learning_rate_steps"


def encode_settings(model: Any, path: str | None) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the parameters of an estimator as JSON knows them, and their tensors.

    Parameters
    ----------
    model : DNNClassifier, DNNRegressor or table estimator
        With valid parameters.
    path : str or None
        The file that it is saved to.

    Raises
    ------
    ValueError
        If one is what a file cannot hold.
    """
    settings: dict[str, Any] = {}
    tensors: dict[str, np.ndarray] = {}
    for name, value in model.get_params(deep=False).items():
        if isinstance(value, np.random.RandomState):
            settings[name], tensors[RANDOM_KEY] = encode_random_state(value)
        elif name == "callbacks":
            settings[name] = None  # which are code, and only of use in a fit
        elif name == "checkpoint":
            settings[name] = THIS_FILE if _are_one_file(value, path) else None
        elif name == "class_weight":
            settings[name] = _encode_weights(value)
        else:
            settings[name] = _data(name, value)
    return settings, tensors


def decode_settings(
    settings: dict,
    tensors: dict[str, np.ndarray],
    path: str | None,
    own: list[OwnFunctions],
) -> dict[str, Any]:
    """Return the parameters of an estimator that was loaded from a file.

    Raises
    ------
    MissingOwnError
        If an activation or a loss of the user's own is not among those given.
    """
    given = with_own(settings, own)
    for name in _TUPLES:
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    if given.get("n_iter_no_change") == "inf":
        given["n_iter_no_change"] = np.inf
    if isinstance(given["random_state"], dict):
        given["random_state"] = decode_random_state(given["random_state"], tensors[RANDOM_KEY])
    if given.get("checkpoint") is not None:
        given["checkpoint"] = path
    if "class_weight" in given:
        given["class_weight"] = _decode_weights(given["class_weight"])
    return given


def plain(value: Any) -> Any:
    """Return a value in Python's own types, as JSON knows them."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim == 1):
        return [plain(item) for item in value]
    if isinstance(value, OwnFunctions):
        return value.description()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _data(name: str, value: Any) -> Any:
    data = plain(value)
    may_be_none = name == "validation" and data is None
    is_split = name in ("validation_fraction", "validation") and not may_be_none
    is_split &= not isinstance(data, int | float)
    if is_split or not _is_data(data):
        raise ValueError(
            f"{name}={checked_json.shown(value)} is an object of Python, which a file without "
            f"code cannot hold. Set {name} to a name or to numbers, if only to save the "
            "model, or pickle it"
        )
    return data


def _is_data(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_data, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_data(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)


def _are_one_file(checkpoint: Any, path: str | None) -> bool:
    if checkpoint is None or path is None:
        return False
    return os.path.realpath(os.fsdecode(checkpoint)) == os.path.realpath(path)


def _encode_weights(class_weight: Any) -> Any:
    """Return weights of classes, whose labels are no keys of JSON, as two lists."""
    if isinstance(class_weight, list | tuple):
        return [_encode_weights(weights) for weights in class_weight]
    if not isinstance(class_weight, dict):
        return class_weight
    labels = [plain(label) for label in class_weight]
    weights = [plain(weight) for weight in class_weight.values()]
    for label in labels:
        if not isinstance(label, bool | int | float | str):
            raise ValueError(
                f"class_weight has the label {checked_json.shown(label)}, which a file cannot "
                "hold. Fit with labels that are numbers or strings, or pickle the model"
            )
    return {"labels": labels, "weights": weights}


def _decode_weights(stored: Any) -> Any:
    if isinstance(stored, list):
        return [_decode_weights(weights) for weights in stored]
    if not isinstance(stored, dict):
        return stored
    labels, weights = stored["labels"], stored["weights"]
    if len(labels) != len(weights):
        raise ValueError(f"class_weight has {len(labels)} labels, but {len(weights)} weights")
    found = dict(zip(labels, weights, strict=True))
    if len(found) != len(labels):
        raise ValueError("class_weight has a label twice")
    return found
