"""All compiled code. The public names are the textbook's steps, for use in other kernels."""

from fastdnn.kernels.textbook_activations import (
    relu,
    relu_backward,
    relu_prime,
    sigmoid,
    sigmoid_backward,
    sigmoid_prime,
)
from fastdnn.kernels.textbook_layers import (
    EXP,
    IDENTITY,
    RELU,
    SIGMOID,
    SILU,
    SOFTMAX,
    TANH,
    compute_cost,
    linear_activation_backward,
    linear_activation_forward,
    linear_backward,
    linear_forward,
    update_parameters,
)

__all__ = [
    "EXP",
    "IDENTITY",
    "RELU",
    "SIGMOID",
    "SILU",
    "SOFTMAX",
    "TANH",
    "compute_cost",
    "linear_activation_backward",
    "linear_activation_forward",
    "linear_backward",
    "linear_forward",
    "relu",
    "relu_backward",
    "relu_prime",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_prime",
    "update_parameters",
]
