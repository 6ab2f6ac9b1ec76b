"""Transformations of rows beside products and activations, forward and backward.

Their kernels are in `fastdnn.ops`, in the form of `fastdnn.ops.transforms`: layer
normalisation, dropout, noise, and activations that learn. What finds their rows is found by
its address, too: networks without them compile nothing of it.
"""

from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form
from fastdnn.engine.memory import (
    draw_of,
    own_gradient,
    own_parameters,
    read_by,
    rows_of,
    tail_gradient,
)
from fastdnn.engine.operations import (
    BACKWARD,
    D_OUT,
    FORWARD,
    MEMORY,
    OUT,
    amount_of,
    operations,
)
from fastdnn.engine.record import record_at
from fastdnn.ops import transforms

_forward, _backward = transforms.TRANSFORM.call, transforms.TRANSFORM_BACKWARD.call


def _transform_rows(record, real, position, o, first, n_rows, worker):
    """Run rows through the transformation `o`."""
    s = record_at(record)
    X = read_by(s, real, position, o, first, n_rows)
    Y = rows_of(s, real, o, OUT, first, n_rows)
    memory = rows_of(s, real, o, MEMORY, first, n_rows)
    own, draw = own_parameters(s, real, o, worker), draw_of(s, o, first, worker)
    _forward(operations(s)[o, FORWARD], (X, Y, memory, own, draw, amount_of(s, o)))


def _transform_deltas(record, real, position, shard, o, first, n_rows, worker):
    """Run the deltas of one shard back through the transformation `o`."""
    s = record_at(record)
    X = read_by(s, real, position, o, first, n_rows)
    Y = rows_of(s, real, o, OUT, first, n_rows)
    D = rows_of(s, real, o, D_OUT, first, n_rows)
    memory = rows_of(s, real, o, MEMORY, first, n_rows)
    own, gradient = own_parameters(s, real, o, worker), own_gradient(s, real, o, shard)
    sums, draw = tail_gradient(s, real, o, shard), draw_of(s, o, first, worker)
    _backward(
        operations(s)[o, BACKWARD],
        (X, Y, D, memory, own, gradient, sums, draw, amount_of(s, o)),
    )


#: ``(record, real, position, o, first, n_rows, worker)``: of a batch, from row `first` on.
TRANSFORM_ROWS = Form(
    "what transforms rows",
    lambda real: (types.int64, real, *[types.int64] * 5),
)
#: ``(record, real, position, shard, o, first, n_rows, worker)``.
TRANSFORM_DELTAS = Form(
    "what transforms deltas",
    lambda real: (types.int64, real, *[types.int64] * 6),
)
transform_rows = Addressed(TRANSFORM_ROWS, _transform_rows, "transforms.rows")
transform_deltas = Addressed(TRANSFORM_DELTAS, _transform_deltas, "transforms.deltas")
