"""The engine against the NumPy network and finite differences."""

from typing import NamedTuple

import numpy as np
import pytest

from benchmarks.numpy_mlp import NumpyMLP
from fastdnn.data.samples import Samples
from fastdnn.network.parameters import Parameters
from fastdnn.ops.losses import LOSSES
from fastdnn.planning.plan import plan_training
from fastdnn.training.epochs import EpochRunner
from tests.networks import network_of
from tests.ops.test_activations import BOUNDED_SLOPES, ORACLES

pytestmark = pytest.mark.usefixtures("four_cpus")

IN_ORDER = np.zeros(0, dtype=np.int64)


def random_parameters(rng, sizes, dtype=np.float64):
    """Draw parameters that are the same numbers in both precisions."""
    parameters = Parameters(sizes, np.float32)
    for W, b in zip(parameters.coefs, parameters.intercepts, strict=True):
        W[:] = rng.uniform(-1.0, 1.0, W.shape) * np.sqrt(3.0 / len(W))
        b[:] = rng.uniform(-1.0, 1.0, b.shape)
    return parameters.astype(dtype)


def plan(parameters, activations, loss, optimizer, samples, **options):
    """Plan with the settings that the estimators have by default."""
    options = {"gather": False, "n_threads": 1, "alpha": 0.0} | options
    alpha = options.pop("alpha")
    made = plan_training(
        parameters,
        network_of(parameters, activations, loss),
        optimizer,
        samples=samples,
        **options,
    )
    made.set_numbers(learning_rate=0.01, momentum=0.9, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    made.table["alpha"] = alpha
    return made


# -- training against the NumPy network ---------------------------------------------------

# The names of the NumPy network: activation; loss; solver with its options.
HIDDEN = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "identity": "identity"}
OUTPUT = {
    "softmax": ("softmax", "log_loss"),
    "logistic": ("sigmoid", "log_loss"),
    "squared_error": ("identity", "half_squared_error"),
}
SOLVERS = {
    "adam": {"solver": "adam"},
    "nesterov": {"solver": "sgd", "nesterov": True, "momentum": 0.9},
    "momentum": {"solver": "sgd", "nesterov": False, "momentum": 0.9},
    "sgd": {"solver": "sgd", "nesterov": False, "momentum": 0.0},
}


def made_up_targets(rng, loss, n_samples, n_outputs):
    if loss == "softmax":
        return rng.integers(0, n_outputs, n_samples)
    if loss == "logistic":
        return rng.integers(0, 2, (n_samples, n_outputs)).astype(np.float64)
    return rng.standard_normal((n_samples, n_outputs))


def assert_trains_like_numpy(
    sizes, activation, loss, solver, *, n_samples, batch_size, gather, n_epochs
):
    rng = np.random.default_rng(0)
    parameters = random_parameters(rng, sizes)
    X = rng.standard_normal((n_samples, sizes[0]))
    Y = made_up_targets(rng, loss, n_samples, sizes[-1])
    samples = Samples(X, Y.reshape(n_samples, -1).astype(np.float64))
    numpy_mlp = NumpyMLP(
        parameters.coefs,
        parameters.intercepts,
        activation=activation,
        loss=loss,
        batch_size=batch_size,
        learning_rate=0.01,
        alpha=0.1,
        dtype=np.float64,
        **SOLVERS[solver],
    )
    output_activation, loss_name = OUTPUT[loss]
    activations = [HIDDEN[activation]] * (len(sizes) - 2) + [output_activation]
    made = plan(
        parameters,
        activations,
        loss_name,
        solver,
        samples,
        batch_size=batch_size,
        gather=gather,
        alpha=0.1,
    )
    if loss == "squared_error":
        made.table["loss_scale"] = 1.0 / sizes[-1]  # NumPy's is a mean over outputs too
    order = np.arange(n_samples)
    with EpochRunner(made, samples, order if gather else IN_ORDER) as runner:
        for _ in range(n_epochs):
            if gather:
                rng.shuffle(order)
            got = runner.run()[0]
            expected = numpy_mlp.train_epoch(X, Y, order)
            np.testing.assert_allclose(got, expected, rtol=1e-10)
            np.testing.assert_allclose(
                parameters.theta,
                np.concatenate([p.ravel() for p in numpy_mlp.parameters]),
                rtol=1e-10,
                atol=1e-12,
            )
    return made


DEPTHS = [1, 2, 3, 4]
# Without a hidden layer there is only one activation: that of the output.
NETWORKS = [
    (depth, activation)
    for depth in DEPTHS
    for activation in HIDDEN
    if depth > 1 or activation == "identity"
]


@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("loss", OUTPUT)
@pytest.mark.parametrize(("depth", "activation"), NETWORKS)
def test_training_equals_numpy(depth, activation, loss, solver, gather):
    assert_trains_like_numpy(
        (5, *(6, 4, 5)[: depth - 1], 3),
        activation,
        loss,
        solver,
        n_samples=20,
        batch_size=8,  # the last batch is half as large
        gather=gather,
        n_epochs=3,
    )


@pytest.mark.parametrize(
    "sizes", [(1, 1), (5, 1), (1, 4, 1), (5, 1, 3), (5, 4, 1, 1)], ids=str
)
@pytest.mark.parametrize("loss", ["logistic", "squared_error"])
def test_training_with_layers_of_one_unit_equals_numpy(loss, sizes):
    assert_trains_like_numpy(
        sizes, "tanh", loss, "adam", n_samples=20, batch_size=8, gather=True, n_epochs=3
    )


