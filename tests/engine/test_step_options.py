"""What a step does besides, for every optimiser and way of training, as the NumPy network."""

import numpy as np
import pytest
from scipy import sparse

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.data.samples import Samples
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.planning.step_options import StepOptions
from fastdnn.training.epochs import EpochRunner
from tests.networks import random_parameters
from tests.oracle.network import NumpyNetwork
from tests.plans import IN_ORDER, plan

pytestmark = pytest.mark.usefixtures("four_cpus")

#: Each of them is in force in the problems below.
OPTIONS = {
    "l1": {"l1": 0.3},
    "clip_value": {"clip_value": 0.02},
    "clip_norm": {"clip_norm": 0.1},
    "max_norm": {"max_norm": 0.8},
    "ema_decay": {"ema_decay": 0.8},
    "nothing": {},
    "all": {
        "l1": 0.1, "clip_value": 0.03, "clip_norm": 0.2, "max_norm": 0.9, "ema_decay": 0.5,
    },
}  # fmt: skip
#: Layer sizes, rows of a batch: of one shard, of several whose gradients are added up, and of
#: several blocks that make their gradients.
SHAPES = {
    "one shard": ((5, 4, 3), 8, 1),
    "by shard": ((50, 64, 40, 3), 256, 1),
    "by block": ((300, 128, 5), 64, 0),
}
#: Without JIT the larger ones take too long.
EVERY_SHAPE = [
    pytest.param(name, marks=() if name == "one shard" else pytest.mark.slow_without_jit)
    for name in SHAPES
]
SOLVERS = [name for name in OPTIMIZERS if name != "gradient"]


def samples_of(sizes, n_rows, dtype=np.float64, kind="dense"):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, sizes[0])).astype(np.float32)
    Y = rng.integers(0, sizes[-1], (n_rows, 1)).astype(dtype)
    if kind == "sparse":
        X[rng.random(X.shape) < 0.7] = 0.0
        X = sparse.csr_matrix(X)
    weight = rng.integers(1, 4, n_rows).astype(dtype) if kind == "weighted" else None
    return Samples(X.astype(dtype), Y, weight)


def planned(parameters, solver, samples, step, **options):
    """Plan training with a hidden layer of tanh, and the average that it has."""
    hidden = len(parameters.coefs) - 1
    average = parameters.theta.copy() if step.get("ema_decay") else None
    made = plan(
        parameters, ["tanh"] * hidden + ["softmax"], "log_loss", solver, samples,
        alpha=0.1, step=StepOptions(**step), average=average, **options,
    )  # fmt: skip
    return made, average


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


@pytest.mark.pairwise
@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("weight_decay", [0.0, 2.0])
@pytest.mark.parametrize("shape", EVERY_SHAPE)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_training_equals_numpy(solver, option, shape, weight_decay, kind):
    sizes, batch_size, by_shard = SHAPES[shape]
    step, n_rows = OPTIONS[option], batch_size * 3 // 2  # the last batch is half as large
    samples = samples_of(sizes, n_rows, kind=kind)
    parameters = random_parameters(np.random.default_rng(1), sizes)
    hidden = len(sizes) - 2
    network = NumpyNetwork(
        parameters.coefs, parameters.intercepts, ["tanh"] * hidden + ["softmax"], "log_loss",
        solver=solver, alpha=0.1, weight_decay=weight_decay, **step,
    )  # fmt: skip
    options = {"batch_size": batch_size, "weight_decay": weight_decay}
    made, average = planned(parameters, solver, samples, step, **options)
    assert made.table["gradient_by_shard"][0] == (by_shard and kind == "dense")
    X = samples.X.toarray() if kind == "sparse" else samples.X
    Y, order = np.eye(sizes[-1])[samples.Y[:, 0].astype(int)], np.arange(n_rows)
    with EpochRunner(made, samples, IN_ORDER) as runner:
        for _ in range(3):
            expected = network.train_epoch(X, Y, order, batch_size)
            np.testing.assert_allclose(runner.run()[0], expected, rtol=1e-9)
            np.testing.assert_allclose(
                parameters.theta, flat(network.parameters), rtol=1e-8, atol=1e-10
            )
            if average is not None:
                exact = flat(network.stepper.averages)
                np.testing.assert_allclose(average, exact, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_changes_the_steps(option):
    sizes, batch_size, _ = SHAPES["one shard"]
    samples = samples_of(sizes, batch_size)
    trained = []
    for step in ({}, OPTIONS[option]):
        parameters = random_parameters(np.random.default_rng(1), sizes)
        made, average = planned(parameters, "adam", samples, step, batch_size=batch_size)
        with EpochRunner(made, samples, IN_ORDER) as runner:
            runner.run()
        trained.append(parameters.theta if average is None else average)
    assert np.array_equal(*trained) == (option == "nothing")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["dense", "sparse", "weighted"])
