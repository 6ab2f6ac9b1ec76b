"""Views of where everything lies that a run of the engine works on.

`s` is the record of `fastdnn.engine.record`, `real` any number of the computing type.
"""

import numpy as np

from fastdnn.compiler.jit import kernel
from fastdnn.machine.views import matrix_at, require_within, vector, vector_at
from fastdnn.ops.activations import ACTIVATION_CODES
from fastdnn.products.switches import (
    NO_ZERO_SKIPPING,
    STOP_FACTOR,
    ZEROS_ON_LEFT,
    ZEROS_ON_RIGHT,
)

# Columns of the layer table: sizes, positions in theta, positions in the workspace.
N_IN, N_OUT, W_START, B_START, A_START, Z_START, D_START, WT_START, ACTIVATION = range(9)
# Columns of the block table. A block is rows first, first + n_rows of one layer's weights,
# from `start` on in theta and from `slot` on in a mailbox. After the blocks come all biases.
BLOCK_LAYER, BLOCK_FIRST, BLOCK_ROWS, BLOCK_START, BLOCK_SIZE, BLOCK_SLOT = range(6)
# Columns of the table of partial results; every shard and block has a cache line of it.
SHARD_LOSS, SHARD_WEIGHT, SHARD_MAKER, BLOCK_SQUARES, BLOCK_STEPPER = range(5)

# Rows that are left free between shards are so much longer: those of one column are short.
COLUMNS_OF_GAP = 8

_RELU = ACTIVATION_CODES["relu"]


@kernel
def layer_table(s):
    return matrix_at(np.int64(0), s.layers, 0, s.n_layers, 9)


@kernel
def block_table(s):
    return matrix_at(np.int64(0), s.blocks, 0, s.n_blocks + 1, 6)


@kernel
def partial_sums(s):
    return matrix_at(np.float64(0), s.partial, 0, s.n_partial, 8)


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
def layer_weights(s, real, l, worker):
    layer = layer_table(s)[l]
    start, n_in, n_out = layer[W_START], layer[N_IN], layer[N_OUT]
    require_within(start, n_in * n_out, s.n_weights)
    if worker == 0 or s.replica_size == 0:
        return matrix_at(real, s.theta, start, n_in, n_out)
    start += s.replica_start + (worker - 1) * s.replica_size
    return work_matrix(s, real, start, n_in, n_out)


@kernel
def is_rectified(s, l):
    """Whether layer `l` makes zeros: of its activations, and of its deltas."""
    return l >= 0 and layer_table(s)[l, ACTIVATION] == _RELU


@kernel
def product_flags(s, left, right, stop):
    """Return what a product is told, whose operands are outputs or deltas of two layers.

    A layer of -1 is none: the input, or an operand that is not looked at. `stop` is the
    address of what may tell it to leave, or 0.
    """
    flags = s.switched_off & (STOP_FACTOR - 1)
    if flags & NO_ZERO_SKIPPING == 0:
        flags += (
            is_rectified(s, left) * ZEROS_ON_LEFT + is_rectified(s, right) * ZEROS_ON_RIGHT
        )
    return flags + STOP_FACTOR * stop


@kernel
def layer_transposed(s, real, l, worker):
    """View a worker's copy of a layer's transposed weights; the first layer has none."""
    layer = layer_table(s)[l]
    start = layer[WT_START] + worker * s.transposed_size
    return work_matrix(s, real, start, layer[N_OUT], layer[N_IN])


@kernel
def layer_bias(s, real, l, worker):
    layer = layer_table(s)[l]
    return vector(worker_parameters(s, real, worker), layer[B_START], layer[N_OUT])


@kernel
def _start_of_row(s, first, n_columns):
    """Return how far row `first` of a batch is from row 0."""
    gaps = first // s.shard_rows * s.shard_gap
    return first * n_columns + gaps * (n_columns + COLUMNS_OF_GAP)


@kernel
def layer_rows(s, real, l, column, first, n_rows):
    """View rows of A, Z or D (`column` of the layer table) of layer `l`."""
    layer = layer_table(s)[l]
    n_out = layer[N_OUT]
    start = layer[column] + _start_of_row(s, first, n_out)
    return work_matrix(s, real, start, n_rows, n_out)


@kernel
def shard_gradient(s, real, shard, start, length):
    """View one shard's gradient of ``theta[start:start + length]``."""
    first = s.gradient_start + shard * s.gradient_size
    return work_vector(s, real, first + start, length)


@kernel
def weight_gradient(s, real, l, shard):
    """View one shard's gradient of the weights of layer `l`."""
    layer = layer_table(s)[l]
    first = s.gradient_start + shard * s.gradient_size
    return work_matrix(s, real, first + layer[W_START], layer[N_IN], layer[N_OUT])


@kernel
def bias_gradient(s, real, l, shard):
    """View one shard's gradient of the biases of layer `l`."""
    layer = layer_table(s)[l]
    return shard_gradient(s, real, shard, layer[B_START], layer[N_OUT])


@kernel
def input_rows(s, real, position, first, n_rows):
    """View rows of the batch that starts at `position`: gathered, or X's own."""
    n_features = s.n_features
    if s.gather:
        start = s.x_start + _start_of_row(s, first, n_features)
        return work_matrix(s, real, start, n_rows, n_features)
    start = (position + first) * n_features
    require_within(start, n_rows * n_features, s.X_size)
    return matrix_at(real, s.X, start, n_rows, n_features)


@kernel
def layer_input(s, real, position, l, first, n_rows):
    """View rows of what layer `l` is given: of the batch at `position`, or of A below."""
    if l == 0:
        return input_rows(s, real, position, first, n_rows)
    return layer_rows(s, real, l - 1, A_START, first, n_rows)


@kernel
def target_rows(s, real, position, first, n_rows):
    n_targets = s.n_targets
    if s.gather:
        start = s.y_start + _start_of_row(s, first, n_targets)
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
