"""The training loop over batches and the forward pass over blocks of rows, for one worker.

Every batch has two phases, each ended by a meeting of all workers: shards of its rows run
forward and back (`fastdnn.engine.shards`), then blocks of theta are stepped
(`fastdnn.engine.blocks`). Why so: ``scripts/docs/engine/step.md``.
"""

import numpy as np

from fastdnn.compiler.jit import entry_point, kernel
from fastdnn.engine.barrier import (
    BROKEN,
    GO_ON,
    LEAVE,
    announce_run,
    join_run,
    meet,
    next_task,
)
from fastdnn.engine.blocks import step_block
from fastdnn.engine.delta_masks import mask_deltas, masks_pay
from fastdnn.engine.mailboxes import (
    begin_exchange,
    end_exchange,
    has_mailboxes,
    take_weights,
)
from fastdnn.engine.memory import (
    BLOCK_SIZE,
    BLOCK_SQUARES,
    BLOCK_START,
    SHARD_LOSS,
    SHARD_WEIGHT,
    WORKER_STEP,
    block_table,
    epoch_losses,
    input_rows,
    optimizer_numbers,
    partial_sums,
    rows_of,
    team_counters,
    transposed_weights_of,
    weights_of,
    worker_parameters,
)
from fastdnn.engine.operations import (
    FLAGS,
    KIND,
    N_IN,
    OUT,
    TABLE_LINEAR,
    WANTS_DELTA,
    operations,
)
from fastdnn.engine.record import record_at
from fastdnn.engine.shards import forward, train_shards
from fastdnn.engine.step_options import (
    COMPLETING,
    STEPPING,
    SUM_UP,
    SUMMING,
)
from fastdnn.engine.table_rows import TABLE_SUMS
from fastdnn.machine.stops import is_told
from fastdnn.machine.subnormals import flush_subnormals, restore_mode
from fastdnn.machine.views import matrix_at, vector
from fastdnn.ops import results
from fastdnn.ops.optimizers import LEARNING_RATE, STEP_CONSTANTS, WEIGHT_DECAY
from fastdnn.products.sums import sum_of_squares
from fastdnn.products.transpose import transpose_rows

#: What `predict` returns.
DONE, GOES_ON, NOT_FINITE = range(3)

_step_constants, _sum_up = STEP_CONSTANTS.call, SUM_UP.call
_table_sums = TABLE_SUMS.call
_write_in_same_type, _write_in_double = results.SAME_TYPE.call, results.IN_DOUBLE.call
# Rows that are transposed from one look at what may tell to stop to the next.
_ROWS_TO_TRANSPOSE = 256


@kernel
def _copy_weights(s, real, o, worker):
    """Write the weights of operation `o` in the other form that is needed, if one is."""
    row = operations(s)[o]
    if row[KIND] == TABLE_LINEAR:
        _table_sums(s.table_sums, (s.record, real, o, 0, row[N_IN], worker))
    if row[FLAGS] & WANTS_DELTA == 0:
        return
    W, W_transposed = weights_of(s, real, o, worker), transposed_weights_of(s, real, o, worker)
    n_rows = W.shape[0]
    for first in range(0, n_rows, _ROWS_TO_TRANSPOSE):
        if is_told(s.stop):
            return
        transpose_rows(W, first, min(_ROWS_TO_TRANSPOSE, n_rows - first), W_transposed)


@kernel
def _begin_member(s, real, member, t):
    """Prepare what a member needs for a step, who takes the place of a worker in it."""
    partial_sums(s)[member, WORKER_STEP] = t
    for o in range(s.n_operations):
        _copy_weights(s, real, o, member)


@kernel
def _weight_squares(s, real):
    """Return the sum of the squares of all weights, by blocks, as steps add them up."""
    theta, squares = worker_parameters(s, real, 0), 0.0
    for task in range(s.n_blocks):
        if is_told(s.stop):
            return -1.0
        block = block_table(s)[task]
        squares += sum_of_squares(vector(theta, block[BLOCK_START], block[BLOCK_SIZE]))
    return squares


