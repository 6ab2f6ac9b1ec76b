"""What a table estimator is in a model file: counts in its document, and tensors of them.

The estimator says what it is, and takes it again (`fastdnn.tables.plain`); here is what a file
must have for that.
"""

from typing import Any

import numpy as np

from fastdnn.storage.labels import N_KEYS, decode_labels, layout_of_labels
from fastdnn.storage.settings import decode_settings, encode_settings
from fastdnn.storage.tensors import RANDOM_KEY, Layout, count_parameters

#: The classes of models that are stored like this.
TABLE_MODELS = "TabularDNNClassifier", "TabularDNNRegressor"

# Numbers of an encoder, of a column of numbers, and limits of a target.
_OF_ENCODER, _OF_NUMBER, _OF_TARGET = 5, 2, 4


def encode_table_model(
    model: Any, path: str | None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the document and the tensors of a table estimator.

    Raises
    ------
    ValueError
        If it has what they cannot hold.
    """
    model._validate_params()
    settings, tensors = encode_settings(model, path)
    fitted, learnt = model._to_plain()
    document = {"class": type(model).__name__, "parameters": settings, "fitted": fitted}
    return document, tensors | learnt


def decode_table_model(
    kind: type, document: dict[str, Any], tensors: dict[str, np.ndarray], path: str | None
) -> Any:
    """Return the model of a document and tensors.

    Raises
    ------
    ValueError
        If they are not those of a model.
    """
    model = kind(**decode_settings(document["parameters"], tensors, path, []))
    model._validate_params()
    if document["fitted"] is not None:
        model._take_plain(document["fitted"], tensors)
    return model


def layout_of_table_model(document: dict[str, Any]) -> Layout:
    """Return type and shape of every tensor that a document needs.

    Raises
    ------
    ValueError
        If it contradicts itself.
    """
    expected: Layout = {}
    if isinstance(document["parameters"]["random_state"], dict):
        expected[RANDOM_KEY] = np.dtype(np.uint32), (N_KEYS,)
    fitted = document["fitted"]
    if fitted is None:
        return expected
    sizes = fitted["layer_sizes"]
    real, integer, byte = np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.uint8)
    n_columns, n_levels = fitted["n_columns"], fitted["n_levels"]
    n_networks = fitted["n_members"] * fitted["n_kept"]
    expected |= {
        "encoders": (integer, (fitted["n_encoders"], _OF_ENCODER)),
        "numbers": (real, (fitted["n_numbers"], _OF_NUMBER)),
        "edges": (real, (fitted["n_edges"],)),
        "means": (real, (fitted["n_means"],)),
        "columns.kinds": (byte, (n_columns,)),
        "columns.words": (byte, (n_columns,)),
        "columns.text": (byte, (fitted["column_bytes"],)),
        "columns.ends": (integer, (n_columns,)),
        "dropped.text": (byte, (fitted["dropped_bytes"],)),
        "dropped.ends": (integer, (2 * fitted["n_dropped"],)),
        "levels.kinds": (byte, (n_levels,)),
        "levels.integers": (integer, (n_levels,)),
        "levels.floats": (real, (n_levels,)),
        "levels.text": (byte, (fitted["level_bytes"],)),
        "levels.ends": (integer, (n_levels,)),
        "networks": (np.dtype(np.float32), (n_networks, count_parameters(sizes))),
        "cycles": (real, (fitted["n_cycles"], 2)),
        "scores": (real, (fitted["n_scores"],)),
    }
    n_scores = 1 if "classes" in fitted else sizes[-1]
    expected["calibration"] = real, (sum(fitted["calibrated"]), n_scores)
    if "classes" in fitted:
        expected["classes"] = layout_of_labels(fitted["classes"])
        n_outputs = fitted["classes"]["count"]
        if n_outputs < 2 or n_outputs != sizes[-1]:
            raise ValueError(f"{n_outputs} classes do not go with {sizes[-1]} outputs")
    else:
        expected["targets"] = real, (_OF_TARGET, sizes[-1])
    return expected


def check_values_of_table_model(
    document: dict[str, Any], tensors: dict[str, np.ndarray]
) -> None:
    """Raise ValueError where a tensor has numbers that its part of a model cannot have."""
    for name, tensor in tensors.items():
        # A level may be infinite, and a loss as well.
        may_be_large = name in ("levels.floats", "scores")
        if tensor.dtype.kind == "f" and not may_be_large and not np.isfinite(tensor).all():
            raise ValueError(f"{name} has NaN or infinity")
    fitted = document["fitted"]
    if fitted is not None and "classes" in fitted:
        classes = decode_labels(fitted["classes"], tensors["classes"], "classes")
        if not (classes[:-1] < classes[1:]).all():
            raise ValueError("classes are not in ascending order, each of them once")
