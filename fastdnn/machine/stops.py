"""A number by which another thread tells workers to leave what they are in the middle of.

It is looked at by its address, also inside large products, so that nobody works on for
seconds. What was being made is then left as it is, incomplete.
"""

import numpy as np
from llvmlite import ir
from numba.core import types

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.machine.views import vector_at


def _number_at(typingctx, address):  # needs jit
    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "seq_cst", 8)

    return types.int64(types.intp), codegen


if JIT_ENABLED:  # needs jit
    number_at = emitted(_number_at)
else:

    def number_at(address):
        """Return the int64 at an address."""
        return vector_at(np.int64(0), address, 0, 1)[0]


@kernel
def is_told(stop):
    """Whether the number at the address `stop` says to leave; 0 is the address of none."""
    return stop != 0 and number_at(stop) != 0
