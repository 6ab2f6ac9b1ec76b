"""What only training needs of a model, as a part of a document and tensors; and back."""

from typing import Any

import numpy as np

from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.storage.labels import N_KEYS, decode_random_state, encode_random_state
from fastdnn.storage.resumable import SAME, require_order

#: Type and shape of each tensor.
Layout = dict[str, tuple[np.dtype, tuple[int, ...]]]

_PREFIX = "training."
_ROWS = {"order": "n_order", "held_out": "n_held_out"}


def encode_optimizer(
    kept: dict[str, Any], n_parameters: int, tensors: dict[str, np.ndarray], prefix: str = ""
) -> dict[str, Any] | None:
    """Return what a document says of an optimiser's state; None if it is of other sizes."""
    n_slots = OPTIMIZERS[kept["optimizer"]].n_slots
    if kept["memory"].size != n_slots * n_parameters:  # it starts anew
        return None
    tensors[f"{prefix}optimizer.memory"] = kept["memory"].reshape(n_slots, n_parameters)
    return {
        "name": kept["optimizer"],
        "dtype": str(kept["memory"].dtype),
        "learning_rate": float(kept["learning_rate"]),
        "t": int(kept["t"]),
    }


def decode_optimizer(
    said: dict[str, Any], tensors: dict[str, np.ndarray], prefix: str = ""
) -> dict[str, Any]:
    """Return an optimiser's state as plain data."""
    return {
        "optimizer": said["name"],
        "memory": tensors[f"{prefix}optimizer.memory"].ravel(),
        "learning_rate": float(said["learning_rate"]),
        "t": said["t"],
    }


def layout_of_optimizer(said: dict[str, Any], n_parameters: int, prefix: str = "") -> Layout:
    """Return the tensors of an optimiser's state."""
    shape = OPTIMIZERS[said["name"]].n_slots, n_parameters
    return {f"{prefix}optimizer.memory": (np.dtype(said["dtype"]), shape)}


def encode_average(
    average: dict[str, Any] | None, tensors: dict[str, np.ndarray], prefix: str = ""
) -> dict[str, Any] | None:
    """Return what a document says of an average of the parameters."""
    if average is None:
        return None
    tensors[f"{prefix}average.theta"] = average["theta"]
    if average["last"] is not None:
        tensors[f"{prefix}average.last"] = average["last"]
    n_epochs = average["n_epochs"]
    return {
        "n_epochs": None if n_epochs is None else int(n_epochs),
        "has_last": average["last"] is not None,
    }


def decode_average(
    said: dict[str, Any] | None, tensors: dict[str, np.ndarray], prefix: str = ""
) -> dict[str, Any] | None:
    """Return an average as plain data."""
    if said is None:
        return None
    return {
        "theta": tensors[f"{prefix}average.theta"],
        "n_epochs": said["n_epochs"],
        "last": tensors.get(f"{prefix}average.last"),
    }


def layout_of_average(
    said: dict[str, Any] | None, n_parameters: int, dtype: np.dtype, prefix: str = ""
) -> Layout:
    """Return the tensors of an average."""
    if said is None:
        return {}
    of_theta = dtype if said["n_epochs"] is None else np.dtype(np.float64)
    layout: Layout = {f"{prefix}average.theta": (of_theta, (n_parameters,))}
    if said["has_last"]:
        layout[f"{prefix}average.last"] = dtype, (n_parameters,)
    return layout


