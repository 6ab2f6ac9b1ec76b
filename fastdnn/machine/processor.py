"""What the processor has that is compiled for: the length and the number of its vectors.

Functions whose names end in ``_here`` and `itemsize_of` are constants of compiled code.
"""

import functools

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target

from fastdnn.compiler.jit import JIT_ENABLED, emitted
from fastdnn.compiler.target import Target

# Rows of the output that a tile has at most, and the size of a vector where there is no
# compiler to ask.
_MAX_TILE_ROWS, _VECTOR_BYTES = 8, 32

_INDEX = ir.IntType(64)


def fuses_multiply_add(context):  # needs jit
    """Whether the processor adds a product to a number in one instruction, rounding once."""
    return Target.of(context.codegen()).fuses_multiply_add


def rounds_once() -> bool:
    """Whether products and sums are rounded together in this process."""
    return JIT_ENABLED and fuses_multiply_add(cpu_target.target_context)


def vector_bytes(context):  # needs jit
    return Target.of(context.codegen()).vector_bytes


def rows_of_tile(context, n_vectors=3):  # needs jit
    """Return as many rows as fill the registers with three vectors each, a power of two.

    Tiles of one vector have the most rows: four sums would wait for each other, since an
    addition takes as long as eight begin in.
    """
    has_32_registers = Target.of(context.codegen()).has_32_registers
    return _MAX_TILE_ROWS if has_32_registers or n_vectors == 1 else _MAX_TILE_ROWS // 2


def splits_vectors(context):  # needs jit
    """Whether half a vector costs half as much.

    There a vector and a few columns more are a fifth to a third faster as three halves than
    as two vectors that overlap.
    """
    return Target.of(context.codegen()).splits_vectors


@functools.cache
def tile_rows() -> int:
    """Return how many rows of the output a tile has on this processor."""
    return rows_of_tile(cpu_target.target_context) if JIT_ENABLED else _MAX_TILE_ROWS


@functools.cache
def vector_lanes(dtype: np.dtype) -> int:
    """Return how many elements of `dtype` a vector of this processor has."""
    n_bytes = vector_bytes(cpu_target.target_context) if JIT_ENABLED else _VECTOR_BYTES
    return n_bytes // dtype.itemsize


def _tile_rows(n_vectors):  # needs jit
    def definition(typingctx):
        def codegen(context, builder, signature, args):
            return ir.Constant(_INDEX, rows_of_tile(context, n_vectors))

        return types.intp(), codegen

    return definition


def _lanes(typingctx, real):  # needs jit
    def codegen(context, builder, signature, args):
        itemsize = signature.args[0].bitwidth // 8
        return ir.Constant(_INDEX, vector_bytes(context) // itemsize)

    return types.intp(real), codegen


def _half_lanes(typingctx, real):  # needs jit
    def codegen(context, builder, signature, args):
        if not splits_vectors(context):
            return _INDEX(0)
        itemsize = signature.args[0].bitwidth // 8
        return _INDEX(vector_bytes(context) // 2 // itemsize)

    return types.intp(real), codegen


def _itemsize(typingctx, real):  # needs jit
    def codegen(context, builder, signature, args):
        return ir.Constant(_INDEX, signature.args[0].bitwidth // 8)

    return types.intp(real), codegen


if JIT_ENABLED:  # needs jit
    tile_rows_here = emitted(_tile_rows(3))
    rows_of_one_vector_here = emitted(_tile_rows(1))
    lanes_here = emitted(_lanes)
    half_lanes_here = emitted(_half_lanes)
    itemsize_of = emitted(_itemsize)
else:
    tile_rows_here = rows_of_one_vector_here = None
    lanes_here = half_lanes_here = itemsize_of = None
