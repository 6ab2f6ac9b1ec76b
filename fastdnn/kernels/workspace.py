"""What a run of the engine is given, and views of where everything lies in it.

All that a run needs travels as one record: numbers, and the addresses of the arrays. A
compiled function that is handed arrays takes seven numbers for each and one that is handed
them all takes a hundred, at every call; a record is one pointer.
"""

import ctypes
from collections.abc import Iterable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import types

from fastdnn._jit import JIT_ENABLED, emitted, kernel
from fastdnn.kernels.views import matrix_at, require_within, vector_at

#: Arrays that a record points to, each with its size in elements.
ARRAYS = (
    # The parameters of the network and the memory to train it in, see `Network`.
    "layers",
    "blocks",
    "theta",
    "state",
    "work",
    "partial",
    "team",
    # The samples, see `Data`.
    "X",
    "values",
    "indices",
    "indptr",
    "Y",
    "weight",
    "order",
    "losses",
)

#: What one run of the engine is told, and what it reports.
SETTINGS = np.dtype(
    (
        np.record,
        [
            # The optimiser.
            ("optimizer", np.int64),
            ("learning_rate", np.float64),
            ("momentum", np.float64),
            ("beta_1", np.float64),
            ("beta_2", np.float64),
            ("epsilon", np.float64),
            ("alpha", np.float64),  # L2: alpha / 2 * sum(W**2) / sum of weights
            ("t", np.int64),  # steps taken so far; counted on by the engine
            # The loss.
            ("canonical", np.int64),  # which table `loss` is a code of
            ("loss", np.int64),
            ("loss_scale", np.float64),  # factor of the reported loss only
            ("loss_cap", np.float64),  # highest log-loss of one output to report
            ("weight_squares", np.float64),  # kept: sum of W**2, for the L2 term
            # The samples of this run, as positions in the order.
            ("first", np.int64),
            ("last", np.int64),
            ("epoch_rows", np.int64),  # so many positions are one epoch
            ("batch_size", np.int64),
            ("gather", np.int64),  # whether rows are picked by `order`
            ("sparse", np.int64),  # whether X is in CSR form
            ("weighted", np.int64),  # whether samples have weights
            ("total_weight", np.float64),  # divides all gradients; 0: the batch's own
            ("check_finite", np.int64),  # whether `predict` looks for NaN and infinity
            # How the work is cut.
            ("n_workers", np.int64),
            ("shard_rows", np.int64),  # at most
            ("tile_rows", np.int64),  # shards have whole tiles of the matrix product
            ("shards_together", np.int64),  # neighbours that are one task
            ("gradient_by_shard", np.int64),  # whether shards make weight gradients
            # Sizes.
            ("n_features", np.int64),
            ("n_targets", np.int64),
            ("n_layers", np.int64),
            ("n_blocks", np.int64),
            ("n_partial", np.int64),
            ("n_weights", np.int64),  # theta holds the weights, then the biases
            # Positions in the workspace.
            ("x_start", np.int64),
            ("y_start", np.int64),
            ("w_start", np.int64),
            ("gradient_start", np.int64),  # of the first shard, for theta[0]
            ("gradient_size", np.int64),  # from one shard's gradient to the next's
            ("scratch_start", np.int64),
            ("scratch_size", np.int64),
            ("product_start", np.int64),  # scratch of the first worker's matrix products
            ("product_size", np.int64),
            ("transposed_size", np.int64),  # from one worker's copies to the next's, or 0
            # Addresses.
            *[(name, np.int64) for name in ARRAYS],
            *[(f"{name}_size", np.int64) for name in ARRAYS],
        ],
    )
)

# Columns of the layer table: sizes, positions in theta, positions in the workspace.
N_IN, N_OUT, W_START, B_START, A_START, Z_START, D_START, WT_START, ACTIVATION = range(9)
# Columns of the block table. A block is rows first, first + n_rows of one layer's weights.
BLOCK_LAYER, BLOCK_FIRST, BLOCK_ROWS = range(3)
# Rows of the table of partial sums.
SHARD_LOSS, SHARD_WEIGHT, BLOCK_SQUARES = range(3)


class Data(NamedTuple):
    """The samples of a run, and where it reports losses. All arrays are C-contiguous.

    X is a matrix, or has no rows and lies in the three arrays of a CSR matrix.
    """

    X: np.ndarray  # (n_samples, n_features)
    values: np.ndarray  # (n_stored,)
    indices: np.ndarray  # int32 (n_stored,)
    indptr: np.ndarray  # int64 (n_samples + 1,)
    Y: np.ndarray  # (n_samples, n_targets)
    weight: np.ndarray  # (n_samples,), or empty for unweighted samples
    order: np.ndarray  # int64: the row of each position; empty if rows go in order
    losses: np.ndarray  # float64: added to, for every epoch of the run, the sum of batch
    # loss * batch rows, or with `total_weight` the sum of all losses divided by it


