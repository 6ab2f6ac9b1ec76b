"""What a model is in a file: a document of its names and numbers, and tensors.

It is made of the plain state that pickles hold too (`fastdnn/storage/pickles.py`).
"""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from fastdnn.models.consistency import checked_parameters
from fastdnn.models.transaction import twin_of
from fastdnn.models.valid_values import hidden_units, require_valid
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.storage.labels import encode_labels, encode_random_state
from fastdnn.storage.layout import BEST_THETA, CURVES, MEMORY, RANDOM_KEY, tensors_of
from fastdnn.storage.schema import SCHEMAS

# Attributes that say again what others say.
_DERIVED = {
    "n_features_in_", "n_layers_", "n_outputs_", "n_iter_", "t_", "loss_", "loss_curve_",
    "_no_improvement_count", "best_loss_", "validation_scores_", "best_validation_score_",
    "_n_targets", "coefs_", "intercepts_", "_fastdnn_version",
}  # fmt: skip
_STORED = {
    "_parameters", "_history", "_optimizer_state", "out_activation_", "feature_names_in_",
    "classes_", "_multilabel",
}  # fmt: skip
_STORED_OF_NETWORK = {
    "layer_sizes", "activations", "loss", "dtype", "theta", "_parameters", "_fastdnn_version",
}  # fmt: skip


def encode(model: Any, compact: bool) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the document and the tensors of a model.

    Parameters
    ----------
    model : DNNClassifier, DNNRegressor or DeepNeuralNetwork
        Fitted or not.
    compact : bool
        Whether to leave out the state of the optimiser.

    Raises
    ------
    ValueError
        If the model has what they cannot hold.
    """
    kind = type(model).__name__
    if kind not in SCHEMAS or type(model).__module__.partition(".")[0] != "fastdnn":
        raise ValueError(
            f"{type(model).__qualname__} is a class of your own, and a file says one of "
            f"{list(SCHEMAS)}. Pickle it, or save one of those"
        )
    if kind == "DeepNeuralNetwork":
        return _encode_network(model)
    model = twin_of(model)  # as it is now, whatever is fitted meanwhile
    require_valid(model)
    hidden_units(model.hidden_layer_sizes)
    state = model.__getstate__()
    tensors: dict[str, np.ndarray] = {}
    parameters = {}
    for name in model.get_params(deep=False):
        value = state.pop(name)
        if isinstance(value, np.random.RandomState):
            parameters[name], tensors[RANDOM_KEY] = encode_random_state(value)
        else:
            parameters[name] = _plain(value)
    _refuse_unknown(set(state) - _STORED - _DERIVED)
    document: dict[str, Any] = {"class": kind, "parameters": parameters, "fitted": None}
    if "_parameters" in state:
        document["fitted"] = _encode_fitted(model, state, tensors, compact)
    return document, tensors


def _encode_network(model: Any) -> tuple[dict, dict[str, np.ndarray]]:
    _refuse_unknown(set(model.__getstate__()) - _STORED_OF_NETWORK)
    document = {
        "class": "DeepNeuralNetwork",
        "layer_sizes": list(model.layer_sizes),
        "activations": list(model.activations),
        "loss": model.loss,
        "dtype": str(model.dtype),
    }
    return document, tensors_of(model.layer_sizes, model._parameters.theta)


def _encode_fitted(
    model: Any, state: dict, tensors: dict[str, np.ndarray], compact: bool
) -> dict:
    network = checked_parameters(model)
    tensors.update(tensors_of(network.layer_sizes, network.theta))
    fitted: dict[str, Any] = {
        "layer_sizes": list(network.layer_sizes),
        "dtype": str(network.theta.dtype),
        "out_activation": state["out_activation_"],
        "feature_name_width": None,
        "history": _encode_history(state["_history"], tensors),
        "shows_history": _shows_history(model),
        "optimizer": None,
    }
    if "feature_names_in_" in state:
        about, names = encode_labels(state["feature_names_in_"], "feature_names_in_")
        if about["kind"] != "object":
            raise ValueError("feature_names_in_ must be an array of objects that are strings")
        fitted["feature_name_width"], tensors["feature_names"] = about["width"], names
    if "classes_" in state:
        fitted["classes"], tensors["classes"] = encode_labels(state["classes_"], "classes_")
        fitted["multilabel"] = bool(state["_multilabel"])
    kept = state["_optimizer_state"]
    if kept is not None and not compact:
        n_slots = OPTIMIZERS[kept["optimizer"]].n_slots
        if kept["memory"].size == n_slots * network.theta.size:  # else it starts anew
            tensors[MEMORY] = kept["memory"].reshape(n_slots, network.theta.size)
            fitted["optimizer"] = {
                "name": kept["optimizer"],
                "dtype": str(kept["memory"].dtype),
                "learning_rate": float(kept["learning_rate"]),
                "t": int(kept["t"]),
            }
    return fitted


def _encode_history(history: dict, tensors: dict[str, np.ndarray]) -> dict:
    document = {name: _plain(value) for name, value in history.items() if name not in CURVES}
    best_theta = document.pop("best_theta")
    document["has_best_theta"] = best_theta is not None
    if best_theta is not None:
        tensors[BEST_THETA] = best_theta
    for name, count in CURVES.items():
        tensors[f"history.{name}"] = np.array(history[name], np.float64)
        document[count] = len(history[name])
    return document


def _shows_history(model: Any) -> bool:
    """Whether ``loss_curve_`` and others are there: a fit by L-BFGS has none."""
    shown = getattr(model, "loss_curve_", None)
    curve = model._state.history.loss_curve
    return shown is not None and np.array_equal(shown, curve, equal_nan=True)


def _plain(value: Any) -> Any:
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
        return [_plain(item) for item in value]
    return value


def _refuse_unknown(names: set[str]) -> None:
    if names:
        raise ValueError(
            f"the model has {sorted(names)}, which a file cannot hold. Delete them first, for "
            f"instance by delattr(model, {min(names)!r}), or pickle the model"
        )
