"""Classes, names and random states as tensors of a model file, and back."""

from typing import Any

import numpy as np

from fastdnn.storage import checked_json

#: The words that the Mersenne Twister consists of.
N_KEYS = 624
_HIGHEST_CODE_POINT = 0x10FFFF


def encode_labels(labels: np.ndarray, name: str) -> tuple[dict, np.ndarray]:
    """Return what a file says about labels, and their tensor.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,)
        Numbers, strings, bytes, or objects that are strings.
    name : str
        The attribute, for messages.

    Raises
    ------
    ValueError
        If they are something else.
    """
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.size == 0:
        raise ValueError(
            f"{name}={checked_json.shown(labels)} must be an array of one dimension"
        )
    kind, count = labels.dtype.kind, len(labels)
    if kind in "OU":
        if not all(isinstance(label, str) for label in labels):
            raise ValueError(
                f"{name} has objects that are not strings, which a file cannot hold. Fit with "
                "labels that are numbers or strings"
            )
        text = labels.astype(np.str_)
        if kind == "O" and any(a != b for a, b in zip(text, labels, strict=True)):
            raise ValueError(f"{name} has strings that end in a NUL, which a file cannot hold")
        width = text.dtype.itemsize // 4
        codes = np.ascontiguousarray(text, f"=U{width}").view(np.uint32)
        about = {"kind": "object" if kind == "O" else "str", "width": width, "count": count}
        return about, codes.reshape(count, width)
    if kind == "S":
        width = labels.dtype.itemsize
        codes = np.ascontiguousarray(labels).view(np.uint8)
        return {"kind": "bytes", "width": width, "count": count}, codes.reshape(count, width)
    numbers = labels.astype(labels.dtype.newbyteorder("="))
    return {"kind": "numbers", "dtype": numbers.dtype.name, "count": count}, numbers


def layout_of_labels(about: dict) -> tuple[np.dtype, tuple[int, ...]]:
    """Return type and shape of the tensor that a file must have for labels."""
    if about["kind"] == "numbers":
        return np.dtype(about["dtype"]), (about["count"],)
    dtype = np.uint8 if about["kind"] == "bytes" else np.uint32
    return np.dtype(dtype), (about["count"], about["width"])


def decode_labels(about: dict, tensor: np.ndarray, name: str) -> np.ndarray:
    """Return the labels of a tensor.

    Raises
    ------
    ValueError
        If it holds what is no label.
    """
    kind = about["kind"]
    if kind == "numbers":
        if tensor.dtype == np.bool_ and tensor.view(np.uint8).max() > 1:
            raise ValueError(f"{name} has truth values other than 0 and 1")
        if not np.isfinite(tensor).all():
            raise ValueError(f"{name} has NaN or infinity")
        return tensor
    if kind == "bytes":
        return tensor.view(f"S{about['width']}").ravel()
    if tensor.max() > _HIGHEST_CODE_POINT:
        raise ValueError(f"{name} has characters that do not exist")
    text = tensor.view(f"=U{about['width']}").ravel()
    return text.astype(object) if kind == "object" else text


def encode_random_state(random_state: np.random.RandomState) -> tuple[dict, np.ndarray]:
    """Return what a file says about a random state, and its tensor.

    Raises
    ------
    ValueError
        If it is not of the Mersenne Twister.
    """
    state: Any = random_state.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise ValueError(
            f"random_state is of {state['bit_generator']}, but only the state of a "
            "RandomState of MT19937 can be stored. Set random_state to an int"
        )
    about = {
        "position": int(state["state"]["pos"]),
        "has_gauss": int(state["has_gauss"]),
        "cached_gaussian": float(state["gauss"]),
    }
    return about, np.array(state["state"]["key"], np.uint32)


def decode_random_state(about: dict, key: np.ndarray) -> np.random.RandomState:
    """Return a random state.

    Raises
    ------
    ValueError
        If it is one that draws nothing but zeros.
    """
    if not key[1:].any() and key[0] < 2**31:
        raise ValueError("random_state is all zeros")
    random_state = np.random.RandomState(0)
    position, has_gauss = about["position"], about["has_gauss"]
    random_state.set_state(("MT19937", key, position, has_gauss, about["cached_gaussian"]))
    return random_state
