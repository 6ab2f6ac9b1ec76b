"""Views of where everything lies that a run of the engine works on.

`s` is the record of `fastdnn.engine.record`, `real` any number of the computing type.
"""

import numpy as np

from fastdnn.compiler.jit import kernel
from fastdnn.engine.operations import (
    BATCH,
    D_IN,
    IN,
    MEMORY,
    N_IN,
    N_OUT,
    OWN_SIZE,
    OWN_START,
    STREAM,
    TAIL_START,
    W_START,
    WT_START,
    operations,
)
from fastdnn.machine.views import matrix_at, require_within, vector, vector_at
from fastdnn.ops.optimizers import MOST_NUMBERS
from fastdnn.ops.transforms import N_REMEMBERED

# Columns of the block table. A block is rows first, first + n_rows of the weights of one
# operation, from `start` on in theta and from `slot` on in a mailbox. After the blocks comes
# the tail of theta.
BLOCK_OPERATION, BLOCK_FIRST, BLOCK_ROWS, BLOCK_START, BLOCK_SIZE, BLOCK_SLOT = range(6)
# Columns of the table of partial results; every shard and block has a cache line of it.
(
    SHARD_LOSS, SHARD_WEIGHT, SHARD_MAKER, BLOCK_SQUARES, BLOCK_STEPPER, BLOCK_SIZES,
    BLOCK_GRADIENT_SQUARES,
) = range(7)  # fmt: skip
# Another one, of the line with a worker's number: the step that he works on, where it matters.
WORKER_STEP = 7

# Rows that are left free between shards are so much longer: those of one column are short.
COLUMNS_OF_GAP = 8


@kernel
def block_table(s):
    return matrix_at(np.int64(0), s.blocks, 0, s.n_blocks + 1, 6)


@kernel
def partial_sums(s):
    return matrix_at(np.float64(0), s.partial, 0, s.n_partial, 8)


@kernel
def optimizer_numbers(s, step):
    """View the optimiser's numbers for a step of the run, from 0."""
    start = step * s.numbers_apart
    require_within(start, MOST_NUMBERS, s.numbers_size)
    return vector_at(np.float64(0), s.numbers, start, MOST_NUMBERS)


@kernel
def loss_parameters(s):
    return vector_at(np.float64(0), s.loss_parameters, 0, s.loss_parameters_size)


@kernel
def team_counters(s):
    return vector_at(np.int64(0), s.team, 0, s.team_size)


@kernel
def epoch_losses(s):
    return vector_at(np.float64(0), s.losses, 0, s.losses_size)


@kernel
def optimizer_state(s, real, owner):
    """View the optimiser's state, or the copy of it that belongs to the worker `owner`."""
    if owner == 0 or s.replica_size == 0:
        return vector_at(real, s.state, 0, s.state_size)
    start = s.replica_start + (owner - 1) * s.replica_size + s.replica_state
    return work_vector(s, real, start, s.state_size)


@kernel
def work_vector(s, real, start, length):
    require_within(start, length, s.work_size)
    return vector_at(real, s.work, start, length)


@kernel
def work_matrix(s, real, start, n_rows, n_columns):
    require_within(start, n_rows * n_columns, s.work_size)
    return matrix_at(real, s.work, start, n_rows, n_columns)


@kernel
def worker_parameters(s, real, worker):
    """View theta, or the worker's own copy of it."""
    if worker == 0 or s.replica_size == 0:
        return vector_at(real, s.theta, 0, s.theta_size)
    start = s.replica_start + (worker - 1) * s.replica_size
    return work_vector(s, real, start, s.theta_size)


@kernel
def product_scratch(s, real, worker):
    """View a worker's scratch for matrix products."""
    return work_vector(s, real, s.product_start + worker * s.product_size, s.product_size)


@kernel
def ordered_rows(s, first, n_rows):
    """View the rows of X at positions `first`... of the order, if there is one."""
    if s.order_size == 0:
        return vector_at(np.int64(0), s.order, 0, 0)
    require_within(first, n_rows, s.order_size)
    return vector_at(np.int64(0), s.order, first, n_rows)


@kernel
def csr_arrays(s, real):
    """View values, column indices and row pointers of X in CSR form."""
    return (
        vector_at(real, s.values, 0, s.values_size),
        vector_at(np.int32(0), s.indices, 0, s.indices_size),
        vector_at(np.int64(0), s.indptr, 0, s.indptr_size),
    )


