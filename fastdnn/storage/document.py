"""What a model is in a file, a document of its names and numbers and tensors; and back.

Both are made of the plain data that pickles hold too (`fastdnn/storage/pickles.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastdnn.models.consistency import LEARNT_BESIDES, checked_parameters
from fastdnn.models.transaction import twin_of
from fastdnn.models.valid_combinations import require_fitting
from fastdnn.models.valid_values import require_valid
from fastdnn.network.parameters import Parameters
from fastdnn.ops.own_functions import OwnFunctions
from fastdnn.ops.several_outputs import n_targets_of
from fastdnn.storage.histories import (
    CURVES,
    history_from,
    plain_history,
    stored_columns,
    with_all_columns,
)
from fastdnn.storage.labels import decode_labels, encode_labels
from fastdnn.storage.plain_state import ADVICE
from fastdnn.storage.schema import schemas
from fastdnn.storage.settings import decode_settings, encode_settings, plain
from fastdnn.storage.table_models import (
    TABLE_MODELS,
    check_values_of_table_model,
    decode_table_model,
    encode_table_model,
    layout_of_table_model,
)
from fastdnn.storage.tensors import (
    BEST_THETA,
    EPOCHS,
    LAYERS_THAT_LEARN,
    Layout,
    check_values,
    count_parameters,
    layers_that_learn,
    needed_tensors,
    views_by_name,
)
from fastdnn.storage.training_part import (
    decode_average,
    decode_optimizer,
    decode_training,
    encode_average,
    encode_optimizer,
    encode_training,
)
from fastdnn.training.history import History

# Attributes that a file has, and those that say again what others say.
_STORED = {
    "_parameters", "_history", "_optimizer_state", "out_activation_", "feature_names_in_",
    "classes_", "_multilabel", "_average", "_resumable",
}  # fmt: skip
_DERIVED = {
    *("n_features_in_", "n_layers_", "n_outputs_", "_n_targets", "coefs_", "intercepts_"),
    *LEARNT_BESIDES,
    *("_fastdnn_version", *History().shown(), "loss_curve_", "validation_scores_"),
}
#: Code of the user's, which is told of fits and says nothing of the model.
LEFT_OUT = {"_skl_callbacks"}
_STORED_OF_NETWORK = {
    "layer_sizes", "activations", "loss", "loss_parameter", "normalizations", "dtype",
    "theta", "_parameters", "_fastdnn_version",
}  # fmt: skip


def require_known(model: Any) -> None:
    """Raise ValueError where a file has no word for the class of a model."""
    kind = type(model)
    if kind.__name__ not in schemas() or kind.__module__.partition(".")[0] != "fastdnn":
        raise ValueError(
            f"{kind.__qualname__} is a class of your own, and a file says one of "
            f"{list(schemas())}. Pickle it, or save one of those"
        )


def encode(
    model: Any, compact: bool, path: str | None = None
) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the document and the tensors of a model.

    Parameters
    ----------
    model : DNNClassifier, DNNRegressor, DeepNeuralNetwork or table estimator
        Fitted or not.
    compact : bool
        Whether to leave out the state of the optimiser, and what else only training needs.
    path : str, optional
        The file that it is saved to.

    Raises
    ------
    ValueError
        If the model has what they cannot hold.
    """
    require_known(model)
    kind = type(model).__name__
    if kind == "DeepNeuralNetwork":
        return _encode_network(model)
    if kind in TABLE_MODELS:
        return encode_table_model(twin_of(model), path)
    model = twin_of(model)  # as it is now, whatever is fitted meanwhile
    require_valid(model)
    require_fitting(model)
    state = model.__getstate__()
    if "estimators_" in state:
        raise ValueError(
            f"it has {len(state['estimators_'])} members, but a file holds one network. Save "
            "each of estimators_, or pickle the model"
        )
    settings, tensors = encode_settings(model, path)
    for name in settings:
        del state[name]
    _refuse_unknown(set(state) - _STORED - _DERIVED - LEFT_OUT)
    document: dict[str, Any] = {"class": kind, "parameters": settings, "fitted": None}
    if "_parameters" in state:
        document["fitted"] = _encode_fitted(model, state, tensors, compact)
    return document, tensors


