"""Long batches that are left in the middle: the network is that of a whole batch."""

import _thread
import threading
import time

import numpy as np
import pytest

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.data.samples import Samples
from fastdnn.planning.step_options import StepOptions
from fastdnn.teams.threads import Stopped, Team
from fastdnn.training import long_batches as long_batches_module
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.long_batches import LongBatches
from tests.interrupts import Interrupt, raise_in
from tests.networks import random_parameters
from tests.plans import IN_ORDER, plan
from tests.switches import let_batches_be_long

pytestmark = pytest.mark.usefixtures("four_cpus")

# Gradients of blocks, of shards, and of a sparse first layer.
NETWORKS = {
    "by blocks": ((200, 300, 200, 3), 256, False),
    "by shards": ((8, 12, 3), 256, False),
    "sparse": ((300, 64, 3), 256, True),
}


def problem(name, *, n_batches):
    """Return parameters, samples and the size of a batch."""
    sizes, batch_size, is_sparse = NETWORKS[name]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((batch_size * n_batches, sizes[0]))
    if is_sparse:
        import scipy.sparse

        X[rng.random(X.shape) < 0.95] = 0.0
        X = scipy.sparse.csr_matrix(X)
    Y = rng.integers(0, sizes[-1], (batch_size * n_batches, 1)).astype(np.float64)
    return random_parameters(rng, sizes), Samples(X, Y), batch_size


def runner(parameters, samples, batch_size, optimizer, n_threads, step=None):
    has_average = step is not None and step.ema_decay is not None
    made = plan(
        parameters,
        ["relu"] * (len(parameters.coefs) - 1) + ["softmax"],
        "log_loss",
        optimizer,
        samples,
        batch_size=batch_size,
        n_threads=n_threads,
        alpha=0.1,
        step=step,
        average=parameters.theta.copy() if has_average else None,
    )
    return made, EpochRunner(made, samples, IN_ORDER)


@pytest.fixture
def always_long(monkeypatch):
    """Let every batch count as long, and every step."""
    let_batches_be_long(monkeypatch)


