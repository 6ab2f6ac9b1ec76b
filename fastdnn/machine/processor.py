"""How the processor rounds products that are added up, and how many numbers a vector has."""

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.compiler.target import Target
from fastdnn.machine.profile import PROFILE

_VECTOR_BYTES = PROFILE.vector_bytes


def fuses_multiply_add(context):  # needs jit
    """Whether the processor adds a product to a number in one instruction, rounding once."""
    return Target.of(context.codegen()).fuses_multiply_add


def rounds_once() -> bool:
    """Whether products and sums are rounded together in this process."""
    return JIT_ENABLED and fuses_multiply_add(cpu_target.target_context)


def vector_lanes(dtype: np.dtype) -> int:
    """Return how many elements of `dtype` a vector of this processor has."""
    return _VECTOR_BYTES // dtype.itemsize


def _itemsize(typingctx, real):  # needs jit
    def codegen(context, builder, signature, args):
        return ir.IntType(64)(signature.args[0].bitwidth // 8)

    return types.intp(real), codegen


if JIT_ENABLED:  # needs jit
    #: Bytes of a number, a constant of compiled code.
    itemsize_of = emitted(_itemsize)
else:
    itemsize_of = None


@kernel
def lanes_of(real):  # needs jit
    """Return how many numbers like `real` a vector has."""
    return _VECTOR_BYTES // itemsize_of(real)
