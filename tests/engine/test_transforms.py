"""Normalisation, dropout, noise and prelu in the engine: NumPy and finite differences."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy import sparse

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.data.samples import Samples
from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.draws import HIDDEN_DROPOUT, INPUT_DROPOUT, INPUT_NOISE
from fastdnn.ops.losses import LOSSES
from fastdnn.planning.plan import plan_training
from fastdnn.prediction.predictor import Predictor
from fastdnn.training.epochs import EpochRunner
from tests.ops.transform_calls import mask, noise
from tests.oracle.activations import BOUNDED_SLOPES
from tests.oracle.hidden_layers import NumpyLayers
from tests.plans import IN_ORDER, targets_of

pytestmark = pytest.mark.usefixtures("four_cpus")

SEED, FIRST_STEP = 12345, 3
_KINKS = {"relu": [0], "leaky_relu": [0], "selu": [0], "prelu": [0], "hardswish": [-3, 3]}


class Case(NamedTuple):
    """A network with samples."""

    network: Network
    parameters: Parameters
    samples: Samples
    targets: np.ndarray

    def astype(self, dtype):
        """Return the same numbers in another precision."""
        parameters, samples = self.parameters.astype(dtype), self.samples.astype(dtype)
        return self._replace(parameters=parameters, samples=samples)

    def masks(self, step, n_rows):
        """Return what the input and hidden layers are multiplied by in a step, or None."""
        network = self.network
        rates = [network.input_dropout, *(layer.dropout for layer in network.layers[:-1])]
        streams = [INPUT_DROPOUT, *range(HIDDEN_DROPOUT, HIDDEN_DROPOUT + len(rates))]
        return [
            mask((n_rows, width), rate, SEED, step, stream) if rate else None
            for width, rate, stream in zip(network.sizes, rates, streams, strict=False)
        ]

    def with_noise(self, X, step):
        """Return rows as a step sees them."""
        deviation = self.network.input_noise
        return X + deviation * noise(X.shape, SEED, step, INPUT_NOISE) if deviation else X

    def numpy(self, **options):
        """Return the same network in NumPy."""
        network = self.network
        activations, c = network.activations, network.loss_parameter
        return NumpyLayers(
            self.parameters, activations, network.loss, loss_parameter=c, **options
        )

    def plan(self, optimizer, batch_size=None, n_threads=1, gather=False, alpha=0.0):
        """Plan the training of the parameters in place."""
        made = plan_training(
            self.parameters,
            self.network,
            optimizer,
            batch_size=batch_size or self.samples.n_rows,
            samples=self.samples,
            gather=gather,
            n_threads=n_threads,
        )
        made.set_numbers(learning_rate=0.05, momentum=0.9)
        made.table["alpha"], made.table["seed"] = alpha, SEED
        made.table["t"] = FIRST_STEP
        return made

    def loss_and_gradient(self):
        """Return the mean loss with an L2 term, and what the engine derives."""
        made = self.plan("gradient", alpha=0.5)
        with EpochRunner(made, self.samples, IN_ORDER) as runner:
            loss = runner.run()[0]
        return loss, made.memory.state


def layers_of(hidden, sizes, output, normalization=None, dropout=0.0):
    hidden = [hidden] * (len(sizes) - 2) if isinstance(hidden, str) else hidden
    layers = [
        Layer(n, name, normalization, dropout)
        for n, name in zip(sizes[1:-1], hidden, strict=True)
    ]
    return *layers, Layer(sizes[-1], output)


def make_case(
    hidden, output, loss, *, sizes=(6, 5, 4), n_rows=7, normalization=None, dropout=0.0,
    loss_parameter=None, is_sparse=False, is_weighted=True, **of_input,
):  # fmt: skip
    """Make up a case, away from every kink."""
    rng = np.random.default_rng(0)
    n_outputs = 2 if LOSSES[loss].outputs_per_target == 2 else 3
    sizes = *sizes, n_outputs
    layers = layers_of(hidden, sizes, output, normalization, dropout)
    network = Network(sizes[0], layers, loss, 1.0, loss_parameter, **of_input)
    parameters = Parameters(
        sizes, np.float64, normalized=network.normalized, sloped=network.sloped
    )
    is_class = LOSSES[loss].positions_with == output
    while True:
        theta = rng.uniform(-1.0, 1.0, parameters.theta.size) * np.sqrt(3.0 / sizes[0])
        parameters.theta[:] = theta.astype(np.float32)
        X = rng.standard_normal((n_rows, sizes[0])).astype(np.float32)
        if is_sparse:
            X[rng.random(X.shape) < 0.5] = 0.0
        Y = targets_of(rng, loss, output, (n_rows, n_outputs)).astype(np.float32)
        weight = rng.uniform(0.5, 2.0, n_rows).astype(np.float32) if is_weighted else None
        given = sparse.csr_matrix(X) if is_sparse else X
        samples = Samples(given, Y, weight).astype(np.float64)
        targets = np.eye(n_outputs)[Y[:, 0].astype(int)] if is_class else samples.Y
        case = Case(network, parameters, samples, targets)
        seen = case.with_noise(X.astype(np.float64), FIRST_STEP)
        through = case.numpy().layers(seen, case.masks(FIRST_STEP, n_rows))
        kinked = [
            np.abs(Z - kink).min()
            for (_, _, Z, _), name in zip(through, network.activations, strict=True)
            for kink in _KINKS.get(name, [])
        ]
        if loss in ("absolute_error", "quantile", "huber"):
            distance = np.abs(through[-1][3] - targets)
            kinked += [distance.min(), np.abs(distance - 1.0).min()]
        if min(kinked, default=1.0) > 1e-3:
            return case


# -- the gradient, against NumPy and finite differences -----------------------------------

HIDDEN = [*(name for name in BOUNDED_SLOPES if name != "softmax"), "prelu"]
LOSSES_WITH_OUTPUTS = [
    (loss, output)
    for loss, row in LOSSES.items()
    for output in (row.canonical if row.of_outputs is None else ["identity"])
]
INPUTS = [
    {},
    {"input_dropout": 0.3},
    {"input_dropout": 0.3, "is_sparse": True},
    {"is_sparse": True},
    {"input_noise": 0.5},
    {"input_noise": 0.5, "input_dropout": 0.3},
]
ALL = [
    ("hidden", HIDDEN),
    (("loss", "output"), LOSSES_WITH_OUTPUTS),
    ("normalization", [None, "layer"]),
    ("dropout", [0.0, 0.4]),
    ("of_input", [str(each) for each in INPUTS]),
]


def every_two_of_them(test):
    for names, values in ALL:
        test = pytest.mark.parametrize(names, values)(test)
    return pytest.mark.pairwise(test)


def drawn_case(hidden, loss, output, normalization, dropout, of_input):
    given = {str(each): each for each in INPUTS}[of_input]
    options = {"normalization": normalization, "dropout": dropout} | given
    return make_case(hidden, output, loss, **options)


@pytest.mark.slow_without_jit
@every_two_of_them
def test_gradients_equal_finite_differences(
    hidden, loss, output, normalization, dropout, of_input
):
    """Along one random direction in each matrix and vector."""
    case = drawn_case(hidden, loss, output, normalization, dropout, of_input)
    _, gradient = case.loss_and_gradient()
    theta, rng, step = case.parameters.theta, np.random.default_rng(1), 6e-6
    for view in case.parameters.views:
        start = (view.ctypes.data - theta.ctypes.data) // theta.itemsize
        direction = np.zeros_like(theta)
        direction[start : start + view.size] = rng.standard_normal(view.size)
        direction /= np.linalg.norm(direction)
        losses, before = [], theta.copy()
        for sign in (1.0, -1.0):
            theta[:] = before + sign * step * direction
            losses.append(case.loss_and_gradient()[0])
        theta[:] = before
        numeric = (losses[0] - losses[1]) / (2 * step)
        atol = 1e-9 * max(5.0, losses[0])
        np.testing.assert_allclose(gradient @ direction, numeric, rtol=0.0, atol=atol)


@every_two_of_them
def test_losses_and_gradients_equal_numpy(
    hidden, loss, output, normalization, dropout, of_input
):
    case = drawn_case(hidden, loss, output, normalization, dropout, of_input)
    found, gradient = case.loss_and_gradient()
    samples, n_rows = case.samples, case.samples.n_rows
    X = samples.X if not samples.is_sparse else samples.X.toarray()
    expected, gradients = case.numpy(alpha=0.5).loss_and_gradients(
        case.with_noise(X, FIRST_STEP), case.targets, case.masks(FIRST_STEP, n_rows),
        samples.weight,
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    flat = np.concatenate([each.ravel() for each in gradients])
    np.testing.assert_allclose(gradient, flat, rtol=0, atol=1e-11 * max(1, abs(flat).max()))


@pytest.mark.slow_without_jit
@every_two_of_them
def test_single_precision_equals_double(
    hidden, loss, output, normalization, dropout, of_input
):
    case = drawn_case(hidden, loss, output, normalization, dropout, of_input)
    loss_64, exact = case.loss_and_gradient()
    loss_32, gradient = case.astype(np.float32).loss_and_gradient()
    eps = float(np.finfo(np.float32).eps)
    # Normalised rows are multiplied by the root of what is left of their variance.
    largest = 30 if normalization is None else 300
    np.testing.assert_allclose(loss_32, loss_64, rtol=largest * eps)
    atol = largest * eps * np.abs(exact).max()
    np.testing.assert_allclose(gradient, exact, rtol=0.0, atol=atol)


# -- training over many steps ---------------------------------------------------------------

#: By shard, and block by block.
SIZES = {"shards": ((30, 60, 20), 192), "blocks": ((251, 128, 64), 64)}
EVERYTHING = {"normalization": "layer", "dropout": 0.3}


@pytest.mark.pairwise
@pytest.mark.slow_without_jit
@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("hidden", ["relu", "tanh", "prelu", "silu"])
@pytest.mark.parametrize("options", [{"dropout": 0.3}, EVERYTHING], ids=["dropout", "all"])
def test_steps_equal_those_of_numpy(options, hidden, sizes, is_sparse, gather):
    sizes, batch_size = SIZES[sizes]
    n_rows = batch_size + batch_size // 2
    of_input = {"input_dropout": 0.2} | ({} if is_sparse else {"input_noise": 0.1})
    case = make_case_without_kinks(
        hidden, sizes, n_rows, is_sparse=is_sparse, **options, **of_input
    )
    net = case.numpy(solver="nesterov", learning_rate=0.05, alpha=0.1)
    made = case.plan("nesterov", batch_size, gather=gather, alpha=0.1)
    samples, order = case.samples, np.arange(n_rows)
    X = samples.X.toarray() if is_sparse else samples.X
    rng, step = np.random.default_rng(2), FIRST_STEP
    with EpochRunner(made, samples, order if gather else IN_ORDER) as runner:
        for _ in range(2):
            if gather:
                rng.shuffle(order)
            found, total = runner.run()[0], 0.0
            for first in range(0, n_rows, batch_size):
                rows = order[first : first + batch_size]
                loss, gradients = net.loss_and_gradients(
                    case.with_noise(X[rows], step), case.targets[rows],
                    case.masks(step, len(rows)), samples.weight[rows],
                )  # fmt: skip
                total += loss * len(rows)
                net.step(gradients)
                step += 1
            np.testing.assert_allclose(found, total / n_rows, rtol=1e-9)
            expected = np.concatenate([each.ravel() for each in net.parameters])
            np.testing.assert_allclose(case.parameters.theta, expected, rtol=1e-8, atol=1e-10)
    assert made.table["t"][0] == step


def make_case_without_kinks(hidden, sizes, n_rows, *, is_sparse=False, **options):
    """Make up a case of many rows: what lies on a kink is as good as one side of it."""
    rng = np.random.default_rng(0)
    normalization, dropout = options.pop("normalization", None), options.pop("dropout", 0.0)
    sizes = *sizes, 3
    layers = layers_of(hidden, sizes, "softmax", normalization, dropout)
    network = Network(sizes[0], layers, "log_loss", **options)
    parameters = Parameters(
        sizes, np.float64, normalized=network.normalized, sloped=network.sloped
    )
    theta = rng.standard_normal(parameters.theta.size) / np.sqrt(sizes[0])
    parameters.theta[:] = theta.astype(np.float32)
    for gain in parameters.norm_gains:
        gain += 1.0
    X = rng.standard_normal((n_rows, sizes[0])).astype(np.float32)
    if is_sparse:
        X[rng.random(X.shape) < 0.8] = 0.0
    Y = rng.integers(0, 3, (n_rows, 1))
    weight = rng.uniform(0.5, 2.0, n_rows).astype(np.float32)
    given = sparse.csr_matrix(X) if is_sparse else X
    samples = Samples(given, Y.astype(np.float32), weight).astype(np.float64)
    return Case(network, parameters, samples, np.eye(3)[Y[:, 0]])


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("kind", SIZES)
def test_bits_are_the_same_on_any_threads(kind, is_sparse, dtype):
    sizes, batch_size = SIZES[kind]
    results = []
    for n_threads in (1, 2, 3):
        case = make_case_without_kinks(
            ["prelu", "relu"], sizes, 2 * batch_size + 30, is_sparse=is_sparse,
            input_dropout=0.2, **EVERYTHING,
        ).astype(dtype)  # fmt: skip
        made = case.plan("momentum", batch_size, n_threads)
        n_shards = -(-batch_size // made.shard_rows)
        assert n_shards > 1
        assert made.table["gradient_by_shard"][0] == (kind == "shards" and not is_sparse)
        assert not JIT_ENABLED or made.n_workers == min(n_threads, n_shards)
        with EpochRunner(made, case.samples, IN_ORDER) as runner:
            losses = [runner.run()[0] for _ in range(3)]
        results.append((case.parameters.theta, losses))
    for theta, losses in results[1:]:
        np.testing.assert_array_equal(theta, results[0][0])
        assert losses == results[0][1]


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
def test_predictions_normalise_and_leave_nothing_out(is_sparse):
    case = make_case_without_kinks(
        ["prelu", "tanh"], (10, 20, 12), 50, is_sparse=is_sparse, input_dropout=0.5,
        **EVERYTHING,
    )  # fmt: skip
    X = case.samples.X.toarray() if is_sparse else case.samples.X
    expected = case.numpy().layers(X, [None] * 4)[-1][3]
    found = Predictor(case.parameters, case.network)(Samples(case.samples.X))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if not is_sparse:
        few = Predictor(case.parameters, case.network).predict_few(X[:3])
        np.testing.assert_allclose(few, expected[:3], rtol=1e-12)


def test_rows_of_x_are_left_as_they_are():
    for gather in (False, True):
        case = make_case_without_kinks("relu", (10, 20), 40, input_noise=1.0, dropout=0.5)
        before, order = case.samples.X.copy(), np.arange(40)
        made = case.plan("momentum", 16, gather=gather)
        with EpochRunner(made, case.samples, order if gather else IN_ORDER) as runner:
            runner.run()
        np.testing.assert_array_equal(case.samples.X, before)
