"""What each activation is, row by row of a matrix, and its derivative, in plain NumPy."""

import numpy as np
from scipy import special

ACTIVATIONS = {
    "identity": lambda Z: Z,
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "relu": lambda Z: np.maximum(Z, 0),
    "softmax": lambda Z: special.softmax(Z, axis=1),
    "silu": lambda Z: Z * special.expit(Z),
    "exp": np.exp,
}

#: All but exp, which is for outputs: it grows beyond the reach of differences and layers.
BOUNDED_SLOPES = [name for name in ACTIVATIONS if name != "exp"]

#: The derivative of each activation that works on single numbers.
SLOPES = {
    "identity": np.ones_like,
    "sigmoid": lambda Z: special.expit(Z) * special.expit(-Z),
    "tanh": lambda Z: 1 / np.cosh(Z) ** 2,
    "relu": lambda Z: (Z > 0).astype(Z.dtype),
    "silu": lambda Z: special.expit(Z) * (1 + Z * special.expit(-Z)),
    "exp": np.exp,
}


def backward(name, Z, dA):
    """Return dL/dZ from dL/dA."""
    if name == "softmax":
        A = ACTIVATIONS["softmax"](Z)
        return A * (dA - (dA * A).sum(axis=1, keepdims=True))
    return dA * SLOPES[name](Z)
