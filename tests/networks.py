"""Networks and predictors of the parameters and activations that a test names."""

from fastdnn.network.description import Network
from fastdnn.prediction.predictor import Predictor

# A loss that goes with an output activation.
_LOSSES = {"sigmoid": "log_loss", "softmax": "log_loss", "exp": "poisson"}


def network_of(parameters, activations, loss=None):
    """Describe a network; the loss is one that goes with its output, unless one is named."""
    loss = loss or _LOSSES.get(activations[-1], "half_squared_error")
    return Network.dense(parameters.layer_sizes, activations, loss)


def predictor_of(parameters, activations):
    """Make what predicts by these parameters."""
    return Predictor(parameters, network_of(parameters, activations))
