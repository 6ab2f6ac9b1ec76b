"""What each activation is, row by row of a matrix, and its derivative, in plain NumPy."""

import numpy as np
from scipy import special

# Klambauer et al. (2017), Self-Normalizing Neural Networks, appendix A4.
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848


def n_means(Z):
    """Return how many columns of outputs are means, before their variances."""
    return Z.shape[1] - Z.shape[1] // 2


ACTIVATIONS = {
    "identity": lambda Z: Z,
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "relu": lambda Z: np.maximum(Z, 0),
    "softmax": lambda Z: special.softmax(Z, axis=1),
    "silu": lambda Z: Z * special.expit(Z),
    "exp": np.exp,
    "leaky_relu": lambda Z: np.where(Z > 0, Z, 0.01 * Z),
    "elu": lambda Z: np.where(Z > 0, Z, np.expm1(np.minimum(Z, 0))),
    "selu": lambda Z: SELU_SCALE * np.where(Z > 0, Z, SELU_ALPHA * np.expm1(np.minimum(Z, 0))),
    "gelu": lambda Z: Z * special.ndtr(Z),
    "mish": lambda Z: Z * np.tanh(np.logaddexp(0, Z)),
    "softplus": lambda Z: np.logaddexp(0, Z),
    "hardswish": lambda Z: Z * np.clip(Z + 3, 0, 6) / 6,
    "ascending": lambda Z: np.cumsum(
        np.concatenate([Z[:, :1], np.logaddexp(0, Z[:, 1:])], axis=1), axis=1
    ),
    "mean_and_variance": lambda Z: np.concatenate(
        [Z[:, : n_means(Z)], np.logaddexp(0, Z[:, n_means(Z) :]) + 1e-6], axis=1
    ),
}

#: Those of which every output has an input of its own.
OF_ELEMENTS = [n for n in ACTIVATIONS if n not in ("softmax", "ascending")]

#: All but exp, which is for outputs: it grows beyond the reach of differences and layers.
BOUNDED_SLOPES = [name for name in ACTIVATIONS if name != "exp"]

#: Those of hidden layers: not what makes rows of outputs that mean something together, whose
#: sums grow from layer to layer.
HIDDEN = [n for n in BOUNDED_SLOPES if n not in ("ascending", "mean_and_variance")]

#: The derivative of each activation that works on single numbers.
SLOPES = {
    "identity": np.ones_like,
    "sigmoid": lambda Z: special.expit(Z) * special.expit(-Z),
    "tanh": lambda Z: 1 / np.cosh(Z) ** 2,
    "relu": lambda Z: (Z > 0).astype(Z.dtype),
    "silu": lambda Z: special.expit(Z) * (1 + Z * special.expit(-Z)),
    "exp": np.exp,
    "leaky_relu": lambda Z: np.where(Z > 0, 1.0, 0.01),
    "elu": lambda Z: np.where(Z > 0, 1.0, np.exp(np.minimum(Z, 0))),
    "selu": lambda Z: SELU_SCALE * np.where(Z > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(Z, 0))),
    "gelu": lambda Z: special.ndtr(Z) + Z * np.exp(-(Z**2) / 2) / np.sqrt(2 * np.pi),
    "mish": lambda Z: (
        np.tanh(np.logaddexp(0, Z))
        + Z * special.expit(Z) / np.cosh(np.minimum(np.logaddexp(0, Z), 300)) ** 2
    ),
    "softplus": special.expit,
    "hardswish": lambda Z: np.where(np.abs(Z) < 3, (2 * Z + 3) / 6, (Z > 0) * 1.0),
    "mean_and_variance": lambda Z: np.concatenate(
        [np.ones_like(Z[:, : n_means(Z)]), special.expit(Z[:, n_means(Z) :])], axis=1
    ),
}


def backward(name, Z, dA):
    """Return dL/dZ from dL/dA."""
    if name == "softmax":
        A = ACTIVATIONS["softmax"](Z)
        return A * (dA - (dA * A).sum(axis=1, keepdims=True))
    if name == "ascending":
        later = np.cumsum(dA[:, ::-1], axis=1)[:, ::-1]
        return later * np.concatenate(
            [np.ones_like(Z[:, :1]), special.expit(Z[:, 1:])], axis=1
        )
    return dA * SLOPES[name](Z)
