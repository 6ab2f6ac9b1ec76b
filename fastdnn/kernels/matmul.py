"""The matrix product, tile by tile, without the copies that BLAS makes.

BLAS is made for large matrices: it copies both operands into buffers before it multiplies
them. The layers of a network for tables are small, and most of their products read their
operands where they lie, by the tiles of `fastdnn.kernels.tiles`. Both the left operand and
its transpose are read like that, at two strides. Only where rows of the right operand are
long, and its panels therefore scattered over many pages and few sets of the caches, is each
panel copied into one piece before all rows of the left operand pass by.

Every element of the output is the sum of its products in the order of the inner dimension,
wherever it lies: a row's result does not depend on the other rows of the batch.
"""

import numpy as np

from fastdnn._jit import kernel
from fastdnn.kernels.tiles import (
    copy_panel,
    itemsize_of,
    lanes_here,
    one_vector,
    part_of_vector,
    three_vectors,
    tile_rows_here,
    two_vectors,
)

#: Steps of the inner dimension between visits to the output. A panel of the right operand,
#: of so many rows and three vectors, has to stay in the first-level cache while all rows of
#: the left one pass by.
INNER_BLOCK = 128

#: Size of a panel on processors with the longest vectors, of 64 bytes.
PANEL_BYTES = INNER_BLOCK * 3 * 64

# Panels are copied where rows of the right operand have so many bytes, and where so many
# rows of the left one make up for it.
_BYTES_OF_LONG_ROW, _ROWS_THAT_PAY = 2048, 32


@kernel
def multiply(floor, a, a_strides, b, bias, c, n_rows, n_columns, n_inner, panel):  # needs jit
    """Write ``max(a @ b + bias, floor)`` to address `c`, row after row.

    `a`, `b`, `bias` and `c` are addresses, 0 for no bias, of elements of the type of
    `floor`. The left operand has its rows and its inner steps `a_strides` elements apart;
    the right one lies row after row. `panel` is the address of `PANEL_BYTES` of scratch,
    or 0 for none.
    """
    itemsize, lanes, tile_rows = itemsize_of(floor), lanes_here(floor), tile_rows_here()
    a_row, a_step = a_strides
    n_vectors = (n_columns + lanes - 1) // lanes
    is_long = n_columns * itemsize >= _BYTES_OF_LONG_ROW
    is_copied = panel != 0 and is_long and n_rows >= _ROWS_THAT_PAY
    for k in range(0, n_inner, INNER_BLOCK):
        steps = min(INNER_BLOCK, n_inner - k)
        # Sums that are not complete yet have no floor.
        lowest = floor if k + steps == n_inner else type(floor)(-np.inf)
        vector = 0
        while vector < n_vectors:
            width = min(3, n_vectors - vector)
            if n_vectors - vector == 4:
                width = 2  # two and two, rather than three and one
            # The last vector of all may overlap the one before it. Both belong to the same
            # tile, whose sums are read before any is written: a lone last vector, which is
            # as wide as the whole matrix, never overlaps.
            column = vector * lanes
            last = max(0, min(n_columns - lanes, (vector + width - 1) * lanes) - column)
            right, b_row = b + (k * n_columns + column) * itemsize, n_columns
            if is_copied:
                copy_panel(floor, right, n_columns, panel, steps, last)
                right, b_row = panel, 3 * lanes
            for i in range(0, n_rows, tile_rows):
                left = a + (i * a_row + k * a_step) * itemsize
                out = c + (i * n_columns + column) * itemsize
                start, start_row = out, n_columns
                if k == 0:
                    start, start_row = 0, 0
                    if bias != 0:
                        start = bias + column * itemsize
                rows = min(tile_rows, n_rows - i)
                if n_columns < lanes:
                    part_of_vector(
                        lowest, left, a_row, a_step, right, b_row,
                        start, start_row, out, n_columns, last, rows, steps, n_columns,
                    )  # fmt: skip
                elif width == 3:
                    three_vectors(
                        lowest, left, a_row, a_step, right, b_row,
                        start, start_row, out, n_columns, last, rows, steps, 0,
                    )  # fmt: skip
                elif width == 2:
                    two_vectors(
                        lowest, left, a_row, a_step, right, b_row,
                        start, start_row, out, n_columns, last, rows, steps, 0,
                    )  # fmt: skip
                else:
                    one_vector(
                        lowest, left, a_row, a_step, right, b_row,
                        start, start_row, out, n_columns, last, rows, steps, 0,
                    )  # fmt: skip
            vector += width
