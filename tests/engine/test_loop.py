"""The engine against the NumPy network and finite differences."""

import numpy as np
import pytest

from fastdnn.data.samples import Samples
from fastdnn.ops.losses import LOSSES
from fastdnn.training.epochs import EpochRunner
from tests.networks import random_parameters
from tests.oracle.activations import BOUNDED_SLOPES
from tests.oracle.network import NumpyNetwork
from tests.plans import IN_ORDER, plan, problem

pytestmark = pytest.mark.usefixtures("four_cpus")

# -- training against the NumPy network ---------------------------------------------------

#: Output activations with losses.
OUTPUTS = [
    ("softmax", "log_loss"), ("sigmoid", "log_loss"), ("identity", "half_squared_error")
]  # fmt: skip
SOLVERS = ["adam", "nesterov", "momentum", "sgd"]


def made_up_targets(rng, output, n_samples, n_outputs):
    """Return targets as the engine takes them, and as the NumPy network does."""
    if output == "softmax":
        positions = rng.integers(0, n_outputs, n_samples)
        return positions[:, None].astype(np.float64), np.eye(n_outputs)[positions]
    if output == "sigmoid":
        Y = rng.integers(0, 2, (n_samples, n_outputs)).astype(np.float64)
    else:
        Y = rng.standard_normal((n_samples, n_outputs))
    return Y, Y


def assert_trains_like_numpy(
    sizes, activation, output, solver, *, n_samples, batch_size, gather, n_epochs
):
    rng = np.random.default_rng(0)
    parameters = random_parameters(rng, sizes)
    X = rng.standard_normal((n_samples, sizes[0]))
    given, Y = made_up_targets(rng, output, n_samples, sizes[-1])
    samples, loss = Samples(X, given), dict(OUTPUTS)[output]
    # That a mean over outputs is reported is scikit-learn's.
    loss_scale = 1.0 / sizes[-1] if output == "identity" else 1.0
    activations = [activation] * (len(sizes) - 2) + [output]
    views = parameters.coefs, parameters.intercepts
    numpy_network = NumpyNetwork(
        *views, activations, loss, solver=solver, alpha=0.1, loss_scale=loss_scale
    )
    options = {"batch_size": batch_size, "gather": gather, "alpha": 0.1}
    made = plan(parameters, activations, loss, solver, samples, **options)
    made.table["loss_scale"] = loss_scale
    order = np.arange(n_samples)
    with EpochRunner(made, samples, order if gather else IN_ORDER) as runner:
        for _ in range(n_epochs):
            if gather:
                rng.shuffle(order)
            got = runner.run()[0]
            expected = numpy_network.train_epoch(X, Y, order, batch_size)
            np.testing.assert_allclose(got, expected, rtol=1e-10)
            np.testing.assert_allclose(
                parameters.theta,
                np.concatenate([p.ravel() for p in numpy_network.parameters]),
                rtol=1e-10,
                atol=1e-12,
            )
    return made


DEPTHS = [1, 2, 3, 4]
# Without a hidden layer there is only one activation: that of the output.
NETWORKS = [
    (depth, activation)
    for depth in DEPTHS
    for activation in ("relu", "tanh", "sigmoid", "silu", "identity")
    if depth > 1 or activation == "identity"
]


@pytest.mark.pairwise
@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("output", dict(OUTPUTS))
@pytest.mark.parametrize(("depth", "activation"), NETWORKS)
def test_training_equals_numpy(depth, activation, output, solver, gather):
    assert_trains_like_numpy(
        (5, *(6, 4, 5)[: depth - 1], 3),
        activation,
        output,
        solver,
        n_samples=20,
        batch_size=8,  # the last batch is half as large
        gather=gather,
        n_epochs=3,
    )


@pytest.mark.parametrize(
    "sizes", [(1, 1), (5, 1), (1, 4, 1), (5, 1, 3), (5, 4, 1, 1)], ids=str
)
@pytest.mark.parametrize("output", ["sigmoid", "identity"])
def test_training_with_layers_of_one_unit_equals_numpy(output, sizes):
    assert_trains_like_numpy(
        sizes, "tanh", output, "adam", n_samples=20, batch_size=8, gather=True, n_epochs=3
    )


@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
@pytest.mark.parametrize("output", dict(OUTPUTS))
def test_training_in_shards_and_blocks_equals_numpy(output, gather):
    n_samples, batch_size = 400, 256
    made = assert_trains_like_numpy(
        (251, 64, 5),
        "tanh",
        output,
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


@pytest.mark.pairwise
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


@pytest.mark.pairwise
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
