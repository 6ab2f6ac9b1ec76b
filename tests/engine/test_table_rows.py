"""The first layer on a compact table equals a dense one on the encoded table."""

import dataclasses

import numpy as np
import pytest

from fastdnn.data.samples import Samples
from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters
from fastdnn.network.table_input import Entry, TableInput
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.ops.table_entries import CLIPPED, LEVEL, PLAIN, STAIRS
from fastdnn.planning.layer_steps import LayerSteps
from fastdnn.planning.plan import plan_training
from fastdnn.prediction.predictor import Predictor
from fastdnn.training.epochs import EpochRunner
from tests.compact_tables import N_LEVELS, encoded, rows_of_table, table
from tests.plans import IN_ORDER

pytestmark = [pytest.mark.usefixtures("four_cpus")]


def described(table, n_in, **options):
    layers = Layer(24, "tanh"), Layer(3, "softmax")
    return Network(n_in, layers, "log_loss", table=table, **options)


def drawn(n_in, seed=1):
    parameters = Parameters([n_in, 24, 3], np.float64)
    parameters.theta[:] = 0.2 * np.random.default_rng(seed).standard_normal(
        parameters.theta.size
    )
    return parameters


def trained(network, X, y, *, optimizer="sgd", n_threads=1, batch_size=96, scaled=False):
    """Return the parameters after two epochs, the last batch of which is a part of one."""
    parameters = drawn(network.n_in)
    weight = np.arange(len(X)) % 3 + 1.0
    samples = Samples(X, y.reshape(-1, 1).astype(np.float64), weight)
    steps = None
    if scaled:
        steps = LayerSteps((0.5, 0.25), 0.1, 6.0)
        steps.begin(parameters, OPTIMIZERS[optimizer])
    made = plan_training(
        parameters, network, optimizer, batch_size=batch_size, samples=samples, gather=True,
        n_threads=n_threads, layer_steps=steps,
    )  # fmt: skip
    made.set_numbers(learning_rate=0.1, beta_1=0.9, beta_2=0.95, epsilon=1e-8)
    order = np.random.default_rng(2).permutation(len(X))
    with EpochRunner(made, samples, order) as runner:
        for _ in range(2):
            runner.run()
    return parameters.theta


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("batch_size", [20, 96, 512])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.slow_without_jit
def test_training_equals_that_on_the_encoded_table(optimizer, batch_size, scaled):
    X = rows_of_table(600)
    dense, y = encoded(X), np.arange(600) % 3
    options = {"optimizer": optimizer, "batch_size": batch_size, "scaled": scaled}
    expected = trained(described(None, dense.shape[1]), dense, y, **options)
    network = described(table(), dense.shape[1])
    theta = trained(network, X.astype(np.float64), y, n_threads=2, **options)
    assert not np.allclose(theta, drawn(network.n_in).theta)
    np.testing.assert_allclose(theta, expected, rtol=1e-6, atol=1e-9)


