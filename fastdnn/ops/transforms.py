"""What transforms the rows of a batch beside products and activations: the forms of kernels.

Such an operation may have parameters of its own, a number that says how much of it there is,
random numbers (`fastdnn.ops.draws`), and numbers of each row to remember until the backward
pass. Rows are overwritten where input and output are the same memory; the delta that comes in
always is, by the one that goes on.
"""

from collections.abc import Callable

from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form, matrix, vector_of

#: Numbers that may be remembered of each row.
N_REMEMBERED = 2
#: The type of what is drawn.
DRAW = types.containers.UniTuple(types.int64, 4)

#: ``(X, Y, memory, own, draw, amount)``, and
#: ``(X, Y, D, memory, own, own_gradient, sums, draw, amount)``: `own` are the parameters, to
#: whose gradient the backward pass adds; `sums` takes the column sums of the delta that goes
#: on; `draw` is that of `fastdnn.ops.draws`; `memory` has `N_REMEMBERED` columns.
TRANSFORM = Form(
    "a transformation of rows",
    lambda real: (
        *(matrix(real), matrix(real), matrix(real), vector_of(real)),
        *(DRAW, types.float64),
    ),
)
TRANSFORM_BACKWARD = Form(
    "the backward pass of a transformation of rows",
    lambda real: (
        *(matrix(real), matrix(real), matrix(real), matrix(real)),
        *(vector_of(real), vector_of(real), vector_of(real), DRAW, types.float64),
    ),
)


def forward(name: str, kernel: Callable) -> Addressed:
    """Make a kernel of the forward pass, whose code is kept by a name."""
    return Addressed(TRANSFORM, kernel, f"transforms.{name}.forward")


def backward(name: str, kernel: Callable) -> Addressed:
    """Make a kernel of the backward pass, whose code is kept by a name."""
    return Addressed(TRANSFORM_BACKWARD, kernel, f"transforms.{name}.backward")
