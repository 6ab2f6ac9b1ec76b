"""`DeepNeuralNetwork` with normalisation, learnt slopes, own functions, loss parameters."""

import copy
import pickle

import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

import fastdnn
from fastdnn import DeepNeuralNetwork

X = np.random.default_rng(0).standard_normal((12, 4))
Y = np.random.default_rng(1).standard_normal((12, 2))


def made(activation, normalization, dtype="float64", hidden=(5, 3)):
    """Return a network whose parameters are all away from what they are at first."""
    sizes = [4, *hidden, 2]
    network = DeepNeuralNetwork(
        sizes, activation, "identity", "squared_error", dtype, normalization=normalization
    )
    network.initialize_parameters("glorot_uniform", random_state=0)
    generator = np.random.default_rng(2)
    for view in network._named_views().values():
        view += 0.1 * generator.standard_normal(view.shape)
    return network


def differences(network, Y, name):
    """Return the gradient of the cost by a parameter, by central differences."""

    def cost():
        AL, caches = network.forward(X)
        return network.cost(AL, Y, caches=caches)

    parameter, numeric = getattr(network, name), []
    for index in np.ndindex(parameter.shape):
        value = parameter[index]
        parameter[index] = value + 1e-6
        above = cost()
        parameter[index] = value - 1e-6
        numeric.append((above - cost()) / 2e-6)
        parameter[index] = value
    return np.reshape(numeric, parameter.shape)


LAYERS = [
    ("tanh", "layer"),
    ("relu", ["layer", None]),
    ("gelu", [None, "layer"]),
    ("prelu", None),
    (["prelu", "silu"], "layer"),
    (["mish", "prelu"], ["layer", None]),
]


@pytest.mark.parametrize(("activation", "normalization"), LAYERS, ids=str)
def test_gradients_by_all_that_is_learnt(activation, normalization):
    network = made(activation, normalization)
    AL, caches = network.forward(X)
    grads = network.backward(AL, Y, caches)
    names = network._named_views()
    assert {name for name in grads if "dA" not in name} == {f"d{name}" for name in names}
    for name in names:
        # Central differences: error of order 1e-12 / 1e-6 from rounding of the cost.
        expected = differences(network, Y, name)
        assert_allclose(grads[f"d{name}"], expected, rtol=1e-5, atol=2e-8, err_msg=name)


def test_normalisation_by_hand():
    network = made("identity", "layer", hidden=(5,))
    AL, caches = network.forward(X)
    Z = X @ network.W1 + network.b1
    mean, variance = Z.mean(axis=1, keepdims=True), Z.var(axis=1, keepdims=True)
    N = (Z - mean) / np.sqrt(variance + 1e-5)
    A = N * network.gain1 + network.shift1
    assert_allclose(AL, A @ network.W2 + network.b2, rtol=1e-12)
    assert_allclose(caches[0][1], Z, rtol=1e-14)
    assert_array_equal(caches[0][2].gain, network.gain1)


def test_a_learnt_slope_by_hand():
    network = made("prelu", None, hidden=(5,))
    Z = X @ network.W1 + network.b1
    A = np.where(Z > 0, Z, network.slope1 * Z)
    assert_allclose(network.forward(X)[0], A @ network.W2 + network.b2, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("activation", "normalization"), LAYERS, ids=str)
def test_gradient_descent_repeats_the_explicit_steps(activation, normalization, dtype):
    steps = made(activation, normalization, dtype)
    engine = copy.deepcopy(steps)
    costs = []
    for _ in range(5):
        AL, caches = steps.forward(X)
        costs.append(steps.cost(AL, Y, l2=0.1, caches=caches))
        steps.update_parameters(steps.backward(AL, Y, caches), 0.05, l2=0.1)
    recorded = engine.gradient_descent(X, Y, learning_rate=0.05, n_iterations=5, l2=0.1)
    tolerance = 5e-6 if dtype == "float32" else 1e-12
    assert_allclose(recorded, costs, rtol=tolerance)
    for name, value in steps._named_views().items():
        assert_allclose(getattr(engine, name), value, rtol=tolerance, atol=tolerance)
    expected = steps.forward(X)[0]
    assert_allclose(engine.predict(X), expected, rtol=10 * tolerance, atol=tolerance)