@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
@pytest.mark.parametrize("loss", OUTPUT)
def test_training_in_shards_and_blocks_equals_numpy(loss, gather):
    n_samples, batch_size = 400, 256
    made = assert_trains_like_numpy(
        (251, 64, 5),
        "tanh",
        loss,
        "adam",
        n_samples=n_samples,
        batch_size=batch_size,
        gather=gather,
        n_epochs=2,
    )
    shard_rows, n_last = int(made.table["shard_rows"][0]), n_samples - batch_size
    assert 1 < -(-n_last // shard_rows) < -(-batch_size // shard_rows)
    assert n_last % shard_rows != 0
    assert (made.memory.blocks[:, 0] == 0).sum() > 1


# -- the gradient against finite differences ----------------------------------------------


class Problem(NamedTuple):
    """A small network with samples, away from every kink."""

    parameters: Parameters
    activations: list
    loss: str
    samples: Samples

    def astype(self, dtype):
        return self._replace(
            parameters=self.parameters.astype(dtype), samples=self.samples.astype(dtype)
        )

    def loss_and_gradient(self):
        """Return the reported mean loss with its L2 term, and what the engine derives."""
        n_samples = self.samples.n_rows
        made = plan(*self[:3], "gradient", self.samples, batch_size=n_samples, alpha=0.5)
        with EpochRunner(made, self.samples, IN_ORDER) as runner:
            loss = runner.run()[0]
        return loss, made.memory.state


def numpy_layers(parameters, activations, X):
    """Return Z and A of every layer."""
    A, layers = X, []
    views = zip(parameters.coefs, parameters.intercepts, activations, strict=True)
    for W, b, name in views:
        Z = A @ W + b
        A = ORACLES[name](Z)
        layers.append((Z, A))
    return layers


def problem(depth, hidden, output, loss):
    rng = np.random.default_rng(0)
    n_samples, sizes = 7, (4, *(5, 3, 4)[: depth - 1], 3)
    activations = [hidden] * (depth - 1) + [output]
    while True:
        parameters = random_parameters(rng, sizes)
        X = rng.standard_normal((n_samples, sizes[0])).astype(np.float32)
        layers = numpy_layers(parameters, activations, X.astype(np.float64))
        kinked = [
            np.abs(Z).min()
            for (Z, _), name in zip(layers, activations, strict=True)
            if name == "relu"
        ]
        if min(kinked, default=1.0) > 1e-3:
            break
    A = layers[-1][1]
    if (loss, output) == ("log_loss", "softmax"):
        Y = rng.integers(0, sizes[-1], (n_samples, 1))
    elif loss == "poisson":
        Y = rng.poisson(2.0, A.shape)
    elif loss == "log_loss":
        Y = rng.integers(0, 2, A.shape)
    else:  # at least 0.5 away from the kink of the absolute error
        Y = A + rng.choice([-1.0, 1.0], A.shape) * rng.uniform(0.5, 1.5, A.shape)
    weight = rng.uniform(0.5, 2.0, n_samples)
    samples = Samples(X, Y.astype(np.float32), weight.astype(np.float32))
    return Problem(parameters, activations, loss, samples.astype(np.float64))


LOSS_PAIRS = [
    (loss, output)
    for loss, row in LOSSES.items()
    for output in (row.canonical if row.of_outputs is None else BOUNDED_SLOPES)
]
PROBLEMS = [
    (depth, hidden, output, loss)
    for depth in DEPTHS
    for hidden in BOUNDED_SLOPES
    for loss, output in LOSS_PAIRS
    if depth > 1 or hidden == "identity"
]
NAMES = ["depth", "hidden", "output", "loss"]


@pytest.mark.parametrize(NAMES, PROBLEMS)
def test_gradient_equals_finite_differences(depth, hidden, output, loss):
    """Along one random direction in each weight matrix and each bias vector."""
    case = problem(depth, hidden, output, loss)
    _, gradient = case.loss_and_gradient()
    views, theta = case.parameters, case.parameters.theta
    rng = np.random.default_rng(1)
    step = 6e-6  # about the cube root of eps
    for view in (*views.coefs, *views.intercepts):
        start = (view.ctypes.data - theta.ctypes.data) // theta.itemsize
        direction = np.zeros_like(theta)
        direction[start : start + view.size] = rng.standard_normal(view.size)
        direction /= np.linalg.norm(direction)
        losses = []
        before = theta.copy()
        for sign in (1.0, -1.0):
            theta[:] = before + sign * step * direction
            losses.append(case.loss_and_gradient()[0])
        theta[:] = before
        numeric = (losses[0] - losses[1]) / (2 * step)
        # The step divides the rounding of the loss, at most a few eps of it.
        atol = 1e-10 * max(5.0, losses[0])
        np.testing.assert_allclose(gradient @ direction, numeric, rtol=0.0, atol=atol)


@pytest.mark.parametrize(NAMES, PROBLEMS)
def test_gradient_in_single_precision_equals_double(depth, hidden, output, loss):
    case = problem(depth, hidden, output, loss)
    loss_64, exact = case.loss_and_gradient()
    loss_32, gradient = case.astype(np.float32).loss_and_gradient()
    eps = np.finfo(np.float32).eps
    # A layer adds one rounding of its units on the way forward, three on the way back.
    np.testing.assert_allclose(loss_32, loss_64, rtol=(depth + 1) * eps)
    atol = 4 * (depth + 1) * eps * np.abs(exact).max()
    np.testing.assert_allclose(gradient, exact, rtol=0.0, atol=atol)