def encode_training(
    kept: dict[str, Any], dtype: np.dtype, n_parameters: int, tensors: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Return what a document says of what a fit goes on from.

    Parameters
    ----------
    kept : dict
        From `fastdnn.storage.resumable.plain_resumable`.
    dtype : dtype
        Of the network.
    n_parameters : int
        Of it.
    tensors : dict
        Gets those that belong to it.
    """
    theta, optimizer, random_state = kept["theta"], kept["optimizer"], kept["random_state"]
    has_theta = not isinstance(theta, str)
    if has_theta:
        tensors[f"{_PREFIX}theta"] = theta
    if optimizer is not None and not isinstance(optimizer, str):
        optimizer = encode_optimizer(optimizer, n_parameters, tensors, _PREFIX)
    if kept["best_theta"] is not None:
        tensors[f"{_PREFIX}best_theta"] = kept["best_theta"]
    if random_state is not None:
        random_state, tensors[f"{_PREFIX}random_state.key"] = encode_random_state(random_state)
    said: dict[str, Any] = {
        "dtype": str(theta.dtype if has_theta else dtype),
        "has_theta": has_theta,
        "optimizer": optimizer,
        "has_best_theta": kept["best_theta"] is not None,
        "average": encode_average(kept["average"], tensors, _PREFIX),
        "random_state": random_state,
        **{name: int(kept[name]) for name in ("n_rows", "rows_done")},
        "loss_sum": float(kept["loss_sum"]),
    }
    for name, count in _ROWS.items():
        rows = kept[name]
        said[count] = None if rows is None else len(rows)
        if rows is not None:
            tensors[f"{_PREFIX}{name}"] = rows
    return said


def layout_of_training(said: dict[str, Any], fitted: dict, n_parameters: int) -> Layout:
    """Return the tensors of what a fit goes on from.

    Raises
    ------
    ValueError
        If it contradicts itself.
    """
    dtype, layout = np.dtype(said["dtype"]), dict[str, tuple[np.dtype, tuple[int, ...]]]()
    if said["has_theta"]:
        layout[f"{_PREFIX}theta"] = dtype, (n_parameters,)
    elif said["dtype"] != fitted["dtype"]:
        raise ValueError(
            f"training.dtype={said['dtype']!r} is not that of the parameters, which it shares"
        )
    if isinstance(said["optimizer"], dict):
        layout |= layout_of_optimizer(said["optimizer"], n_parameters, _PREFIX)
    elif said["optimizer"] == SAME and fitted["optimizer"] is None:
        raise ValueError("training.optimizer is that of the model, which has none")
    if said["has_best_theta"]:
        layout[f"{_PREFIX}best_theta"] = dtype, (n_parameters,)
    layout |= layout_of_average(said["average"], n_parameters, dtype, _PREFIX)
    if said["random_state"] is not None:
        layout[f"{_PREFIX}random_state.key"] = np.dtype(np.uint32), (N_KEYS,)
    for name, count in _ROWS.items():
        if said[count] is not None:
            layout[f"{_PREFIX}{name}"] = np.dtype(np.int64), (said[count],)
    return layout


def check_training(said: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Raise ValueError where an order of rows is none, or squares are below zero."""
    order, held_out = (tensors.get(f"{_PREFIX}{name}") for name in _ROWS)
    require_order(order, held_out, said["n_rows"], said["rows_done"])
    if isinstance(said["optimizer"], dict):
        check_optimizer(said["optimizer"], tensors, _PREFIX)


def check_optimizer(
    said: dict[str, Any], tensors: dict[str, np.ndarray], prefix: str = ""
) -> None:
    """Raise ValueError where an optimiser remembers squares below zero."""
    name = f"{prefix}optimizer.memory"
    for slot in OPTIMIZERS[said["name"]].squares:
        if (tensors[name][slot] < 0).any():
            raise ValueError(f"{name} has a second moment below zero")


def decode_training(said: dict[str, Any], tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return what a fit goes on from as plain data."""
    optimizer, random_state = said["optimizer"], said["random_state"]
    if isinstance(optimizer, dict):
        optimizer = decode_optimizer(optimizer, tensors, _PREFIX)
    if random_state is not None:
        key = tensors[f"{_PREFIX}random_state.key"]
        random_state = decode_random_state(random_state, key)
    return {
        "theta": tensors[f"{_PREFIX}theta"] if said["has_theta"] else SAME,
        "optimizer": optimizer,
        "best_theta": tensors.get(f"{_PREFIX}best_theta"),
        "average": decode_average(said["average"], tensors, _PREFIX),
        "random_state": random_state,
        **{name: tensors.get(f"{_PREFIX}{name}") for name in _ROWS},
        **{name: said[name] for name in ("n_rows", "rows_done")},
        "loss_sum": float(said["loss_sum"]),
    }
