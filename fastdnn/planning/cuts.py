"""How a batch is cut into tasks.

Shards and blocks depend on the workload only, never on the number of threads nor on the kind
of processor: that is what makes results equal to the last bit for any `n_threads`, anywhere.
"""

import math
from itertools import pairwise

import numpy as np

from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops import activations
from fastdnn.products.nonzeros import MOST_VECTORS, ROWS_TOGETHER

# Tasks below this many floating-point operations cost more to hand out than they gain.
_FLOPS_PER_SHARD, _FLOPS_PER_BLOCK = 1e6, 2e5
# Shards and blocks have whole multiples of so many rows: a matrix product takes as long for a
# part of a tile as for the whole. On processors whose tiles have eight rows a last half of one
# costs less than shards that differ by eight.
UNIT_ROWS = 4
# Bytes of a row of a right operand that a panel of whole vectors of 64 bytes takes, or two
# panels where vectors are half as long.
_PANEL_ROW_BYTES = MOST_VECTORS * 64
# Rows of a shard; rows of a block, for each of which the deltas of the whole batch are read.
_MIN_SHARD_ROWS, _MAX_SHARD_ROWS, _MIN_BLOCK_ROWS = 64, 256, 32
# Operations and rows of a half batch: a step is shared by two threads sooner than by more.
_FLOPS_OF_HALF, _MIN_ROWS_OF_HALF = 5e5, 8
# Rows of the shards that one worker takes together: large weights are read once for them.
_ROWS_TOGETHER = 256
# Shards of a batch and blocks of a layer, unless they grow too large for the cache. Every
# shard has a gradient of its own to be added up.
_MAX_SHARDS, _MAX_BLOCKS = 8, 16
# Deltas of a batch of so many bytes leave the second-level cache between two blocks that are
# made from them, and each block may copy them: then a layer has fewer blocks.
_BYTES_TO_REREAD, _MAX_BLOCKS_OF_LARGE = 192 * 1024, 8
# Elements of a block whose gradient has only to be added up from the shards: its parts stay
# in the first-level cache, and it takes about a microsecond.
_ELEMENTS_TO_STEP = 2048
# So many blocks of a layer are left, at least, if they are made higher.
_BLOCKS_TO_SHARE = 4
# A block of a weight gradient is stepped while it is in the second-level cache.
_MAX_BLOCK_BYTES = 256 * 1024
# Prediction keeps the activations of one block of rows in the second-level cache.
_PREDICTION_BYTES = 256 * 1024
# It has fewer rows if they take so many operations: interrupts wait for the end of a block.
_FLOPS_OF_PREDICTION = 2e9


def moves_less_by_shard(parameters: Parameters, batch_size: int, n_shards: int) -> bool:
    """Whether the gradients of all shards are smaller than what they are made from."""
    sizes = parameters.layer_sizes
    return n_shards * parameters.theta.size <= batch_size * (sum(sizes) + sum(sizes[1:]))