def _encode_network(model: Any) -> tuple[dict, dict[str, np.ndarray]]:
    _refuse_unknown(set(model.__getstate__()) - _STORED_OF_NETWORK)
    for used in (*model.activations, model.loss):
        if not isinstance(used, str):
            raise ValueError(
                f"A model file holds no code, but the network has {used!r}. Use pickle, which "
                "imports its functions, or save a network of named functions."
            )
    document: dict[str, Any] = {
        "class": "DeepNeuralNetwork",
        "layer_sizes": list(model.layer_sizes),
        "activations": list(model.activations),
        "loss": model.loss,
        "dtype": str(model.dtype),
    }
    parameter = model.loss_parameter
    if parameter is not None:
        numbers = np.asarray(parameter, np.float64)
        document["loss_parameter"] = numbers.tolist()
    for name, layers in zip(LAYERS_THAT_LEARN, model._parameters.structure[1:], strict=True):
        if layers:
            document[name] = list(layers)
    return document, views_by_name(model._parameters)


def _encode_fitted(
    model: Any, state: dict, tensors: dict[str, np.ndarray], compact: bool
) -> dict:
    network = checked_parameters(model)
    tensors.update(views_by_name(network))
    fitted: dict[str, Any] = {
        "layer_sizes": list(network.layer_sizes),
        "dtype": str(network.theta.dtype),
        "out_activation": state["out_activation_"],
        "feature_name_width": None,
        "history": _encode_history(dict(state["_history"]), tensors),
        "shows_history": _shows_history(model),
        "optimizer": None,
        "seed": state["_parameters"].get("seed"),
        "average": None,
        "training": None,
    }
    for name, layers in zip(LAYERS_THAT_LEARN, network.structure[1:], strict=True):
        fitted[name] = list(layers)
    if "feature_names_in_" in state:
        about, names = encode_labels(state["feature_names_in_"], "feature_names_in_")
        if about["kind"] != "object":
            raise ValueError("feature_names_in_ must be an array of objects that are strings")
        fitted["feature_name_width"], tensors["feature_names"] = about["width"], names
    if "classes_" in state:
        fitted["classes"], tensors["classes"] = encode_labels(state["classes_"], "classes_")
        fitted["multilabel"] = bool(state["_multilabel"])
    if compact:
        return fitted
    optimizer, n_parameters = state["_optimizer_state"], network.theta.size
    if optimizer is not None:
        fitted["optimizer"] = encode_optimizer(optimizer, n_parameters, tensors)
    if network is model._state.parameters:  # others were not trained like that
        fitted["average"] = encode_average(state.get("_average"), tensors)
        kept = state.get("_resumable")
        if kept is not None:
            dtype = network.theta.dtype
            fitted["training"] = encode_training(kept, dtype, n_parameters, tensors)
    return fitted


def _encode_history(history: dict, tensors: dict[str, np.ndarray]) -> dict:
    table = history.pop("epochs")
    document = {name: plain(value) for name, value in history.items() if name not in CURVES}
    best_theta = document.pop("best_theta")
    document["has_best_theta"] = best_theta is not None
    if best_theta is not None:
        tensors[BEST_THETA] = best_theta
    for name, count in CURVES.items():
        tensors[f"history.{name}"] = np.array(history[name], np.float64)
        document[count] = len(history[name])
    tensors[EPOCHS], document["n_epochs"] = stored_columns(table), len(table)
    return document


def _shows_history(model: Any) -> bool:
    """Whether ``loss_curve_`` and others are there: a fit by L-BFGS has none."""
    return hasattr(model, "loss_curve_")


def _refuse_unknown(names: set[str]) -> None:
    if names:
        raise ValueError(
            f"the model has {sorted(names)}, which a file cannot hold. Delete them first, for "
            f"instance by delattr(model, {min(names)!r}), or pickle the model"
        )


# -- back ---------------------------------------------------------------------------------


def layout_of(document: dict) -> Layout:
    """Return type and shape of every tensor that a document needs.

    Raises
    ------
    ValueError
        If it contradicts itself.
    """
    if document["class"] in TABLE_MODELS:
        return layout_of_table_model(document)
    return needed_tensors(document)


def check_content(document: dict, tensors: dict[str, np.ndarray]) -> None:
    """Raise ValueError where a tensor has numbers that its part of a model cannot have."""
    is_table_model = document["class"] in TABLE_MODELS
    check = check_values_of_table_model if is_table_model else check_values
    check(document, tensors)


def empty_arrays(
    document: dict, needed: Layout
) -> tuple[Parameters | None, dict[str, np.ndarray]]:
    """Return a network, and an array for each tensor, to be filled.

    Those of the layers are views into the vector of the network; a table estimator has
    several, and none here.
    """
    network = document if document["class"] == "DeepNeuralNetwork" else document["fitted"]
    parameters, tensors = None, {}
    if network is not None and document["class"] not in TABLE_MODELS:
        sizes, dtype = network["layer_sizes"], network["dtype"]
        normalized, sloped = layers_that_learn(network, sizes)
        theta = np.empty(count_parameters(sizes, normalized, sloped), dtype)
        parameters = Parameters(sizes, dtype, theta, normalized=normalized, sloped=sloped)
        tensors = views_by_name(parameters)
    for name, (dtype, shape) in needed.items():
        if name not in tensors:
            tensors[name] = np.empty(shape, dtype)
    return parameters, tensors


