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
    TRANSFORM,
    WANTS_DELTA,
)
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops import activations, losses
from fastdnn.ops.activations import Activation
from fastdnn.ops.draws import HIDDEN_DROPOUT, INPUT_DROPOUT, INPUT_NOISE
from fastdnn.ops.dropout import DROPOUT, DROPOUT_IN_PLACE, DROPOUT_OF_FLOORED
from fastdnn.ops.noise import NOISE, NOISE_IN_PLACE
from fastdnn.ops.normalization import LAYER_NORM
from fastdnn.ops.sparse import (
    csr_forward,
    csr_forward_of_some,
    csr_weight_gradient,
    csr_weight_gradient_of_some,
)
from fastdnn.ops.transforms import Transform
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
    own_start: int = 0
    own_size: int = 0
    memory: int = 0
    stream: int = 0
    amount: int = 0

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
    gathered_start: int | None = None,
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
    gathered_start : int, optional
        Where rows of a dense batch are gathered; None where they are read as they lie.
    """
    dtype = parameters.theta.dtype
    loss, is_canonical = losses.row_of(network.loss).kernel(network.output_activation)
    rows: list[Operation] = []
    if trains and not is_sparse:
        rows = _of_input(network, workspace, n_rows, gathered_start, dtype)
    source, delta_of_source = rows[-1].output if rows else BATCH, BATCH
    has_zeros = bool(rows) and network.input_dropout > 0.0
    for l, layer in enumerate(network.layers):
        activation, n_out = activations.row_of(layer.activation), layer.n_out
        is_output = l == len(network.layers) - 1
        normalizes = layer.normalization is not None
        output = workspace.take_rows(n_rows, n_out)
        before = workspace.take_rows(n_rows, n_out) if activation.keeps_input else output
        product = workspace.take_rows(n_rows, n_out) if normalizes else before
        delta = workspace.take_rows(n_rows, n_out) if trains else output
        is_csr = is_sparse and l == 0
        floors = activation.is_floor and not is_csr and not normalizes
        # What makes a delta of the output are losses; zeros are those of hidden activations.
        passes_zeros = activation.makes_zeros and activation.stops_gradient and not normalizes
        drops = trains and layer.dropout > 0.0
        delta_has_zeros = passes_zeros or (drops and not normalizes)
        bias_start = sums_start = parameters.intercept_starts[l]
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
                tail_start=bias_start,
                input=source,
                output=product,
                delta_of_input=delta_of_source,
                delta_of_output=delta,
            )
        )
        if is_csr:
            rows[-1] = _with_sparse_kernels(rows[-1], network, trains, dtype)
        if normalizes:
            # The floor of the activation is applied by the way, as a product would.
            rows.append(
                _transform(
                    LAYER_NORM,
                    *(n_out, product, before, delta, bias_start, dtype, trains),
                    own_start=parameters.own_starts["norm", l],
                    own_size=2 * n_out,
                    memory=workspace.take_rows(n_rows, 1),
                    amount=_bits(0.0 if activation.is_floor else -np.inf),
                )
            )
            sums_start = parameters.own_starts["norm", l] + n_out  # of the shifts
        is_done = floors or (normalizes and activation.is_floor)
        is_in_loss = trains and is_output and is_canonical
        if activation.learns:
            rows.append(
                _transform(
                    activation,
                    *(n_out, before, output, delta, sums_start, dtype, trains),
                    own_start=parameters.own_starts["slope", l],
                    own_size=1,
                )
            )
        else:
            rows.append(
                Operation(
                    ACTIVATE,
                    is_done * DONE_BEFORE
                    + is_in_loss * DONE_AFTER
                    + (may_mask and l == 0 and passes_zeros) * MASKS,
                    n_out,
                    n_out,
                    tail_start=sums_start,
                    input=before,
                    output=output,
                    delta_of_input=delta,
                    delta_of_output=delta,
                    forward=0
                    if is_done or is_in_loss or (is_output and not trains)
                    else activation.forward.address(dtype),
                    backward=activation.backward.address(dtype)
                    if trains and not is_in_loss
                    else 0,
                )
            )
        if drops:
            kind, given = DROPOUT_IN_PLACE, output
            if activation.stops_gradient:
                kind = DROPOUT_OF_FLOORED
            elif not activation.keeps_input:  # the backward pass needs the output as it was
                kind, output = DROPOUT, workspace.take_rows(n_rows, n_out)
            rows.append(
                _transform(
                    kind,
                    *(n_out, given, output, delta, bias_start, dtype, trains),
                    stream=HIDDEN_DROPOUT + l,
                    amount=_bits(layer.dropout),
                )
            )
        source, delta_of_source = output, delta
        has_zeros = activation.makes_zeros or drops
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


def _transform(
    kernels: Transform | Activation,
    n_units: int,
    before: int,
    after: int,
    delta: int,
    sums_start: int,
    dtype: np.dtype,
    trains: bool,
    **others: int,
) -> Operation:
    """Return what transforms the rows at one position into those at another."""
    backward = kernels.backward if trains else None
    return Operation(
        TRANSFORM,
        0,
        n_units,
        n_units,
        tail_start=sums_start,
        input=before,
        output=after,
        delta_of_input=delta,
        delta_of_output=delta,
        forward=kernels.forward.address(dtype),
        backward=0 if backward is None else backward.address(dtype),
        **others,
    )


def _of_input(
    network: Network,
    workspace: Workspace,
    n_rows: int,
    gathered_start: int | None,
    dtype: np.dtype,
) -> list[Operation]:
    """Return what becomes of the rows of a batch before the first layer."""
    wanted = []
    if network.input_noise > 0.0:
        wanted.append((NOISE, NOISE_IN_PLACE, INPUT_NOISE, network.input_noise))
    if network.input_dropout > 0.0:
        wanted.append((DROPOUT, DROPOUT_IN_PLACE, INPUT_DROPOUT, network.input_dropout))
    rows: list[Operation] = []
    source, n_in = BATCH, network.n_in
    # X itself is not to be changed, gathered copies of its rows are.
    output = gathered_start
    for apart, in_place, stream, amount in wanted:
        kind = apart if output is None else in_place
        if output is None:
            output = workspace.take_rows(n_rows, n_in)
        # Nothing before wants a delta.
        kind = kind._replace(backward=None)
        rows.append(
            _transform(
                kind,
                *(n_in, source, output, BATCH, 0, dtype, True),
                stream=stream,
                amount=_bits(amount),
            )
        )
        source = output
    return rows


def _with_sparse_kernels(
    row: Operation, network: Network, trains: bool, dtype: np.dtype
) -> Operation:
    """Return the product of sparse rows with its kernels, which may leave out numbers."""
    drops = trains and network.input_dropout > 0.0
    forward = csr_forward_of_some if drops else csr_forward
    backward = csr_weight_gradient_of_some if drops else csr_weight_gradient
    return row._replace(
        forward=forward.address(dtype),
        backward=backward.address(dtype) if trains else 0,
        stream=INPUT_DROPOUT if drops else 0,
        amount=_bits(network.input_dropout) if drops else 0,
    )


def _bits(amount: float) -> int:
    """Return a number as a table of integers holds it."""
    return int(np.float64(amount).view(np.int64))


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
