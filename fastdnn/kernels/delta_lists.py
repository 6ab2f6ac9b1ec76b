"""Lists of the first layer's nonzero deltas, for all blocks of its weight gradient.

In large networks the gradient of a layer is made block by block. Behind ReLU the left
operand of that product is activations, and each block lists zeros of its own columns. The
first layer's zeros are in its deltas, which every block multiplies by: so they are listed
once for a batch, between its two phases. See `fastdnn.kernels.nonzeros`.
"""

from fastdnn._jit import kernel
from fastdnn.kernels.barrier import next_task
from fastdnn.kernels.linear import SCRATCH_BYTES
from fastdnn.kernels.nonzeros import (
    list_columns,
    multiply_listed,
    parts_to_list,
    skipping_pays,
)
from fastdnn.kernels.transpose import transpose_rows
from fastdnn.kernels.views import address, matrix_at
from fastdnn.kernels.workspace import (
    D_START,
    layer_rows,
    layer_weights,
    product_scratch,
    team_counters,
    work_vector,
)


@kernel
def listing_pays(s, real, n_rows):
    """Whether the deltas of this batch have zeros enough; all workers find the same."""
    if s.lists_size == 0:
        return False
    D = layer_rows(s, real, 0, D_START, 0, n_rows)
    n_in, n_out = layer_weights(s, real, 0, 0).shape
    return skipping_pays(real, address(D, 0), n_out, n_out, n_in, n_rows, True)


@kernel
def _lists(s, real):  # needs jit
    return address(work_vector(s, real, s.lists_start, s.lists_size), 0)


@kernel
def list_deltas(s, real, n_rows, worker):  # needs jit
    """List the deltas, as one of the team, which meets afterwards."""
    team = team_counters(s)
    D = layer_rows(s, real, 0, D_START, 0, n_rows)
    n_parts = parts_to_list(D.shape[1])
    part = next_task(team, worker, s.n_workers, n_parts)
    while part < n_parts:
        list_columns(real, address(D, 0), D.shape[1], n_rows, part, _lists(s, real))
        part = next_task(team, worker, s.n_workers, n_parts)


@kernel
def listed_gradient(s, real, A, first, dW, claimed, worker):  # needs jit
    """Write rows `first`... of the first layer's gradient into `dW`, from the lists.

    Arguments are as those of `fastdnn.kernels.linear.linear_gradient`.
    """
    n_rows, n_in = A.shape
    n_of_dW, n_out = dW.shape
    scratch = address(product_scratch(s, real, worker), 0)
    turned = scratch + SCRATCH_BYTES
    multiply_listed(
        real, _lists(s, real), address(A, first), n_in, turned, n_out, n_of_dW, n_rows,
        scratch, claimed,
    )  # fmt: skip
    transpose_rows(matrix_at(real, turned, 0, n_out, n_of_dW), 0, n_out, dW)
