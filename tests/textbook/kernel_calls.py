"""Calls of the public functions of the textbook, with arguments that fit."""

import numpy as np

from fastdnn import textbook as kernels


def matrix(*shape):
    return np.linspace(0.1, 0.9, int(np.prod(shape))).reshape(shape)


def arguments(name):
    """Return arguments that fit, by name; those of a cache are in it."""
    A_prev, W, b, Z = matrix(4, 3), matrix(3, 2), matrix(2), matrix(4, 2)
    layer = {"A_prev": A_prev, "W": W, "b": b}
    if name == "compute_cost":
        return {"AL": matrix(4, 2), "Y": matrix(4, 2)}
    if name == "update_parameters":
        step = {"dW": matrix(3, 2), "db": matrix(2), "learning_rate": 0.1, "decay": 0.2}
        return {"W": W, "b": b} | step
    if name.endswith("_forward"):
        return layer | ({"activation": kernels.RELU} if "activation" in name else {})
    if name == "linear_backward":
        return {"dZ": matrix(4, 2)} | layer
    if name == "linear_activation_backward":
        return {"dA": matrix(4, 2)} | layer | {"Z": Z, "activation": kernels.SILU}
    return ({"dA": matrix(4, 2)} if name.endswith("_backward") else {}) | {"Z": Z}


def call(name, given):
    """Call a function with arguments by name."""
    if name == "linear_backward":
        dZ, *layer = given.values()
        return kernels.linear_backward(dZ, tuple(layer))
    if name == "linear_activation_backward":
        dA, *layer, Z, code = given.values()
        return kernels.linear_activation_backward(dA, (tuple(layer), Z), code)
    return getattr(kernels, name)(**given)


def numbers(result):
    """Return all numbers of a nested result."""
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, tuple | list):
        return np.concatenate([numbers(part) for part in result] or [np.zeros(0)])
    return np.zeros(0) if result is None else np.ravel(result).astype(np.float64)


#: The functions, and their arguments that are arrays.
NAMES = [name for name in kernels.__all__ if name.islower()]
ARRAYS = [
    (name, argument)
    for name in NAMES
    for argument, value in arguments(name).items()
    if isinstance(value, np.ndarray)
]
#: What a step changes in place.
CHANGED = ("W", "b")
