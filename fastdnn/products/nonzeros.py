"""The matrix product that skips the zeros of its left operand.

ReLU makes about half of the activations of a layer zero, and of its deltas. The tiles of
`fastdnn.products.matmul` multiply by them as by any number. Here every row of the left operand
has a mask of the steps of the inner dimension where it is not zero, and the sums of one row
of the output stay in registers while the bits of that mask are walked through. A tile reads a
row of the right operand once for all of its own rows, a mask for one; so the right operand
has to lie in the first-level cache, as a panel of few steps and columns. That takes longer
for every multiplication, which half as many of them more than make up for.

The sums have the order of the inner dimension, as those of tiles have. All that is left out
is the addition of zeros, so for finite numbers both products are equal.

Masks are made for some rows and the steps of one panel, and used at once; or for a whole
matrix, where it is the left operand of several products. They may as well be those of another
matrix: deltas behind ReLU count where its output is not zero.
"""

import numpy as np

from fastdnn.compiler.jit import JIT_ENABLED, kernel
from fastdnn.machine.processor import itemsize_of, lanes_of, vector_lanes
from fastdnn.machine.profile import PROFILE
from fastdnn.machine.stops import is_told
from fastdnn.machine.views import vector_at
from fastdnn.products.copies import columns_conflict, copy_columns
from fastdnn.products.masks import MASK_BYTES, MOST_STEPS, mask_columns, mask_rows
from fastdnn.products.nonzero_tiles import (
    copy_one_vector,
    eight_vectors_of_rows,
    seven_vectors_of_rows,
    six_vectors_of_rows,
)
from fastdnn.products.switches import NO_COLUMN_COPIES, STOP_FACTOR
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


@kernel
def _multiply_panels(
    floor, left, a_row, a_step, masks, part, last_part, k, steps, b, b_row, bias, c, n_rows,
    n_columns, n_inner, panel, claimed, totals,
):  # needs jit  # fmt: skip
    """Add what `steps` inner steps from `k` on make of the masked rows of some parts.

    These are `part` to before `last_part`. Their masks and the rows themselves, of which
    `left` is the address for the first part, are as far apart as `_bytes_of_part` says.
    Numbers come one by one: pairs with a constant would be another type, and compiled again.
    """
    itemsize, lanes = itemsize_of(floor), lanes_of(floor)
    n_vectors = _parts_here(n_columns, lanes)
    n_panels = _parts_here(n_vectors, MOST_VECTORS)
    # Sums that are not complete yet have no floor.
    lowest = floor if k + steps == n_inner else type(floor)(-np.inf)
    vector = 0
    while vector < n_vectors:
        width = _parts_here(n_vectors - vector, n_panels)
        column = vector * lanes
        last = min(n_columns, column + width * lanes) - lanes - column
        right = b + (k * b_row + column) * itemsize
        # Read where it lies, a panel is as wide as the rows of both `b` and `c`; and vectors
        # as long as cache lines lie on them, or each would take twice as long for every row.
        is_aligned = not _COPIES_ACROSS_LINES or right % (lanes * itemsize) == 0
        if not is_aligned or b_row != width * lanes or b_row != n_columns:
            _copy_panel(floor, right, b_row, steps, width, last, panel)
            right = panel
        for p in range(part, last_part):
            i, rows = _rows_of_part(n_rows, p)
            ahead = (p - part) * _bytes_of_part_here(itemsize)
            offset = (i * n_columns + column) * itemsize
            out = c + offset, n_columns
            start, now = out, 0
            if k == 0:
                start = bias + column * itemsize if bias != 0 else 0, 0
                now = claimed + offset if claimed != 0 else 0
            total = totals + i * itemsize if totals != 0 and vector == 0 else 0
            _multiply_panel(
                width, lowest, left + ahead, a_row, a_step, masks + ahead, MASK_BYTES, steps,
                right, *start, *out, last, rows, now, total,
            )  # fmt: skip
        vector += width
        n_panels -= 1


@kernel
def multiply_nonzeros(
    floor, a, masked_by, a_row, a_step, b, b_row, bias, c, n_rows, n_columns, n_inner, scratch,
    claimed, totals, flags,
):  # needs jit  # fmt: skip
    """Write ``max(a @ b + bias, floor)`` to address `c`, skipping zeros.

    Arguments are as those of `fastdnn.products.matmul.multiply`. Beside them, elements of `a`
    count where the matrix at address `masked_by`, which lies like `a` and may be the same, is
    not zero; rows of `b` are `b_row` elements apart; `scratch` is needed, and there are a
    tile's rows and inner steps at least; `claimed` may be any memory as large as `c`; and the
    sum of what counts of every row of `a` is added to the numbers at address `totals`, if that
    is not 0.
    """
    itemsize, stop = itemsize_of(floor), flags // STOP_FACTOR
    may_copy = flags & NO_COLUMN_COPIES == 0
    n_vectors = _parts_here(n_columns, lanes_of(floor))
    width = _parts_here(n_vectors, _parts_here(n_vectors, MOST_VECTORS))
    steps_of_panel = _steps_of_panel(floor, width, n_inner)
    panel, masks = scratch, scratch + _PANEL_BYTES
    for part in range(parts_to_mask(n_rows)):
        i, rows = _rows_of_part(n_rows, part)
        k = 0
        while k < n_inner:
            if is_told(stop):
                return
            steps = _steps_from(k, steps_of_panel, n_inner)
            offset = (i * a_row + k * a_step) * itemsize
            left, row, step = a + offset, a_row, a_step
            if a_step == 1:
                mask_rows(floor, masked_by + offset, a_row, rows, steps, masks)
            else:
                mask_columns(floor, masked_by + offset, a_step, rows, steps, masks)
                if may_copy and columns_conflict(a_step * itemsize, steps):
                    copies = masks + _BYTES_OF_MASKS
                    copy_columns(floor, left, a_step, rows, steps, copies)
                    left, row, step = copies, steps, 1
            _multiply_panels(
                floor, left, row, step, masks, part, part + 1, k, steps, b, b_row, bias, c,
                n_rows, n_columns, n_inner, panel, claimed, totals,
            )  # fmt: skip
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
def multiply_masked(
    real, masks, b, b_row, c, n_rows, n_columns, n_inner, scratch, claimed, stop
):  # needs jit
    """Write ``a.T @ b`` to address `c`, where all columns of `a` have masks.

    Arguments are as those of `multiply_nonzeros` and `mask_part_of_columns`, for which
    `n_columns` has panels.
    """
    no_floor, n_parts = type(real)(-np.inf), parts_to_mask(n_rows)
    steps_of_panel = _steps_of_panel(real, MOST_VECTORS, n_inner)
    k = 0
    while k < n_inner:
        if is_told(stop):
            return
        steps = _steps_from(k, steps_of_panel, n_inner)
        _multiply_panels(
            no_floor, masks + _BYTES_OF_MASKS, steps, 1, masks, 0, n_parts, k, steps, b, b_row,
            0, c, n_rows, n_columns, n_inner, scratch, claimed, 0,
        )  # fmt: skip
        masks += n_parts * _bytes_of_part_here(itemsize_of(real))
        k += steps