@kernel
def _run(s, real, worker):
    """Train on the samples ``s.first`` to ``s.last`` of the order, as one of the team."""
    team, partial, losses = team_counters(s), partial_sums(s), epoch_losses(s)
    n_workers, n_blocks = s.n_workers, s.n_blocks
    t = first_t = s.t
    if worker == 0 and s.weight_squares < 0.0:
        if s.l1 != 0.0:
            s.weight_sizes = _sum_up(s.sum_up, (s.record, real, SUMMING))
        if s.alpha != 0.0:
            s.weight_squares = _weight_squares(s, real)
    if has_mailboxes(s):
        begin_exchange(s, real, worker)
    if s.transposed_size == 0:
        o = next_task(team, worker, n_workers, s.n_operations)
        while o < s.n_operations:
            _copy_weights(s, real, o, worker)
            o = next_task(team, worker, n_workers, s.n_operations)
        if meet(team, worker, n_workers) != GO_ON:
            return
    # Read once: when the last batch is done, worker 0 may prepare the next run while others
    # are still on their way out of this one.
    first, last = s.first, s.last
    position = first
    while position < last:
        epoch = position // s.epoch_rows
        n_rows = min(s.batch_size, min(last, (epoch + 1) * s.epoch_rows) - position)
        # Without an order all epochs visit the same rows.
        start = position if s.order_size > 0 else position - epoch * s.epoch_rows
        n_shards = (n_rows + s.shard_rows - 1) // s.shard_rows
        # The last batch may be shorter; its shards are about as long as each other, too.
        even_rows = (n_rows + n_shards - 1) // n_shards
        shard_rows = (even_rows + s.unit_rows - 1) // s.unit_rows * s.unit_rows
        if has_mailboxes(s) and position > first:
            take_weights(s, real, worker)
        if s.transposed_size > 0 and s.n_members == 0:
            for o in range(s.n_operations):
                _copy_weights(s, real, o, worker)
        if s.draws:
            partial[worker, WORKER_STEP] = t
        n_tasks = (n_shards + s.shards_together - 1) // s.shards_together
        task = next_task(team, worker, n_workers, n_tasks)
        while task < n_tasks:
            first_shard = task * s.shards_together
            shards = first_shard, min(first_shard + s.shards_together, n_shards)
            who = worker
            if s.n_members > 0:  # whose shard it is, and who has weights of his own
                who = task
                _begin_member(s, real, who, t)
            train_shards(s, real, start, shards, shard_rows, n_rows, who)
            task = next_task(team, worker, n_workers, n_tasks)
        verdict = meet(team, worker, n_workers)
        if verdict == BROKEN:
            return
        if verdict == LEAVE:
            break

        loss = 0.0
        weight_sum = 0.0
        for shard in range(n_shards):
            loss += partial[shard, SHARD_LOSS]
            weight_sum += partial[shard, SHARD_WEIGHT]
        count = n_rows
        if s.total_weight > 0.0:
            weight_sum, count = s.total_weight, 1
        scale = 1.0 / weight_sum
        if worker == 0:
            penalty = 0.5 * s.alpha * s.weight_squares if s.alpha != 0.0 else 0.0
            if s.l1 != 0.0:
                penalty += s.l1 * s.weight_sizes
            losses[epoch] += (loss * s.loss_scale + penalty) * scale * count

        are_masked = masks_pay(s, real, n_rows)
        if are_masked:
            mask_deltas(s, real, n_rows, worker)
            verdict = meet(team, worker, n_workers)
            if verdict == BROKEN:
                return
            if verdict == LEAVE:
                break
        numbers = optimizer_numbers(s, t - first_t)
        constants = _step_constants(s.constants, (numbers, t + 1))
        keep = 1.0 - numbers[LEARNING_RATE] * numbers[WEIGHT_DECAY]
        factors, stage = (scale, scale * s.alpha, keep), s.first_stage
        while True:
            task = next_task(team, worker, n_workers, n_blocks + 1)
            while task <= n_blocks:
                step_block(
                    s, real, start, task, n_rows, n_shards, constants, factors, are_masked,
                    stage, worker,
                )  # fmt: skip
                task = next_task(team, worker, n_workers, n_blocks + 1)
            verdict = meet(team, worker, n_workers)
            if verdict == BROKEN:
                return
            if stage == s.last_stage or (verdict == LEAVE and s.stop_in_step != 0):
                break
            if stage == COMPLETING:
                if verdict == LEAVE:
                    break
                factors = _sum_up(s.sum_up, (s.record, real, COMPLETING)), 0.0, keep
            stage += 1
        if verdict == LEAVE and stage == COMPLETING:
            break  # nothing has been stepped
        if verdict == LEAVE and s.stop_in_step != 0:
            if worker == 0:  # some blocks may not have been stepped
                s.is_step_left = 1
            break

        t += 1
        if worker == 0:
            squares = 0.0
            for task in range(n_blocks):
                squares += partial[task, BLOCK_SQUARES]
            s.weight_squares = squares
            if s.l1 != 0.0:
                s.weight_sizes = _sum_up(s.sum_up, (s.record, real, STEPPING))
        position += n_rows
        if verdict == LEAVE:
            break
    if worker == 0:
        s.t = t
    if has_mailboxes(s) and t > first_t:
        end_exchange(s, real, worker)
        meet(team, worker, n_workers)