def test_first_values_and_names():
    network = DeepNeuralNetwork([4, 3, 2, 1], ["prelu", "tanh"], normalization=[None, "layer"])
    network.initialize_parameters(random_state=0)
    assert network.normalizations == (None, "layer")
    assert_array_equal(network.slope1, [0.25])
    assert_array_equal(network.gain2, [1.0, 1.0])
    assert_array_equal(network.shift2, [0.0, 0.0])
    network.gain2 = [2.0, 3.0]
    assert_array_equal(network.gain2, [2.0, 3.0])
    with pytest.raises(AttributeError, match=r"no parameter 'gain1'.*slope1, gain2, shift2"):
        _ = network.gain1
    with pytest.raises(ValueError, match=r"slope1 must have shape \(1,\), got \(2,\)"):
        network.slope1 = [0.1, 0.2]
    with pytest.raises(AttributeError, match="cannot be replaced"):
        network.normalizations = (None, None)


def test_caches_and_gradients_are_those_of_such_a_network():
    network = made("prelu", "layer")
    AL, caches = network.forward(X)
    grads = network.backward(AL, Y, caches)
    for name in ("dgain1", "dshift2", "dslope2"):
        with pytest.raises(ValueError, match=f"grads lacks '{name}'"):
            network.update_parameters({k: v for k, v in grads.items() if k != name}, 0.1)
    with pytest.raises(ValueError, match=r"caches\[0\] must be .*gain, shift, slope"):
        network.backward(AL, Y, [cache[:2] for cache in caches])
    (layer, Z, learnt), *others = caches
    wrong = learnt._replace(slope=np.ones(2))
    with pytest.raises(ValueError, match=r"slope of caches\[0\] must have shape \(1,\)"):
        network.backward(AL, Y, [(layer, Z, wrong), *others])
    plain = made("relu", None)
    with pytest.raises(ValueError, match=r"caches\[0\] must be \(\(A_prev, W, b\), Z\)"):
        plain.backward(AL, Y, caches)


# -- losses with their parameters ----------------------------------------------------------

PARAMETERS = [
    ("huber", "identity", 0.3, 2),
    ("quantile", "identity", 0.9, 2),
    ("tweedie", "exp", 1.2, 2),
    ("focal", "softmax", 0.5, 3),
    ("smoothed_log_loss", "sigmoid", 0.3, 2),
    ("quantiles", "ascending", (0.05, 0.5, 0.8), 3),
]


@pytest.mark.parametrize(("loss", "output", "parameter", "n_outputs"), PARAMETERS)
def test_a_loss_has_its_parameter(loss, output, parameter, n_outputs):
    network = DeepNeuralNetwork(
        [4, 3, n_outputs], "tanh", output, loss, loss_parameter=parameter
    )
    usual = DeepNeuralNetwork([4, 3, n_outputs], "tanh", output, loss)
    for one in (network, usual):
        one.initialize_parameters("glorot_uniform", random_state=0)
    generator = np.random.default_rng(3)
    targets = generator.integers(0, 2, (12, n_outputs)).astype(float)
    if output == "softmax":
        targets = np.eye(n_outputs)[generator.integers(0, n_outputs, 12)]
    elif output == "ascending":
        targets = generator.standard_normal((12, 1))
    AL, caches = network.forward(X)
    assert network.loss_parameter == parameter
    assert network.cost(AL, targets) != usual.cost(AL, targets)
    grads = network.backward(AL, targets, caches)
    expected = differences(network, targets, "W2")
    assert_allclose(grads["dW2"], expected, rtol=1e-5, atol=1e-8)
    recorded = network.gradient_descent(X, targets, learning_rate=0.01, n_iterations=1)
    assert_allclose(recorded, network_cost(network, usual, targets), rtol=1e-12)


