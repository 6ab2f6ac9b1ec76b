"""Writes a network's program: the table of operations that the engine walks."""

from typing import NamedTuple

import numpy as np

from fastdnn.compiler.addressed import Addressed
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
    TABLE_LINEAR,
    TRANSFORM,
    WANTS_DELTA,
)
from fastdnn.engine.table_rows import table_gradient, table_rows
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops import activations, losses
from fastdnn.ops.activations import Activation
from fastdnn.ops.draws import HIDDEN_DROPOUT, INPUT_DROPOUT, INPUT_NOISE
from fastdnn.ops.dropout import drop, drop_deltas, drop_in_place, scale_deltas
from fastdnn.ops.noise import add_noise, add_noise_in_place
from fastdnn.ops.normalization import normalize, normalize_backward
from fastdnn.ops.sparse import (
    csr_forward,
    csr_forward_of_some,
    csr_weight_gradient,
    csr_weight_gradient_of_some,
)
from fastdnn.ops.table_entries import PER_ENTRY
from fastdnn.ops.transforms import N_REMEMBERED
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
        return self.kind in (LINEAR, CSR_LINEAR, TABLE_LINEAR)


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
        Where all that it learns lies.
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
    program = _Program(network, parameters, workspace, n_rows, is_sparse, trains)
    if trains and not is_sparse and network.table is None:
        program.add_input(gathered_start)
    for l in range(len(network.layers)):
        program.add_layer(l, may_mask and l == 0)
    if trains:
        program.add_loss()
    return program.rows


