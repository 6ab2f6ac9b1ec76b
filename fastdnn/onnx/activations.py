"""What each activation is in ONNX.

To add one: a row here, beside that of `fastdnn.ops.activations`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastdnn.onnx.error_function import erf
from fastdnn.onnx.graph import Tensor
from fastdnn.ops.several_outputs import SMALLEST_VARIANCE


def softplus(z: Tensor) -> Tensor:
    """Return log(1 + e^z), without overflow."""
    return z.at_least(0.0) + (1.0 + (-abs(z)).exp()).log()


def _expm1_below(z: Tensor) -> Tensor:
    """Return e^z - 1 where z is below 0, and 0 elsewhere."""
    return z.at_most(0.0).exp() - 1.0


def _gelu(z: Tensor) -> Tensor:
    return z * (0.5 + 0.5 * erf(0.7071067811865476 * z))


#: The activations by name, but for 'prelu'.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "sigmoid": Tensor.sigmoid,
    "tanh": Tensor.tanh,
    "relu": lambda z: z.at_least(0.0),
    # onnxruntime up to 1.20 takes z * sigmoid(z) for what it has no kernel for in float64.
    "silu": lambda z: z / (1.0 + (-z).exp()),
    "leaky_relu": lambda z: z.at_least(0.01 * z),
    "elu": lambda z: z.at_least(0.0) + _expm1_below(z),
    "selu": lambda z: (
        1.0507009873554805 * z.at_least(0.0) + 1.7580993408473766 * _expm1_below(z)
    ),
    "gelu": _gelu,
    "mish": lambda z: z * softplus(z).tanh(),
    "softplus": softplus,
    "hardswish": lambda z: z * ((z + 3.0).at_least(0.0).at_most(6.0) / 6.0),
}


def prelu(z: Tensor, slope: np.ndarray) -> Tensor:
    """Return the leaky ReLU with a learnt slope."""
    return z.at_least(0.0) + float(slope[0]) * z.at_most(0.0)


def _ascending(z: Tensor, n_outputs: int) -> Tensor:
    if n_outputs == 1:
        return z
    steps = [z.columns([0]), softplus(z.columns(range(1, n_outputs)))]
    sums = np.triu(np.ones((n_outputs, n_outputs)))
    return z.graph.concatenated(steps) @ z.graph.constant(sums, z.dtype)


def _mean_and_variance(z: Tensor, n_outputs: int) -> Tensor:
    n_means = n_outputs - n_outputs // 2
    variances = softplus(z.columns(range(n_means, n_outputs))) + SMALLEST_VARIANCE
    return z.graph.concatenated([z.columns(range(n_means)), variances])


#: Output activations of regressors by name: of logits, and how many these are.
OUTPUTS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "identity": lambda z, n_outputs: z,
    "exp": lambda z, n_outputs: z.exp(),
    "softplus": lambda z, n_outputs: softplus(z),
    "ascending": _ascending,
    "mean_and_variance": _mean_and_variance,
}


def formula_of(activation: Any) -> Callable[[Tensor], Tensor]:
    """Return the formula of an activation other than 'prelu'.

    Raises
    ------
    ValueError
        If it is a user's own.
    """
    if not isinstance(activation, str):
        raise ValueError(
            f"activation={activation!r} cannot be converted to ONNX: it is a function of your "
            "own. Fit with one of the activations by name."
        )
    return ACTIVATIONS[activation]
