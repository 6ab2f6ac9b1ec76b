"""Networks, their parameters, and predictors by what a test names of them."""

import numpy as np

from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.prediction.predictor import Predictor

# A loss that goes with an output activation.
_LOSSES = {"sigmoid": "log_loss", "softmax": "log_loss", "exp": "poisson"}


def random_parameters(rng, sizes, dtype=np.float64):
    """Draw parameters that are the same numbers in both precisions."""
    parameters = Parameters(sizes, np.float32)
    for W, b in zip(parameters.coefs, parameters.intercepts, strict=True):
        W[:] = rng.uniform(-1.0, 1.0, W.shape) * np.sqrt(3.0 / len(W))
        b[:] = rng.uniform(-1.0, 1.0, b.shape)
    return parameters.astype(dtype)


def network_of(parameters, activations, loss=None, loss_parameter=None):
    """Describe a network; the loss is one that goes with its output, unless one is named."""
    loss = loss or _LOSSES.get(activations[-1], "half_squared_error")
    sizes = parameters.layer_sizes
    return Network.dense(sizes, activations, loss, loss_parameter=loss_parameter)


def predictor_of(parameters, activations):
    """Make what predicts by these parameters."""
    return Predictor(parameters, network_of(parameters, activations))
