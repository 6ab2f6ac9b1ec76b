"""What a run of the engine is given, and views of where each layer lies in it."""

from typing import NamedTuple

import numpy as np

from fastdnn._jit import kernel
from fastdnn.kernels.views import matrix, vector

#: What one run of the engine is told, and what it reports; one number a field.
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
            ("loss_sum", np.float64),  # reported: sum of batch loss * batch rows, or
            # with `total_weight` the sum of all losses divided by it
            ("weight_squares", np.float64),  # kept: sum of W**2, for the L2 term
            # The samples of this run, as positions in the order.
            ("first", np.int64),
            ("last", np.int64),
            ("batch_size", np.int64),
            ("gather", np.int64),  # whether rows are picked by `order`
            ("sparse", np.int64),  # whether X is in CSR form
            ("weighted", np.int64),  # whether samples have weights
            ("total_weight", np.float64),  # divides all gradients; 0: the batch's own
            # How the work is cut.
            ("n_workers", np.int64),
            ("shard_rows", np.int64),
            ("n_weights", np.int64),  # theta holds the weights, then the biases
            # Positions in the workspace.
            ("x_start", np.int64),
            ("y_start", np.int64),
            ("w_start", np.int64),
            ("db_start", np.int64),
            ("scratch_start", np.int64),
            ("scratch_size", np.int64),
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
    """The samples of a run. All arrays are C-contiguous, and all but `order` read-only.

    X is a matrix, or has no rows and lies in the three arrays of a CSR matrix.
    """

    X: np.ndarray  # (n_samples, n_features)
    values: np.ndarray  # (n_stored,)
    indices: np.ndarray  # int32 (n_stored,)
    indptr: np.ndarray  # int64 (n_samples + 1,)
    Y: np.ndarray  # (n_samples, n_targets)
    weight: np.ndarray  # (n_samples,), or empty for unweighted samples
    order: np.ndarray  # int64: the row of each position; empty if rows go in order


class Network(NamedTuple):
    """The parameters of a network and the memory to train it in."""

    layers: np.ndarray  # int64 (n_layers, 9)
    blocks: np.ndarray  # int64 (n_blocks, 3)
    theta: np.ndarray  # (n_parameters,)
    state: np.ndarray  # (n_slots * n_parameters,)
    work: np.ndarray  # scratch
    partial: np.ndarray  # float64 (3, max(n_shards, n_blocks))
    team: np.ndarray  # int64 counters of fastdnn.kernels.barrier


@kernel
def layer_weights(net, l):
    layer = net.layers[l]
    return matrix(net.theta, layer[W_START], layer[N_IN], layer[N_OUT])


@kernel
def layer_transposed(net, l):
    """View the copy of a layer's transposed weights; the first layer has none."""
    layer = net.layers[l]
    return matrix(net.work, layer[WT_START], layer[N_OUT], layer[N_IN])


@kernel
def layer_bias(net, l):
    layer = net.layers[l]
    return vector(net.theta, layer[B_START], layer[N_OUT])


@kernel
def layer_rows(net, l, column, first, n_rows):
    """View rows of A, Z or D (`column` of the layer table) of layer `l`."""
    n_out = net.layers[l, N_OUT]
    return matrix(net.work, net.layers[l, column] + first * n_out, n_rows, n_out)


@kernel
def bias_gradient(s, net, l, shard):
    n_biases = net.theta.size - s.n_weights
    start = s.db_start + shard * n_biases + net.layers[l, B_START] - s.n_weights
    return vector(net.work, start, net.layers[l, N_OUT])


@kernel
def input_rows(s, data, net, position, first, n_rows):
    """View rows of the batch that starts at `position`: gathered, or X's own."""
    n_features = data.X.shape[1]
    if s.gather:
        return matrix(net.work, s.x_start + first * n_features, n_rows, n_features)
    return matrix(data.X, (position + first) * n_features, n_rows, n_features)


@kernel
def target_rows(s, data, net, position, first, n_rows):
    n_targets = data.Y.shape[1]
    if s.gather:
        return matrix(net.work, s.y_start + first * n_targets, n_rows, n_targets)
    return matrix(data.Y, (position + first) * n_targets, n_rows, n_targets)


@kernel
def weight_rows(s, data, net, position, first, n_rows):
    if not s.weighted:
        return vector(net.work, 0, 0)
    if s.gather:
        return vector(net.work, s.w_start + first, n_rows)
    return vector(data.weight, position + first, n_rows)