def cut_blocks(
    parameters: Parameters, network: Network, batch_size: int, by_shard: bool
) -> list[tuple[int, int, int]]:
    """Cut the weight gradients into blocks of rows, the costliest first.

    Returns the layer, the first row and the number of rows of each.
    """
    rows = []
    for l, W in enumerate(parameters.coefs):
        n_in, n_out = W.shape
        if by_shard:
            height = -(-n_in // -(-W.size // _ELEMENTS_TO_STEP))
        else:
            height = _block_rows(W, batch_size)
            height = _rows_to_skip_zeros(height, W, l, network)
        table = network.table if l == 0 else None
        cuts = (
            _even_cuts(n_in, height) if table is None else _cuts_at(table.starts, n_in, height)
        )
        rows += [(l, first, stop - first, n_out) for first, stop in pairwise(cuts)]
    rows.sort(key=lambda row: -row[2] * row[3])
    return [row[:3] for row in rows]


def _even_cuts(n_in: int, height: int) -> list[int]:
    return [*range(0, n_in, height), n_in]


def _cuts_at(starts: list[int], n_in: int, height: int) -> list[int]:
    """Return cuts at some of the starts, at least so many rows apart but for the last."""
    cuts = [0]
    for start in starts:
        if start - cuts[-1] >= height:
            cuts.append(start)
    return [*cuts, n_in]


def _block_rows(W: np.ndarray, batch_size: int) -> int:
    """Return how many rows the blocks of one layer have, for cache and workers."""
    n_in, n_out = W.shape
    is_large = batch_size * n_out * W.itemsize >= _BYTES_TO_REREAD
    most = _MAX_BLOCKS_OF_LARGE if is_large else _MAX_BLOCKS
    to_share = min(most, int(2.0 * batch_size * W.size / _FLOPS_PER_BLOCK))
    for_cache = -(-W.nbytes // _MAX_BLOCK_BYTES)
    return max(_MIN_BLOCK_ROWS, whole_units(n_in / max(1, to_share, for_cache)))


def _rows_to_skip_zeros(height: int, W: np.ndarray, l: int, network: Network) -> int:
    """Return for how many rows of a block the product that skips zeros is faster."""
    layers = network.layers
    if l > 0 and activations.row_of(layers[l - 1].activation).makes_zeros:
        # All of them have masks before panels are copied, which are then used more often.
        is_small = ROWS_TOGETHER * W.shape[1] * W.itemsize <= _MAX_BLOCK_BYTES
        many = W.shape[0] >= _BLOCKS_TO_SHARE * ROWS_TOGETHER
        return max(height, ROWS_TOGETHER) if is_small and many else height
    own = activations.row_of(layers[l].activation)
    if own.makes_zeros and own.stops_gradient and layers[l].normalization is None:
        # Rows of the block are columns of that product.
        whole_panel = _PANEL_ROW_BYTES // W.itemsize
        return -(-height // whole_panel) * whole_panel
    return height


def shard_rows_of(parameters: Parameters, batch_size: int) -> int:
    """Return how many rows the shards of a batch have."""
    flops = 4.0 * batch_size * parameters.n_weights
    most = min(int(flops / _FLOPS_PER_SHARD), batch_size // _MIN_SHARD_ROWS)
    most = min(most, max(_MAX_SHARDS, batch_size // _MAX_SHARD_ROWS))
    if flops >= 2 * _FLOPS_OF_HALF and batch_size >= 2 * _MIN_ROWS_OF_HALF:
        most = max(most, 2)
    # A power of two divides evenly among two, four, eight threads.
    n_shards = 1 << max(0, most.bit_length() - 1)
    return min(batch_size, whole_units(batch_size / n_shards))


def shards_together(shard_rows: int, n_shards: int, n_workers: int) -> int:
    """Return how many neighbouring shards one task has; no bit depends on it."""
    together = min(_ROWS_TOGETHER // int(shard_rows), n_shards // n_workers)
    fewest = math.ceil(n_shards / n_workers)
    while together > 1 and n_workers > 1:
        n_tasks = math.ceil(n_shards / together)
        if math.ceil(n_tasks / n_workers) * together <= fewest:
            break  # no worker has more shards than if each were a task
        together -= 1
    return max(1, together)


def whole_units(n_rows: float) -> int:
    """Round up, see `UNIT_ROWS`."""
    return math.ceil(n_rows / UNIT_ROWS) * UNIT_ROWS


def rows_to_predict(parameters: Parameters, is_sparse: bool) -> int:
    """Return how many rows a prediction takes at a time: in cache, and not for long."""
    widest = max(parameters.layer_sizes[1:] if is_sparse else parameters.layer_sizes)
    by_cache = _PREDICTION_BYTES // (widest * parameters.theta.itemsize)
    n_rows = max(_MIN_SHARD_ROWS, min(_MAX_SHARD_ROWS, by_cache))
    # Of sparse rows the first layer mostly takes little.
    n_weights = parameters.n_weights - is_sparse * parameters.coefs[0].size
    by_time = max(1, int(_FLOPS_OF_PREDICTION / max(1, 2 * n_weights)))
    return whole_units(min(n_rows, by_time))
