"""How a batch is cut into tasks.

Shards and blocks depend on the workload only, never on the number of threads nor on the kind
of processor: that is what makes results equal to the last bit for any `n_threads`, anywhere.
"""

import math
from collections.abc import Sequence

import numpy as np

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.data.samples import Samples
from fastdnn.engine.barrier import let_workers_stay, team_size
from fastdnn.engine.record import SETTINGS, Data, Network
from fastdnn.engine.workspace import BLOCK_SIZE
from fastdnn.network.parameters import Parameters
from fastdnn.ops.losses import loss_code
from fastdnn.ops.optimizers import OPTIMIZER_CODES, OPTIMIZERS
from fastdnn.planning.addresses import point_to_data, point_to_network, point_to_rows
from fastdnn.planning.layout import (
    Workspace,
    aligned_scratch,
    aligned_zeros,
    block_table,
    keep_shards_apart,
    lay_out_exchange,
    lay_out_gradients,
    lay_out_masks,
    lay_out_product_scratch,
    lay_out_samples,
    lay_out_scratch,
    lay_out_transposed,
    layer_table,
    partial_table,
)
from fastdnn.products.nonzeros import MOST_VECTORS, ROWS_TOGETHER
from fastdnn.products.switched_off import switched_off
from fastdnn.products.switches import (
    NO_DELTA_MASKS,
    NO_MAILBOXES,
    NO_PLACEMENT,
    NO_TOGETHER,
    NO_ZERO_SKIPPING,
)
from fastdnn.teams.cpus import threads_offered

# Tasks below this many floating-point operations cost more to hand out than they gain.
_FLOPS_PER_SHARD, _FLOPS_PER_BLOCK = 1e6, 2e5
# Shards and blocks have whole multiples of so many rows: a matrix product takes as long for a
# part of a tile as for the whole. On processors whose tiles have eight rows a last half of one
# costs less than shards that differ by eight.
_UNIT_ROWS = 4
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
# The fields that every run or prediction reads or writes.
_QUICK_COLUMNS = (
    *("first", "last", "learning_rate", "t", "n_workers"),
    *("X", "X_size", "n_features", "team"),
)


class Plan:
    """A workload cut into tasks.

    Attributes
    ----------
    table : ndarray of one record
        The settings as the engine takes them, with the addresses of the network. They are
        written as ``table[name] = value``: attributes of the record take microseconds.
    address, team_address : int
        Where the settings and the team's counters lie.
    columns : dict of str to ndarray
        Fields that every run reads or writes, each as an array of one.
    network : Network
        The parameters and the memory to train them in.
    n_workers : int
        As many workers as pay, at most as many as were offered.
    shard_rows : int
        Rows of a shard of a batch, or of a block to predict.
    """

    def __init__(
        self, table: np.ndarray, network: Network, n_workers: int, n_slots: int = 0
    ) -> None:
        point_to_network(table, network, n_slots)
        self.table = table
        self.columns = {name: table[name] for name in _QUICK_COLUMNS}
        self.network, self.n_workers = network, n_workers
        self.shard_rows = int(table["shard_rows"][0])
        self.address, self.team_address = table.ctypes.data, network.team.ctypes.data

    def point_to(self, data: Data) -> None:
        """Let the engine read samples, which the caller keeps alive."""
        point_to_data(self.table, self.network, data)

    def point_to_rows(self, X: np.ndarray) -> None:
        """Let the engine predict rows, which the caller keeps alive."""
        point_to_rows(self.columns, self.network, X)


def _moves_less_by_shard(parameters: Parameters, batch_size: int, n_shards: int) -> bool:
    """Whether the gradients of all shards are smaller than what they are made from."""
    sizes = parameters.layer_sizes
    return n_shards * parameters.theta.size <= batch_size * (sum(sizes) + sum(sizes[1:]))


