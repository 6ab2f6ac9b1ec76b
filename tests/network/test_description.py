"""What a network is said to be is checked as a whole."""

import numpy as np
import pytest

from fastdnn.network.description import Layer, Network
from fastdnn.ops.losses import LOSSES
from tests.oracle.losses import PARAMETERS


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


@pytest.mark.parametrize(
    ("loss", "value", "message"),
    [
        (
            "quantile",
            1.0,
            "loss_parameter=1.0 must be a number above 0 and below 1: .*quantile",
        ),
        ("quantile", 0.0, "above 0 and below 1"),
        ("quantile", np.nan, "loss_parameter=nan must be a number"),
        ("huber", 0.0, "above 0 and finite: it is the delta of loss='huber', by default 1"),
        ("huber", np.inf, "above 0 and finite"),
        ("huber", "1", "loss_parameter='1' must be a number"),
        ("tweedie", 2.0, "above 1 and below 2: it is the power"),
        ("tweedie", 1.0, "above 1 and below 2"),
        ("smoothed_log_loss", 1.0, "of at least 0 and below 1: it is the smoothing"),
        ("smoothed_log_loss", -0.1, "of at least 0 and below 1"),
        ("focal", -1.0, "of at least 0 and finite: it is the exponent gamma"),
        ("focal", True, "loss_parameter=True must be a number"),
        ("log_loss", 0.0, "must be None for loss='log_loss', which has no parameter"),
    ],
)
def test_what_a_loss_cannot_have_as_its_parameter_is_refused(loss, value, message):
    output = next(iter(LOSSES[loss].canonical), "identity")
    with pytest.raises(ValueError, match=message):
        Network.dense((2, 1), [output], loss, loss_parameter=value)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_has_the_parameter_that_a_network_gives_it(loss):
    output = next(iter(LOSSES[loss].canonical), "identity")
    default, others = PARAMETERS.get(loss, (0.0, []))
    sizes = (2, 4 if LOSSES[loss].outputs_per_target == 2 else 3)

    def numbers(value):
        return value if isinstance(value, tuple) else (value,)

    assert Network.dense(sizes, [output], loss).parameters_of_loss == numbers(default)
    for value in others:
        network = Network.dense(sizes, [output], loss, loss_parameter=value)
        assert network.parameters_of_loss == numbers(value)


@pytest.mark.parametrize(
    "levels", [0.5, (0.5,), (0.2, 0.1), (0.1, 0.1), (0.0, 0.5), (0.5, np.nan), ("a", "b")]
)
def test_levels_of_quantiles_are_ascending_and_one_for_each_output(levels):
    with pytest.raises(ValueError, match="must be 2 ascending numbers between 0 and 1"):
        Network.dense((3, 2), ["ascending"], "quantiles", loss_parameter=levels)


def test_a_mean_and_a_variance_need_two_outputs_for_each_target():
    with pytest.raises(ValueError, match=r"needs 2 outputs for each target, but .* has 3"):
        Network.dense((2, 3), ["mean_and_variance"], "gaussian_nll")


def test_a_network_needs_an_output():
    with pytest.raises(ValueError, match="one layer at least"):
        Network(5, (), "log_loss")


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_goes_with_an_output(loss):
    outputs = LOSSES[loss].canonical or ["identity"]
    for output in outputs:
        assert Network.dense((2, 2), [output], loss).loss == loss
