"""What a network is said to be is checked as a whole."""

import pytest

from fastdnn.network.description import Layer, Network
from fastdnn.ops.losses import LOSSES


def test_a_dense_network_tells_its_sizes_and_activations():
    network = Network.dense((5, 4, 3), ["relu", "softmax"], "log_loss")
    assert network == Network(5, (Layer(4, "relu"), Layer(3, "softmax")), "log_loss")
    assert network.sizes == (5, 4, 3)
    assert network.activations == ("relu", "softmax")
    assert network.output_activation == "softmax"


@pytest.mark.parametrize(
    ("activations", "loss", "message"),
    [
        (["relu"], "log_loss", "1 activations do not fit a network of 2 layers"),
        (["relu"] * 3, "log_loss", "3 activations do not fit a network of 2 layers"),
        (["rellu", "softmax"], "log_loss", "activation='rellu' is unknown; choose one of"),
        (["relu", "softmax"], "logloss", "loss='logloss' is unknown; choose one of"),
        (["relu", "identity"], "log_loss", "needs output_activation to be one of"),
        (["softmax", "sigmoid"], "poisson", "needs output_activation to be one of"),
    ],
)
def test_what_does_not_fit_is_refused(activations, loss, message):
    with pytest.raises(ValueError, match=message):
        Network.dense((5, 4, 3), activations, loss)


def test_a_network_needs_an_output():
    with pytest.raises(ValueError, match="one layer at least"):
        Network(5, (), "log_loss")


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_goes_with_an_output(loss):
    outputs = LOSSES[loss].canonical or ["identity"]
    for output in outputs:
        assert Network.dense((2, 1), [output], loss).loss == loss
