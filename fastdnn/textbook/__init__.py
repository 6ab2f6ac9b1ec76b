"""The textbook: the network one explicit step at a time, and the steps as public functions.

`network` has `DeepNeuralNetwork`, `architecture` its layers and parameters, `steps` its
explicit steps, `costs` their costs, `transforms` what layers learn besides weights and biases,
`step_inputs` what the steps accept. The functions that are
public here, for use in your own compiled code too, are in `activations` and `layers`;
`layer_kernels` is what computes those of layers, `kernel_inputs` what they accept from Python,
`long_calls` how Python has long ones done.
"""

from fastdnn.textbook.activations import (
    relu,
    relu_backward,
    relu_prime,
    sigmoid,
    sigmoid_backward,
    sigmoid_prime,
)
from fastdnn.textbook.layers import (
    ASCENDING,
    ELU,
    EXP,
    GELU,
    HARDSWISH,
    IDENTITY,
    LEAKY_RELU,
    MEAN_AND_VARIANCE,
    MISH,
    RELU,
    SELU,
    SIGMOID,
    SILU,
    SOFTMAX,
    SOFTPLUS,
    TANH,
    compute_cost,
    linear_activation_backward,
    linear_activation_forward,
    linear_backward,
    linear_forward,
    update_parameters,
)

__all__ = [
    "ASCENDING",
    "ELU",
    "EXP",
    "GELU",
    "HARDSWISH",
    "IDENTITY",
    "LEAKY_RELU",
    "MEAN_AND_VARIANCE",
    "MISH",
    "RELU",
    "SELU",
    "SIGMOID",
    "SILU",
    "SOFTMAX",
    "SOFTPLUS",
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
