"""The table of operations: a network's program, which the forward and backward passes walk.

Every row is one operation on the rows of a batch, in the order of the forward pass. It reads
its input and writes its output at positions of the workspace, which may be the same; its
gradient comes in at the position of its output's delta and goes on at that of its input's.
One with parameters of its own names where they lie in the *tail* of theta, after all weights,
and adds its gradient there.

More: ``scripts/docs/engine/step.md``. To add a kind: ``.github/CONTRIBUTING.md``.
"""

import numpy as np

from fastdnn.compiler.jit import kernel
from fastdnn.machine.views import matrix_at, vector_at
from fastdnn.products.operands import How
from fastdnn.products.switches import (
    NO_ZERO_SKIPPING,
    ZEROS_ON_LEFT,
    ZEROS_ON_RIGHT,
)

#: Kinds. LINEAR: ``X @ W + b``. CSR_LINEAR: the same of a sparse batch. ACTIVATE: a function
#: of each row. LOSS: the last one, in training only: from outputs to their delta. TRANSFORM:
#: what else becomes of rows, see `fastdnn.ops.transforms`. TABLE_LINEAR: LINEAR of a compact
#: table, see `fastdnn.ops.table_entries`.
LINEAR, CSR_LINEAR, ACTIVATE, LOSS, TRANSFORM, TABLE_LINEAR = range(6)

#: Columns: what is done, sizes of a row, positions in theta (of weights; of the vector in the
#: tail that the delta's column sums belong to), positions in the workspace (the batch's own
#: rows are at `BATCH`), addresses of kernels. Of what is random, or has parameters of its own:
#: where these lie in theta, and how many; the position of numbers of each row to remember;
#: what random numbers are drawn for; and, as the bits of a float64, how much of it there is.
(
    KIND,
    FLAGS,
    N_IN,
    N_OUT,
    W_START,
    TAIL_START,
    IN,
    OUT,
    D_IN,
    D_OUT,
    WT_START,
    FORWARD,
    BACKWARD,
    OWN_START,
    OWN_SIZE,
    MEMORY,
    STREAM,
    AMOUNT,
) = range(18)
N_COLUMNS = 18

#: The position of an input that is the batch itself.
BATCH = -1

#: Flags of linear operations. The product floors its output at 0, for the activation that
#: follows; its input, or the delta of its output, has zeros that products may leave out;
#: something before it wants a delta.
FLOORS, HAS_ZEROS, DELTA_HAS_ZEROS, WANTS_DELTA = 1, 2, 4, 8
#: All members of a team of networks have the same weights, see `shared_weights`.
SHARED = 128
#: Flags of activations. The forward pass is done by the operation before, or the whole of it
#: by the one after; the gradient before it may be made from the zeros of its output.
DONE_BEFORE, DONE_AFTER, MASKS = 16, 32, 64


@kernel
def operations(s):
    """View the table."""
    return matrix_at(np.int64(0), s.operations, 0, s.n_operations, N_COLUMNS)


@kernel
def amount_of(s, o):
    """Return how much of operation `o` there is: a rate, a deviation, a floor."""
    return vector_at(np.float64(0), s.operations, o * N_COLUMNS + AMOUNT, 1)[0]


@kernel
def is_linear(row):
    """Whether a row of the table has weights."""
    return row[KIND] == LINEAR or row[KIND] == CSR_LINEAR or row[KIND] == TABLE_LINEAR


@kernel
def product_of(s, left, right, stop):
    """Return how a product is done.

    `left` and `right` say whether its operands have zeros to leave out; `stop` is the address
    of what may tell it to leave, or 0.
    """
    flags = s.switched_off
    if flags & NO_ZERO_SKIPPING == 0:
        flags += (left != 0) * ZEROS_ON_LEFT + (right != 0) * ZEROS_ON_RIGHT
    return How(flags, stop, s.dense_product, s.nonzeros_product)
