"""The matrix product, tile by tile, with copies of operands only where caches want them.

Every element of the output is the sum of its products in the order of the inner dimension,
wherever it lies: a row's result does not depend on the other rows of the batch. Why products
are made like this: ``scripts/docs/engine/products.md``.
"""

import numpy as np
from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form
from fastdnn.compiler.jit import kernel
from fastdnn.machine.cache_lines import LINE_BYTES
from fastdnn.machine.processor import itemsize_of, lanes_of
from fastdnn.machine.profile import PROFILE
from fastdnn.machine.stops import is_told
from fastdnn.products.operand_copies import copy_left, copy_panel
from fastdnn.products.operands import (
    ADJACENT,
    NOTHING,
    Left,
    Output,
    Right,
    Shape,
    types_of,
)
from fastdnn.products.pair_tiles import (
    PAIR,
    eight_and_a_pair,
    has_pair_tiles,
    rows_of_pair_tile,
)
from fastdnn.products.switches import (
    NO_HALF_VECTORS,
    NO_LEFT_COPIES,
    NO_PANEL_COPIES,
)
from fastdnn.products.tiles import (
    one_vector,
    part_of_vector,
    three_half_vectors,
    three_vectors,
    two_vectors,
)

_VECTOR_BYTES, _TILE_ROWS = PROFILE.vector_bytes, PROFILE.tile_rows
_ROWS_APART = np.int64(_TILE_ROWS)  # see fastdnn.products.operands
_ROWS_OF_ONE_VECTOR, _SPLITS_VECTORS = PROFILE.rows_of_one_vector, PROFILE.splits_vectors
_PANEL_BYTES, _STEPS_OF_LINES = PROFILE.panel_bytes, PROFILE.steps_of_lines
_ROWS_TO_COPY, _BYTES_OF_LONG_ROW = PROFILE.rows_to_copy_panels, PROFILE.bytes_of_long_row
_COPIES_CONFLICTING, _CACHE_BYTES = PROFILE.copies_conflicting_panels, PROFILE.cache_bytes
_BYTES_BETWEEN_LINES = PROFILE.bytes_between_lines_of_set
_BYTES_WITHOUT_CONFLICT = PROFILE.lines_of_set * _BYTES_BETWEEN_LINES
_STEPS_ACROSS_LINES = PROFILE.steps_across_lines
_STEPS_BESIDE_TRANSPOSED = PROFILE.steps_beside_transposed
_COLUMNS_TO_COPY_LEFT, _LEFT_BYTES = PROFILE.columns_to_copy_left, PROFILE.left_bytes

#: Size of the scratch of a matrix product: a panel, and copied rows.
SCRATCH_BYTES = _PANEL_BYTES + _LEFT_BYTES


@kernel
def _copies_panels(row_bytes, n_steps, is_transposed):  # needs jit
    """Whether panels are copied from a right operand of so long rows and so many steps.

    `is_transposed` says that of the left operand.
    """
    if row_bytes >= _BYTES_OF_LONG_ROW:
        return True
    if not _COPIES_CONFLICTING or n_steps * row_bytes < _CACHE_BYTES:
        return False
    alignment = row_bytes & -row_bytes  # the largest power of two that divides it
    if alignment >= LINE_BYTES:
        return n_steps * alignment > _BYTES_WITHOUT_CONFLICT
    most_steps = _STEPS_BESIDE_TRANSPOSED if is_transposed else _STEPS_ACROSS_LINES
    return alignment < _VECTOR_BYTES and n_steps > most_steps


@kernel
def _multiply(floor, left, right, out, shape, scratch, flags, stop):  # needs jit
    """Write ``max(left @ right + bias, floor)`` to `out`.

    `left`, `out` and `shape` are records of `fastdnn.products.operands`, `right` is the
    address of a matrix that lies row after row; all have the type of `floor`. `scratch` is
    the address of `SCRATCH_BYTES`, or 0. What `out` claims, this core is going to write and
    others have read: its cache lines are asked for tile by tile, so that nobody waits for
    them. `flags` are those of `fastdnn.products.switches`. A product that is told to, by a
    number at the address `stop`, is left as it is.
    """
    itemsize = itemsize_of(floor)
    n_rows, n_columns, n_inner = shape
    row_bytes = n_columns * itemsize
    may_copy = scratch != 0 and n_rows >= _ROWS_TO_COPY
    copies_left = may_copy and _copies_left(left, shape, itemsize, flags)
    inner_block = _steps_of_visit(n_inner, left.step != 1 and not copies_left)
    n_together = n_rows
    if copies_left:
        n_together = _rows_to_copy(n_rows, inner_block * itemsize)
    may_copy = may_copy and flags & NO_PANEL_COPIES == 0
    is_copied = may_copy and _copies_panels(row_bytes, inner_block, left.step != 1)
    panel = scratch if is_copied else 0
    for i in range(0, n_rows, n_together):
        rows = min(n_together, n_rows - i)
        c = out.address + i * row_bytes
        for k in range(0, n_inner, inner_block):
            if is_told(stop):
                return
            steps = min(inner_block, n_inner - k)
            a = left.address + (i * left.row + k * left.step) * itemsize
            block, tile = Left(a, left.row, left.step), _TILE_ROWS * left.row
            if copies_left:
                copied = scratch + _PANEL_BYTES
                copy_left(floor, a, left.step, copied, rows, steps)
                block, tile = Left(copied, ADJACENT, _ROWS_APART), _TILE_ROWS * steps
            start = Right(out.bias, NOTHING) if k == 0 else Right(c, n_columns)
            claimed = out.claimed + i * row_bytes if out.claimed != 0 and k == 0 else 0
            # Sums that are not complete yet have no floor.
            lowest = floor if k + steps == n_inner else type(floor)(-np.inf)
            b, part = right + k * row_bytes, Shape(rows, n_columns, steps)
            written = Output(c, NOTHING, claimed)
            how = flags, stop
            _multiply_block(lowest, block, tile, b, start, written, part, panel, how)