@pytest.mark.pairwise
@pytest.mark.slow_without_jit
@pytest.mark.parametrize("n_threads", [1, 2, 4])
@pytest.mark.parametrize("optimizer", ["adam", "nesterov", "sgd"])
@pytest.mark.parametrize("name", NETWORKS)
def test_runs_of_long_batches_change_no_bit(always_long, name, optimizer, n_threads):
    results = []
    for seconds in (np.inf, 0.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(long_batches_module, "_SECONDS_OF_LONG_BATCH", seconds - 1.0)
            parameters, samples, batch_size = problem(name, n_batches=3)
            made, epochs = runner(parameters, samples, batch_size, optimizer, n_threads)
            with epochs:
                losses = epochs.run() + epochs.run()
            results.append((parameters.theta, made.memory.state, losses))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    assert results[0][2] == results[1][2]


@pytest.mark.pairwise
@pytest.mark.slow_without_jit
@pytest.mark.parametrize("n_threads", [1, 2, 4])
@pytest.mark.parametrize("batches_a_run", [1, 1000])
@pytest.mark.parametrize("name", NETWORKS)
def test_an_interrupt_leaves_the_network_of_a_whole_batch(
    always_long, name, batches_a_run, n_threads
):
    """Wherever it comes."""
    are_undone = interrupted_in_batches(name, batches_a_run, n_threads)
    assert any(are_undone) == (batches_a_run == 1 and name != "by shards")


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_so_it_does_where_a_step_has_several_stages(always_long, name, n_threads):
    step = StepOptions(l1=0.01, clip_norm=0.5, max_norm=0.9, ema_decay=0.9)
    are_undone = interrupted_in_batches(name, 1, n_threads, step)
    assert any(are_undone) == (name != "by shards")


def interrupted_in_batches(name, batches_a_run, n_threads, step=None):
    """Interrupt training several times; return whether the last step was one to undo.

    Epochs have a single batch, so each ends with a theta to compare.
    """
    n_tries, longest = (6, 0.01) if JIT_ENABLED else (3, 0.5)
    are_undone = []
    for attempt in range(n_tries):
        parameters, samples, batch_size = problem(name, n_batches=1)
        made, epochs = runner(parameters, samples, batch_size, "adam", n_threads, step)
        caller, begun = _thread.get_ident(), threading.Event()

        ended = threading.Event()

        def interrupt(
            caller=caller, begun=begun, ended=ended, pause=longest * attempt / n_tries
        ):
            begun.wait(10)
            time.sleep(pause)
            raise_in(caller)
            # Python drops what is raised in a finalizer, wherever that happens to run.
            while not ended.wait(5.0):
                raise_in(caller)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(Interrupt), epochs:
            begun.set()
            while True:
                epochs.run(batches_a_run)
        ended.set()
        thread.join()
        are_undone.append(bool(made.table["stop_in_step"][0]))

        expected, samples, batch_size = problem(name, n_batches=1)
        again, epochs = runner(expected, samples, batch_size, "adam", 1, step)
        t = int(made.table["t"][0])
        with epochs:
            for first in range(0, t, 1000):
                epochs.run(min(1000, t - first))
        np.testing.assert_array_equal(parameters.theta, expected.theta)
        np.testing.assert_array_equal(made.memory.state, again.memory.state)
        np.testing.assert_array_equal(made.memory.average, again.memory.average)
    return are_undone


def test_a_step_is_undone_if_it_was_left():
    """Told to stop before it begins, a run does nothing; a later one is refused."""
    parameters, samples, batch_size = problem("by blocks", n_batches=2)
    made, epochs = runner(parameters, samples, batch_size, "adam", 1)
    before = parameters.theta.copy()
    with epochs:
        epochs._team.stop()
        with pytest.raises(Stopped):
            epochs.run()
    np.testing.assert_array_equal(parameters.theta, before)
    assert made.table["t"][0] == 0


class LeavesInStep(Team):
    """Does a part of a step, as a team does that is told to stop in the middle of it."""

    def __init__(self, made):
        self.made = made

    def run(self, n_batches):
        self.made.memory.theta[::2] += 1.0
        self.made.table["is_step_left"] = self.made.table["stop_in_step"][0] != 0
        raise Stopped


@pytest.mark.parametrize("seconds", [0.3, 30.0])
def test_only_long_steps_are_left_in_the_middle(monkeypatch, seconds):
    parameters, samples, batch_size = problem("by blocks", n_batches=1)
    made, _ = runner(parameters, samples, batch_size, "adam", 1)
    long_batches = LongBatches(made, samples)
    before = parameters.theta.copy()
    monkeypatch.setattr(long_batches_module, "_NUMBERS_OF_PIECE", 1000)
    long_batches.seconds = seconds
    with pytest.raises(Stopped):
        long_batches.run(LeavesInStep(made), 1)
    is_undone, is_changed = seconds > 1.0, np.arange(before.size) % 2 == 0
    assert bool(made.table["stop_in_step"][0]) == is_undone
    np.testing.assert_array_equal(parameters.theta, before + is_changed * (not is_undone))


def test_steps_are_completed_where_copies_would_cost_too_much(monkeypatch):
    parameters, samples, batch_size = problem("by blocks", n_batches=1)
    made, _ = runner(parameters, samples, batch_size, "adam", 1)
    long_batches = LongBatches(made, samples)
    long_batches.seconds = 30.0
    monkeypatch.setattr(long_batches_module, "_BYTES_PER_SECOND", 1.0)
    with pytest.raises(Stopped):
        long_batches.run(LeavesInStep(made), 1)
    assert made.table["stop_in_step"][0] == 0


def test_gradients_alone_need_no_copies():
    parameters, samples, batch_size = problem("by blocks", n_batches=1)
    gradient = np.zeros_like(parameters.theta)
    made = plan(
        parameters,
        ["relu", "relu", "softmax"],
        "log_loss",
        "gradient",
        samples,
        batch_size=batch_size,
        state=gradient,
    )
    long_batches = LongBatches(made, samples)
    long_batches.seconds = 30.0
    with pytest.raises(Stopped):
        long_batches.run(LeavesInStep(made), 1)
    assert made.table["stop_in_step"][0] != 0
    assert long_batches._copies == []


def test_batches_are_long_by_their_operations_until_they_are_timed():
    rng = np.random.default_rng(0)
    sizes = (100, 1024, 1024, 2)
    X, Y = rng.standard_normal((2000, 100)), np.zeros((2000, 1))
    parameters, samples = random_parameters(rng, sizes), Samples(X, Y)
    for batch_size, is_long in ((100, False), (2000, True)):
        _, epochs = runner(parameters, samples, batch_size, "sgd", 1)
        assert epochs._long_batches.are_expected is is_long
        epochs._team.run = lambda n_batches: 0.0
        epochs.run()
        assert not epochs._long_batches.are_expected
