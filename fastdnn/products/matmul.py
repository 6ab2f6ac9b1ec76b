"""The matrix product, tile by tile, without the copies that BLAS makes.

BLAS is made for large matrices: it copies both operands into buffers before it multiplies
them. The layers of a network for tables are small, and most of their products read their
operands where they lie, by the tiles of `fastdnn.products.tiles`. Both the left operand and
its transpose are read like that, at two strides. Only where the right operand is large, and
its panels therefore scattered over many pages and few sets of the caches, is each panel
copied into one piece before all rows of the left operand pass by. So are the tiles of a
transposed left operand whose inner steps share one set of the first-level cache, or are more
than have room there.

Every element of the output is the sum of its products in the order of the inner dimension,
wherever it lies: a row's result does not depend on the other rows of the batch.
"""

import numpy as np

from fastdnn.compiler.jit import kernel
from fastdnn.machine.cache_lines import LINE_BYTES
from fastdnn.machine.processor import itemsize_of, lanes_of
from fastdnn.machine.profile import PROFILE
from fastdnn.machine.stops import is_told
from fastdnn.products.copies import copy_left, copy_panel
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
    STOP_FACTOR,
)
from fastdnn.products.tiles import (
    one_vector,
    part_of_vector,
    three_half_vectors,
    three_vectors,
    two_vectors,
)

_VECTOR_BYTES, _TILE_ROWS = PROFILE.vector_bytes, PROFILE.tile_rows
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
def multiply(
    floor, a, a_row, a_step, b, bias, c, n_rows, n_columns, n_inner, scratch, claimed, flags
):  # needs jit
    """Write ``max(a @ b + bias, floor)`` to address `c`, row after row.

    `a`, `b`, `bias` and `c` are addresses, 0 for no bias, of elements of the type of
    `floor`. The left operand has its rows and its inner steps `a_row` and `a_step` elements
    apart; the right one lies row after row. `scratch` is the address of `SCRATCH_BYTES`, or
    0 for none. `claimed` is that of a matrix as large as `c` which this core is going to
    write and others have read, or 0 for none: its cache lines are asked for tile by tile, so
    that the product does not wait for them, and the writes then do not either. `flags` are
    those of `fastdnn.products.switches`; a product that is told to stop is left as it is.
    """
    itemsize, tile_rows = itemsize_of(floor), _TILE_ROWS
    may_copy = scratch != 0 and n_rows >= _ROWS_TO_COPY
    is_conflicting = a_row == 1 and a_step * itemsize % _BYTES_BETWEEN_LINES == 0
    has_many_steps = a_row == 1 and n_inner > _STEPS_OF_LINES
    copies_left = (
        may_copy
        and flags & NO_LEFT_COPIES == 0
        and (is_conflicting or has_many_steps)
        and n_columns >= _COLUMNS_TO_COPY_LEFT
    )
    most_steps = _PANEL_BYTES // (3 * _VECTOR_BYTES)
    if a_step != 1 and not copies_left:
        most_steps = min(most_steps, _STEPS_OF_LINES)
    inner_block = n_inner
    if n_inner > most_steps:
        n_visits = (n_inner + most_steps - 1) // most_steps
        inner_block = (n_inner + n_visits - 1) // n_visits
    n_together = n_rows
    if copies_left:
        most_tiles = _LEFT_BYTES // (inner_block * itemsize * tile_rows)
        n_tiles = (n_rows + tile_rows - 1) // tile_rows
        n_parts = (n_tiles + most_tiles - 1) // most_tiles
        n_together = (n_tiles + n_parts - 1) // n_parts * tile_rows
    row_bytes = n_columns * itemsize
    may_copy = may_copy and flags & NO_PANEL_COPIES == 0
    is_copied = may_copy and _copies_panels(row_bytes, inner_block, a_step != 1)
    panel, stop = scratch if is_copied else 0, flags // STOP_FACTOR
    for i in range(0, n_rows, n_together):
        rows = min(n_together, n_rows - i)
        out = c + i * n_columns * itemsize
        for k in range(0, n_inner, inner_block):
            if is_told(stop):
                return
            steps = min(inner_block, n_inner - k)
            left = a + (i * a_row + k * a_step) * itemsize
            layout = a_row, a_step, tile_rows * a_row
            if copies_left:
                copied = scratch + _PANEL_BYTES
                copy_left(floor, left, a_step, copied, rows, steps)
                left, layout = copied, (1, tile_rows, tile_rows * steps)
            start = (bias, 0) if k == 0 else (out, n_columns)
            now = claimed + i * n_columns * itemsize if claimed != 0 and k == 0 else 0
            # Sums that are not complete yet have no floor.
            lowest = floor if k + steps == n_inner else type(floor)(-np.inf)
            right = b + k * n_columns * itemsize
            _multiply_block(
                lowest,
                left,
                layout,
                right,
                start,
                out,
                rows,
                n_columns,
                steps,
                panel,
                now,
                flags,
            )


@kernel
def _multiply_block(
    floor, a, layout, b, start, c, n_rows, n_columns, n_steps, panel, claimed, flags
):  # needs jit
    """Write ``max(start + a @ b, floor)`` to address `c`, for an inner dimension of one block.

    `layout` has the distances of rows, inner steps and tiles of the left operand. `start`
    is an address, 0 for zeros, and the distance of its rows. `panel` is scratch or 0,
    `claimed` a matrix as large as `c` or 0.
    """
    itemsize, lanes = itemsize_of(floor), lanes_of(floor)
    a_row, a_step, a_tile = layout
    start_address, start_row = start
    if has_pair_tiles(floor, n_columns, flags):
        # For so few columns nothing is copied.
        eight_and_a_pair(
            floor, a, a_row, a_step, rows_of_pair_tile(floor) * a_row, b, n_columns,
            start_address, start_row, c, n_columns, n_columns - PAIR, n_rows, n_steps,
            n_columns, claimed,
        )  # fmt: skip
        return
    n_vectors = (n_columns + lanes - 1) // lanes
    if n_vectors == 1:  # otherwise no tile has only one
        a_tile = _ROWS_OF_ONE_VECTOR * a_row  # for so few columns nothing is copied
    vector, stop = 0, flags // STOP_FACTOR
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
        right, b_row = b + column * itemsize, n_columns
        # Where halves of vectors are there, three of them are less work than two vectors.
        may_halve = _SPLITS_VECTORS and panel == 0 and flags & NO_HALF_VECTORS == 0
        are_halves = may_halve and lanes < n_columns - column <= 3 * (lanes // 2)
        if are_halves:
            last = n_columns - lanes // 2 - column
        if panel != 0:
            copy_panel(floor, right, n_columns, panel, n_steps, last)
            right, b_row = panel, 3 * lanes
        out = c + column * itemsize
        first = start_address + column * itemsize if start_address != 0 else 0
        now = claimed + column * itemsize if claimed != 0 else 0
        n_valid = n_columns
        operands = (
            floor, a, a_row, a_step, a_tile, right, b_row, first, start_row, out, n_columns,
            last, n_rows, n_steps, n_valid, now,
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