class _Program:
    """Writes the operations of a network one after the other."""

    def __init__(
        self,
        network: Network,
        parameters: Parameters,
        workspace: Workspace,
        n_rows: int,
        is_sparse: bool,
        trains: bool,
    ) -> None:
        self._network, self._parameters = network, parameters
        self._take = lambda n_columns: workspace.take_rows(n_rows, n_columns)
        self._is_sparse, self._trains = is_sparse, trains
        self._dtype = parameters.theta.dtype
        self._loss, self._is_canonical = losses.row_of(network.loss).kernel(
            network.output_activation
        )
        self.rows: list[Operation] = []
        # Of what has been written so far: output, its delta, whether it has zeros.
        self._output = self._delta = BATCH
        self._has_zeros = False

    def add_input(self, gathered_start: int | None) -> None:
        """Write what becomes of the rows of a batch in training before the first layer."""
        network, n_in = self._network, self._network.n_in
        wanted = (
            (add_noise, add_noise_in_place, INPUT_NOISE, network.input_noise),
            (drop, drop_in_place, INPUT_DROPOUT, network.input_dropout),
        )
        # X itself is not to be changed, copies of its rows are.
        copied = gathered_start
        for apart, in_place, stream, amount in wanted:
            if amount > 0.0:
                kernel = apart if copied is None else in_place
                copied = self._take(n_in) if copied is None else copied
                place = _Place(n_in, self._output, copied, BATCH, 0)
                # Nothing before wants a delta.
                self._add(place, TRANSFORM, kernel, None, stream=stream, amount=_bits(amount))
        self._has_zeros = network.input_dropout > 0.0

    def add_layer(self, l: int, may_mask: bool) -> None:
        """Write a product and what belongs to it."""
        layer, take = self._network.layers[l], self._take
        activation, n_out = activations.row_of(layer.activation), layer.n_out
        normalizes = layer.normalization is not None
        output = take(n_out)
        before = take(n_out) if activation.keeps_input else output
        product = take(n_out) if normalizes else before
        delta = take(n_out) if self._trains else output
        is_dense = l > 0 or not (self._is_sparse or self._network.table)
        floors = activation.is_floor and is_dense and not normalizes
        # What makes a delta of the output are losses; zeros are those of hidden activations.
        passes_zeros = activation.makes_zeros and activation.stops_gradient and not normalizes
        drops = self._trains and layer.dropout > 0.0
        self._add_product(
            l,
            product,
            delta,
            floors * FLOORS
            + self._has_zeros * HAS_ZEROS
            + (passes_zeros or (drops and not normalizes)) * DELTA_HAS_ZEROS
            + (self._trains and l > 0) * WANTS_DELTA,
        )
        sums_start = self._parameters.intercept_starts[l]
        if normalizes:
            own_start = self._parameters.own_starts["norm", l]
            place = _Place(n_out, product, before, delta, sums_start)
            self._add(
                place,
                TRANSFORM,
                *(normalize, normalize_backward),
                own_start=own_start,
                own_size=2 * n_out,
                memory=take(N_REMEMBERED),
                # The floor of the activation is applied by the way, as by a product.
                amount=_bits(0.0 if activation.is_floor else -np.inf),
            )
            sums_start = own_start + n_out  # of the shifts
        place = _Place(n_out, before, output, delta, sums_start)
        is_done = floors or (normalizes and activation.is_floor)
        flags = is_done * DONE_BEFORE + (may_mask and passes_zeros) * MASKS
        self._add_activation(l, activation, place, flags)
        if drops:
            self._add_dropout(l, activation, place)
        self._has_zeros = activation.makes_zeros or drops

    def _add_product(self, l: int, output: int, delta: int, flags: int) -> None:
        parameters, kernels, others = self._parameters, (0, 0), {}
        n_in, n_out = parameters.coefs[l].shape
        kind, table = LINEAR, self._network.table
        rate = self._network.input_dropout if self._trains else 0.0
        if l == 0 and table is not None:
            kind = TABLE_LINEAR
            kernels = self._address(table_rows), self._address(table_gradient)
            others = {
                "stream": INPUT_DROPOUT,
                "amount": _bits(rate),
                "memory": self._take(PER_ENTRY * len(table.entries)),
            }
        elif l == 0 and self._is_sparse:
            kind = CSR_LINEAR
            forward = csr_forward_of_some if rate > 0.0 else csr_forward
            backward = csr_weight_gradient_of_some if rate > 0.0 else csr_weight_gradient
            kernels = self._address(forward), self._address(backward) if self._trains else 0
            others = {"stream": INPUT_DROPOUT, "amount": _bits(rate)}
        self.rows.append(
            Operation(
                kind,
                flags,
                n_in,
                n_out,
                w_start=parameters.coef_starts[l],
                tail_start=parameters.intercept_starts[l],
                input=self._output,
                output=output,
                delta_of_input=self._delta,
                delta_of_output=delta,
                forward=kernels[0],
                backward=kernels[1],
                **others,
            )
        )
        self._output, self._delta = output, delta

    def _add_activation(
        self, l: int, activation: Activation, place: "_Place", flags: int
    ) -> None:
        kernels: list[Addressed | None] = [activation.forward, activation.backward]
        if activation.learns:
            own_start = self._parameters.own_starts["slope", l]
            self._add(place, TRANSFORM, *kernels, own_start=own_start, own_size=1)
            return
        if l == len(self._network.layers) - 1:
            if self._trains and self._is_canonical:
                flags, kernels = flags | DONE_AFTER, [None, None]
            elif not self._trains:
                kernels[0] = None
        if flags & DONE_BEFORE:
            kernels[0] = None
        self._add(place, ACTIVATE, *kernels, flags=flags)

    def _add_dropout(self, l: int, activation: Activation, place: "_Place") -> None:
        kernel, backward, output = drop_in_place, drop_deltas, place.output
        if activation.stops_gradient:
            backward = scale_deltas
        elif not activation.keeps_input:  # the backward pass needs the output as it was
            kernel, output = drop, self._take(place.n_units)
        self._add(
            place._replace(input=place.output, output=output),
            TRANSFORM,
            *(kernel, backward),
            stream=HIDDEN_DROPOUT + l,
            amount=_bits(self._network.layers[l].dropout),
        )

    def _add(
        self,
        place: "_Place",
        kind: int,
        forward: Addressed | None,
        backward: Addressed | None,
        **others: int,
    ) -> None:
        """Write an operation that gives as many numbers a row as it takes."""
        self.rows.append(
            Operation(
                kind,
                others.pop("flags", 0),
                place.n_units,
                place.n_units,
                tail_start=place.sums_start,
                input=place.input,
                output=place.output,
                delta_of_input=place.delta,
                delta_of_output=place.delta,
                forward=self._address(forward),
                backward=self._address(backward) if self._trains else 0,
                **others,
            )
        )
        self._output = place.output

    def _address(self, kernel: Addressed | None) -> int:
        return 0 if kernel is None else kernel.address(self._dtype)

    def add_loss(self) -> None:
        """Write the end of the table of training."""
        last = self.rows[-1]
        self.rows.append(
            Operation(
                LOSS,
                0,
                last.n_out,
                last.n_out,
                tail_start=last.tail_start,
                input=last.input if self._is_canonical else last.output,
                delta_of_input=last.delta_of_input,
                forward=self._address(self._loss),
            )
        )


class _Place(NamedTuple):
    """Where an operation on single units reads, writes and adds up.

    Its delta is overwritten; the column sums of what it becomes are added to the gradient at
    `sums_start`.
    """

    n_units: int
    input: int
    output: int
    delta: int
    sums_start: int


def _bits(amount: float) -> int:
    """Return a number as a table of integers holds it."""
    return int(np.float64(amount).view(np.int64))


def lay_out_transposed(rows: list[Operation], workspace: Workspace, n_copies: int) -> int:
    """Lay out copies of weights: sums of a table's, transposed ones where a delta is wanted.

    Returns how far the copies are apart.
    """
    first = workspace.size
    for position, row in enumerate(rows):
        if row.flags & WANTS_DELTA or row.kind == TABLE_LINEAR:
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
