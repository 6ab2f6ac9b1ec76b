"""Which tensors a model file must have: their types and shapes, and what they may hold."""

import itertools
import math
from typing import Any

import numpy as np

from fastdnn.network.parameters import Parameters
from fastdnn.storage import checked_json
from fastdnn.storage.histories import CURVES, STORED_COLUMNS
from fastdnn.storage.labels import N_KEYS, decode_labels, layout_of_labels
from fastdnn.storage.training_part import (
    Layout,
    check_optimizer,
    check_training,
    layout_of_average,
    layout_of_optimizer,
    layout_of_training,
)

RANDOM_KEY = "random_state.key"
#: Where a document says which layers learn gains and shifts, and which a slope, if any do.
LAYERS_THAT_LEARN = "normalized", "sloped"
BEST_THETA = "history.best_theta"
EPOCHS = "history.epochs"


def needed_tensors(document: dict) -> Layout:
    """Return type and shape of every tensor that a document needs.

    Parameters
    ----------
    document : dict
        In agreement with its schema.

    Raises
    ------
    ValueError
        If it contradicts itself.
    """
    expected: Layout = {}
    if document["class"] == "DeepNeuralNetwork":
        return _layout_of_network(document)
    if isinstance(document["parameters"]["random_state"], dict):
        expected[RANDOM_KEY] = np.dtype(np.uint32), (N_KEYS,)
    fitted = document["fitted"]
    if fitted is None:
        return expected
    expected |= _layout_of_network(fitted)
    dtype, sizes = np.dtype(fitted["dtype"]), fitted["layer_sizes"]
    n_parameters = count_parameters(sizes, *layers_that_learn(fitted, sizes))
    for name, count in CURVES.items():
        n_items = fitted["history"].get(count)  # an earlier version has fewer curves
        if n_items is not None:
            expected[f"history.{name}"] = np.dtype(np.float64), (n_items,)
    if "n_epochs" in fitted["history"]:
        n_columns = len(STORED_COLUMNS) + len(fitted["history"]["validation_columns"])
        expected[EPOCHS] = np.dtype(np.float64), (fitted["history"]["n_epochs"], n_columns)
    if fitted["history"]["has_best_theta"]:
        expected[BEST_THETA] = dtype, (n_parameters,)
    if fitted["optimizer"] is not None:
        expected |= layout_of_optimizer(fitted["optimizer"], n_parameters)
    expected |= layout_of_average(fitted.get("average"), n_parameters, dtype)
    if fitted.get("training") is not None:
        expected |= layout_of_training(fitted["training"], fitted, n_parameters)
    if fitted["feature_name_width"] is not None:
        width = fitted["feature_name_width"]
        expected["feature_names"] = np.dtype(np.uint32), (fitted["layer_sizes"][0], width)
    if "classes" in fitted:
        _check_classes(fitted)
        expected["classes"] = layout_of_labels(fitted["classes"])
    return expected


def _layout_of_network(network: dict) -> Layout:
    dtype = np.dtype(network["dtype"])
    sizes = network["layer_sizes"]
    shapes = shapes_of_layers(sizes, *layers_that_learn(network, sizes))
    return {name: (dtype, shape) for name, shape in shapes.items()}


def layers_that_learn(document: Any, layer_sizes: Any) -> tuple[tuple[int, ...], ...]:
    """Return the positions of layers with gains and shifts, and of those with a slope.

    Raises
    ------
    ValueError
        If they are not those of hidden layers, in ascending order.
    """
    found = []
    for name in LAYERS_THAT_LEARN:
        layers = tuple(document.get(name, ()))
        n_hidden = len(layer_sizes) - 2
        are_integers = all(type(l) is int and 0 <= l < n_hidden for l in layers)
        if not are_integers or list(layers) != sorted(set(layers)):
            raise ValueError(
                f"{name}={checked_json.shown(layers)} must be positions of {n_hidden} hidden "
                "layers, in ascending order"
            )
        found.append(layers)
    return tuple(found)


def shapes_of_layers(
    layer_sizes: Any, normalized: Any = (), sloped: Any = ()
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all that layers learn, in the order of `Parameters.views`."""
    pairs = list(itertools.pairwise(layer_sizes))
    shapes: dict[str, tuple[int, ...]] = {f"coefs.{l}": pair for l, pair in enumerate(pairs)}
    for name, layers in (
        ("intercepts", range(len(pairs))),
        ("norm_gains", normalized),
        ("norm_shifts", normalized),
    ):
        shapes |= {f"{name}.{l}": (layer_sizes[l + 1],) for l in layers}
    return shapes | {f"prelu_slopes.{l}": (1,) for l in sloped}


def count_parameters(layer_sizes: Any, normalized: Any = (), sloped: Any = ()) -> int:
    """Return how many parameters such layers have."""
    shapes = shapes_of_layers(layer_sizes, normalized, sloped)
    return sum(math.prod(shape) for shape in shapes.values())


def _check_classes(fitted: dict) -> None:
    count, n_outputs = fitted["classes"]["count"], fitted["layer_sizes"][-1]
    needed = count if fitted["multilabel"] or count > 2 else 1
    activation = "softmax" if count > 2 and not fitted["multilabel"] else "logistic"
    if n_outputs != needed or fitted["out_activation"] not in (activation, "identity"):
        raise ValueError(
            f"{count} classes do not go with {n_outputs} outputs of "
            f"{fitted['out_activation']!r}"
        )


def require_tensors(found: Layout, needed: Layout) -> None:
    """Raise ValueError unless the tensors are those that a document needs."""
    for name in [*needed, *found]:
        if name not in found:
            raise ValueError(f"the tensor {name!r} is missing")
        if name not in needed:
            raise ValueError(
                f"the tensor {checked_json.shown(name)} does not belong to the model"
            )
        if found[name] != needed[name]:
            (dtype, shape), (wanted, right) = found[name], needed[name]
            raise ValueError(
                f"the tensor {name!r} is of {dtype} and shape {shape}, but the model needs "
                f"{wanted} and shape {checked_json.shown(right)}"
            )


def check_values(document: dict, tensors: dict[str, np.ndarray]) -> None:
    """Raise ValueError where a tensor has numbers that its part of a model cannot have."""
    for name, tensor in tensors.items():
        is_record = name.startswith("history.") and name != BEST_THETA
        if tensor.dtype.kind == "f" and not is_record and not np.isfinite(tensor).all():
            raise ValueError(f"{name} has NaN or infinity")
    fitted = document.get("fitted")
    if fitted and fitted["optimizer"]:
        check_optimizer(fitted["optimizer"], tensors)
    if fitted and fitted.get("training"):
        check_training(fitted["training"], tensors)
    if fitted and "classes" in fitted:
        classes = decode_labels(fitted["classes"], tensors["classes"], "classes")
        if not (classes[:-1] < classes[1:]).all():
            raise ValueError("classes are not in ascending order, each of them once")


def views_by_name(parameters: Parameters) -> dict[str, np.ndarray]:
    """Return all that each layer learns, views into the vector of a network."""
    return dict(zip(shapes_of_layers(*parameters.structure), parameters.views, strict=True))
