"""The engine against the NumPy network and finite differences."""

import numpy as np
import pytest

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.data.samples import Samples
from fastdnn.ops.losses import LOSSES
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.training.epochs import EpochRunner
from tests.networks import random_parameters
from tests.oracle.activations import BOUNDED_SLOPES, HIDDEN
from tests.oracle.losses import PARAMETERS
from tests.oracle.network import NumpyNetwork
from tests.plans import IN_ORDER, plan, problem, targets_of

pytestmark = pytest.mark.usefixtures("four_cpus")

# -- training against the NumPy network ---------------------------------------------------

#: Output activations with losses.
OUTPUTS = [
    ("softmax", "log_loss"), ("sigmoid", "log_loss"), ("identity", "half_squared_error")
]  # fmt: skip
#: What the engine can be trained for: losses with their outputs and each of some parameters.
LOSS_CASES = [
    (loss, output, c)
    for loss, row in LOSSES.items()
    for output in (row.canonical if row.of_outputs is None else ["identity"])
    for c in (None, *PARAMETERS.get(loss, (0.0, []))[1])
]
SOLVERS = ["adam", "nesterov", "momentum", "sgd"]


def made_up_targets(rng, loss, output, n_samples, n_outputs):
    """Return targets as the engine takes them, and as the NumPy network does."""
    Y = targets_of(rng, loss, output, (n_samples, n_outputs)).astype(np.float64)
    if LOSSES[loss].positions_with == output:
        return Y, np.eye(n_outputs)[Y[:, 0].astype(int)]
    return Y, Y


def assert_trains_like_numpy(
    sizes, activation, output, solver, *, n_samples, batch_size, gather, n_epochs,
    loss=None, loss_parameter=None, weight_decay=0.0,
):  # fmt: skip
    rng = np.random.default_rng(0)
    parameters = random_parameters(rng, sizes)
    X = rng.standard_normal((n_samples, sizes[0]))
    loss = loss or dict(OUTPUTS)[output]
    given, Y = made_up_targets(rng, loss, output, n_samples, sizes[-1])
    samples = Samples(X, given)
    # That a mean over outputs is reported is scikit-learn's.
    loss_scale = 1.0 / sizes[-1] if output == "identity" else 1.0
    activations = [activation] * (len(sizes) - 2) + [output]
    views = parameters.coefs, parameters.intercepts
    numpy_network = NumpyNetwork(
        *views, activations, loss, solver=solver, alpha=0.1, loss_scale=loss_scale,
        loss_parameter=loss_parameter, weight_decay=weight_decay,
    )  # fmt: skip
    options = {"batch_size": batch_size, "gather": gather, "alpha": 0.1}
    options |= {"loss_parameter": loss_parameter, "weight_decay": weight_decay}
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


@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
@pytest.mark.parametrize(("loss", "output", "c"), LOSS_CASES)
def test_training_for_every_loss_equals_numpy(loss, output, c, gather):
    assert_trains_like_numpy(
        (5, 4, 4 if LOSSES[loss].outputs_per_target == 2 else 3),
        "tanh",
        output,
        "sgd",
        n_samples=20,
        batch_size=8,
        gather=gather,
        n_epochs=2,
        loss=loss,
        loss_parameter=c,
    )


@pytest.mark.parametrize(
    ("sizes", "batch_size"), [((5, 4, 3), 8), ((251, 64, 5), 256)], ids=["shards", "blocks"]
)
@pytest.mark.parametrize("solver", SOLVERS)
def test_weights_decay_and_biases_do_not(solver, sizes, batch_size):
    assert_trains_like_numpy(
        sizes,
        "tanh",
        "softmax",
        solver,
        n_samples=batch_size,
        batch_size=batch_size,
        gather=False,
        n_epochs=3,
        weight_decay=2.0,
    )


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("solver", [name for name in OPTIMIZERS if name != "gradient"])
def test_every_optimiser_lowers_the_loss_with_the_same_bits_on_any_threads(solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((512, 20)).astype(np.float32)
    samples = Samples(X, (X[:, :1] > 0).astype(np.float32))
    trained = []
    for n_threads in (1, 2):
        parameters = random_parameters(np.random.default_rng(1), (20, 60, 2), np.float32)
        options = {"batch_size": 256, "n_threads": n_threads, "weight_decay": 0.1}
        made = plan(parameters, ["relu", "softmax"], "log_loss", solver, samples, **options)
        assert made.n_workers == (n_threads if JIT_ENABLED else 1)
        with EpochRunner(made, samples, IN_ORDER) as runner:
            losses = [runner.run()[0] for _ in range(20)]
        assert losses[-1] < losses[0]
        trained.append((parameters.theta, made.memory.state, losses))
    for one, two in zip(*trained, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "sizes", [(1, 1), (5, 1), (1, 4, 1), (5, 1, 3), (5, 4, 1, 1)], ids=str
)
@pytest.mark.parametrize("output", ["sigmoid", "identity"])
def test_training_with_layers_of_one_unit_equals_numpy(output, sizes):
    assert_trains_like_numpy(
        sizes, "tanh", output, "adam", n_samples=20, batch_size=8, gather=True, n_epochs=3
    )


@pytest.mark.slow_without_jit
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

OUTPUT_LOSSES = [loss for loss, row in LOSSES.items() if row.of_outputs is not None]
CANONICAL_LOSSES = [(loss, output) for loss, row in LOSSES.items() for output in row.canonical]


def _problems():
    """Yield networks in which any two of these meet: activations, outputs, losses.

    A cross product would be ten thousand. Depths and parameters of losses take turns.
    """
    for i, hidden in enumerate(HIDDEN):
        meetings = [
            (OUTPUT_LOSSES[(i + o) % len(OUTPUT_LOSSES)], output)
            for o, output in enumerate(BOUNDED_SLOPES)
        ]
        for n, (loss, output) in enumerate(meetings + CANONICAL_LOSSES, start=i):
            values = (None, *PARAMETERS.get(loss, (0.0, []))[1])
            depths = [2, 3, 4, 1] if hidden == "identity" else [2, 3, 4]
            yield depths[n % len(depths)], hidden, output, loss, values[n % len(values)]


PROBLEMS = list(_problems())
NAMES = ["depth", "hidden", "output", "loss", "c"]


@pytest.mark.slow_without_jit
@pytest.mark.parametrize(NAMES, PROBLEMS)
def test_gradient_equals_finite_differences(depth, hidden, output, loss, c):
    """Along one random direction in each weight matrix and each bias vector."""
    case = problem(depth, hidden, output, loss, c)
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
def test_gradient_in_single_precision_equals_double(depth, hidden, output, loss, c):
    case = problem(depth, hidden, output, loss, c)
    loss_64, exact = case.loss_and_gradient()
    loss_32, gradient = case.astype(np.float32).loss_and_gradient()
    eps = np.finfo(np.float32).eps
    # A layer adds one rounding of its units on the way forward, three on the way back.
    np.testing.assert_allclose(loss_32, loss_64, rtol=(depth + 1) * eps)
    atol = 4 * (depth + 1) * eps * np.abs(exact).max()
    np.testing.assert_allclose(gradient, exact, rtol=0.0, atol=atol)
