"""The transpose of a weight matrix, in square tiles that are turned inside registers.

The backward pass multiplies by ``W.T``, and the matrix product wants the rows of its right
operand in one piece. So the weights of each layer but the first are kept transposed as
well: made anew for every batch, or brought up to date block by block after each step.
"""

from llvmlite import ir
from numba.core import types

from fastdnn._jit import BOUNDS_CHECKED, JIT_ENABLED, emitted, kernel
from fastdnn.kernels.views import address

#: Rows and columns of a tile.
TILE = 8

_INDEX = ir.IntType(64)


def _transpose_tile(typingctx, real, source, source_row, out, out_row):  # needs jit
    """Define the transpose of one tile; addresses, and strides in elements."""

    def codegen(context, builder, signature, args):
        _, source, source_row, out, out_row = args
        real_type = context.get_data_type(signature.args[0])
        itemsize = signature.args[0].bitwidth // 8
        vector_pointer = ir.VectorType(real_type, TILE).as_pointer()

        def row(start, stride, r):
            offset = builder.mul(stride, _INDEX(r * itemsize))
            return builder.inttoptr(builder.add(start, offset), vector_pointer)

        rows = [builder.load(row(source, source_row, r), align=itemsize) for r in range(TILE)]
        # Exchange ever smaller squares off the diagonal: of 4, of 2, of 1.
        size = TILE // 2
        while size:
            for r in range(TILE):
                if r & size:
                    continue
                upper, lower = rows[r], rows[r | size]
                rows[r] = _shuffle(
                    builder,
                    upper,
                    lower,
                    [x ^ size | TILE if x & size else x for x in range(TILE)],
                )
                rows[r | size] = _shuffle(
                    builder,
                    upper,
                    lower,
                    [x | TILE if x & size else x ^ size for x in range(TILE)],
                )
            size //= 2
        for r, value in enumerate(rows):
            builder.store(value, row(out, out_row, r), align=itemsize)
        return context.get_dummy_value()

    return types.void(real, *[types.intp] * 4), codegen


def _shuffle(builder, first, second, lanes):  # needs jit
    indices = ir.Constant(ir.VectorType(ir.IntType(32), TILE), lanes)
    return builder.shuffle_vector(first, second, indices)


if JIT_ENABLED:  # needs jit
    _tile = emitted(_transpose_tile)


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
            _tile(real, source, n_columns, out, total_rows)
            if below > i:
                source = address(W, below * n_columns + j)
                out = address(W_transposed, j * total_rows + below)
                _tile(real, source, n_columns, out, total_rows)


def _transpose_rows_by_numpy(W, first, n_rows, W_transposed):
    W_transposed[:, first : first + n_rows] = W[first : first + n_rows].T


#: ``transpose_rows(W, first, n_rows, W_transposed)`` copies some rows into columns.
transpose_rows = kernel(_transpose_rows) if JIT_ENABLED else _transpose_rows_by_numpy
