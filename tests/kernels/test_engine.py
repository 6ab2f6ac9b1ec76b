"""The engine against the NumPy network, finite differences, and itself over threads."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest

from benchmarks.numpy_mlp import NumpyMLP
from fastdnn import _prediction, _threads, _training
from fastdnn._parameters import Parameters
from fastdnn._plan import plan_prediction, plan_training
from fastdnn._prediction import Predictor
from fastdnn._samples import Samples
from fastdnn._training import EpochRunner
from fastdnn.kernels.losses import CANONICAL_LOSSES, OUTPUT_LOSSES
from tests.kernels.test_activations import BOUNDED_SLOPES, DTYPES, ORACLES

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
        activations,
        loss,
        optimizer,
        samples=samples,
        **options,
    )
    made.settings.learning_rate = 0.01
    made.settings.momentum = 0.9
    made.settings.beta_1, made.settings.beta_2 = 0.9, 0.999
    made.settings.epsilon = 1e-8
    made.settings.alpha = alpha
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
        made.settings.loss_scale = 1.0 / sizes[-1]  # NumPy's is a mean over outputs too
    order = np.arange(n_samples)
    with EpochRunner(made, samples, order if gather else IN_ORDER) as runner:
        for _ in range(n_epochs):
            if gather:
                rng.shuffle(order)
            got = runner.run()
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
    shard_rows, n_last = made.settings.shard_rows, n_samples - batch_size
    assert 1 < -(-n_last // shard_rows) < -(-batch_size // shard_rows)
    assert n_last % shard_rows != 0
    assert (made.network.blocks[:, 0] == 0).sum() > 1


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
            loss = runner.run()
        return loss, made.network.state


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
    *CANONICAL_LOSSES,
    *((loss, output) for loss in OUTPUT_LOSSES for output in BOUNDED_SLOPES),
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


# -- rows, weights and runs ---------------------------------------------------------------


def train(parameters, samples, orders, *, activation="tanh", n_threads=1, **options):
    """Train softmax with Adam, an epoch for every order; return theta and the losses."""
    parameters = parameters.astype(samples.X.dtype)
    activations = [activation] * (len(parameters.coefs) - 1) + ["softmax"]
    options = {"batch_size": 8, "alpha": 0.1, "n_threads": n_threads} | options
    made = plan(parameters, activations, "log_loss", "adam", samples, **options)
    current, losses = orders[0].copy(), []
    with EpochRunner(made, samples, current) as runner:
        for order in orders:
            current[:] = order
            losses.append(runner.run())
    return parameters.theta, losses


def classification(rng, n_samples, sizes, dtype=np.float64):
    X = rng.standard_normal((n_samples, sizes[0])).astype(np.float32).astype(dtype)
    return Samples(X, rng.integers(0, sizes[-1], (n_samples, 1)).astype(dtype))


def test_gathered_rows_in_order_change_no_bit():
    rng = np.random.default_rng(0)
    sizes = (5, 6, 3)
    parameters, samples = random_parameters(rng, sizes), classification(rng, 20, sizes)
    in_order = train(parameters, samples, [IN_ORDER] * 3)
    gathered = train(parameters, samples, [np.arange(20)] * 3, gather=True)
    np.testing.assert_array_equal(in_order[0], gathered[0])
    assert in_order[1] == gathered[1]


@pytest.mark.parametrize("weighted", [False, True])
def test_only_the_chosen_rows_count(weighted):
    rng = np.random.default_rng(0)
    sizes = (5, 6, 3)
    parameters, samples = random_parameters(rng, sizes), classification(rng, 20, sizes)
    weight = rng.uniform(0.5, 2.0, 20) if weighted else None
    rows = rng.choice(20, 11, replace=False)
    X, Y = samples.X, samples.Y
    chosen = Samples(X, Y, weight, rows)
    copied = Samples(X[rows], Y[rows], weight[rows] if weighted else None)
    got = train(parameters, chosen, [rows] * 3, gather=True)
    expected = train(parameters, copied, [IN_ORDER] * 3)
    np.testing.assert_array_equal(got[0], expected[0])
    assert got[1] == expected[1]


@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
def test_weight_counts_as_repetition_of_the_row(gather):
    rng = np.random.default_rng(0)
    sizes = (5, 6, 3)
    parameters, samples = random_parameters(rng, sizes), classification(rng, 20, sizes)
    times = rng.integers(0, 4, 20)
    weighted = Samples(samples.X, samples.Y, times.astype(np.float64))
    repeated = Samples(samples.X.repeat(times, axis=0), samples.Y.repeat(times, axis=0))
    order = rng.permutation(20) if gather else IN_ORDER
    got = train(parameters, weighted, [order] * 3, gather=gather, batch_size=20)
    expected = train(parameters, repeated, [IN_ORDER] * 3, batch_size=times.sum())
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-12)


def test_losses_and_gradients_over_a_total_weight_add_up_over_batches():
    case = problem(3, "tanh", "softmax", "log_loss")
    samples = case.samples

    def loss_and_gradient(batch_size, total_weight):
        made = plan(*case[:3], "gradient", samples, batch_size=batch_size)
        made.settings.total_weight = total_weight
        with EpochRunner(made, samples, IN_ORDER) as runner:
            return runner.run(), made.network.state

    in_batches = loss_and_gradient(3, samples.weight.sum())  # three, three, one
    at_once = loss_and_gradient(samples.n_rows, 0.0)
    for got, expected in zip(in_batches, at_once, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0.0, atol=1e-14)


def test_an_epoch_cut_into_runs_changes_no_bit(monkeypatch):
    rng = np.random.default_rng(0)
    sizes = (5, 6, 3)
    parameters, samples = random_parameters(rng, sizes), classification(rng, 100, sizes)
    whole = train(parameters, samples, [IN_ORDER] * 2)
    monkeypatch.setattr(_training, "_FLOPS_PER_SECOND", 1.0)  # begins with one batch
    cut = train(parameters, samples, [IN_ORDER] * 2)
    np.testing.assert_array_equal(cut[0], whole[0])
    assert cut[1] == whole[1]


# -- prediction ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("activation", BOUNDED_SLOPES)
def test_forward_pass_equals_numpy(activation, depth, dtype):
    rng = np.random.default_rng(0)
    parameters = random_parameters(rng, (4, *(5, 3, 4)[: depth - 1], 3))
    X = rng.standard_normal((9, 4)).astype(np.float32)
    activations = [activation] * depth
    _, exact = numpy_layers(parameters, activations, X.astype(np.float64))[-1]
    out = Predictor(parameters.astype(dtype), activations)(Samples(X.astype(dtype)))
    assert out.dtype == dtype
    atol = 4 * (depth + 1) * np.finfo(dtype).eps
    np.testing.assert_allclose(out, exact, rtol=0.0, atol=atol)


WIDE = (6, 512, 64, 3)
WIDE_ACTIVATIONS = ["silu", "tanh", "softmax"]


def wide_network(dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, WIDE[0])).astype(np.float32)
    return random_parameters(rng, WIDE, dtype), X.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_forward_pass_in_blocks_equals_numpy(dtype):
    parameters, X = wide_network(dtype)
    double = parameters.astype(np.float64)
    _, exact = numpy_layers(double, WIDE_ACTIVATIONS, X.astype(np.float64))[-1]
    made = plan_prediction(parameters, WIDE_ACTIVATIONS, gather=False, is_sparse=False)
    block_rows = made.shard_rows
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
    assert 2 * block_rows < len(X)
    for n_rows in (0, 1, block_rows, block_rows + 1, len(X)):
        out = predictor(Samples(X[:n_rows]))
        # The sums over 512 units round more than those of small layers.
        atol = 16 * np.finfo(dtype).eps
        np.testing.assert_allclose(out, exact[:n_rows], rtol=0.0, atol=atol)


# -- the same bits for any number of threads ----------------------------------------------


def heavy_workload(dtype):
    """Return parameters, samples and orders that make at least 4 shards and 4 blocks."""
    rng = np.random.default_rng(0)
    sizes = (200, 96, 64, 10)
    samples = classification(rng, 900, sizes, dtype)
    orders = [rng.permutation(900) for _ in range(4)]
    return random_parameters(rng, sizes), samples, orders


HEAVY = {"activation": "silu", "gather": True, "batch_size": 512}


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
def test_number_of_threads_changes_no_bit_of_training(dtype):
    parameters, samples, orders = heavy_workload(dtype)
    made = plan(
        parameters.astype(dtype),
        ["silu", "silu", "softmax"],
        "log_loss",
        "adam",
        samples,
        gather=True,
        batch_size=512,
        n_threads=4,
    )
    assert made.n_workers == 4
    assert 512 // made.settings.shard_rows >= 4
    assert len(made.network.blocks) >= 4
    theta, losses = train(parameters, samples, orders, **HEAVY)
    for n_threads in (2, 3, 4, 4, 4):
        other = train(parameters, samples, orders, n_threads=n_threads, **HEAVY)
        np.testing.assert_array_equal(other[0], theta)
        assert other[1] == losses


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
def test_fits_at_once_change_no_bit_of_each_other(dtype):
    parameters, samples, orders = heavy_workload(dtype)
    theta, losses = train(parameters, samples, orders, **HEAVY)
    with ThreadPoolExecutor(8) as pool:
        fits = [
            pool.submit(train, parameters, samples, orders, n_threads=n_threads, **HEAVY)
            for n_threads in (1, 2, 3, 4, 1, 2, 3, 4)
        ]
    for fit in fits:
        np.testing.assert_array_equal(fit.result()[0], theta)
        assert fit.result()[1] == losses


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
def test_number_of_threads_changes_no_bit_of_prediction(dtype, monkeypatch):
    parameters, X = wide_network(dtype)
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
    expected = predictor(Samples(X))
    teams = []

    def run_side_by_side(n_workers, work):
        teams.append(n_workers)
        _threads.run_side_by_side(n_workers, work)

    monkeypatch.setattr(_prediction, "run_side_by_side", run_side_by_side)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(predictor(Samples(X), n_threads), expected)
    assert teams == [2, 3]


@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
def test_a_predictor_takes_any_rows_one_call_after_the_other(gather):
    parameters, X = wide_network(np.float32)
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
    everything = predictor(Samples(X))
    rows = np.arange(len(X), dtype=np.int64)[::-1].copy()
    for count in (1, 300, 2, 70):
        if gather:
            samples, expected = Samples(X, rows=rows[:count]), everything[::-1][:count]
        else:
            samples, expected = Samples(X[:count]), everything[:count]
        np.testing.assert_allclose(predictor(samples), expected, rtol=1e-5)
    parameters.theta[:] *= 0.5
    assert not np.allclose(predictor(Samples(X)), everything)


@pytest.mark.needs_jit
def test_predictions_in_many_threads_at_once_are_those_of_one():
    parameters, X = wide_network(np.float32)
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
    chunks = [X[i : i + 9] for i in range(0, 270, 9)]
    expected = [predictor(Samples(chunk)) for chunk in chunks]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            got = pool.map(lambda chunk: predictor(Samples(chunk)), chunks)
            for one, other in zip(got, expected, strict=True):
                np.testing.assert_array_equal(one, other)
