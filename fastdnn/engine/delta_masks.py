"""Masks of the first layer's deltas, made once for all blocks of its weight gradient.

For large networks, between the two phases of a batch: ``scripts/docs/engine/step.md``. What
masks are for: `fastdnn.products.nonzeros`.
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
    MULTIPLY_MASKED,
    mask_part_of_columns,
    parts_to_mask,
    skipping_pays,
)
from fastdnn.products.operands import NOTHING, Output, Right, Shape
from fastdnn.products.transpose import transpose_rows

_multiply_masked = MULTIPLY_MASKED.call


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
    right, out = Right(address(A, first), n_in), Output(turned, NOTHING, claimed)
    shape = Shape(n_out, n_of_dW, n_rows)
    _multiply_masked(
        s.masked_product,
        (real, _masks(s, real), right, out, shape, scratch, s.stop_in_step),
    )
    transpose_rows(matrix_at(real, turned, 0, n_out, n_of_dW), 0, n_out, dW)
