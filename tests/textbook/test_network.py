"""`DeepNeuralNetwork`: each explicit step, and the engine that repeats them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

from fastdnn import DeepNeuralNetwork
from fastdnn.ops.losses import LOSSES
from tests.oracle.activations import BOUNDED_SLOPES, backward

SCHEMES = ["glorot_uniform", "glorot_normal", "he", "xavier", "small_random", "lecun"]


@pytest.mark.parametrize(
    ("scheme", "variance"),
    [
        ("glorot_uniform", 2 / 500),
        ("glorot_normal", 2 / 500),
        ("he", 2 / 300),
        ("xavier", 1 / 300),
        ("small_random", 1e-4),
        ("lecun", 1 / 300),
    ],
)
def test_initial_weights_have_the_variance_of_their_scheme(scheme, variance):
    network = DeepNeuralNetwork([300, 200, 1])
    network.initialize_parameters(scheme, random_state=0)
    # The variance of 60000 draws is known to sqrt(2 / 60000) = 0.6 %; five of those.
    assert_allclose(network.W1.var(), variance, rtol=0.03)
    assert_allclose(network.W1.mean(), 0.0, atol=5 * np.sqrt(variance / 60_000))
    assert_array_equal(network.b1, 0.0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_same_random_state_draws_the_same(scheme):
    first, second = DeepNeuralNetwork([3, 2, 1]), DeepNeuralNetwork([3, 2, 1])
    first.initialize_parameters(scheme, random_state=5)
    second.initialize_parameters(scheme, random_state=np.random.RandomState(5))
    assert_array_equal(first.W1, second.W1)
    assert np.abs(first.W2).max() > 0


def test_parameters_can_be_read_and_set():
    network = DeepNeuralNetwork([3, 2, 1])
    network.W1 = [[1, 2], [3, 4], [5, 6]]
    network.b2 = [7]
    assert_array_equal(network.W1, [[1, 2], [3, 4], [5, 6]])
    network.W1[0, 0] = 9.0
    # As near as fastdnn.ops.elementary promises for sigmoid in float64.
    output = network.forward([[1.0, 0.0, 0.0]])[0]
    assert_allclose(output, 1 / (1 + np.exp(-7.0)), rtol=4.4e-16)
    with pytest.raises(ValueError, match=r"W1 must have shape \(3, 2\), got \(2, 3\)"):
        network.W1 = np.ones((2, 3))
    with pytest.raises(AttributeError, match="'W3'"):
        _ = network.W3


def test_forward_by_hand():
    network = DeepNeuralNetwork([2, 2, 1])
    network.W1, network.b1 = [[1, -1], [2, 1]], [0.5, 0]
    network.W2, network.b2 = [[1], [1]], [-3]
    AL, caches = network.forward([[1.0, 1.0]])
    # Z1 = [3.5, 0], A1 = relu(Z1) = [3.5, 0], Z2 = 0.5.
    assert_allclose(AL, [[1 / (1 + np.exp(-0.5))]], rtol=1e-15)
    (A_prev, W, b), Z = caches[0]
    assert_allclose(Z, [[3.5, 0.0]])
    assert_array_equal(A_prev, [[1.0, 1.0]])
    assert_array_equal(W, network.W1)
    assert_array_equal(b, network.b1)


CASES = [
    ("sigmoid", "log_loss", 1),
    ("sigmoid", "log_loss", 3),
    ("softmax", "log_loss", 3),
    ("identity", "squared_error", 2),
    ("sigmoid", "squared_error", 2),
    ("softmax", "squared_error", 3),
    ("tanh", "absolute_error", 2),
    ("identity", "absolute_error", 1),
    ("identity", "half_squared_error", 2),
    ("exp", "poisson", 2),
    ("sigmoid", "smoothed_log_loss", 2),
    ("softmax", "smoothed_log_loss", 3),
    ("sigmoid", "focal", 2),
    ("softmax", "focal", 3),
    ("identity", "hinge", 2),
    ("identity", "hinge_of_classes", 3),
    ("exp", "gamma", 2),
    ("exp", "tweedie", 2),
    ("softplus", "huber", 2),
    ("identity", "log_cosh", 2),
    ("hardswish", "quantile", 2),
    ("ascending", "quantiles", 3),
    ("mean_and_variance", "gaussian_nll", 2),
]
BY_POSITION = [case for case in CASES if LOSSES[case[1]].positions_with == case[0]]


def test_every_loss_is_among_the_cases():
    assert {loss for _, loss, _ in CASES} == set(LOSSES)


def targets_for(output_activation, loss, n_outputs, generator, n_samples=12):
    if output_activation == "softmax" or LOSSES[loss].positions_with == output_activation:
        return np.eye(n_outputs)[generator.integers(0, n_outputs, n_samples)]
    if loss == "gamma":
        return generator.gamma(2.0, size=(n_samples, n_outputs))
    if not LOSSES[loss].of_classes:
        n_targets = LOSSES[loss].n_targets(n_outputs)
        return generator.integers(0, 2, (n_samples, n_targets)) + 0.25
    return generator.integers(0, 2, (n_samples, n_outputs)).astype(float)


@pytest.mark.pairwise
@pytest.mark.parametrize(("output_activation", "loss", "n_outputs"), CASES)
@pytest.mark.parametrize("activation", [*BOUNDED_SLOPES, ["sigmoid", "identity"]])
def test_gradients_are_those_of_the_cost(output_activation, loss, n_outputs, activation):
    generator = np.random.default_rng(3)
    hidden = [3] if isinstance(activation, str) else [3, 2]
    network = DeepNeuralNetwork([4, *hidden, n_outputs], activation, output_activation, loss)
    network.initialize_parameters("glorot_uniform", random_state=0)
    X = generator.standard_normal((12, 4))
    Y = targets_for(output_activation, loss, n_outputs, generator)
    AL, caches = network.forward(X)
    grads = network.backward(AL, Y, caches)

    def cost():
        AL, caches = network.forward(X)
        return network.cost(AL, Y, caches=caches)

    for l in range(1, network.n_layers + 1):
        for name in (f"W{l}", f"b{l}"):
            parameter, numeric = getattr(network, name), []
            for index in np.ndindex(parameter.shape):
                value = parameter[index]
                parameter[index] = value + 1e-6
                above = cost()
                parameter[index] = value - 1e-6
                numeric.append((above - cost()) / 2e-6)
                parameter[index] = value
            # Central differences: error of order 1e-12 / 1e-6 from rounding of the cost.
            assert_allclose(grads["d" + name].ravel(), numeric, rtol=1e-5, atol=1e-8)
    assert set(grads) == {
        f"d{kind}{l}" for kind in ("W", "b", "A") for l in range(1, network.n_layers + 1)
    }
    assert grads["dA1"].shape == (12, 3)
    # The delta of the output follows from its gradient, too.
    delta = backward(output_activation, caches[-1][1], grads[f"dA{network.n_layers}"])
    assert_allclose(delta.mean(axis=0), grads[f"db{network.n_layers}"], atol=1e-13)
    # Without caches the cost is that of outputs, as they were rounded.
    assert_allclose(network.cost(AL, Y), cost(), rtol=1e-12)


@pytest.mark.parametrize(("output_activation", "loss", "n_outputs"), BY_POSITION)
def test_class_positions_are_as_good_as_columns(output_activation, loss, n_outputs):
    generator = np.random.default_rng(3)
    X, Y = generator.standard_normal((12, 4)), generator.integers(0, n_outputs, 12)
    network = DeepNeuralNetwork([4, 3, n_outputs], "gelu", output_activation, loss)
    network.initialize_parameters(random_state=0)
    AL, caches = network.forward(X)
    columns = np.eye(n_outputs)[Y]
    assert network.cost(AL, Y, caches=caches) == network.cost(AL, columns, caches=caches)
    by_position, by_column = (network.backward(AL, y, caches) for y in (Y, columns))
    for name, gradient in by_position.items():
        assert_array_equal(gradient, by_column[name])
    trained = []
    for y in (Y, columns):
        twin = DeepNeuralNetwork([4, 3, n_outputs], "gelu", output_activation, loss)
        twin.initialize_parameters(random_state=0)
        costs = twin.gradient_descent(X, y, learning_rate=0.1, n_iterations=50)
        assert costs[-1] < costs[0]
        trained.append((twin.W1, costs))
    for one, other in zip(*trained, strict=True):
        assert_allclose(one, other, rtol=1e-12)


def test_networks_of_hinge_losses_decide_by_the_sign_or_the_largest_output(samples):
    X, Y = samples
    network = DeepNeuralNetwork([4, 8, 1], "tanh", "identity", "hinge")
    network.initialize_parameters(random_state=0)
    network.gradient_descent(X, Y, learning_rate=0.1, n_iterations=500)
    assert_array_equal(network.predict(X), (network.predict_proba(X) > 0).ravel())
    assert network.score(X, Y) == (network.predict(X) == Y).mean() > 0.9
    network = DeepNeuralNetwork([4, 8, 2], "tanh", "identity", "hinge_of_classes")
    network.initialize_parameters(random_state=0)
    network.gradient_descent(X, Y, learning_rate=0.1, n_iterations=500)
    assert_array_equal(network.predict(X), network.predict_proba(X).argmax(axis=1))
    assert network.score(X, Y) == network.score(X, np.eye(2)[Y]) > 0.9
    with pytest.raises(ValueError, match="Y must hold the classes 0 to 1"):
        network.score(X, Y + 1)


@pytest.mark.pairwise
@pytest.mark.parametrize(("output_activation", "loss", "n_outputs"), CASES)
@pytest.mark.parametrize("l2", [0.0, 0.7])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_descent_repeats_the_explicit_steps(
    output_activation, loss, n_outputs, l2, dtype
):
    generator = np.random.default_rng(4)
    sizes = [4, 5, n_outputs]
    steps = DeepNeuralNetwork(sizes, "tanh", output_activation, loss, dtype)
    engine = DeepNeuralNetwork(sizes, "tanh", output_activation, loss, dtype)
    for network in (steps, engine):
        network.initialize_parameters("xavier", random_state=0)
    X = generator.standard_normal((12, 4))
    Y = targets_for(output_activation, loss, n_outputs, generator)
    costs = []
    for _ in range(5):
        AL, caches = steps.forward(X)
        costs.append(steps.cost(AL, Y, l2=l2, caches=caches))
        steps.update_parameters(steps.backward(AL, Y, caches), 0.1, l2=l2)
    recorded = engine.gradient_descent(X, Y, learning_rate=0.1, n_iterations=5, l2=l2)
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    assert_allclose(recorded, costs, rtol=tolerance)
    assert_allclose(engine.W1, steps.W1, rtol=10 * tolerance, atol=tolerance)
    AL = steps.forward(X)[0]
    assert_allclose(engine.predict_proba(X), AL, rtol=10 * tolerance, atol=tolerance)


def test_costs_are_recorded_every_so_often(samples):
    X, Y = samples
    all_of_them, some = DeepNeuralNetwork([4, 3, 1]), DeepNeuralNetwork([4, 3, 1])
    for network in (all_of_them, some):
        network.initialize_parameters(random_state=0)
    every = all_of_them.gradient_descent(X, Y, learning_rate=0.1, n_iterations=7)
    third = some.gradient_descent(X, Y, learning_rate=0.1, n_iterations=7, record_every=3)
    assert third == every[::3]


def test_cost_without_caches_agrees(samples):
    X, Y = samples
    for output, n_outputs in [("sigmoid", 1), ("softmax", 2)]:
        network = DeepNeuralNetwork([4, 3, n_outputs], output_activation=output)
        network.initialize_parameters(random_state=0)
        AL, caches = network.forward(X)
        assert_allclose(
            network.cost(AL, Y, l2=2.0),
            network.cost(AL, Y, l2=2.0, caches=caches),
            rtol=1e-12,
        )


def test_class_positions_equal_one_column_for_each(samples):
    X, Y = samples
    network = DeepNeuralNetwork([4, 3, 2], output_activation="softmax")
    network.initialize_parameters(random_state=0)
    AL, caches = network.forward(X)
    by_position = network.backward(AL, Y, caches)
    by_column = network.backward(AL, np.eye(2)[Y], caches)
    assert_array_equal(by_position["dW1"], by_column["dW1"])
    assert network.score(X, Y) == network.score(X, np.eye(2)[Y])


def test_predict_and_score(samples):
    X, Y = samples
    network = DeepNeuralNetwork([4, 8, 1], "tanh")
    network.initialize_parameters("glorot_normal", random_state=0)
    network.gradient_descent(X, Y, learning_rate=0.5, n_iterations=500)
    assert_array_equal(network.predict(X), (network.predict_proba(X) > 0.5).ravel())
    assert network.score(X, Y) == (network.predict(X) == Y).mean() > 0.9
    regression = DeepNeuralNetwork([4, 1], (), "identity", "squared_error")
    regression.gradient_descent(X, X[:, 0], learning_rate=0.1, n_iterations=200)
    assert regression.score(X, X[:, 0]) > 0.999


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([3],), r"layer_sizes=\[3\] must hold two or more"),
        (([3, 0, 1],), "layer_sizes"),
        (([3, 2.0, 1],), "layer_sizes"),
        (([3, 2, 1], "rely"), "activation 'rely' is unknown"),
        (([3, 2, 1], ["relu", "relu"]), "one for each of the 1 hidden layers"),
        (([3, 2, 1], "relu", "tanh"), r"loss='log_loss' needs output_activation"),
        (([3, 2, 1], "relu", "sigmoid", "hing"), "loss='hing' is unknown"),
        (([3, 2, 1], "relu", "sigmoid", "hinge"), r"loss='hinge' needs output_activation"),
        (([3, 2, 1], "relu", "sigmoid", "log_loss", "int8"), "dtype='int8'"),
    ],
)
def test_bad_architectures(arguments, message):
    with pytest.raises(ValueError, match=message):
        DeepNeuralNetwork(*arguments)


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (np.ones((2, 3)), [0, 1], "X has 3 features, but the network has 4 inputs"),
        (np.full((2, 4), np.nan), [0, 1], "Input X contains NaN"),
        (np.ones((2, 4)), [0, 1, 1], "Y has 3 rows, but there are 2 samples"),
        (np.ones((2, 4)), [[0, 1], [1, 0]], "Y has 2 columns"),
        (np.ones((2, 4)), [0, 2], "Y must lie between 0 and 1"),
        (np.ones((2, 4)), [0, np.nan], "Input Y contains NaN"),
    ],
)
def test_bad_samples(X, Y, message):
    network = DeepNeuralNetwork([4, 3, 1])
    network.initialize_parameters(random_state=0)
    with pytest.raises(ValueError, match=message):
        network.gradient_descent(X, Y, learning_rate=0.1, n_iterations=1)


def test_bad_class_positions():
    network = DeepNeuralNetwork([4, 3, 3], output_activation="softmax")
    with pytest.raises(ValueError, match="class positions 0 to 2"):
        network.gradient_descent(np.ones((2, 4)), [0, 3], learning_rate=0.1, n_iterations=1)


def test_softmax_of_one_output_is_one():
    network = DeepNeuralNetwork([4, 1], (), "softmax")
    network.initialize_parameters(random_state=0)
    costs = network.gradient_descent(
        np.ones((2, 4)), np.ones((2, 1)), learning_rate=1.0, n_iterations=2
    )
    assert costs == [0.0, 0.0]
    assert_array_equal(network.predict_proba(np.ones((2, 4))), 1.0)


def test_targets_that_do_not_fit_the_loss():
    counts = DeepNeuralNetwork([4, 1], (), "exp", "poisson")
    with pytest.raises(ValueError, match="Y must not be negative for loss='poisson'"):
        counts.gradient_descent(np.ones((2, 4)), [1, -1], learning_rate=1, n_iterations=1)
    classes = DeepNeuralNetwork([4, 3], (), "softmax", "squared_error")
    with pytest.raises(ValueError, match="class positions are for loss='log_loss'"):
        classes.gradient_descent(np.ones((2, 4)), [0, 1], learning_rate=1, n_iterations=1)
    sizes = DeepNeuralNetwork([4, 1], (), "exp", "gamma")
    with pytest.raises(ValueError, match="Y must be above 0 for loss='gamma', got 0"):
        sizes.gradient_descent(np.ones((2, 4)), [1, 0], learning_rate=1, n_iterations=1)
    sides = DeepNeuralNetwork([4, 1], (), "identity", "hinge")
    with pytest.raises(ValueError, match="Y must lie between 0 and 1 for loss='hinge'"):
        sides.gradient_descent(np.ones((2, 4)), [1, -1], learning_rate=1, n_iterations=1)
    columns = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    best = DeepNeuralNetwork([4, 3], (), "identity", "hinge_of_classes")
    with pytest.raises(ValueError, match="row 0 sums to 2"):
        best.gradient_descent(np.ones((2, 4)), columns, learning_rate=1, n_iterations=1)


def test_bad_steps(samples):
    network = DeepNeuralNetwork([4, 3, 1])
    with pytest.raises(ValueError, match="scheme='best' is unknown"):
        network.initialize_parameters("best")
    with pytest.raises(ValueError, match="n_iterations=0 must be a positive integer"):
        network.gradient_descent(*samples, learning_rate=0.1, n_iterations=0)


@pytest.mark.parametrize(
    ("output", "loss"), [("ascending", "quantiles"), ("mean_and_variance", "gaussian_nll")]
)
def test_outputs_that_mean_something_together(output, loss, samples):
    X, _ = samples
    Y = np.random.default_rng(0).standard_normal((len(X), 1))
    network = DeepNeuralNetwork([X.shape[1], 4], (), output, loss)
    network.initialize_parameters(random_state=0)
    Y = np.repeat(Y, 2, axis=1) if loss == "gaussian_nll" else Y
    AL, caches = network.forward(X)
    assert network.cost(AL, Y) == pytest.approx(network.cost(AL, Y, caches=caches), rel=1e-9)
    if loss == "gaussian_nll":
        assert network.score(X, Y) == r2_score(Y, AL[:, :2])
    else:
        with pytest.raises(ValueError, match="have no R2"):
            network.score(X, Y)
    with pytest.raises(ValueError, match=f"for {Y.shape[1]} targets"):
        network.cost(AL, np.zeros((len(X), 4)))
