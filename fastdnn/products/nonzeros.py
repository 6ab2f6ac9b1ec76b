"""The matrix product that skips the zeros of its left operand.

Every row of that has a mask of the steps of the inner dimension where it is not zero. Masks
are made for some rows and the steps of one panel of the right operand, and used at once; or
for a whole matrix, where it is the left operand of several products. They may as well be those
of another matrix: deltas behind ReLU count where its output is not zero. Sums have the order
that tiles give them, and lose additions of zero only. See ``scripts/docs/engine/products.md``.
"""

from typing import NamedTuple

import numpy as np
from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form
from fastdnn.compiler.jit import JIT_ENABLED, kernel
from fastdnn.machine.processor import itemsize_of, lanes_of, vector_lanes
from fastdnn.machine.profile import PROFILE
from fastdnn.machine.stops import is_told
from fastdnn.machine.views import vector_at
from fastdnn.products.masks import MASK_BYTES, MOST_STEPS, mask_columns, mask_rows
from fastdnn.products.nonzero_tiles import (
    copy_one_vector,
    eight_vectors_of_rows,
    seven_vectors_of_rows,
    six_vectors_of_rows,
)
from fastdnn.products.operand_copies import columns_conflict, copy_columns
from fastdnn.products.operands import (
    ADJACENT,
    NOTHING,
    Left,
    Number,
    Output,
    Right,
    Shape,
    types_of,
)
from fastdnn.products.switches import NO_COLUMN_COPIES
from fastdnn.products.transpose import TILE

#: Vectors of one row of the output: fewer sums would wait for each other, more would need a
#: panel of fewer steps.
MOST_VECTORS = 8
_FEWEST_VECTORS = 6

_PANEL_BYTES, _MOST_STEPS = PROFILE.masked_panel_bytes, PROFILE.masked_panel_steps
# A last panel of fewer steps than a tile's joins the one before it.
_STEPS_OF_LAST = _MOST_STEPS + TILE
assert _STEPS_OF_LAST <= MOST_STEPS

#: Rows of the left operand whose masks are made before the panels pass by.
ROWS_TOGETHER = 128

_TILE_STEP, _MASKED_STEP, _ROW = PROFILE.tile_step, PROFILE.masked_step, PROFILE.masked_row
_COPIED_STEP, _TRANSPOSED = PROFILE.copied_step, PROFILE.transposed
_MASKED_ELEMENT = PROFILE.masked_element
_COPIES_ACROSS_LINES = PROFILE.copies_panels_across_lines
_STEP_TO_MASK, _STEP_TO_COPY = PROFILE.step_to_mask, PROFILE.step_to_copy
# What is saved has to be more than the error of these estimates.
_GAIN_THAT_PAYS = 0.95
_FEWEST_ROWS, _FEWEST_STEPS = PROFILE.fewest_masked_rows, PROFILE.fewest_masked_steps
# The zeros of so many rows stand for all.
_ROWS_TO_COUNT = 8

# For some rows there are their masks, and room for copies of rows that lie as columns.
_BYTES_OF_MASKS = ROWS_TOGETHER * MASK_BYTES


def _bytes_of_part(itemsize):
    """Return the size of masks and copies of `ROWS_TOGETHER` rows for the steps of a panel."""
    return _BYTES_OF_MASKS + ROWS_TOGETHER * _STEPS_OF_LAST * itemsize


#: Size of the scratch: a panel, and masks and copies of some rows for its steps.
SCRATCH_BYTES = _PANEL_BYTES + _bytes_of_part(8)


def _parts(n, most):
    """Return in how many parts none is longer than `most`; or the length of equal parts."""
    return (n + most - 1) // most


