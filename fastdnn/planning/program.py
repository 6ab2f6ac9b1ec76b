"""Writes a network's program: the table of operations that the engine walks."""

from typing import NamedTuple

import numpy as np

from fastdnn.engine.operations import (
    ACTIVATE,
    BATCH,
    CSR_LINEAR,
    DELTA_HAS_ZEROS,
    DONE_AFTER,
    DONE_BEFORE,
    FLAGS,
    FLOORS,
    FORWARD,
    HAS_ZEROS,
    LINEAR,
    LOSS,
    MASKS,
    WANTS_DELTA,
)
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops import activations, losses
from fastdnn.ops.sparse import csr_forward, csr_weight_gradient
from fastdnn.planning.layout import Workspace


class Operation(NamedTuple):
    """A row of the table; the columns are those of `fastdnn.engine.operations`."""

    kind: int
    flags: int
    n_in: int
    n_out: int
    w_start: int = 0
    tail_start: int = 0
    input: int = 0
    output: int = 0
    delta_of_input: int = 0
    delta_of_output: int = 0
    transposed_start: int = 0
    forward: int = 0
    backward: int = 0

    @property
    def is_linear(self) -> bool:
        """Whether it has weights."""
        return self.kind in (LINEAR, CSR_LINEAR)


def operations(
    network: Network,
    parameters: Parameters,
    workspace: Workspace,
    n_rows: int,
    *,
    is_sparse: bool,
    trains: bool,
    may_mask: bool = False,
) -> list[Operation]:
    """Return the operations of a network, with room in the workspace for so many rows.

    Parameters
    ----------
    network : Network
        What it is.
    parameters : Parameters
        Where its weights and biases lie.
    workspace : Workspace
        To take from.
    n_rows : int
        Of a batch, or of a block to predict.
    is_sparse : bool
        Whether the batch is one of a CSR matrix.
    trains : bool
        Whether there are deltas and a loss. What is fused differs: the last activation may be
        a part of the loss. In a prediction it is found when it is asked for, see `activate`:
        most results are made from what is before it.
    may_mask : bool, default=False
        Whether the first layer's gradient may be made from the zeros of its output, since
        nothing else reads its delta.
    """
    dtype = parameters.theta.dtype
    loss, is_canonical = losses.row_of(network.loss).kernel(network.output_activation)
    rows: list[Operation] = []
    source = delta_of_source = BATCH
    has_zeros = False
    for l, layer in enumerate(network.layers):
        activation, n_out = activations.row_of(layer.activation), layer.n_out
        is_output = l == len(network.layers) - 1
        output = workspace.take_rows(n_rows, n_out)
        before = workspace.take_rows(n_rows, n_out) if activation.keeps_input else output
        delta = workspace.take_rows(n_rows, n_out) if trains else output
        is_csr = is_sparse and l == 0
        floors = activation.is_floor and not is_csr
        # What makes a delta of the output are losses; zeros are those of hidden activations.
        delta_has_zeros = activation.makes_zeros and activation.stops_gradient
        rows.append(
            Operation(
                CSR_LINEAR if is_csr else LINEAR,
                floors * FLOORS
                + has_zeros * HAS_ZEROS
                + delta_has_zeros * DELTA_HAS_ZEROS
                + (trains and l > 0) * WANTS_DELTA,
                len(parameters.coefs[l]),
                n_out,
                w_start=parameters.coef_starts[l],
                tail_start=parameters.intercept_starts[l],
                input=source,
                output=before,
                delta_of_input=delta_of_source,
                delta_of_output=delta,
                forward=csr_forward.address(dtype) if is_csr else 0,
                backward=csr_weight_gradient.address(dtype) if is_csr and trains else 0,
            )
        )
        is_in_loss = trains and is_output and is_canonical
        rows.append(
            Operation(
                ACTIVATE,
                floors * DONE_BEFORE
                + is_in_loss * DONE_AFTER
                + (may_mask and l == 0 and delta_has_zeros) * MASKS,
                n_out,
                n_out,
                tail_start=parameters.intercept_starts[l],
                input=before,
                output=output,
                delta_of_input=delta,
                delta_of_output=delta,
                forward=0
                if floors or is_in_loss or (is_output and not trains)
                else activation.forward.address(dtype),
                backward=activation.backward.address(dtype)
                if trains and not is_in_loss
                else 0,
            )
        )
        source, delta_of_source = output, delta
        has_zeros = activation.makes_zeros
    if trains:
        last = rows[-1]
        rows.append(
            Operation(
                LOSS,
                0,
                last.n_out,
                last.n_out,
                tail_start=last.tail_start,
                input=last.input if is_canonical else last.output,
                delta_of_input=last.delta_of_input,
                forward=loss.address(dtype),
            )
        )
    return rows


def lay_out_transposed(rows: list[Operation], workspace: Workspace, n_copies: int) -> int:
    """Lay out copies of the weights of all operations that want a delta, transposed.

    Returns how far the copies are apart.
    """
    first = workspace.size
    for position, row in enumerate(rows):
        if row.flags & WANTS_DELTA:
            start = workspace.take(row.n_in * row.n_out)
            rows[position] = row._replace(transposed_start=start)
    size = workspace.size - first
    for _ in range(n_copies - 1):
        workspace.take(size)
    return size


def activate(table: np.ndarray, network: Network, dtype: np.dtype) -> None:
    """Let a table of a prediction run the output's activation, too."""
    if table[-1, FORWARD] == 0 and table[-1, FLAGS] & DONE_BEFORE == 0:
        kernel = activations.row_of(network.output_activation).forward
        table[-1, FORWARD] = kernel.address(dtype)


def table_of(rows: list[Operation]) -> np.ndarray:
    """Return the table as the engine reads it."""
    return np.array(rows, dtype=np.int64)