def decode(
    document: dict,
    parameters: Parameters | None,
    tensors: dict[str, np.ndarray],
    classes: Mapping[str, type],
    path: str | None = None,
    own: Sequence[OwnFunctions] = (),
) -> Any:
    """Return the model.

    Parameters
    ----------
    document : dict
        From `encode`.
    parameters : Parameters or None
        The network, if the model has one.
    tensors : dict of ndarray
        From `encode`.
    classes : dict of str to type
        The class of each name that a document can say.
    path : str, optional
        The file that it comes from.
    own : sequence of Activation and Loss
        The user's own that it may have.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have, or is not given.
    """
    if document["class"] in TABLE_MODELS:
        return decode_table_model(classes[document["class"]], document, tensors, path)
    if document["class"] == "DeepNeuralNetwork" and parameters is not None:
        return _decode_network(document, parameters, classes["DeepNeuralNetwork"])
    given = decode_settings(document["parameters"], tensors, path, list(own))
    model: Any = classes[document["class"]](**given)
    require_valid(model)
    require_fitting(model)
    if parameters is not None:
        fitted = _decode_fitted(document["fitted"], parameters, tensors)
        model.__setstate__(model.__getstate__() | fitted)
    return model


def _decode_network(document: dict, parameters: Parameters, kind: Any) -> Any:
    *hidden, output = document["activations"]
    sizes, loss, dtype = (document[name] for name in ("layer_sizes", "loss", "dtype"))
    parameter = document.get("loss_parameter")
    normalized = document.get("normalized", ())
    network = kind(
        sizes,
        hidden,
        output,
        loss,
        dtype,
        loss_parameter=tuple(parameter) if isinstance(parameter, list) else parameter,
        normalization=["layer" if l in normalized else None for l in range(len(hidden))],
    )
    if network._parameters.structure != parameters.structure:
        raise ValueError(
            f"sloped={list(parameters.sloped)} are not the layers of {hidden} whose "
            "activation learns a slope"
        )
    network._parameters.theta[:] = parameters.theta
    return network


def _decode_fitted(
    fitted: dict, parameters: Parameters, tensors: dict[str, np.ndarray]
) -> dict:
    """Return the fitted part of what `__getstate__` gave."""
    sizes = parameters.layer_sizes
    history = _decode_history(fitted["history"], tensors)
    state = {
        "n_features_in_": sizes[0],
        "n_layers_": len(sizes),
        "n_outputs_": sizes[-1],
        "out_activation_": fitted["out_activation"],
        "_parameters": parameters,
        "_seed": fitted.get("seed"),
        "_history": plain_history(history) | {"best_theta": tensors.get(BEST_THETA)},
        "_optimizer_state": None,
    }
    if fitted["optimizer"] is not None:
        state["_optimizer_state"] = decode_optimizer(fitted["optimizer"], tensors)
    if fitted.get("average") is not None:  # which an earlier version does not have
        state["_average"] = decode_average(fitted["average"], tensors)
    if fitted.get("training") is not None:
        state["_resumable"] = decode_training(fitted["training"], tensors)
    if fitted["feature_name_width"] is not None:
        about = {"kind": "object", "width": fitted["feature_name_width"]}
        names = decode_labels(about, tensors["feature_names"], "feature_names")
        state["feature_names_in_"] = names
    if "classes" in fitted:
        state["classes_"] = decode_labels(fitted["classes"], tensors["classes"], "classes")
        state["_multilabel"] = fitted["multilabel"]
    else:
        state["_n_targets"] = n_targets_of(fitted["out_activation"], sizes[-1])
    return state | history.shown(with_curves=fitted["shows_history"])


def _decode_history(document: dict, tensors: dict[str, np.ndarray]) -> History:
    fields: dict[str, Any] = {
        name: tensors[f"history.{name}"].tolist()
        for name in CURVES
        if f"history.{name}" in tensors
    }
    for name in ("best_loss", "best_validation_score", "loss"):
        fields[name] = float(document[name])
    for name in ("early_stopping", "no_improvement_count", "n_iter", "t"):
        fields[name] = document[name]
    if EPOCHS in tensors:
        fields["is_validated"] = document["is_validated"]
        fields["validation_columns"] = document["validation_columns"]
        fields["epochs"] = with_all_columns(tensors[EPOCHS])
    return history_from(fields, ADVICE)