def _most_steps(row_bytes):
    """Return how many inner steps a panel with rows of so many bytes may have."""
    return min(_MOST_STEPS, (_PANEL_BYTES // row_bytes - TILE + 1) // TILE * TILE)


def bytes_of_masked_columns(n_rows: int, n_inner: int, dtype: np.dtype) -> int:
    """Return how much room the masks of a whole matrix take, see `mask_part_of_columns`."""
    most_steps = _most_steps(MOST_VECTORS * vector_lanes(dtype) * dtype.itemsize)
    n_parts, n_panels = _parts(n_rows, ROWS_TOGETHER), _parts(n_inner, most_steps)
    return n_parts * n_panels * _bytes_of_part(dtype.itemsize)


if JIT_ENABLED:  # needs jit
    _parts_here, _most_steps_here = kernel(_parts), kernel(_most_steps)
    _bytes_of_part_here = kernel(_bytes_of_part)
else:
    _parts_here, _most_steps_here = _parts, _most_steps
    _bytes_of_part_here = _bytes_of_part


@kernel
def _steps_of_panel(real, width, n_inner):  # needs jit
    """Return how many inner steps panels of so many vectors have, but for the last one."""
    most = _most_steps_here(width * lanes_of(real) * itemsize_of(real))
    steps = _parts_here(n_inner, _parts_here(n_inner, most))
    return _parts_here(steps, TILE) * TILE


@kernel
def _steps_from(k, steps_of_panel, n_inner):  # needs jit
    """Return how many inner steps the panel that begins at step `k` has."""
    steps = min(steps_of_panel, n_inner - k)
    return n_inner - k if n_inner - k - steps < TILE else steps


@kernel
def parts_to_mask(n_rows):  # needs jit
    """Return in how many parts the masks of so many rows are made."""
    return _parts_here(n_rows, ROWS_TOGETHER)


@kernel
def _rows_of_part(n_rows, part):  # needs jit
    """Return the first and the number of rows whose masks are made together.

    All parts have whole tiles, about as many, and the last one what is left.
    """
    n_parts, n_tiles = parts_to_mask(n_rows), _parts_here(n_rows, TILE)
    first = part * n_tiles // n_parts * TILE
    return first, min(n_rows, (part + 1) * n_tiles // n_parts * TILE) - first


@kernel
def has_panels(real, n_columns):  # needs jit
    """Whether so many columns are cut into panels of enough vectors."""
    n_vectors = _parts_here(n_columns, lanes_of(real))
    return n_vectors // _parts_here(n_vectors, MOST_VECTORS) >= _FEWEST_VECTORS


@kernel
def skipping_pays(real, left, step, n_rows, n_columns, n_inner, is_turned):  # needs jit
    """Whether a product is faster without the zeros of the matrix at address `left`.

    That is the left operand, whose steps lie next to each other, or `step` elements apart.
    `is_turned` says that the product will be transposed.
    """
    if n_columns <= (_FEWEST_VECTORS - 1) * lanes_of(real):  # said at once, for small steps
        return False
    is_large = n_rows >= _FEWEST_ROWS and n_inner >= _FEWEST_STEPS
    if not (is_large and has_panels(real, n_columns)):
        return False
    n_vectors = _parts_here(n_columns, lanes_of(real))
    n_panels = _parts_here(n_vectors, MOST_VECTORS)
    size = _ROWS_TO_COUNT * min(n_inner, n_rows)
    values = vector_at(real, left, 0, size)
    n_nonzeros = 0
    for i in range(size):
        n_nonzeros += values[i] != 0
    steps_of_panel = _steps_of_panel(real, _parts_here(n_vectors, n_panels), n_inner)
    n_rows_of_panels = n_panels * _parts_here(n_inner, steps_of_panel)
    masked = _MASKED_STEP * n_vectors + _MASKED_ELEMENT * n_panels
    masked = masked * n_nonzeros / size + _STEP_TO_MASK
    if step != 1 and columns_conflict(step * itemsize_of(real), steps_of_panel):
        masked += _STEP_TO_COPY
    masked += _COPIED_STEP * n_vectors / n_rows
    masked = masked * n_inner + _ROW * n_rows_of_panels + _TRANSPOSED * n_columns * is_turned
    return masked < _GAIN_THAT_PAYS * _TILE_STEP * n_vectors * n_inner


@kernel
def _copy_panel(real, b, b_row, n_steps, n_vectors, last, panel):  # needs jit
    """Copy rows of a panel, whose last vector lies at `last`, one after the other."""
    itemsize, lanes = itemsize_of(real), lanes_of(real)
    for k in range(n_steps):
        row, out = b + k * b_row * itemsize, panel + k * n_vectors * lanes * itemsize
        for v in range(n_vectors):
            column = v * lanes if v < n_vectors - 1 else last
            copy_one_vector(real, row + column * itemsize, out + v * lanes * itemsize)


@kernel
def _multiply_panel(n_vectors, *operands):  # needs jit
    """Write ``max(start + a @ b, floor)`` to the columns of one panel, for masked rows."""
    if n_vectors == MOST_VECTORS:
        eight_vectors_of_rows(*operands)
    elif n_vectors == MOST_VECTORS - 1:
        seven_vectors_of_rows(*operands)
    else:
        six_vectors_of_rows(*operands)


class _Masked(NamedTuple):
    """Parts of rows that have masks, from the first to before the last.

    Their masks and the rows themselves are as far apart as `_bytes_of_part` says.
    """

    masks: Number  # address of the masks of the first part
    first: Number
    last: Number


@kernel
def _multiply_panels(
    floor, left, masked, k, steps, right, out, shape, panel, totals
):  # needs jit
    """Add what `steps` inner steps from `k` on make of the masked rows of some parts.

    `left` has the address of these steps, for the first part.
    """
    itemsize, lanes = itemsize_of(floor), lanes_of(floor)
    n_rows, n_columns, n_inner = shape
    n_vectors = _parts_here(n_columns, lanes)
    n_panels = _parts_here(n_vectors, MOST_VECTORS)
    # Sums that are not complete yet have no floor.
    lowest = floor if k + steps == n_inner else type(floor)(-np.inf)
    vector = 0
    while vector < n_vectors:
        width = _parts_here(n_vectors - vector, n_panels)
        column = vector * lanes
        last = min(n_columns, column + width * lanes) - lanes - column
        b = right.address + (k * right.row + column) * itemsize
        # Read where it lies, a panel is as wide as the rows of both `right` and `out`; and
        # vectors as long as cache lines lie on them, or each would take twice as long for
        # every row.
        is_aligned = not _COPIES_ACROSS_LINES or b % (lanes * itemsize) == 0
        if not is_aligned or right.row != width * lanes or right.row != n_columns:
            _copy_panel(floor, b, right.row, steps, width, last, panel)
            b = panel
        for part in range(masked.first, masked.last):
            i, rows = _rows_of_part(n_rows, part)
            ahead = (part - masked.first) * _bytes_of_part_here(itemsize)
            offset = (i * n_columns + column) * itemsize
            c = out.address + offset
            start, start_row, claimed = c, n_columns, 0
            if k == 0:
                start = out.bias + column * itemsize if out.bias != 0 else 0
                start_row = 0
                claimed = out.claimed + offset if out.claimed != 0 else 0
            total = totals + i * itemsize if totals != 0 and vector == 0 else 0
            _multiply_panel(
                width, lowest, left.address + ahead, left.row, left.step,
                masked.masks + ahead, MASK_BYTES, steps, b, start, start_row, c, n_columns,
                last, rows, claimed, total,
            )  # fmt: skip
        vector += width
        n_panels -= 1


@kernel
def _multiply_nonzeros(
    floor, left, masked_by, right, out, shape, scratch, totals, flags, stop
):  # needs jit
    """Write ``max(left @ right + bias, floor)`` to `out`, skipping zeros.

    Arguments are as those of `fastdnn.products.matmul.multiply`. But `right` is a record,
    `scratch` is needed, and there are a tile's rows and inner steps at least; elements of
    `left` count where the matrix at address `masked_by`, which lies like `left` and may be the
    same, is not zero; and the sum of what counts of every row of `left` is added to the
    numbers at address `totals`, if that is not 0.
    """
    itemsize = itemsize_of(floor)
    n_rows, n_columns, n_inner = shape
    may_copy = flags & NO_COLUMN_COPIES == 0
    n_vectors = _parts_here(n_columns, lanes_of(floor))
    width = _parts_here(n_vectors, _parts_here(n_vectors, MOST_VECTORS))
    steps_of_panel = _steps_of_panel(floor, width, n_inner)
    panel, masks = scratch, scratch + _PANEL_BYTES
    for part in range(parts_to_mask(n_rows)):
        i, rows = _rows_of_part(n_rows, part)
        masked = _Masked(masks, part, part + 1)
        k = 0
        while k < n_inner:
            if is_told(stop):
                return
            steps = _steps_from(k, steps_of_panel, n_inner)
            offset = (i * left.row + k * left.step) * itemsize
            now = Left(left.address + offset, left.row, left.step)
            if left.step == 1:
                mask_rows(floor, masked_by + offset, left.row, rows, steps, masks)
            else:
                mask_columns(floor, masked_by + offset, left.step, rows, steps, masks)
                if may_copy and columns_conflict(left.step * itemsize, steps):
                    copied = masks + _BYTES_OF_MASKS
                    copy_columns(floor, now.address, left.step, rows, steps, copied)
                    now = Left(copied, steps, ADJACENT)
            _multiply_panels(floor, now, masked, k, steps, right, out, shape, panel, totals)
            k += steps


@kernel
def mask_part_of_columns(real, a, n_rows, n_inner, part, masks, stop):  # needs jit
    """Make masks and copies of a part of the `n_rows` columns of a matrix at address `a`.

    `masks` has room for those of all parts, see `bytes_of_masked_columns`; `stop` is the
    address of a number that may tell to leave, or 0.
    """
    itemsize, steps_of_panel = itemsize_of(real), _steps_of_panel(real, MOST_VECTORS, n_inner)
    i, rows = _rows_of_part(n_rows, part)
    at = masks + part * _bytes_of_part_here(itemsize)
    k = 0
    while k < n_inner:
        if is_told(stop):
            return
        steps = _steps_from(k, steps_of_panel, n_inner)
        source = a + (i + k * n_rows) * itemsize
        mask_columns(real, source, n_rows, rows, steps, at)
        copy_columns(real, source, n_rows, rows, steps, at + _BYTES_OF_MASKS)
        at += parts_to_mask(n_rows) * _bytes_of_part_here(itemsize)
        k += steps


@kernel
def _multiply_masked(real, masks, right, out, shape, scratch, stop):  # needs jit
    """Write ``a.T @ right`` to `out`, where all columns of `a` have masks.

    Arguments are as those of `_multiply_nonzeros` and `mask_part_of_columns`, for which there
    are panels of so many columns.
    """
    n_rows, _, n_inner = shape
    no_floor, n_parts = type(real)(-np.inf), parts_to_mask(n_rows)
    steps_of_panel = _steps_of_panel(real, MOST_VECTORS, n_inner)
    k = 0
    while k < n_inner:
        if is_told(stop):
            return
        steps = _steps_from(k, steps_of_panel, n_inner)
        left = Left(masks + _BYTES_OF_MASKS, steps, ADJACENT)
        masked = _Masked(masks, NOTHING, n_parts)
        _multiply_panels(no_floor, left, masked, k, steps, right, out, shape, scratch, 0)
        masks += n_parts * _bytes_of_part_here(itemsize_of(real))
        k += steps


#: How products that skip zeros are called: those that make masks, and those that have them.
MULTIPLY_NONZEROS = Form(
    "a product that skips zeros",
    lambda real: (
        *(real, types_of(Left), types.int64, types_of(Right), types_of(Output)),
        *(types_of(Shape), types.int64, types.int64, types.int64, types.int64),
    ),
)
MULTIPLY_MASKED = Form(
    "a product by masks",
    lambda real: (
        *(real, types.int64, types_of(Right), types_of(Output), types_of(Shape)),
        *(types.int64, types.int64),
    ),
)
multiply_nonzeros = Addressed(MULTIPLY_NONZEROS, _multiply_nonzeros, "products.nonzeros")
multiply_masked = Addressed(MULTIPLY_MASKED, _multiply_masked, "products.masked")
