"""The first layer on rows of a compact table: its forward pass, gradient and sums of weights.

What is computed is in `fastdnn.ops.table_entries`; here is where it lies. What a row's entries
stand for is remembered from the forward pass to the gradient. The sums of weights are the
layer's copy of its weights in another form, as transposed weights are of other layers: made
when a run or a prediction begins, and after every step of a block.

Found by address: networks without a table compile nothing of it.
"""

import numpy as np
from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form
from fastdnn.compiler.jit import kernel
from fastdnn.engine.memory import (
    bias_of,
    draw_of,
    input_rows,
    product_scratch,
    rows_of,
    start_of_row,
    weights_of,
    work_matrix,
)
from fastdnn.engine.operations import (
    D_OUT,
    MEMORY,
    N_IN,
    N_OUT,
    OUT,
    WT_START,
    amount_of,
    operations,
)
from fastdnn.engine.record import record_at
from fastdnn.engine.transforms import TRANSFORM_ROWS
from fastdnn.machine.views import matrix_at, vector_at
from fastdnn.ops.table_entries import (
    N_COLUMNS,
    PER_ENTRY,
    add_entries,
    add_up_stairs,
    gradient_of_entries,
    read_entries,
)


@kernel
def _entries(s):
    return matrix_at(np.int64(0), s.entries, 0, s.entries_size // N_COLUMNS, N_COLUMNS)


@kernel
def _remembered(s, real, o, first, n_rows):
    """View what rows `first`... of the batch stand for."""
    width = s.entries_size // N_COLUMNS * PER_ENTRY
    start = operations(s)[o, MEMORY] + start_of_row(s, first, width)
    return work_matrix(s, real, start, n_rows, width)


@kernel
def _sums(s, real, o, worker):
    """View a worker's copy of the sums of the weights of operation `o`."""
    row = operations(s)[o]
    start = row[WT_START] + worker * s.transposed_size
    return work_matrix(s, real, start, row[N_IN], row[N_OUT])


def _table_rows(record, real, position, o, first, n_rows, worker):
    """Run rows through the product `o`."""
    s = record_at(record)
    X = input_rows(s, real, position, first, n_rows)
    edges = vector_at(real, s.edges, 0, s.edges_size)
    memory = _remembered(s, real, o, first, n_rows)
    draw = draw_of(s, o, first, worker)
    read_entries(X, _entries(s), edges, draw, amount_of(s, o), memory)
    b, Z = bias_of(s, real, o, worker), rows_of(s, real, o, OUT, first, n_rows)
    add_entries(memory, _sums(s, real, o, worker), b, Z, product_scratch(s, real, worker))


def _table_gradient(record, real, o, first_input, n_inputs, first, n_rows, start, worker):
    """Make a gradient from some rows of the batch, at position `start` of the workspace.

    It is that of the weights of so many inputs from the first one on.
    """
    s = record_at(record)
    dW = work_matrix(s, real, start, n_inputs, operations(s)[o, N_OUT])
    D = rows_of(s, real, o, D_OUT, first, n_rows)
    memory, scratch = _remembered(s, real, o, first, n_rows), product_scratch(s, real, worker)
    gradient_of_entries(_entries(s), memory, D, first_input, dW, scratch)


def _table_sums(record, real, o, first, n_inputs, worker):
    """Bring the sums of the weights of inputs `first`... up to date."""
    s = record_at(record)
    W = weights_of(s, real, o, worker)
    add_up_stairs(_entries(s), W, first, first + n_inputs, _sums(s, real, o, worker))


#: ``(record, real, o, first_input, n_inputs, first, n_rows, start, worker)``.
TABLE_GRADIENT = Form(
    "the gradient of a table's weights",
    lambda real: (types.int64, real, *[types.int64] * 7),
)
#: ``(record, real, o, first, n_inputs, worker)``.
TABLE_SUMS = Form(
    "sums of a table's weights",
    lambda real: (types.int64, real, *[types.int64] * 4),
)
#: In the place of a transformation of rows.
table_rows = Addressed(TRANSFORM_ROWS, _table_rows, "table_rows.forward")
table_gradient = Addressed(TABLE_GRADIENT, _table_gradient, "table_rows.gradient")
table_sums = Addressed(TABLE_SUMS, _table_sums, "table_rows.sums")