def network_cost(trained, usual, targets):
    """Return the cost of the untrained parameters under the trained network's loss."""
    twin = copy.deepcopy(trained)
    for name, value in usual._named_views().items():
        setattr(twin, name, value)
    AL, caches = twin.forward(X)
    return [twin.cost(AL, targets, caches=caches)]


def test_values_that_do_not_fit_are_refused():
    for options, words in (
        ({"loss": "huber", "output_activation": "identity", "loss_parameter": -1.0}, "-1.0"),
        ({"loss_parameter": 0.5}, "loss_parameter=0.5 must be None for loss='log_loss'"),
        ({"normalization": "batch"}, "normalization='batch' is unknown"),
        ({"normalization": ["layer", None]}, "one for each of the 1 hidden"),
        ({"output_activation": "prelu"}, "output layer has activation='prelu'"),
        ({"activation": "swish"}, "activation 'swish' is unknown"),
    ):
        with pytest.raises(ValueError, match=words):
            DeepNeuralNetwork([4, 3, 1], **options)


# -- a user's own functions ----------------------------------------------------------------


@njit
def bent(z):
    return z / (1 + abs(z)) + z


@njit
def bent_prime(z):
    return 1 / (1 + abs(z)) ** 2 + 1


@njit
def fourth(a, y):
    return (a - y) ** 4


@njit
def fourth_prime(a, y):
    return 4 * (a - y) ** 3


def own_network():
    return DeepNeuralNetwork(
        [4, 3, 3, 2],
        ["tanh", fastdnn.Activation(bent, bent_prime)],
        "identity",
        fastdnn.Loss(fourth, fourth_prime),
    )


@pytest.mark.slow_without_jit
def test_own_functions_show_their_gradients():
    network = own_network()
    network.initialize_parameters("glorot_uniform", random_state=0)
    AL, caches = network.forward(X)
    assert_allclose(network.cost(AL, Y), ((AL - Y) ** 4).sum() / 12, rtol=1e-12)
    grads = network.backward(AL, Y, caches)
    for name in network._named_views():
        expected = differences(network, Y, name)
        assert_allclose(grads[f"d{name}"], expected, rtol=1e-4, atol=1e-7)
    costs = network.gradient_descent(X, Y, learning_rate=0.001, n_iterations=20)
    assert costs[-1] < costs[0]


# -- storage -------------------------------------------------------------------------------


def test_copies_have_all_that_is_learnt(tmp_path):
    network = made(["prelu", "silu"], "layer")
    network.save(tmp_path / "network.fastdnn")
    for twin in (
        copy.deepcopy(network),
        pickle.loads(pickle.dumps(network)),
        fastdnn.load(tmp_path / "network.fastdnn"),
    ):
        assert twin.normalizations == ("layer", "layer")
        assert twin.activations == network.activations
        assert_array_equal(twin.predict(X), network.predict(X))
        twin.slope1 = [9.0]
        assert network.slope1 != 9.0


@pytest.mark.parametrize("parameter", [0.2, None, (0.1, 0.7)])
def test_the_parameter_of_a_loss_is_stored(tmp_path, parameter):
    loss, output = ("quantile", "identity")
    if isinstance(parameter, tuple):
        loss, output = "quantiles", "ascending"
    network = DeepNeuralNetwork([4, 3, 2], "tanh", output, loss, loss_parameter=parameter)
    network.initialize_parameters(random_state=0)
    network.save(tmp_path / "network.fastdnn")
    loaded = fastdnn.load(tmp_path / "network.fastdnn")
    for twin in (pickle.loads(pickle.dumps(network)), loaded):
        assert twin.loss_parameter == parameter
        AL, targets = twin.forward(X)[0], Y[:, : 2 - (loss == "quantiles")]
        assert twin.cost(AL, targets) == network.cost(AL, targets)


def test_states_of_earlier_versions_have_none_of_it():
    network = DeepNeuralNetwork([4, 3, 1])
    state = network.__getstate__()
    del state["loss_parameter"], state["normalizations"]
    twin = DeepNeuralNetwork.__new__(DeepNeuralNetwork)
    twin.__setstate__(state)
    assert twin.normalizations == (None,)
    assert twin.loss_parameter is None
