"""Arithmetic whose rounding is fixed, whatever the processor.

Processors of the last ten years add a product to a number in one instruction, which rounds
once. A compiler that is free to use it does so where it likes. Here the source says where.
"""

from llvmlite import ir
from numba.core import cgutils, types

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.machine.processor import fuses_multiply_add


def emit_multiply_add(context, builder, x, y, z):  # needs jit
    """Emit ``x * y + z`` of three numbers or vectors of one type.

    It is rounded once on processors with fused multiply-add, and twice on others, where to
    emulate it takes a hundred times as long. LLVM's own intrinsic for either, ``fmuladd``,
    becomes a product and a sum where a loop over it is vectorised on AArch64.
    """
    if not fuses_multiply_add(context):
        return builder.fadd(builder.fmul(x, y), z)
    is_vector = isinstance(x.type, ir.VectorType)
    element, lanes = (x.type.element, f"v{x.type.count}") if is_vector else (x.type, "")
    kind = "f32" if isinstance(element, ir.FloatType) else "f64"
    function_type = ir.FunctionType(x.type, [x.type] * 3)
    name = f"llvm.fma.{lanes}{kind}"
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, [x, y, z])


def _multiply_add(typingctx, x, y, z):  # needs jit
    if not x == y == z or x not in (types.float32, types.float64):
        return None

    def codegen(context, builder, signature, args):
        return emit_multiply_add(context, builder, *args)

    return x(x, x, x), codegen


if JIT_ENABLED:  # needs jit
    #: ``x * y + z`` of three numbers of one type, see `emit_multiply_add`.
    multiply_add = emitted(_multiply_add)
else:

    def multiply_add(x, y, z):
        """Return ``x * y + z``."""
        return x * y + z


@kernel
def integer_power(base, exponent):
    """Return `base`, a float64, to a power of 0 or more.

    By squaring: the power function of the C library differs from one system to another.
    """
    power, factor = 1.0, base
    while exponent > 0:
        power *= factor if exponent & 1 else 1.0  # without a branch that nobody can predict
        factor *= factor
        exponent >>= 1
    return power
