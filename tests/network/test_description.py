"""What a network is said to be is checked as a whole."""

import pickle

import numpy as np
import pytest

from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters
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
    ("hidden", "output", "of_input", "message"),
    [
        ({"normalization": "batch"}, {}, {}, "normalization='batch' is unknown"),
        ({"dropout": 1.0}, {}, {}, r"dropout=1\.0 must be a number of at least 0 and below 1"),
        ({"dropout": np.nan}, {}, {}, "dropout=nan must be"),
        ({}, {"dropout": 0.5}, {}, "are for hidden layers"),
        ({}, {"normalization": "layer"}, {}, "are for hidden layers"),
        ({}, {"activation": "prelu"}, {}, "are for hidden layers"),
        ({}, {}, {"input_dropout": -0.5}, r"input_dropout=-0\.5 must be"),
        ({}, {}, {"input_noise": -1.0}, r"input_noise=-1\.0 must be"),
        ({}, {}, {"input_noise": np.inf}, "input_noise=inf must be"),
    ],
)
def test_what_layers_cannot_have_is_refused(hidden, output, of_input, message):
    hidden = Layer(4, "relu")._replace(**hidden)
    output = Layer(3, "identity")._replace(**output)
    with pytest.raises(ValueError, match=message):
        Network(5, (hidden, output), "half_squared_error", **of_input)


def test_a_network_tells_what_it_learns_and_whether_it_draws():
    layers = Layer(4, "prelu"), Layer(5, "relu", "layer"), Layer(3, "softmax")
    network = Network(5, layers, "log_loss")
    assert (network.normalized, network.sloped, network.draws) == ((1,), (0,), False)
    parameters = Parameters(network.sizes, float, normalized=(1,), sloped=(0,))
    assert [view.size for view in parameters.views] == [20, 20, 15, 4, 5, 3, 5, 5, 1]
    assert parameters.theta.size == sum(view.size for view in parameters.views)
    # In the tail, layer by layer: the slope, then gains and shifts.
    tail = parameters.theta[parameters.n_weights + parameters.n_biases :]
    np.testing.assert_array_equal(tail, [0.25] + [1.0] * 5 + [0.0] * 5)
    parameters.norm_shifts[0][:] = 2.0
    same = pickle.loads(pickle.dumps(parameters.astype(np.float32)))
    assert same.structure == parameters.structure
    np.testing.assert_array_equal(same.norm_shifts[0], np.full(5, 2.0, np.float32))
    dropping = Network(5, (Layer(4, "relu", None, 0.5), *layers[1:]), "log_loss")
    assert dropping.draws
    assert Network(5, layers, "log_loss", input_noise=0.1).draws
    assert Network(5, layers, "log_loss", input_dropout=0.1).draws


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
