"""What is done with one shard in one round: a gradient, or some steps of its own.

Both are functions of a job and a shard alone: they draw nothing but what the seed, the epoch
and the number of the shard say, and remember nothing. So a round that was lost with a worker
is done again elsewhere, with the same bits.
"""

import copy
import functools
from typing import Any, NamedTuple

import numpy as np

from fastdnn.distributed.shards import Shard
from fastdnn.planning.plan import plan_training
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.objective import Objective, log_loss_cap
from fastdnn.training.schedules import schedule_of
from fastdnn.training.state import OptimizerState, TrainingState
from fastdnn.training.step_sizes import StepSizes
from fastdnn.training.stochastic import plan_of_steps


class Job(NamedTuple):
    """What all shards are told of a round."""

    theta: np.ndarray
    """The parameters."""
    memory: np.ndarray
    """What the optimiser remembers; empty where gradients alone are asked for."""
    optimizer: str
    """Its name in the table of optimisers."""
    learning_rate: float
    """Of local steps, before the factors of a schedule."""
    t: int
    """Steps taken."""
    seed: int
    """Of orders, and of what steps draw."""
    epoch: int
    """Which one it is."""
    first: int
    """Batches of the epoch before this round."""
    last: int
    """Batches of it after this round."""
    n_batches: int
    """Batches of an epoch."""
    n_rows: int
    """Rows of all shards in an epoch."""


class Part(NamedTuple):
    """What one shard has to say, with which weight."""

    vectors: tuple[np.ndarray, ...]
    """Means over its rows; of gradients sums."""
    loss: float
    """The sum of the losses of its rows."""
    weight: float
    """What sums of rows are divided by: their number, or the sum of their weights."""
    n_rows: int
    """Rows that it has seen."""


def gradient(shard: Shard, job: Job, n_threads: int) -> Part:
    """Return the sum of the gradients of a shard's rows of one batch, without penalties."""
    rows = rows_of_round(shard, job)
    samples = shard.samples.at(rows)
    weight = _weight_of(shard, rows)
    total = np.zeros_like(job.theta)
    if rows.size == 0 or weight == 0.0:
        return Part((total,), 0.0, 0.0, 0)
    plan = plan_training(
        shard.parameters.with_theta(job.theta.copy()),
        shard.network,
        "gradient",
        batch_size=rows.size,
        samples=samples,
        gather=True,
        n_threads=n_threads,
        state=total,
    )
    plan.table["total_weight"] = 1.0
    plan.table["loss_cap"] = log_loss_cap(job.theta.dtype)
    plan.table["seed"], plan.table["t"] = _seed_of(shard, job), job.t
    with EpochRunner(plan, samples, rows) as runner:
        loss = runner.run()[0]
    scale = samples.weight_scale
    if scale != 1.0:  # that of one shard
        total, loss, weight = total / total.dtype.type(scale), loss / scale, weight / scale
    return Part((total,), loss, weight, rows.size)


def local_steps(shard: Shard, job: Job, n_threads: int) -> Part:
    """Return what a shard's own steps make of the parameters and of the optimiser's memory.

    It takes a step for each batch of the round, by its own rows of that batch.
    """
    rows = rows_of_round(shard, job)
    if rows.size == 0:
        return Part((job.theta, job.memory), 0.0, 0.0, 0)
    options = copy.copy(shard.options)
    options.batch_size = -(-rows.size // (job.last - job.first))
    options.n_threads, options.shuffle = n_threads, False
    # Penalties are shared out among the rows of a batch, of which there are fewer here.
    share = rows.size / (job.n_rows * (job.last - job.first) / job.n_batches)
    options.alpha, options.l1 = options.alpha * share, options.l1 * share
    parameters = shard.parameters.with_theta(job.theta.copy())
    optimizer = OptimizerState(job.optimizer, job.memory.copy(), job.learning_rate, job.t)
    state = TrainingState(parameters, optimizer=optimizer, seed=_seed_of(shard, job))
    samples = shard.samples.at(rows)
    objective = Objective(samples, shard.network, _score_nothing)
    plan, _ = plan_of_steps(objective, options, state, None)
    plan.columns["learning_rate"][0] = job.learning_rate
    schedule = schedule_of(options, job.optimizer)
    sizes = StepSizes(schedule, options, optimizer, job.n_batches)
    rates = sizes.rates if sizes.differ else None
    with EpochRunner(plan, samples, rows, rates) as runner:
        loss = runner.run()[0]
    vectors = parameters.theta, optimizer.memory
    return Part(vectors, loss * rows.size, float(rows.size), rows.size)


def rows_of_round(shard: Shard, job: Job) -> np.ndarray:
    """Return the rows of a shard that are in the batches of a round."""
    n_rows, n_batches = shard.samples.n_rows, job.n_batches
    first, last = job.first * n_rows // n_batches, job.last * n_rows // n_batches
    if not shard.options.shuffle:
        return np.arange(first, last)
    return _order(job.seed, job.epoch, shard.number, n_rows)[first:last]


@functools.lru_cache(maxsize=32)
def _order(seed: int, epoch: int, number: int, n_rows: int) -> np.ndarray:
    """Return the order of the rows of a shard in an epoch."""
    random_state = np.random.RandomState([seed, epoch, number])
    return random_state.permutation(n_rows)


def _seed_of(shard: Shard, job: Job) -> int:
    """Return the seed of what steps draw, different for each shard."""
    return (job.seed + 1_000_003 * shard.number) % (2**31 - 1)


def _weight_of(shard: Shard, rows: np.ndarray) -> float:
    weight = shard.samples.weight
    return float(rows.size) if weight is None else float(weight[rows].sum(dtype=np.float64))


def _score_nothing(*_: Any) -> float:  # nothing is held out
    raise NotImplementedError
