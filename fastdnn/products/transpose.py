"""The transpose of a weight matrix, in square tiles that are turned inside registers.

The backward pass multiplies by ``W.T``, and the matrix product wants the rows of its right
operand in one piece. So the weights of each layer but the first are kept transposed as
well: made anew for every batch, or brought up to date block by block after each step.
"""

from llvmlite import ir
from numba.core import types

from fastdnn.compiler.jit import BOUNDS_CHECKED, JIT_ENABLED, emitted, kernel
from fastdnn.machine.views import address

#: Rows and columns of a tile.
TILE = 8

_INDEX = ir.IntType(64)


def load_turned(builder, real, source, source_row):  # needs jit
    """Load a tile of the type `real` and return the rows of its transpose as vectors."""
    itemsize = 4 if isinstance(real, ir.FloatType) else 8
    pointer = ir.VectorType(real, TILE).as_pointer()
    rows = []
    for r in range(TILE):
        start = builder.add(source, builder.mul(source_row, _INDEX(r * itemsize)))
        rows.append(builder.load(builder.inttoptr(start, pointer), align=itemsize))
    rows = _exchange(builder, rows, 4)
    if itemsize == 4:
        return _turn_squares_of_four(builder, rows)
    return _exchange(builder, _exchange(builder, rows, 2), 1)


def _exchange(builder, rows, size):  # needs jit
    """Exchange the squares off the diagonal of all squares of twice that size."""
    new = list(rows)
    for r in range(TILE):
        if r & size:
            continue
        upper, lower = rows[r], rows[r | size]
        lanes = [x ^ size | TILE if x & size else x for x in range(TILE)]
        new[r] = _shuffle(builder, upper, lower, lanes)
        lanes = [x | TILE if x & size else x ^ size for x in range(TILE)]
        new[r | size] = _shuffle(builder, upper, lower, lanes)
    return new


def _turn_squares_of_four(builder, rows):  # needs jit
    """Transpose squares of four lanes by interleaving, each time one AVX instruction."""

    def join(first, second, lanes):
        # Lanes of the first row are 0 to 3, of the second 4 to 7, in both halves alike.
        both = [x + half + (x > 3) * 4 for half in (0, 4) for x in lanes]
        return _shuffle(builder, first, second, both)

    new = []
    for a, b, c, d in (rows[:4], rows[4:]):
        for lanes in ((0, 4, 1, 5), (2, 6, 3, 7)):
            ab, cd = join(a, b, lanes), join(c, d, lanes)
            new += [join(ab, cd, (0, 1, 4, 5)), join(ab, cd, (2, 3, 6, 7))]
    return new


def _transpose_tile(typingctx, real, source, source_row, out, out_row):  # needs jit
    """Define the transpose of one tile; addresses, and strides in elements."""

    def codegen(context, builder, signature, args):
        _, source, source_row, out, out_row = args
        real_type = context.get_data_type(signature.args[0])
        itemsize = signature.args[0].bitwidth // 8
        pointer = ir.VectorType(real_type, TILE).as_pointer()
        for r, values in enumerate(load_turned(builder, real_type, source, source_row)):
            row = builder.add(out, builder.mul(out_row, _INDEX(r * itemsize)))
            builder.store(values, builder.inttoptr(row, pointer), align=itemsize)
        return context.get_dummy_value()

    return types.void(real, *[types.intp] * 4), codegen


def _shuffle(builder, first, second, lanes):  # needs jit
    indices = ir.Constant(ir.VectorType(ir.IntType(32), TILE), lanes)
    return builder.shuffle_vector(first, second, indices)


if JIT_ENABLED:  # needs jit
    transpose_tile = emitted(_transpose_tile)
else:
    transpose_tile = None


def _transpose_rows(W, first, n_rows, W_transposed):  # needs jit
    n_columns = W.shape[1]
    if BOUNDS_CHECKED and (first + n_rows > W.shape[0] or W.size > W_transposed.size):
        raise IndexError("a transpose reaches outside its matrices")
    real = W.dtype.type(0)
    total_rows = W_transposed.shape[1]
    last = first + n_rows
    if n_rows < TILE or n_columns < TILE:
        for i in range(first, last):
            for j in range(n_columns):
                W_transposed[j, i] = W[i, j]
        return
    # Tiles at the end may overlap those before. Two at a time, one below the other, write
    # whole cache lines of the transpose.
    for tile_row in range(first, last, 2 * TILE):
        i, below = min(tile_row, last - TILE), min(tile_row + TILE, last - TILE)
        for tile_column in range(0, n_columns, TILE):
            j = min(tile_column, n_columns - TILE)
            source = address(W, i * n_columns + j)
            out = address(W_transposed, j * total_rows + i)
            transpose_tile(real, source, n_columns, out, total_rows)
            if below > i:
                source = address(W, below * n_columns + j)
                out = address(W_transposed, j * total_rows + below)
                transpose_tile(real, source, n_columns, out, total_rows)


def _transpose_rows_by_numpy(W, first, n_rows, W_transposed):
    W_transposed[:, first : first + n_rows] = W[first : first + n_rows].T


#: ``transpose_rows(W, first, n_rows, W_transposed)`` copies some rows into columns.
transpose_rows = kernel(_transpose_rows) if JIT_ENABLED else _transpose_rows_by_numpy