def _cut_blocks(
    parameters: Parameters, activations: Sequence[str], batch_size: int, by_shard: bool
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
            height = _rows_to_skip_zeros(height, W, l, activations)
        for first in range(0, n_in, height):
            rows.append((l, first, min(height, n_in - first), n_out))
    rows.sort(key=lambda row: -row[2] * row[3])
    return [row[:3] for row in rows]


def _block_rows(W: np.ndarray, batch_size: int) -> int:
    """Return how many rows the blocks of one layer have, for cache and workers."""
    n_in, n_out = W.shape
    is_large = batch_size * n_out * W.itemsize >= _BYTES_TO_REREAD
    most = _MAX_BLOCKS_OF_LARGE if is_large else _MAX_BLOCKS
    to_share = min(most, int(2.0 * batch_size * W.size / _FLOPS_PER_BLOCK))
    for_cache = -(-W.nbytes // _MAX_BLOCK_BYTES)
    return max(_MIN_BLOCK_ROWS, _whole_units(n_in / max(1, to_share, for_cache)))


def _rows_to_skip_zeros(height: int, W: np.ndarray, l: int, activations: Sequence[str]) -> int:
    """Return for how many rows of a block the product that skips zeros is faster."""
    if l > 0 and activations[l - 1] == "relu":
        # All of them have masks before panels are copied, which are then used more often.
        is_small = ROWS_TOGETHER * W.shape[1] * W.itemsize <= _MAX_BLOCK_BYTES
        many = W.shape[0] >= _BLOCKS_TO_SHARE * ROWS_TOGETHER
        return max(height, ROWS_TOGETHER) if is_small and many else height
    if activations[l] == "relu":
        # Rows of the block are columns of that product.
        whole_panel = _PANEL_ROW_BYTES // W.itemsize
        return -(-height // whole_panel) * whole_panel
    return height


def _shard_rows(parameters: Parameters, batch_size: int) -> int:
    flops = 4.0 * batch_size * parameters.n_weights
    most = min(int(flops / _FLOPS_PER_SHARD), batch_size // _MIN_SHARD_ROWS)
    most = min(most, max(_MAX_SHARDS, batch_size // _MAX_SHARD_ROWS))
    if flops >= 2 * _FLOPS_OF_HALF and batch_size >= 2 * _MIN_ROWS_OF_HALF:
        most = max(most, 2)
    # A power of two divides evenly among two, four, eight threads.
    n_shards = 1 << max(0, most.bit_length() - 1)
    return min(batch_size, _whole_units(batch_size / n_shards))


def _shards_together(shard_rows: int, n_shards: int, n_workers: int) -> int:
    """Return how many neighbouring shards one task has; no bit depends on it."""
    together = min(_ROWS_TOGETHER // int(shard_rows), n_shards // n_workers)
    fewest = math.ceil(n_shards / n_workers)
    while together > 1 and n_workers > 1:
        n_tasks = math.ceil(n_shards / together)
        if math.ceil(n_tasks / n_workers) * together <= fewest:
            break  # no worker has more shards than if each were a task
        together -= 1
    return max(1, together)


def _whole_units(n_rows: float) -> int:
    """Round up, see `_UNIT_ROWS`."""
    return math.ceil(n_rows / _UNIT_ROWS) * _UNIT_ROWS


def _require_activations(parameters: Parameters, activations: Sequence[str]) -> None:
    if len(activations) != len(parameters.coefs):
        raise ValueError(
            f"{len(activations)} activations do not fit a network of "
            f"{len(parameters.coefs)} layers."
        )


def plan_training(
    parameters: Parameters,
    activations: Sequence[str],
    loss: str,
    optimizer: str,
    *,
    batch_size: int,
    samples: Samples,
    gather: bool,
    n_threads: int | None,
    state: np.ndarray | None = None,
) -> Plan:
    """Cut one training step into tasks and lay out its workspace.

    Parameters
    ----------
    parameters : Parameters
        The network; trained in place.
    activations : sequence of str
        The activation of every layer but the input.
    loss : str
        A loss that is defined for the last activation.
    optimizer : str
        A name in `fastdnn.ops.optimizers.OPTIMIZERS`.
    batch_size : int
        Rows of the largest batch.
    samples : Samples
        What it will be trained on.
    gather : bool
        Whether rows are picked by an order; otherwise they are taken where they lie.
    n_threads : int or None
        Threads that the user allows; None for as many as pay.
    state : ndarray, optional
        State of the optimiser to go on with; zeros if None.

    Returns
    -------
    Plan
    """
    dtype = parameters.theta.dtype
    _require_activations(parameters, activations)
    table = np.zeros(1, dtype=SETTINGS)
    table["n_weights"] = parameters.n_weights
    table["batch_size"] = batch_size
    table["gather"] = gather
    table["sparse"] = samples.is_sparse
    table["weighted"] = samples.weight is not None
    table["optimizer"] = OPTIMIZER_CODES[optimizer]
    table["canonical"], table["loss"] = loss_code(loss, activations[-1])
    table["loss_scale"] = 1.0
    table["loss_cap"] = np.inf
    table["shard_rows"] = shard_rows = _shard_rows(parameters, batch_size)
    table["unit_rows"] = _UNIT_ROWS
    n_shards = -(-batch_size // shard_rows)
    offered = threads_offered(n_threads, pays=n_shards > 1)
    table["n_workers"] = n_workers = max(1, min(offered, n_shards))
    by_shard = not samples.is_sparse and _moves_less_by_shard(parameters, batch_size, n_shards)
    table["gradient_by_shard"] = by_shard
    table["switched_off"] = off = switched_off()
    exchanges = by_shard and n_workers > 1 and not off & NO_MAILBOXES
    if exchanges:
        keep_shards_apart(table)

    workspace = Workspace(is_shared=exchanges)
    if gather:
        # Rows of sparse samples are not gathered.
        n_features = 0 if samples.is_sparse else parameters.layer_sizes[0]
        n_sample_weights = int(samples.weight is not None)
        lay_out_samples(
            table, workspace, batch_size, n_features, samples.n_targets, n_sample_weights
        )
    layers = layer_table(
        table, parameters, activations, batch_size, workspace, with_deltas=True
    )
    first = 0 if by_shard else parameters.n_weights  # shards make the rest of the gradient
    lay_out_gradients(table, workspace, first, parameters.theta.size, n_shards)
    cuts = _cut_blocks(parameters, activations, batch_size, by_shard)
    blocks, mailbox = block_table(parameters, cuts)
    transposed_size = lay_out_transposed(layers, workspace, n_workers if by_shard else 1)
    table["transposed_size"] = transposed_size if by_shard else 0  # 0: one copy for all
    n_slots = OPTIMIZERS[optimizer].n_slots
    state_size = n_slots * parameters.theta.size
    if exchanges:
        lay_out_exchange(
            table, workspace, parameters, n_shards, n_workers, mailbox, state_size
        )
    largest_block = int(blocks[:, BLOCK_SIZE].max())
    # A sum, and beside it the first two parts, which may be taken from mailboxes.
    lay_out_scratch(table, workspace, n_workers, largest_block * (3 if exchanges else 1))
    largest = max(W.size for W in parameters.coefs) if by_shard else largest_block
    lay_out_product_scratch(table, workspace, n_workers, dtype, largest, shard_rows)
    # Blocks share a factor with zeros where the first layer's deltas have some; without JIT,
    # or on a sparse X, nobody skips them.
    may_skip = JIT_ENABLED and not off & (NO_ZERO_SKIPPING | NO_DELTA_MASKS)
    if may_skip and not by_shard and not samples.is_sparse and activations[0] == "relu":
        lay_out_masks(table, workspace, batch_size, parameters.layer_sizes[1], dtype)
    one_by_one = exchanges or off & NO_TOGETHER
    table["shards_together"] = (
        1 if one_by_one else _shards_together(shard_rows, n_shards, n_workers)
    )
    if state is None:
        state = aligned_zeros(state_size, dtype)
    team = aligned_zeros(team_size(n_workers), np.dtype(np.int64))
    if off & NO_PLACEMENT:
        let_workers_stay(team, n_workers)
    network = Network(
        layers=np.array(layers, dtype=np.int64),
        blocks=blocks,
        theta=parameters.theta,
        state=state,
        work=aligned_scratch(workspace.size, dtype),
        partial=partial_table(max(n_shards, len(blocks))),
        team=team,
    )
    return Plan(table, network, n_workers, n_slots)


def plan_prediction(
    parameters: Parameters,
    activations: Sequence[str],
    *,
    gather: bool,
    is_sparse: bool,
) -> Plan:
    """Lay out the workspace of one worker that runs blocks of rows forward.

    Parameters
    ----------
    parameters : Parameters
        The network.
    activations : sequence of str
        The activation of every layer but the input.
    gather : bool
        Whether rows are picked by an order; otherwise they are taken where they lie.
    is_sparse : bool
        Whether the rows are those of a CSR matrix.

    Returns
    -------
    Plan
    """
    dtype = parameters.theta.dtype
    _require_activations(parameters, activations)
    table = np.zeros(1, dtype=SETTINGS)
    table["n_weights"] = parameters.n_weights
    table["sparse"], table["gather"] = is_sparse, gather
    table["switched_off"] = switched_off()
    widest = max(parameters.layer_sizes[1:] if is_sparse else parameters.layer_sizes)
    by_cache = _PREDICTION_BYTES // (widest * dtype.itemsize)
    n_rows = max(_MIN_SHARD_ROWS, min(_MAX_SHARD_ROWS, by_cache))
    # Of sparse rows the first layer mostly takes little.
    n_weights = parameters.n_weights - is_sparse * parameters.coefs[0].size
    by_time = max(1, int(_FLOPS_OF_PREDICTION / max(1, 2 * n_weights)))
    table["shard_rows"] = n_rows = _whole_units(min(n_rows, by_time))
    workspace = Workspace()
    if gather and not is_sparse:
        lay_out_samples(table, workspace, n_rows, parameters.layer_sizes[0], 0, 0)
    layers = layer_table(table, parameters, activations, n_rows, workspace, with_deltas=False)
    lay_out_product_scratch(table, workspace, 1, dtype, 0, 0)
    network = Network(
        layers=np.array(layers, dtype=np.int64),
        blocks=np.zeros((1, 6), dtype=np.int64),
        theta=parameters.theta,
        state=np.zeros(0, dtype=dtype),
        work=aligned_scratch(workspace.size, dtype),
        partial=partial_table(1),
        team=aligned_zeros(team_size(1), np.dtype(np.int64)),
    )
    return Plan(table, network, 1)
