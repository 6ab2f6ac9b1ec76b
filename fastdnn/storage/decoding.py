"""A model from what a file says, found to agree with its schema and its layout."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastdnn.models.valid_values import hidden_units, require_valid
from fastdnn.network.parameters import Parameters
from fastdnn.storage.labels import decode_labels, decode_random_state
from fastdnn.storage.layout import (
    BEST_THETA,
    CURVES,
    MEMORY,
    RANDOM_KEY,
    Layout,
    count_parameters,
    tensors_of,
)
from fastdnn.training.history import History


def arrays_for(document: dict, expected: Layout) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return an empty vector of all parameters, and an empty array for each tensor.

    Those of the layers are views into the vector.
    """
    network = document if document["class"] == "DeepNeuralNetwork" else document["fitted"]
    theta, tensors = np.empty(0), {}
    if network is not None:
        theta = np.empty(count_parameters(network["layer_sizes"]), network["dtype"])
        tensors = tensors_of(network["layer_sizes"], theta)
    for name, (dtype, shape) in expected.items():
        if name not in tensors:
            tensors[name] = np.empty(shape, dtype)
    return theta, tensors


def decode(
    document: dict,
    theta: np.ndarray,
    tensors: dict[str, np.ndarray],
    classes: Mapping[str, type],
) -> Any:
    """Return the model.

    Parameters
    ----------
    document : dict
        From `encode`.
    theta : ndarray of shape (n_parameters,)
        All weights and biases.
    tensors : dict of ndarray
        From `encode`.
    classes : dict of str to type
        The class of each name that a document can say.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have.
    """
    if document["class"] == "DeepNeuralNetwork":
        *hidden, output = document["activations"]
        sizes, loss, dtype = (document[name] for name in ("layer_sizes", "loss", "dtype"))
        network: Any = classes["DeepNeuralNetwork"](sizes, hidden, output, loss, dtype)
        network._parameters.theta[:] = theta
        return network
    parameters = dict(document["parameters"])
    if isinstance(parameters["hidden_layer_sizes"], list):
        parameters["hidden_layer_sizes"] = tuple(parameters["hidden_layer_sizes"])
    if parameters["n_iter_no_change"] == "inf":
        parameters["n_iter_no_change"] = np.inf
    if isinstance(parameters["random_state"], dict):
        key = tensors[RANDOM_KEY]
        parameters["random_state"] = decode_random_state(parameters["random_state"], key)
    model: Any = classes[document["class"]](**parameters)
    require_valid(model)
    hidden_units(model.hidden_layer_sizes)
    if document["fitted"] is not None:
        state = model.__getstate__() | _fitted_state(document["fitted"], theta, tensors)
        model.__setstate__(state)
    return model


def _fitted_state(fitted: dict, theta: np.ndarray, tensors: dict[str, np.ndarray]) -> dict:
    """Return the fitted part of what `__getstate__` gave."""
    sizes = tuple(fitted["layer_sizes"])
    history = _history(fitted["history"], tensors)
    state = {
        "n_features_in_": sizes[0],
        "n_layers_": len(sizes),
        "n_outputs_": sizes[-1],
        "out_activation_": fitted["out_activation"],
        "_parameters": Parameters(sizes, theta.dtype, theta),
        "_history": vars(history) | {"best_theta": tensors.get(BEST_THETA)},
        "_optimizer_state": None,
        "n_iter_": history.n_iter,
        "t_": history.t,
        "loss_": history.loss,
    }
    if fitted["optimizer"] is not None:
        state["_optimizer_state"] = {
            "optimizer": fitted["optimizer"]["name"],
            "memory": tensors[MEMORY].ravel(),
            "learning_rate": float(fitted["optimizer"]["learning_rate"]),
            "t": fitted["optimizer"]["t"],
        }
    if fitted["feature_name_width"] is not None:
        about = {"kind": "object", "width": fitted["feature_name_width"]}
        names = decode_labels(about, tensors["feature_names"], "feature_names")
        state["feature_names_in_"] = names
    if "classes" in fitted:
        state["classes_"] = decode_labels(fitted["classes"], tensors["classes"], "classes")
        state["_multilabel"] = fitted["multilabel"]
    else:
        state["_n_targets"] = sizes[-1]
    if fitted["shows_history"]:
        early = history.early_stopping
        state |= {
            "loss_curve_": history.loss_curve,
            "_no_improvement_count": history.no_improvement_count,
            "best_loss_": None if early else history.best_loss,
            "validation_scores_": history.validation_scores if early else None,
            "best_validation_score_": history.best_validation_score if early else None,
        }
    return state


def _history(document: dict, tensors: dict[str, np.ndarray]) -> History:
    fields = {name: document[name] for name in ("early_stopping", "n_iter", "t")}
    fields["no_improvement_count"] = document["no_improvement_count"]
    for name in ("best_loss", "best_validation_score", "loss"):
        fields[name] = float(document[name])
    for name in CURVES:
        fields[name] = tensors[f"history.{name}"].tolist()
    return History(**fields)