def test_one_step_equals_one_on_the_encoded_table():
    X, y = rows_of_table(12), np.arange(12) % 3
    dense = encoded(X)
    expected = trained(described(None, dense.shape[1]), dense, y, batch_size=12)
    theta = trained(described(table(), dense.shape[1]), X.astype(float), y, batch_size=12)
    np.testing.assert_allclose(theta, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.slow_without_jit
def test_bits_do_not_depend_on_threads():
    X, y = rows_of_table(600).astype(np.float64), np.arange(600) % 3
    network = described(table(), table().n_inputs, input_dropout=0.25)
    thetas = [trained(network, X, y, batch_size=512, n_threads=n) for n in (1, 2, 3)]
    np.testing.assert_array_equal(thetas[0], thetas[1])
    np.testing.assert_array_equal(thetas[0], thetas[2])


@pytest.mark.parametrize("n_threads", [1, 3])
def test_predictions_equal_those_on_the_encoded_table(n_threads):
    X = rows_of_table(700 if n_threads > 1 else 40)
    dense = encoded(X)
    network, parameters = described(table(), dense.shape[1]), drawn(dense.shape[1])
    rows = np.arange(len(X))[::-1].copy()
    samples = Samples(X.astype(np.float64))
    expected = Predictor(parameters, described(None, dense.shape[1]))(Samples(dense))
    predictor = Predictor(parameters, network)
    for _ in range(2):  # the second time with the memory of the first
        np.testing.assert_allclose(predictor(samples, n_threads), expected, rtol=1e-10)
    np.testing.assert_allclose(predictor(samples.at(rows), 1), expected[::-1], rtol=1e-10)
    parameters.theta *= 0.5
    halved = Predictor(parameters, described(None, dense.shape[1]))(Samples(dense))
    np.testing.assert_allclose(predictor(samples, n_threads), halved, rtol=1e-10)


def test_what_is_no_level_counts_as_the_last_one():
    X = rows_of_table(5).astype(np.float64)
    X[:, 3] = [N_LEVELS - 1, N_LEVELS, -1.0, 1e30, np.nan]
    X[:, [0, 1, 2, 4]] = 0.5
    network = described(table(), table().n_inputs)
    P = Predictor(drawn(network.n_in), network)(Samples(X))
    np.testing.assert_array_equal(P, P[:1].repeat(5, axis=0))


@pytest.mark.slow_without_jit
def test_dropout_leaves_out_levels():
    """Of one row many times, its level counts nothing or 1 / (1 - rate) times as much."""
    X = np.repeat(rows_of_table(1, seed=3), 400, axis=0).astype(np.float64)
    X[:, 0] = 0.125
    network = described(table(), table().n_inputs, input_dropout=0.25)
    network = dataclasses.replace(
        network, layers=(Layer(3, "identity"),), loss="half_squared_error"
    )
    # Of a linear network with zero weights, a step of size 1 is the gradient: the mean of
    # targets times what the network was given.
    parameters = Parameters([network.n_in, 3], np.float64)
    Y = np.zeros((400, 3))
    for i in range(400):
        Y[i, i % 3] = 1.0
    samples = Samples(X, Y)
    made = plan_training(
        parameters, network, "sgd", batch_size=400, samples=samples, gather=False, n_threads=1
    )
    made.set_numbers(learning_rate=1.0)
    with EpochRunner(made, samples, IN_ORDER) as runner:
        runner.run()
    given = parameters.coefs[0].sum(axis=1)  # the mean over rows of each input
    whole = encoded(X[:1].astype(np.float32))[0]
    is_level = np.zeros(len(whole), bool)
    is_level[-1 - N_LEVELS : -1] = True
    np.testing.assert_allclose(given[~is_level], whole[~is_level], rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(given[is_level & (whole == 0)], 0.0)
    share = given[is_level & (whole == 1)] * 0.75
    assert share.size == 1
    assert 0.6 < share[0] < 0.9
    # A multiple of what one of 400 rows counts: as many as are kept.
    assert abs(share[0] * 400 - round(share[0] * 400)) < 1e-9


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [Entry(5, PLAIN)],
        [Entry(-1, PLAIN)],
        [Entry(0, 7)],
        [Entry(0, CLIPPED, 2)],
        [Entry(0, LEVEL, 0)],
        [Entry(0, STAIRS, 2, (0.0, 1.0))],
        [Entry(0, STAIRS, 2, (0.0, 1.0, 1.0))],
        [Entry(0, STAIRS, 2, (0.0, 1.0, np.inf))],
        [Entry(0, LEVEL, 2**24)],
    ],
)
def test_entries_that_name_no_memory_are_refused(entries):
    with pytest.raises(ValueError, match="table"):
        TableInput(5, entries)


def test_entries_are_compared_with_the_network():
    with pytest.raises(ValueError, match="n_in=7"):
        described(table(), 7)
    with pytest.raises(ValueError, match="input_noise"):
        described(table(), table().n_inputs, input_noise=0.5)
    network = described(table(), table().n_inputs)
    network.table.entries[2, 3] += 1  # one stair more than there are edges for
    parameters = drawn(network.n_in)
    with pytest.raises(ValueError, match="table"):
        Predictor(parameters, network)(Samples(np.zeros((3, 5))))


@pytest.mark.parametrize("shape", [(3, 4), (3, 6)])
def test_rows_of_other_columns_are_refused(shape):
    network = described(table(), table().n_inputs)
    with pytest.raises(ValueError, match="5"):
        Predictor(drawn(network.n_in), network)(Samples(np.zeros(shape)))
