"""How a batch is cut into tasks, and where each layer lies in the workspace.

Shards and blocks depend on the workload and the kind of processor only, never on the number of
threads: that is what makes results equal to the last bit for any `n_threads`.
"""

import math
from collections.abc import Sequence

import numpy as np

from fastdnn._parameters import Parameters
from fastdnn._samples import Samples
from fastdnn._threads import STEP_THAT_PAYS, threads_offered
from fastdnn.kernels.activations import ACTIVATION_CODES, ACTIVATIONS
from fastdnn.kernels.barrier import team_size
from fastdnn.kernels.losses import loss_code
from fastdnn.kernels.matmul import SCRATCH_BYTES
from fastdnn.kernels.tiles import tile_rows
from fastdnn.kernels.updates import OPTIMIZER_CODES, OPTIMIZERS
from fastdnn.kernels.workspace import N_IN, N_OUT, SETTINGS, WT_START, Network, point_to

# Tasks below this many floating-point operations cost more to hand out than they gain.
_FLOPS_PER_SHARD, _FLOPS_PER_BLOCK = 1e6, 2e5
# Rows of a shard; rows of a block, for each of which the deltas of the whole batch are read.
_MIN_SHARD_ROWS, _MAX_SHARD_ROWS, _MIN_BLOCK_ROWS = 64, 256, 32
# Rows of the shards that one worker takes together: large weights are read once for them.
_ROWS_TOGETHER = 256
# Shards of a batch and blocks of a layer, unless they grow too large for the cache.
_MAX_SHARES = 16
# Elements of a block whose gradient has only to be added up from the shards: its parts stay
# in the first-level cache, and it takes about a microsecond.
_ELEMENTS_TO_STEP = 2048
# A block of a weight gradient is stepped while it is in the second-level cache.
_MAX_BLOCK_BYTES = 256 * 1024
# Prediction keeps the activations of one block of rows in the second-level cache.
_PREDICTION_BYTES = 256 * 1024
# The fields that every run or prediction reads or writes.
_QUICK_COLUMNS = (
    *("first", "last", "learning_rate", "t", "n_workers"),
    *("X", "X_size", "team"),
)
# Positions are rounded up to whole cache lines of 16 float32.
_ALIGNMENT = 16


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

    def __init__(self, table: np.ndarray, network: Network, n_workers: int) -> None:
        point_to(table, network)
        self.table = table
        self.columns = {name: table[name] for name in _QUICK_COLUMNS}
        self.network, self.n_workers = network, n_workers
        self.shard_rows = int(table["shard_rows"][0])
        self.address, self.team_address = table.ctypes.data, network.team.ctypes.data


