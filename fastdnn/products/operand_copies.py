"""Copies of parts of the operands of a matrix product, in the order in which it reads them.

`fastdnn.products.matmul` and `fastdnn.products.nonzeros` say when they pay.
"""

from llvmlite import ir
from numba.core import cgutils, types

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.machine.processor import itemsize_of
from fastdnn.machine.profile import PROFILE
from fastdnn.machine.views import vector_at
from fastdnn.products.transpose import TILE, transpose_tile

# Tiles that are copied at once: of four rows of float32 a cache line.
_TILES_TOGETHER = 4

_TILE_ROWS = PROFILE.tile_rows
# Columns are copied that take more than so much of the distance at which lines share a set.
_BYTES_THAT_CONFLICT = PROFILE.lines_of_columns * PROFILE.bytes_between_lines_of_set

_INDEX = ir.IntType(64)


def _copy_panel(typingctx, real, source, source_row, out, n_rows, last):  # needs jit
    """Define the copy of a panel: rows of up to three vectors, put one after the other.

    Addresses, and strides in elements; the last vector of a row lies at `last`.
    """

    def codegen(context, builder, signature, args):
        _, source, source_row, out, n_rows, last = args
        itemsize = signature.args[0].bitwidth // 8
        length = PROFILE.vector_bytes
        vector = ir.VectorType(context.get_data_type(signature.args[0]), length // itemsize)
        last = builder.mul(last, _INDEX(itemsize))
        is_second = builder.icmp_signed("<", last, _INDEX(length))
        second = builder.select(is_second, last, _INDEX(length))
        with cgutils.for_range(builder, n_rows) as loop:
            row = builder.mul(loop.index, builder.mul(source_row, _INDEX(itemsize)))
            row = builder.add(source, row)
            copy = builder.add(out, builder.mul(loop.index, _INDEX(3 * length)))
            for offset in (_INDEX(0), second, last):
                pointers = [
                    builder.inttoptr(builder.add(start, offset), vector.as_pointer())
                    for start in (row, copy)
                ]
                value = builder.load(pointers[0], align=itemsize)
                builder.store(value, pointers[1], align=itemsize)
        return context.get_dummy_value()

    return types.void(real, *[types.intp] * 5), codegen


def _copy_tiles(n_tiles):  # needs jit
    """Define the copy of whole tiles of a transposed left operand, one after the other.

    Addresses, and a stride in elements: the rows of a tile lie side by side, its steps
    `source_step` apart; in the copy they follow each other.
    """

    def definition(typingctx, real, source, source_step, out, n_steps):
        def codegen(context, builder, signature, args):
            _, source, source_step, out, n_steps = args
            itemsize = signature.args[0].bitwidth // 8
            height = PROFILE.tile_rows
            rows = ir.VectorType(context.get_data_type(signature.args[0]), height)
            tile_bytes = builder.mul(n_steps, _INDEX(height * itemsize))
            with cgutils.for_range(builder, n_steps) as loop:
                step = builder.mul(loop.index, builder.mul(source_step, _INDEX(itemsize)))
                now = builder.add(source, step)
                copy = builder.add(out, builder.mul(loop.index, _INDEX(height * itemsize)))
                for t in range(n_tiles):
                    pointers = [
                        builder.inttoptr(builder.add(start, offset), rows.as_pointer())
                        for start, offset in (
                            (now, _INDEX(t * height * itemsize)),
                            (copy, builder.mul(tile_bytes, _INDEX(t))),
                        )
                    ]
                    value = builder.load(pointers[0], align=itemsize)
                    builder.store(value, pointers[1], align=itemsize)
            return context.get_dummy_value()

        return types.void(real, *[types.intp] * 4), codegen

    return definition


if JIT_ENABLED:  # needs jit
    copy_panel = emitted(_copy_panel)
    _copy_tile, _copy_four_tiles = (
        emitted(_copy_tiles(1)),
        emitted(_copy_tiles(_TILES_TOGETHER)),
    )
else:  # NumPy takes the place of products, see fastdnn.products.linear
    copy_panel = _copy_tile = _copy_four_tiles = None


@kernel
def copy_left(like, a, a_step, out, n_rows, n_steps):  # needs jit
    """Copy rows of a transposed left operand to address `out`, step after step of a tile."""
    itemsize, tile_rows = itemsize_of(like), _TILE_ROWS
    together = _TILES_TOGETHER * tile_rows
    i = 0
    while i + together <= n_rows:
        _copy_four_tiles(like, a + i * itemsize, a_step, out + i * n_steps * itemsize, n_steps)
        i += together
    while i + tile_rows <= n_rows:
        _copy_tile(like, a + i * itemsize, a_step, out + i * n_steps * itemsize, n_steps)
        i += tile_rows
    if i < n_rows:
        source = vector_at(like, a, i, (n_steps - 1) * a_step + n_rows - i)
        copy = vector_at(like, out, i * n_steps, n_steps * tile_rows)
        for k in range(n_steps):
            for r in range(n_rows - i):
                copy[k * tile_rows + r] = source[k * a_step + r]


@kernel
def columns_conflict(step_bytes, n_steps):  # needs jit
    """Whether steps so far apart push each other out of the first-level cache."""
    alignment = step_bytes & -step_bytes  # the largest power of two that divides it
    return n_steps * alignment > _BYTES_THAT_CONFLICT


@kernel
def copy_columns(real, a, a_step, n_rows, n_steps, out):  # needs jit
    """Copy rows that lie as columns, one after the other, to address `out`."""
    itemsize = itemsize_of(real)
    for row in range(0, n_rows, TILE):
        i = min(row, n_rows - TILE)
        for step in range(0, n_steps, TILE):
            k = min(step, n_steps - TILE)
            source = a + (i + k * a_step) * itemsize
            transpose_tile(real, source, a_step, out + (i * n_steps + k) * itemsize, n_steps)
