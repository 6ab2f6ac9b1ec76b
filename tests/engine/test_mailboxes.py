"""Mailboxes, and training where blocks are stepped by workers who are not at home there."""

import numba
import numpy as np
import pytest

from fastdnn.data.samples import Samples
from fastdnn.engine.blocks import step_block
from fastdnn.engine.mailboxes import (
    begin_exchange,
    end_exchange,
    is_sent,
    put,
    take,
    take_weights,
)
from fastdnn.engine.memory import (
    optimizer_numbers,
    transposed_weights_of,
    weights_of,
    worker_parameters,
)
from fastdnn.engine.operations import FLAGS, WANTS_DELTA, operations
from fastdnn.engine.record import record_at
from fastdnn.engine.shards import train_shards
from fastdnn.engine.step_options import STEPPING
from fastdnn.machine.cache_lines import LINE_BYTES
from fastdnn.ops.optimizers import LEARNING_RATE, STEP_CONSTANTS, WEIGHT_DECAY
from fastdnn.products.transpose import transpose_rows
from fastdnn.training.epochs import EpochRunner
from tests.networks import random_parameters
from tests.plans import plan
from tests.small_layers import DTYPES

step_constants = STEP_CONSTANTS.call
pytestmark = [pytest.mark.needs_jit, pytest.mark.usefixtures("four_cpus")]


@numba.njit
def put_and_take(real, values, lines, out):
    put(real, values, lines)
    take(real, lines, out)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 2, 6, 7, 8, 14, 15, 16, 30, 31, 100, 2048])
def test_what_is_put_is_taken_and_nothing_else_is_touched(size, dtype):
    per_line = LINE_BYTES // np.dtype(dtype).itemsize - 1
    n_lines = -(-size // per_line)
    values = np.arange(1, size + 1).astype(dtype)
    margin = 16
    letter = np.full(n_lines * (per_line + 1) + margin, -1, dtype)
    received = np.full(size + margin, -1, dtype)
    lines, out = letter[:-margin], received[:-margin]
    put_and_take(dtype(0), values, lines, out)
    np.testing.assert_array_equal(out, values)
    np.testing.assert_array_equal(received[-margin:], -1)
    np.testing.assert_array_equal(letter[-margin:], -1)
    # The reader has written to every line.
    np.testing.assert_array_equal(lines.reshape(n_lines, -1)[:, -1], 0)


@numba.njit
def step_by_one(settings, real, stepper, sizes, out):
    """Do the first batch as two workers would if `stepper` took all tasks of phase 2."""
    s = record_at(settings)
    n_rows, n_shards, shard_rows = sizes
    for worker in range(2):
        begin_exchange(s, real, worker)
        for o in range(s.n_operations):
            if operations(s)[o, FLAGS] & WANTS_DELTA:
                W = weights_of(s, real, o, worker)
                transpose_rows(W, 0, W.shape[0], transposed_weights_of(s, real, o, worker))
    for shard in range(n_shards):
        train_shards(s, real, 0, (shard, shard + 1), shard_rows, n_rows, shard % 2)
    n_sent = 0
    for task in range(s.n_blocks + 1):
        for shard in range(n_shards):
            n_sent += is_sent(s, shard, task)
    numbers, scale = optimizer_numbers(s, 0), 1.0 / n_rows
    constants = step_constants(s.constants, (numbers, 1))
    keep = 1.0 - numbers[LEARNING_RATE] * numbers[WEIGHT_DECAY]
    factors = scale, scale * s.alpha, keep
    for task in range(s.n_blocks + 1):
        step_block(
            s, real, 0, task, n_rows, n_shards, constants, factors, False, STEPPING, stepper
        )
    take_weights(s, real, 1)
    for worker in range(2):
        end_exchange(s, real, worker)
        theta = worker_parameters(s, real, worker)
        for i in range(theta.size):
            out[worker, i] = theta[i]
    return n_sent


@pytest.mark.parametrize(
    "dtype",
    [np.float32, pytest.param(np.float64, marks=pytest.mark.exhaustive)],  # compiles for long
)
@pytest.mark.parametrize("stepper", [0, 1])
@pytest.mark.parametrize("optimizer", ["adam", "amsgrad"])  # of three slots
def test_whoever_steps_a_block_theta_and_state_get_the_same_bits(optimizer, stepper, dtype):
    rng = np.random.default_rng(0)
    sizes, n_rows = (50, 64, 40, 3), 256
    X = rng.standard_normal((n_rows, sizes[0])).astype(dtype)
    Y = rng.integers(0, sizes[-1], (n_rows, 1)).astype(dtype)
    samples = Samples(X, Y)
    thetas, states = [], []
    for n_threads in (1, 2):
        parameters = random_parameters(rng=np.random.default_rng(1), sizes=sizes).astype(dtype)
        activations = ["tanh", "tanh", "softmax"]
        options = {"batch_size": n_rows, "n_threads": n_threads, "alpha": 0.1}
        options["weight_decay"] = 0.5
        made = plan(parameters, activations, "log_loss", optimizer, samples, **options)
        runner = EpochRunner(made, samples, np.zeros(0, dtype=np.int64))
        if n_threads == 1:
            with runner:
                runner.run()
            thetas.append(parameters.theta)
            states.append(made.memory.state)
            continue
        shard_rows = int(made.table["shard_rows"][0])
        n_shards = n_rows // shard_rows
        assert n_shards > 2  # each worker makes several
        n_blocks = int(made.table["n_blocks"][0])
        assert n_blocks > 2
        both = np.empty((2, parameters.theta.size), dtype)
        batch = n_rows, n_shards, shard_rows
        n_sent = step_by_one(made.address, dtype(0), stepper, batch, both)
        assert n_sent == (n_blocks + 1) * n_shards // 2  # by those who are not at home
        thetas += [parameters.theta, *both]
        states.append(made.memory.state)
    for theta in thetas[1:]:
        np.testing.assert_array_equal(theta, thetas[0])
    np.testing.assert_array_equal(*states)