class Network(NamedTuple):
    """The parameters of a network and the memory to train it in."""

    layers: np.ndarray  # int64 (n_layers, 9)
    blocks: np.ndarray  # int64 (n_blocks, 3)
    theta: np.ndarray  # (n_parameters,)
    state: np.ndarray  # (n_slots * n_parameters,)
    work: np.ndarray  # scratch
    partial: np.ndarray  # float64 (3, max(n_shards, n_blocks))
    team: np.ndarray  # int64 counters of fastdnn.kernels.barrier


def point_to(table: np.ndarray, arrays: Network | Data) -> None:
    """Write where `arrays` lie into the settings; the caller keeps them alive."""
    named: Iterable[tuple[str, Any]] = zip(arrays._fields, arrays, strict=True)
    for name, array in named:
        if not array.flags.c_contiguous:
            raise ValueError(f"{name} must be C-contiguous")
        table[name] = array.ctypes.data
        table[f"{name}_size"] = array.size
    if isinstance(arrays, Network):
        table["n_layers"], table["n_blocks"] = len(arrays.layers), len(arrays.blocks)
        table["n_partial"] = arrays.partial.shape[1]
    else:
        table["n_features"], table["n_targets"] = arrays.X.shape[1], arrays.Y.shape[1]


def _emitted_settings_at(typingctx, address):  # needs jit
    record_type = numba.from_dtype(SETTINGS)

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(record_type))

    return record_type(types.intp), codegen


# Entry points are given the address: numba takes microseconds to recognise a record that
# comes from Python, and next to nothing for a number.
if JIT_ENABLED:  # needs jit
    settings_at = emitted(_emitted_settings_at)
else:

    def settings_at(address):
        """View the settings that lie at an address."""
        memory = (ctypes.c_char * SETTINGS.itemsize).from_address(int(address))
        # NumPy's type stubs do not know that a ctypes array is a buffer.
        return np.frombuffer(memory, SETTINGS)[0]  # type: ignore[call-overload]


# Views. `s` is the record, `real` any number of the computing type.


@kernel
def layer_table(s):
    return matrix_at(np.int64(0), s.layers, 0, s.n_layers, 9)


@kernel
def block_table(s):
    return matrix_at(np.int64(0), s.blocks, 0, s.n_blocks, 3)


@kernel
def partial_sums(s):
    return matrix_at(np.float64(0), s.partial, 0, 3, s.n_partial)


@kernel
def team_counters(s):
    return vector_at(np.int64(0), s.team, 0, s.team_size)


@kernel
def epoch_losses(s):
    return vector_at(np.float64(0), s.losses, 0, s.losses_size)


@kernel
def parameters(s, real):
    return vector_at(real, s.theta, 0, s.theta_size)


@kernel
def optimizer_state(s, real):
    return vector_at(real, s.state, 0, s.state_size)


@kernel
def work_vector(s, real, start, length):
    require_within(start, length, s.work_size)
    return vector_at(real, s.work, start, length)


@kernel
def work_matrix(s, real, start, n_rows, n_columns):
    require_within(start, n_rows * n_columns, s.work_size)
    return matrix_at(real, s.work, start, n_rows, n_columns)


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
def layer_weights(s, real, l):
    layer = layer_table(s)[l]
    require_within(layer[W_START], layer[N_IN] * layer[N_OUT], s.n_weights)
    return matrix_at(real, s.theta, layer[W_START], layer[N_IN], layer[N_OUT])


@kernel
def layer_transposed(s, real, l, worker):
    """View a worker's copy of a layer's transposed weights; the first layer has none."""
    layer = layer_table(s)[l]
    start = layer[WT_START] + worker * s.transposed_size
    return work_matrix(s, real, start, layer[N_OUT], layer[N_IN])


@kernel
def layer_bias(s, real, l):
    layer = layer_table(s)[l]
    require_within(layer[B_START], layer[N_OUT], s.theta_size)
    return vector_at(real, s.theta, layer[B_START], layer[N_OUT])


@kernel
def layer_rows(s, real, l, column, first, n_rows):
    """View rows of A, Z or D (`column` of the layer table) of layer `l`."""
    layer = layer_table(s)[l]
    n_out = layer[N_OUT]
    return work_matrix(s, real, layer[column] + first * n_out, n_rows, n_out)


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
        return work_matrix(s, real, s.x_start + first * n_features, n_rows, n_features)
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
        return work_matrix(s, real, s.y_start + first * n_targets, n_rows, n_targets)
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
