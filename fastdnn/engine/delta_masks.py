"""Masks of the first layer's deltas, for all blocks of its weight gradient.

In large networks the gradient of a layer is made block by block. Behind ReLU the left
operand of that product is activations, and each block makes masks of its own columns. The
first layer's zeros are in its deltas, which every block multiplies by: so their masks are
made once for a batch, between its two phases. See `fastdnn.products.nonzeros`.
"""

from fastdnn.compiler.jit import kernel
from fastdnn.engine.barrier import next_task
from fastdnn.engine.memory import (
    product_scratch,
    rows_of,
    team_counters,
    weights_of,
    work_vector,
)
from fastdnn.engine.operations import D_OUT
from fastdnn.machine.views import address, matrix_at
from fastdnn.products.linear import SCRATCH_BYTES
from fastdnn.products.nonzeros import (
    mask_part_of_columns,
    multiply_masked,
    parts_to_mask,
    skipping_pays,
)
from fastdnn.products.transpose import transpose_rows


@kernel
def masks_pay(s, real, n_rows):
    """Whether the deltas of this batch have zeros enough; all workers find the same."""
    if s.masks_size == 0:
        return False
    D = rows_of(s, real, 0, D_OUT, 0, n_rows)
    n_in, n_out = weights_of(s, real, 0, 0).shape
    return skipping_pays(real, address(D, 0), n_out, n_out, n_in, n_rows, True)


@kernel
def _masks(s, real):  # needs jit
    return address(work_vector(s, real, s.masks_start, s.masks_size), 0)


@kernel
def mask_deltas(s, real, n_rows, worker):  # needs jit
    """Make the masks of the deltas, as one of the team, which meets afterwards."""
    team = team_counters(s)
    D = rows_of(s, real, 0, D_OUT, 0, n_rows)
    n_parts = parts_to_mask(D.shape[1])
    part = next_task(team, worker, s.n_workers, n_parts)
    while part < n_parts:
        mask_part_of_columns(
            real, address(D, 0), D.shape[1], n_rows, part, _masks(s, real), s.stop
        )
        part = next_task(team, worker, s.n_workers, n_parts)


@kernel
def masked_gradient(s, real, A, first, dW, claimed, worker):  # needs jit
    """Write rows `first`... of the first layer's gradient into `dW`, from the masks.

    Arguments are as those of `fastdnn.products.linear.linear_gradient`.
    """
    n_rows, n_in = A.shape
    n_of_dW, n_out = dW.shape
    scratch = address(product_scratch(s, real, worker), 0)
    turned = scratch + SCRATCH_BYTES
    multiply_masked(
        real, _masks(s, real), address(A, first), n_in, turned, n_out, n_of_dW, n_rows,
        scratch, claimed, s.stop_in_step,
    )  # fmt: skip
    transpose_rows(matrix_at(real, turned, 0, n_out, n_of_dW), 0, n_out, dW)