@kernel
def weights_of(s, real, o, worker):
    """View the weights of operation `o`, or the worker's own copy of them."""
    row = operations(s)[o]
    start, n_in, n_out = row[W_START], row[N_IN], row[N_OUT]
    require_within(start, n_in * n_out, s.n_weights)
    if worker == 0 or s.replica_size == 0:
        return matrix_at(real, s.theta, start, n_in, n_out)
    start += s.replica_start + (worker - 1) * s.replica_size
    return work_matrix(s, real, start, n_in, n_out)


@kernel
def transposed_weights_of(s, real, o, worker):
    """View a worker's copy of the transposed weights of an operation that wants a delta."""
    row = operations(s)[o]
    start = row[WT_START] + worker * s.transposed_size
    return work_matrix(s, real, start, row[N_OUT], row[N_IN])


@kernel
def bias_of(s, real, o, worker):
    row = operations(s)[o]
    return vector(worker_parameters(s, real, worker), row[TAIL_START], row[N_OUT])


@kernel
def own_parameters(s, real, o, worker):
    """View the parameters of operation `o` that are no weights, or the worker's own copy."""
    row = operations(s)[o]
    return vector(worker_parameters(s, real, worker), row[OWN_START], row[OWN_SIZE])


@kernel
def own_gradient(s, real, o, shard):
    """View one shard's gradient of them."""
    row = operations(s)[o]
    return shard_gradient(s, real, shard, row[OWN_START], row[OWN_SIZE])


@kernel
def draw_of(s, o, first, worker):
    """Return what is drawn for rows `first`... of the batch, see `fastdnn.ops.draws`."""
    step = np.int64(partial_sums(s)[worker, WORKER_STEP])
    return s.seed, step, operations(s)[o, STREAM], np.int64(first)


@kernel
def start_of_row(s, first, n_columns):
    """Return how far row `first` of a batch is from row 0."""
    gaps = first // s.shard_rows * s.shard_gap
    return first * n_columns + gaps * (n_columns + COLUMNS_OF_GAP)


@kernel
def rows_of(s, real, o, column, first, n_rows):
    """View rows of what operation `o` reads or writes: IN, OUT, D_IN, D_OUT or MEMORY."""
    row = operations(s)[o]
    width = row[N_IN] if column == IN or column == D_IN else row[N_OUT]
    if column == MEMORY:
        width = np.int64(N_REMEMBERED)
    start = row[column] + start_of_row(s, first, width)
    return work_matrix(s, real, start, n_rows, width)


@kernel
def shard_gradient(s, real, shard, start, length):
    """View one shard's gradient of ``theta[start:start + length]``."""
    first = s.gradient_start + shard * s.gradient_size
    return work_vector(s, real, first + start, length)


@kernel
def weight_gradient(s, real, o, shard):
    """View one shard's gradient of the weights of operation `o`."""
    row = operations(s)[o]
    first = s.gradient_start + shard * s.gradient_size
    return work_matrix(s, real, first + row[W_START], row[N_IN], row[N_OUT])


@kernel
def tail_gradient(s, real, o, shard):
    """View one shard's gradient of the vector that the column sums of `o` belong to."""
    row = operations(s)[o]
    return shard_gradient(s, real, shard, row[TAIL_START], row[N_OUT])


@kernel
def input_rows(s, real, position, first, n_rows):
    """View rows of the batch that starts at `position`: gathered, or X's own."""
    n_features = s.n_features
    if s.gather:
        start = s.x_start + start_of_row(s, first, n_features)
        return work_matrix(s, real, start, n_rows, n_features)
    start = (position + first) * n_features
    require_within(start, n_rows * n_features, s.X_size)
    return matrix_at(real, s.X, start, n_rows, n_features)


@kernel
def read_by(s, real, position, o, first, n_rows):
    """View rows of what operation `o` reads: of the batch at `position`, or of its input."""
    if operations(s)[o, IN] == BATCH:
        return input_rows(s, real, position, first, n_rows)
    return rows_of(s, real, o, IN, first, n_rows)


@kernel
def target_rows(s, real, position, first, n_rows):
    n_targets = s.n_targets
    if s.gather:
        start = s.y_start + start_of_row(s, first, n_targets)
        return work_matrix(s, real, start, n_rows, n_targets)
    start = (position + first) * n_targets
    require_within(start, n_rows * n_targets, s.Y_size)
    return matrix_at(real, s.Y, start, n_rows, n_targets)


@kernel
def weight_rows(s, real, position, first, n_rows):
    if not s.weighted:
        return work_vector(s, real, 0, 0)
    if s.gather:
        return work_vector(s, real, s.w_start + first, n_rows)
    require_within(position + first, n_rows, s.weight_size)
    return vector_at(real, s.weight, position + first, n_rows)
