"""Masks of rows of a matrix: one bit for each step of the inner dimension, set if not zero.

`fastdnn.products.nonzeros` multiplies by what they say; ``scripts/docs/engine/products.md``
says how they are made.
"""

import numpy as np
from llvmlite import ir
from numba.core import types

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.machine.processor import itemsize_of
from fastdnn.machine.views import vector_at
from fastdnn.products.nonzero_tiles import STEPS_OF_WORD, repeat_while
from fastdnn.products.transpose import TILE

#: Inner steps that a mask has room for, and its size.
MOST_STEPS = 2 * STEPS_OF_WORD
MASK_BYTES = MOST_STEPS // 8

# Steps of eight columns that are compared before their bits are written.
_STEPS_OF_COLUMNS = 32

_INDEX, _BYTE, _WORD32 = ir.IntType(64), ir.IntType(8), ir.IntType(32)


def _is_nonzero(builder, real, source, itemsize):  # needs jit
    """Compare the eight numbers at address `source` with zero; NaN counts as not zero."""
    vector = ir.VectorType(real, TILE)
    values = builder.load(builder.inttoptr(source, vector.as_pointer()), align=itemsize)
    return builder.fcmp_unordered("!=", values, ir.Constant(vector, None))


def _mask_eight_steps(typingctx, real, source, skip, out):  # needs jit
    """Define how one byte of a mask is made of eight numbers at address `source`.

    The first `skip` of them are left out, and the byte begins with the next one.
    """

    def codegen(context, builder, signature, args):
        real, source, skip, out = args
        itemsize = signature.args[0].bitwidth // 8
        bits = builder.bitcast(_is_nonzero(builder, real.type, source, itemsize), _BYTE)
        bits = builder.lshr(bits, builder.trunc(skip, _BYTE))
        builder.store(bits, builder.inttoptr(out, _BYTE.as_pointer()))
        return context.get_dummy_value()

    return types.void(real, *[types.intp] * 3), codegen


def _mask_eight_columns(typingctx, real, source, source_row, n_steps, out):  # needs jit
    """Define how eight columns become 32 bits each of eight masks, which follow each other.

    There may be fewer steps, or none. Rows of the source are `source_row` elements apart.
    """

    def codegen(context, builder, signature, args):
        real, source, source_row, n_steps, out = args
        itemsize = signature.args[0].bitwidth // 8
        masks = ir.VectorType(ir.IntType(8 * itemsize), TILE)  # as comparisons are
        row_bytes = builder.mul(source_row, _INDEX(itemsize))
        last = builder.add(source, builder.mul(builder.sub(n_steps, _INDEX(1)), row_bytes))

        def add_step(values):
            # From the last step to the first, which comes to be the lowest bit.
            n_left, row, bits = values
            is_set = _is_nonzero(builder, real.type, row, itemsize)
            bits = builder.sub(builder.add(bits, bits), builder.sext(is_set, masks))
            return [builder.sub(n_left, _INDEX(1)), builder.sub(row, row_bytes), bits]

        values = [n_steps, last, ir.Constant(masks, None)]
        _, _, bits = repeat_while(builder, values, 1, add_step)
        if itemsize == 8:
            bits = builder.trunc(bits, ir.VectorType(_WORD32, TILE))
        for r in range(TILE):
            at = builder.inttoptr(
                builder.add(out, _INDEX(r * MASK_BYTES)), _WORD32.as_pointer()
            )
            builder.store(builder.extract_element(bits, _WORD32(r)), at)
        return context.get_dummy_value()

    return types.void(real, *[types.intp] * 4), codegen


if JIT_ENABLED:  # needs jit
    _eight_steps = emitted(_mask_eight_steps)
    _eight_columns = emitted(_mask_eight_columns)
else:
    _eight_steps = _eight_columns = None


@kernel
def mask_rows(real, a, a_row, n_rows, n_steps, masks):  # needs jit
    """Make the masks of rows of the matrix at address `a` that lie in one piece each.

    Masks are `MASK_BYTES` apart; whole words of them are written, as many as have steps.
    """
    itemsize = itemsize_of(real)
    whole = n_steps - n_steps % TILE
    for i in range(n_rows):
        row, mask = a + i * a_row * itemsize, masks + i * MASK_BYTES
        words = vector_at(np.int64(0), mask, 0, MASK_BYTES // 8)
        words[(n_steps - 1) // STEPS_OF_WORD] = 0  # bytes of the last word may have no steps
        for k in range(0, whole, TILE):
            _eight_steps(real, row + k * itemsize, 0, mask + k // TILE)
        if whole < n_steps:
            k = n_steps - TILE
            _eight_steps(real, row + k * itemsize, whole - k, mask + whole // TILE)


@kernel
def mask_columns(real, a, a_step, n_rows, n_steps, masks):  # needs jit
    """Make the masks of rows that lie as columns of the matrix at address `a`."""
    itemsize = itemsize_of(real)
    for row in range(0, n_rows, TILE):
        i = min(row, n_rows - TILE)  # the last ones may be made again
        for word in range(0, n_steps, STEPS_OF_WORD):
            for k in range(word, word + STEPS_OF_WORD, _STEPS_OF_COLUMNS):
                steps = max(0, min(n_steps - k, _STEPS_OF_COLUMNS))
                source, out = a + (i + k * a_step) * itemsize, masks + i * MASK_BYTES + k // 8
                _eight_columns(real, source, a_step, steps, out)