@pytest.mark.slow_without_jit
@pytest.mark.parametrize("shape", ["by shard", "by block"])
@pytest.mark.parametrize("option", ["all", "clip_norm", "max_norm", "ema_decay"])
def test_any_number_of_threads_gives_the_same_bits(option, shape, kind, dtype):
    sizes, batch_size, _ = SHAPES[shape]
    samples, trained = samples_of(sizes, 2 * batch_size, dtype, kind), []
    for n_threads in (1, 2, 3):
        parameters = random_parameters(np.random.default_rng(1), sizes, dtype)
        made, average = planned(
            parameters, "adam", samples, OPTIONS[option], batch_size=batch_size,
            n_threads=n_threads,
        )  # fmt: skip
        n_shards = batch_size // int(made.table["shard_rows"][0])
        assert made.n_workers == (min(n_threads, n_shards) if JIT_ENABLED else 1)
        with EpochRunner(made, samples, IN_ORDER) as runner:
            losses = [runner.run()[0] for _ in range(4)]
        left = [parameters.theta, made.memory.state, losses]
        trained.append(left if average is None else [*left, average])
    for others in trained[1:]:
        for one, other in zip(trained[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_row_of_some_weight_counts_as_so_many_rows(option):
    sizes, n_rows, _ = SHAPES["one shard"]
    weighted = samples_of(sizes, n_rows, kind="weighted")
    rows = np.repeat(np.arange(n_rows), weighted.weight.astype(int))
    repeated = Samples(weighted.X[rows], weighted.Y[rows])
    trained = []
    for samples in (weighted, repeated):
        parameters = random_parameters(np.random.default_rng(1), sizes)
        made, _ = planned(
            parameters, "nesterov", samples, OPTIONS[option], batch_size=samples.n_rows
        )
        with EpochRunner(made, samples, IN_ORDER) as runner:
            runner.run()
            losses = runner.run()
        trained.append([parameters.theta, losses])
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", EVERY_SHAPE)
def test_no_unit_has_weights_beyond_the_norm(shape, dtype):
    sizes, batch_size, _ = SHAPES[shape]
    samples = samples_of(sizes, batch_size, dtype)
    parameters = random_parameters(np.random.default_rng(1), sizes, dtype)
    assert max(np.linalg.norm(W, axis=0).max() for W in parameters.coefs) > 0.5
    made, _ = planned(parameters, "adam", samples, {"max_norm": 0.5}, batch_size=batch_size)
    with EpochRunner(made, samples, IN_ORDER) as runner:
        for _ in range(3):
            runner.run()
            for W in parameters.coefs:
                norms = np.linalg.norm(W.astype(np.float64), axis=0)
                # Sums of squares, here and there, have one rounding for each row.
                rounding = np.finfo(dtype).eps + len(W) * np.finfo(np.float64).eps
                assert norms.max() <= 0.5 * (1 + rounding)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_gradient_that_is_not_a_number_shows(option):
    sizes, batch_size, _ = SHAPES["one shard"]
    samples = samples_of(sizes, batch_size)
    samples.X[0, 0] = np.nan
    parameters = random_parameters(np.random.default_rng(1), sizes)
    made, _ = planned(parameters, "sgd", samples, OPTIONS[option], batch_size=batch_size)
    with EpochRunner(made, samples, IN_ORDER) as runner:
        runner.run()
    assert np.isnan(parameters.theta).any()


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("shape", EVERY_SHAPE)
def test_every_step_has_its_own_rate(shape, n_threads):
    sizes, batch_size, _ = SHAPES[shape]
    n_rows, n_epochs = 2 * batch_size + 1, 4
    samples = samples_of(sizes, n_rows)
    rates = np.linspace(0.01, 0.0, 3 * n_epochs)
    network = None
    trained = []
    for at_once in (1, n_epochs):
        parameters = random_parameters(np.random.default_rng(1), sizes)
        if network is None:
            hidden = len(sizes) - 2
            network = NumpyNetwork(
                parameters.coefs, parameters.intercepts, ["tanh"] * hidden + ["softmax"],
                "log_loss", solver="adam", alpha=0.1, weight_decay=1.0, rates=rates,
            )  # fmt: skip
        made, _ = planned(
            parameters, "adam", samples, {}, batch_size=batch_size, n_threads=n_threads,
            weight_decay=1.0, has_rates=True,
        )  # fmt: skip
        losses = []
        with EpochRunner(made, samples, IN_ORDER, lambda t, n: rates[t : t + n]) as runner:
            for _ in range(0, n_epochs, at_once):
                losses += runner.run(at_once)
        trained.append([parameters.theta, losses])
    for one, other in zip(*trained, strict=True):
        np.testing.assert_array_equal(one, other)
    X, Y = samples.X, np.eye(sizes[-1])[samples.Y[:, 0].astype(int)]
    for _ in range(n_epochs):
        network.train_epoch(X, Y, np.arange(n_rows), batch_size)
    np.testing.assert_allclose(trained[0][0], flat(network.parameters), rtol=1e-9, atol=1e-11)