@kernel
def _copies_left(left, shape, itemsize, flags):  # needs jit
    """Whether a left operand is copied: a transposed one that conflicts or is long."""
    is_wide = shape.n_columns >= _COLUMNS_TO_COPY_LEFT
    if left.row != 1 or not is_wide or flags & NO_LEFT_COPIES != 0:
        return False
    is_conflicting = left.step * itemsize % _BYTES_BETWEEN_LINES == 0
    return is_conflicting or shape.n_inner > _STEPS_OF_LINES


@kernel
def _steps_of_visit(n_inner, are_lines):  # needs jit
    """Return how many steps are added between two visits to the output, about equally many.

    `are_lines` says that each is another cache line of the left operand.
    """
    most = _PANEL_BYTES // (3 * _VECTOR_BYTES)
    if are_lines:
        most = min(most, _STEPS_OF_LINES)
    if n_inner <= most:
        return n_inner
    n_visits = (n_inner + most - 1) // most
    return (n_inner + n_visits - 1) // n_visits


@kernel
def _rows_to_copy(n_rows, row_bytes):  # needs jit
    """Return how many rows of a left operand are copied at once, in about equal parts."""
    most_tiles = _LEFT_BYTES // (row_bytes * _TILE_ROWS)
    n_tiles = (n_rows + _TILE_ROWS - 1) // _TILE_ROWS
    n_parts = (n_tiles + most_tiles - 1) // most_tiles
    return (n_tiles + n_parts - 1) // n_parts * _TILE_ROWS


@kernel
def _multiply_block(floor, left, tile, b, start, out, shape, panel, how):  # needs jit
    """Write ``max(start + left @ b, floor)`` to `out`, for an inner dimension of one block.

    `tile` is the distance from the rows of one tile of the left operand to those of the next.
    The address of `start` is 0 for zeros. `panel` is scratch or 0.
    """
    lanes, itemsize = lanes_of(floor), itemsize_of(floor)
    n_rows, n_columns, n_steps = shape
    flags, stop = how
    if has_pair_tiles(floor, n_columns, flags):
        # For so few columns nothing is copied.
        eight_and_a_pair(
            floor, left.address, left.row, left.step, rows_of_pair_tile(floor) * left.row,
            b, n_columns, start.address, start.row, out.address, n_columns, n_columns - PAIR,
            n_rows, n_steps, n_columns, out.claimed,
        )  # fmt: skip
        return
    n_vectors = (n_columns + lanes - 1) // lanes
    if n_vectors == 1:  # otherwise no tile has only one
        tile = _ROWS_OF_ONE_VECTOR * left.row  # for so few columns nothing is copied
    vector = 0
    while vector < n_vectors:
        if is_told(stop):
            return
        width = min(3, n_vectors - vector)
        if n_vectors - vector == 4:
            width = 2  # two and two, rather than three and one
        # The last vector of all may overlap the one before it. Both belong to the same
        # tile, whose sums are read before any is written: a lone last vector, which is
        # as wide as the whole matrix, never overlaps.
        column = vector * lanes
        last = max(0, min(n_columns - lanes, (vector + width - 1) * lanes) - column)
        ahead = column * itemsize
        right, b_row = b + ahead, n_columns
        # Where halves of vectors are there, three of them are less work than two vectors.
        may_halve = _SPLITS_VECTORS and panel == 0 and flags & NO_HALF_VECTORS == 0
        are_halves = may_halve and lanes < n_columns - column <= 3 * (lanes // 2)
        if are_halves:
            last = n_columns - lanes // 2 - column
        if panel != 0:
            copy_panel(floor, right, n_columns, panel, n_steps, last)
            right, b_row = panel, 3 * lanes
        first = start.address + ahead if start.address != 0 else 0
        claimed = out.claimed + ahead if out.claimed != 0 else 0
        n_valid = n_columns
        operands = (
            floor, left.address, left.row, left.step, tile, right, b_row, first, start.row,
            out.address + ahead, n_columns, last, n_rows, n_steps, n_valid, claimed,
        )  # fmt: skip
        if n_columns < lanes:
            part_of_vector(*operands)
        elif are_halves:
            three_half_vectors(*operands)
        elif width == 3:
            three_vectors(*operands)
        elif width == 2:
            two_vectors(*operands)
        else:
            one_vector(*operands)
        vector += width


#: How a product of matrices is called; `multiply` is its kernel.
MULTIPLY = Form(
    "a matrix product",
    lambda real: (
        *(real, types_of(Left), types.int64, types_of(Output), types_of(Shape)),
        *(types.int64, types.int64, types.int64),
    ),
)
multiply = Addressed(MULTIPLY, _multiply, "products.dense")
