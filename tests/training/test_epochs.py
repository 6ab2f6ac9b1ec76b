"""Epochs over the engine: rows, orders, weights and runs; the same bits over threads."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
import scipy.sparse

from fastdnn.data.samples import Samples
from fastdnn.engine.operations import D_OUT, OUT
from fastdnn.products.switched_off import without
from fastdnn.teams.threads import Team
from fastdnn.training import epochs
from fastdnn.training.epochs import EpochRunner
from tests.networks import random_parameters
from tests.plans import IN_ORDER, plan, problem
from tests.small_layers import DTYPES

pytestmark = pytest.mark.usefixtures("four_cpus")


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
            losses += runner.run()
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
        made.table["total_weight"] = total_weight
        with EpochRunner(made, samples, IN_ORDER) as runner:
            return runner.run()[0], made.memory.state

    in_batches = loss_and_gradient(3, samples.weight.sum())  # three, three, one
    at_once = loss_and_gradient(samples.n_rows, 0.0)
    for got, expected in zip(in_batches, at_once, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0.0, atol=1e-14)


def test_an_epoch_cut_into_runs_changes_no_bit(monkeypatch):
    rng = np.random.default_rng(0)
    sizes = (5, 6, 3)
    parameters, samples = random_parameters(rng, sizes), classification(rng, 100, sizes)
    whole = train(parameters, samples, [IN_ORDER] * 2)
    monkeypatch.setattr(epochs, "_FLOPS_PER_SECOND", 1.0)  # begins with one batch
    cut = train(parameters, samples, [IN_ORDER] * 2)
    np.testing.assert_array_equal(cut[0], whole[0])
    assert cut[1] == whole[1]


@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_epochs_in_one_run_change_no_bit(gather, sparse):
    rng = np.random.default_rng(0)
    sizes = (5, 6, 3)
    samples = classification(rng, 21, sizes)  # the last batch of an epoch has five rows
    if sparse:
        samples = Samples(scipy.sparse.csr_matrix(samples.X), samples.Y)
    orders = [rng.permutation(21) if gather else IN_ORDER for _ in range(4)]
    one_by_one, first = random_parameters(rng, sizes), random_parameters(rng, sizes)
    one_by_one.theta[:] = first.theta
    expected = train(one_by_one, samples, orders, gather=gather)
    made = plan(
        first,
        ["tanh", "softmax"],
        "log_loss",
        "adam",
        samples,
        batch_size=8,
        alpha=0.1,
        gather=gather,
    )
    with EpochRunner(made, samples, np.concatenate(orders)) as runner:
        assert runner.epochs_at_once >= 4
        assert runner.run(4) == expected[1]
    np.testing.assert_array_equal(first.theta, expected[0])


def test_the_first_run_ends_in_time_however_little_a_batch_has_to_multiply():
    rng = np.random.default_rng(0)
    sizes = (1, 1, 1)
    samples = classification(rng, 4, sizes)
    parameters = random_parameters(rng, sizes)
    made = plan(parameters, ["tanh", "sigmoid"], "log_loss", "sgd", samples, batch_size=1)
    with EpochRunner(made, samples, IN_ORDER) as runner:
        # A batch takes less than ten microseconds, whatever its size: half a second.
        assert 1_000 < runner._batches() < 50_000


def test_as_many_epochs_at_once_as_there_are_orders_and_time(monkeypatch):
    rng = np.random.default_rng(0)
    sizes = (5, 6, 3)
    samples = classification(rng, 21, sizes)
    parameters = random_parameters(rng, sizes)
    made = plan(parameters, ["tanh", "softmax"], "log_loss", "adam", samples, batch_size=8)
    with EpochRunner(made, samples, np.tile(np.arange(21), 5)) as runner:
        assert runner.epochs_at_once == 5
        runner._batches_per_run = 7  # of three an epoch
        assert runner.epochs_at_once == 2
        runner._batches_per_run = 2
        assert runner.epochs_at_once == 1


# -- the same bits for any number of threads ----------------------------------------------


@pytest.mark.needs_jit
def test_workers_leave_a_run_that_the_next_one_follows_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    sizes = (64, 64, 3)
    parameters, samples = random_parameters(rng, sizes), classification(rng, 2560, sizes)
    orders = [IN_ORDER] * 10
    whole = train(parameters, samples, orders, batch_size=256)
    monkeypatch.setattr(EpochRunner, "_batches", lambda runner: 1)  # 100 runs
    cut = train(parameters, samples, orders, batch_size=256, n_threads=4)
    np.testing.assert_array_equal(cut[0], whole[0])
    assert cut[1] == whole[1]


def test_a_run_that_compares_has_a_quarter_of_the_batches(monkeypatch):
    rng = np.random.default_rng(0)
    sizes = (5, 6, 3)
    samples = classification(rng, 64, sizes)
    activations = ["tanh", "softmax"]
    made = plan(
        random_parameters(rng, sizes), activations, "log_loss", "sgd", samples, batch_size=2
    )
    batches = []

    def run(n_batches):
        batches.append(n_batches)
        return 0.0  # seconds: runs may be longer

    with EpochRunner(made, samples, IN_ORDER) as runner:
        runner._batches_per_run = 16
        monkeypatch.setattr(runner._team, "run", run)
        monkeypatch.setattr(Team, "is_to_compare", property(lambda team: len(batches) == 1))
        runner.run()
    assert batches == [16, 8, 8]  # a quarter of 32, then what is left


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
    assert 512 // int(made.table["shard_rows"][0]) >= 4
    assert len(made.memory.blocks) > 4
    theta, losses = train(parameters, samples, orders, **HEAVY)
    for n_threads in (2, 3, 4, 4, 4):
        other = train(parameters, samples, orders, n_threads=n_threads, **HEAVY)
        np.testing.assert_array_equal(other[0], theta)
        assert other[1] == losses


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
def test_runs_of_one_worker_between_those_of_the_team_change_no_bit(dtype, monkeypatch):
    parameters, samples, orders = heavy_workload(dtype)
    theta, losses = train(parameters, samples, orders, **HEAVY)
    run, sizes = Team.run, []

    def take_turns(team, n_batches):
        """Run together, alone, together... as where other programs come and go."""
        sizes.append(1 if len(sizes) % 2 else 4)
        return team._run_alone() if sizes[-1] == 1 else run(team, n_batches)

    monkeypatch.setattr(Team, "run", take_turns)
    other = train(parameters, samples, orders, n_threads=4, **HEAVY)
    assert sizes == [4, 1, 4, 1]
    np.testing.assert_array_equal(other[0], theta)
    assert other[1] == losses


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
def test_shards_taken_together_change_no_bit(dtype):
    rng = np.random.default_rng(0)
    sizes = (300, 512, 3)
    samples = classification(rng, 700, sizes, dtype)
    orders = [rng.permutation(700) for _ in range(2)]
    parameters, together, results = random_parameters(rng, sizes), [], []
    for n_threads in (1, 2, 4):
        options = {"gather": True, "batch_size": 260, "n_threads": n_threads}
        layers = parameters.astype(dtype), ["tanh", "softmax"]
        made = plan(*layers, "log_loss", "adam", samples, **options)
        together.append(int(made.table["shards_together"][0]))
        results.append(train(parameters, samples, orders, **options))
    assert together[0] > together[1] > together[2] == 1
    for theta, losses in results[1:]:
        np.testing.assert_array_equal(theta, results[0][0])
        assert losses == results[0][1]


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
# So many features are enough vectors for panels, however long those are.
@pytest.mark.parametrize("sizes", [(100, 100, 10), (100, 128, 128, 3)], ids=str)
def test_deltas_that_are_not_completed_change_no_bit(sizes, dtype):
    rng = np.random.default_rng(0)
    samples, rows = classification(rng, 450, sizes, dtype), rng.permutation(450)
    samples = Samples(samples.X, samples.Y, rng.uniform(0.5, 2.0, 450).astype(dtype))
    parameters = random_parameters(rng, sizes).astype(dtype)
    parameters.intercepts[0][:] -= 1.5  # so many zeros that they are skipped on any processor
    activations = ["relu"] * (len(sizes) - 2) + ["softmax"]
    results = []
    for n_threads, skips in ((1, False), (1, True), (2, True), (3, True)):
        trained = parameters.astype(dtype)
        with nullcontext() if skips else without("zero skipping"):
            made = plan(
                trained, activations, "log_loss", "adam", samples,
                gather=True, batch_size=200, n_threads=n_threads,
            )  # fmt: skip
        assert made.table["gradient_by_shard"][0]
        with EpochRunner(made, samples, rows) as runner:
            losses = runner.run() + runner.run()
        results.append((trained.theta, losses))
        if n_threads == 1:
            # The last batch, of 50 rows: they have a delta behind zeros if it is as it was.
            memory, size = made.memory, 50 * sizes[1]
            A, D = (
                memory.work[start : start + size]
                for start in memory.operations[1][[OUT, D_OUT]]
            )
            assert D[A == 0].any() == skips
    for theta, losses in results[1:]:
        np.testing.assert_array_equal(theta, results[0][0])
        assert losses == results[0][1]


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_of_deltas_change_no_bit(dtype):
    rng = np.random.default_rng(0)
    sizes = (300, 260, 3)
    samples, rows = classification(rng, 700, sizes, dtype), rng.permutation(700)
    parameters = random_parameters(rng, sizes).astype(dtype)
    results = []
    for n_threads, are_masked in ((1, False), (1, True), (2, True), (3, True)):
        trained, activations = parameters.astype(dtype), ["relu", "softmax"]
        with nullcontext() if are_masked else without("masks of deltas"):
            made = plan(
                trained, activations, "log_loss", "adam", samples,
                gather=True, batch_size=260, n_threads=n_threads,
            )  # fmt: skip
        assert (made.table["masks_size"][0] > 0) == are_masked
        with EpochRunner(made, samples, rows) as runner:
            losses = runner.run() + runner.run()
        results.append((trained.theta, losses))
    for theta, losses in results[1:]:
        np.testing.assert_array_equal(theta, results[0][0])
        assert losses == results[0][1]


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes", "activation", "is_sparse"),
    [
        ((300, 260, 3), "tanh", False),  # no zeros
        ((300, 260, 3), "relu", True),  # another product
        ((30, 40, 3), "relu", False),  # gradients by shards
    ],
)
def test_deltas_are_masked_for_blocks_of_dense_products_only(
    sizes, activation, is_sparse, dtype
):
    rng = np.random.default_rng(0)
    samples = classification(rng, 100, sizes, dtype)
    if is_sparse:
        samples = Samples(scipy.sparse.csr_matrix(samples.X), samples.Y)
    parameters = random_parameters(rng, sizes).astype(dtype)
    activations = [activation, "softmax"]
    made = plan(parameters, activations, "log_loss", "adam", samples, batch_size=64)
    assert made.table["masks_size"][0] == 0


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
