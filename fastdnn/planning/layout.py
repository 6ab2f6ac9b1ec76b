"""Where all that a training step or a prediction works on lies in memory."""

from collections.abc import Callable, Sequence

import numpy as np

from fastdnn.engine.memory import COLUMNS_OF_GAP
from fastdnn.machine.cache_lines import LINE_BYTES
from fastdnn.network.parameters import Parameters
from fastdnn.products.linear import SCRATCH_BYTES
from fastdnn.products.nonzeros import bytes_of_masked_columns

# Positions are rounded up to whole cache lines of 16 float32.
_ALIGNMENT = 16
# Processors fetch ahead of what they read, and what they fetch of another worker's costs that
# one: so what belongs to different workers lies so many elements apart, and so many rows are
# left free between two shards. What was measured: scripts/docs/engine/memory.md.
_ELEMENTS_APART, _ROWS_APART = 8192, 120


class Workspace:
    """Hands out positions in a buffer whose size is known only at the end.

    Parameters
    ----------
    shard_rows : int
        Rows of a shard of a batch.
    is_shared : bool, default=False
        Whether several workers write to it, each to its own arrays or rows.

    Attributes
    ----------
    size : int
        Elements that have been handed out.
    apart : int
        Elements to leave free between what belongs to different workers.
    rows_apart : int
        Rows to leave free between two shards.
    """

    def __init__(self, shard_rows: int, is_shared: bool = False) -> None:
        self.size, self._shard_rows = 0, shard_rows
        self.apart = _ELEMENTS_APART if is_shared else 0
        self.rows_apart = _ROWS_APART if is_shared else 0

    def take(self, count: int) -> int:
        """Return the position of `count` elements."""
        start = self.size
        self.size += aligned(count) + self.apart
        return start

    def take_rows(self, n_rows: int, n_columns: int) -> int:
        """Return the position of rows of a batch, with gaps between the shards."""
        n_gaps = max(0, -(-n_rows // self._shard_rows) - 1)
        return self.take(
            n_rows * n_columns + n_gaps * self.rows_apart * (n_columns + COLUMNS_OF_GAP)
        )


def aligned(count: int) -> int:
    """Round up to whole cache lines."""
    return -(-count // _ALIGNMENT) * _ALIGNMENT


def aligned_zeros(count: int, dtype: np.dtype) -> np.ndarray:
    """Return zeros that start on a cache line."""
    return _aligned(np.zeros, count, dtype)


def aligned_scratch(count: int, dtype: np.dtype) -> np.ndarray:
    """Return numbers to be overwritten, the first on a cache line.

    Nobody clears the room between arrays, which is more than some of them take.
    """
    return _aligned(np.empty, count, dtype)


def _aligned(make: Callable[..., np.ndarray], count: int, dtype: np.dtype) -> np.ndarray:
    spare = _ALIGNMENT * 4 // dtype.itemsize * 2
    buffer = make(count + spare, dtype=dtype)
    offset = -(buffer.ctypes.data // dtype.itemsize) % spare
    return buffer[offset : offset + count]


def lay_out_samples(
    table: np.ndarray,
    workspace: Workspace,
    n_rows: int,
    n_features: int,
    n_targets: int,
    n_weights: int,
) -> None:
    """Lay out the gathered rows of X, Y and the sample weights."""
    table["x_start"] = workspace.take_rows(n_rows, n_features)
    table["y_start"] = workspace.take_rows(n_rows, n_targets)
    table["w_start"] = workspace.take(n_rows * n_weights)


def lay_out_gradients(
    table: np.ndarray, workspace: Workspace, first: int, last: int, n_shards: int
) -> None:
    """Lay out every shard's gradient of theta from `first` to before `last`."""
    size = aligned(last - first) + workspace.apart
    table["gradient_size"] = size
    table["gradient_start"] = workspace.take(n_shards * size) - first


def partial_table(n_rows: int) -> np.ndarray:
    """Return the table of partial results, each row a cache line."""
    return aligned_zeros(8 * n_rows, np.dtype(np.float64)).reshape(n_rows, 8)


def lay_out_scratch(
    table: np.ndarray, workspace: Workspace, n_workers: int, size: int
) -> None:
    """Lay out the scratch in which each worker makes the gradient of a block."""
    size = aligned(size) + workspace.apart
    table["scratch_size"] = size
    table["scratch_start"] = workspace.take(n_workers * size)


def lay_out_product_scratch(
    table: np.ndarray,
    workspace: Workspace,
    n_workers: int,
    dtype: np.dtype,
    largest_gradient: int,
    shard_rows: int,
) -> None:
    """Lay out what matrix products copy operands and a transposed gradient into.

    Between two products the losses of the rows of a shard lie there.
    """
    size = SCRATCH_BYTES // dtype.itemsize + aligned(largest_gradient)
    size = max(size, aligned(shard_rows)) + workspace.apart
    table["product_size"] = size
    table["product_start"] = workspace.take(n_workers * size)


def lay_out_masks(
    table: np.ndarray, workspace: Workspace, n_rows: int, n_units: int, dtype: np.dtype
) -> None:
    """Lay out masks and copies of the deltas of one layer, of so many rows and units."""
    table["masks_size"] = size = (
        bytes_of_masked_columns(n_units, n_rows, dtype) // dtype.itemsize
    )
    table["masks_start"] = workspace.take(size)


def block_table(
    parameters: Parameters, cuts: Sequence[tuple[int, int, int]], positions: Sequence[int]
) -> tuple[np.ndarray, int]:
    """Lay out blocks, each the layer, the first row and the number of rows; then the tail.

    Returns the table for `Memory.blocks`, which knows layers by their operations, and the size
    of a mailbox.
    """
    per_line = LINE_BYTES // parameters.theta.itemsize - 1
    rows, slot = [], 0
    for l, first, n_rows in cuts:
        n_out = parameters.coefs[l].shape[1]
        start, size = parameters.coef_starts[l] + first * n_out, n_rows * n_out
        rows.append((positions[l], first, n_rows, start, size, slot))
        slot += -(-size // per_line) * (per_line + 1)
    n_tail = parameters.theta.size - parameters.n_weights
    rows.append((-1, 0, 0, parameters.n_weights, n_tail, slot))
    slot += -(-n_tail // per_line) * (per_line + 1)
    return np.array(rows, dtype=np.int64), slot


def lay_out_mailboxes(
    table: np.ndarray,
    workspace: Workspace,
    parameters: Parameters,
    n_shards: int,
    n_workers: int,
    mailbox: int,
    state_size: int,
) -> None:
    """Lay out mailboxes of so many elements, and the workers' copies of theta and state."""
    table["mail_size"] = mailbox
    table["gradient_mail_start"] = workspace.take(n_shards * mailbox)
    table["weight_mail_start"] = workspace.take(n_workers * mailbox)
    table["replica_state"] = theta_size = aligned(parameters.theta.size)
    table["replica_size"] = size = theta_size + aligned(state_size) + workspace.apart
    table["replica_start"] = workspace.take((n_workers - 1) * size)