class _Workspace:
    """Hands out positions in a buffer whose size is known only at the end."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, count: int) -> int:
        start = self.size
        self.size += _aligned(count)
        return start


def _aligned(count: int) -> int:
    """Round up to whole cache lines."""
    return -(-count // _ALIGNMENT) * _ALIGNMENT


def _aligned_zeros(count: int, dtype: np.dtype) -> np.ndarray:
    """Return zeros that start on a cache line."""
    spare = _ALIGNMENT * 4 // dtype.itemsize * 2
    buffer = np.zeros(count + spare, dtype=dtype)
    offset = -(buffer.ctypes.data // dtype.itemsize) % spare
    return buffer[offset : offset + count]


def _layer_table(
    parameters: Parameters,
    activations: Sequence[str],
    n_rows: int,
    workspace: _Workspace,
    *,
    with_deltas: bool,
) -> list[list[int]]:
    """Lay out all layers; `_lay_out_transposed` completes the rows where there are deltas."""
    rows = []
    for l, name in enumerate(activations):
        n_in, n_out = parameters.coefs[l].shape
        a_start = workspace.take(n_rows * n_out)
        keeps_input = ACTIVATIONS[name].keeps_input
        rows.append(
            [
                n_in,
                n_out,
                parameters.coef_starts[l],
                parameters.intercept_starts[l],
                a_start,
                workspace.take(n_rows * n_out) if keeps_input else a_start,
                workspace.take(n_rows * n_out) if with_deltas else a_start,
                a_start,
                ACTIVATION_CODES[name],
            ]
        )
    return rows


def _lay_out_transposed(layers: list[list[int]], workspace: _Workspace, n_copies: int) -> int:
    """Lay out copies of all transposed weights; return how far apart they are."""
    first = workspace.size
    for layer in layers[1:]:
        layer[WT_START] = workspace.take(layer[N_IN] * layer[N_OUT])
    size = workspace.size - first
    workspace.take((n_copies - 1) * size)
    return size


def _lay_out_product_scratch(
    table: np.ndarray, workspace: _Workspace, n_workers: int, dtype: np.dtype
) -> None:
    """Lay out what matrix products copy parts of large operands into, for each worker."""
    size = SCRATCH_BYTES // dtype.itemsize
    table["product_size"] = size
    table["product_start"] = workspace.take(n_workers * size)


def _moves_less_by_shard(parameters: Parameters, batch_size: int, n_shards: int) -> bool:
    """Whether the gradients of all shards are smaller than what they are made from."""
    sizes = parameters.layer_sizes
    return n_shards * parameters.theta.size <= batch_size * (sum(sizes) + sum(sizes[1:]))


def _block_table(
    parameters: Parameters, batch_size: int, by_shard: bool
) -> list[tuple[int, int, int]]:
    """Cut the weight gradients into blocks of rows, the costliest first."""
    itemsize = parameters.theta.itemsize
    rows = []
    for l, W in enumerate(parameters.coefs):
        n_in, n_out = W.shape
        if by_shard:
            height = -(-n_in // -(-W.size // _ELEMENTS_TO_STEP))
        else:
            to_share = min(_MAX_SHARES, int(2.0 * batch_size * W.size / _FLOPS_PER_BLOCK))
            for_cache = -(-W.size * itemsize // _MAX_BLOCK_BYTES)
            height = max(_MIN_BLOCK_ROWS, _whole_tiles(n_in / max(1, to_share, for_cache)))
        for first in range(0, n_in, height):
            rows.append((l, first, min(height, n_in - first), n_out))
    rows.sort(key=lambda row: -row[2] * row[3])
    return [row[:3] for row in rows]


def _step_flops(parameters: Parameters, batch_size: int) -> float:
    """Return the floating-point operations of the products of one step."""
    return 6.0 * batch_size * parameters.n_weights


def _shard_rows(parameters: Parameters, batch_size: int) -> int:
    flops = 4.0 * batch_size * parameters.n_weights
    most = min(int(flops / _FLOPS_PER_SHARD), batch_size // _MIN_SHARD_ROWS)
    most = min(most, max(_MAX_SHARES, batch_size // _MAX_SHARD_ROWS))
    # A power of two divides evenly among two, four, eight threads.
    n_shards = 1 << max(0, most.bit_length() - 1)
    return min(batch_size, _whole_tiles(batch_size / n_shards))


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


def _whole_tiles(n_rows: float) -> int:
    """Round up: a matrix product takes as long for a part of a tile as for the whole."""
    return math.ceil(n_rows / tile_rows()) * tile_rows()


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
        A name in `fastdnn.kernels.updates.OPTIMIZERS`.
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
    workspace = _Workspace()
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
    table["tile_rows"] = tile_rows()
    n_shards = -(-batch_size // shard_rows)

    if gather:
        # Rows of sparse samples are not gathered.
        n_gathered = 0 if samples.is_sparse else batch_size
        table["x_start"] = workspace.take(n_gathered * parameters.layer_sizes[0])
        table["y_start"] = workspace.take(batch_size * samples.n_targets)
        table["w_start"] = workspace.take(0 if samples.weight is None else batch_size)
    layers = _layer_table(parameters, activations, batch_size, workspace, with_deltas=True)
    by_shard = not samples.is_sparse and _moves_less_by_shard(parameters, batch_size, n_shards)
    table["gradient_by_shard"] = by_shard
    first = 0 if by_shard else parameters.n_weights  # shards make the rest of the gradient
    # Whole cache lines, which no two workers write to.
    gradient_size = _aligned(parameters.theta.size - first)
    table["gradient_size"] = gradient_size
    table["gradient_start"] = workspace.take(n_shards * gradient_size) - first
    blocks = _block_table(parameters, batch_size, by_shard)
    offered = threads_offered(n_threads, _step_flops(parameters, batch_size) >= STEP_THAT_PAYS)
    n_workers = max(1, min(offered, n_shards))
    transposed_size = _lay_out_transposed(layers, workspace, n_workers if by_shard else 1)
    table["transposed_size"] = transposed_size if by_shard else 0  # 0: one copy for all
    largest_block = max(n_rows * layers[l][N_OUT] for l, _, n_rows in blocks)
    scratch_size = _aligned(max(largest_block, parameters.n_biases))
    table["scratch_size"] = scratch_size
    table["scratch_start"] = workspace.take(n_workers * scratch_size)
    _lay_out_product_scratch(table, workspace, n_workers, dtype)
    table["n_workers"] = n_workers
    table["shards_together"] = (
        1 if by_shard else _shards_together(shard_rows, n_shards, n_workers)
    )
    if state is None:
        n_slots = OPTIMIZERS[optimizer].n_slots
        state = _aligned_zeros(n_slots * parameters.theta.size, dtype)
    network = Network(
        layers=np.array(layers, dtype=np.int64),
        blocks=np.array(blocks, dtype=np.int64),
        theta=parameters.theta,
        state=state,
        work=_aligned_zeros(workspace.size, dtype),
        partial=np.zeros((3, max(n_shards, len(blocks)))),
        team=_aligned_zeros(team_size(n_workers), np.dtype(np.int64)),
    )
    return Plan(table, network, n_workers)


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
    table = np.zeros(1, dtype=SETTINGS)
    table["n_weights"] = parameters.n_weights
    table["n_features"] = parameters.layer_sizes[0]
    table["sparse"], table["gather"] = is_sparse, gather
    widest = max(parameters.layer_sizes[1:] if is_sparse else parameters.layer_sizes)
    by_cache = _PREDICTION_BYTES // (widest * dtype.itemsize)
    n_rows = max(_MIN_SHARD_ROWS, min(_MAX_SHARD_ROWS, by_cache))
    table["shard_rows"] = n_rows = _whole_tiles(n_rows)
    workspace = _Workspace()
    if gather and not is_sparse:
        table["x_start"] = workspace.take(n_rows * parameters.layer_sizes[0])
    layers = _layer_table(parameters, activations, n_rows, workspace, with_deltas=False)
    _lay_out_product_scratch(table, workspace, 1, dtype)
    network = Network(
        layers=np.array(layers, dtype=np.int64),
        blocks=np.zeros((0, 3), dtype=np.int64),
        theta=parameters.theta,
        state=np.zeros(0, dtype=dtype),
        work=_aligned_zeros(workspace.size, dtype),
        partial=np.zeros((3, 1)),
        team=_aligned_zeros(team_size(1), np.dtype(np.int64)),
    )
    return Plan(table, network, 1)