@entry_point
def train(record, real, worker, n_joined):
    """Run as worker 0 of a team, or join its runs as another one of its workers.

    All are given the address of the same record, any number of the computing type, their
    own number and, except for worker 0, how many runs they have joined. Worker 0 begins a
    run and returns at its end; the others return when for a while no further run has begun,
    and then return how many they have joined.
    """
    s = record_at(record)
    team = team_counters(s)
    mode = flush_subnormals()
    if worker == 0:
        if s.n_workers > 1:  # otherwise the others, if there are any, sit this run out
            announce_run(team)
        _run(s, real, worker)
    else:
        while join_run(team, n_joined):
            _run(s, real, worker)
            n_joined += 1
    restore_mode(mode)
    return n_joined


@kernel
def _is_finite(X):
    n_finite = 0  # counted: one loop without a branch
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            n_finite += np.isfinite(X[i, j])
    return n_finite == X.size


@kernel
def _write_block(s, real, out, first, n_rows, o, write, n_columns, in_double):
    """Write the results of a block of rows, made from the output of `o`, to address `out`."""
    Z, start = rows_of(s, real, o, OUT, 0, n_rows), first * n_columns
    if in_double:
        _write_in_double(write, (Z, matrix_at(np.float64(0), out, start, n_rows, n_columns)))
    else:
        _write_in_same_type(write, (Z, matrix_at(real, out, start, n_rows, n_columns)))


@entry_point
def predict(record, real, out, n_rows, n_operations, write, n_columns, in_double, most_blocks):
    """Write results for the first `n_rows` rows of X to the address `out`, as one of a team.

    They are made from what the first operations give, by the kernel of `fastdnn.ops.results`
    at the address `write`: so many columns, of float64 if `in_double` and else of the
    computing type.

    Rows are taken in blocks of ``s.shard_rows``, whose activations stay in cache. The
    workspace that the record at that address points to holds one block and belongs to this
    worker; the queue of tasks is common to all.

    Returns `DONE` when the queue is empty; `GOES_ON` after so many blocks as are allowed, so
    that Python can look for Ctrl-C before the next call; `NOT_FINITE`, and predicts
    nothing, if ``s.check_finite`` and a number is not finite.
    """
    s = record_at(record)
    team = team_counters(s)
    if s.check_finite and not _is_finite(input_rows(s, real, 0, 0, n_rows)):
        return NOT_FINITE
    if s.table_sums != 0:
        _copy_weights(s, real, 0, 0)
    n_blocks = (n_rows + s.shard_rows - 1) // s.shard_rows
    for _ in range(most_blocks):
        block = next_task(team, 0, 1, n_blocks)
        if block >= n_blocks:
            return DONE
        first = block * s.shard_rows
        rows = min(s.shard_rows, n_rows - first)
        forward(s, real, first, 0, rows, n_operations, 0)
        o = n_operations - 1
        _write_block(s, real, out, first, rows, o, write, n_columns, in_double)
    return GOES_ON
