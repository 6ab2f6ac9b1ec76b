"""Subnormal numbers count as zero while the engine trains.

Weights of a feature that is always 0 get no gradient but that of L2 and shrink until they
are subnormal, as does the optimiser's memory of them. Intel's processors take a hundred
cycles and more for each such number that is multiplied: on scikit-learn's digits, with
three features like that, a step of a small network took 1.3 times as long. The mode belongs
to the thread; training sets it and puts back what was there. Prediction leaves it alone: a
probability too small for a normal number still has a logarithm.
"""

from llvmlite import ir
from numba.core import cgutils, types

from fastdnn.compiler.jit import JIT_ENABLED, emitted

# Bits of the x86 register MXCSR: results are flushed to zero, operands count as zero.
_X86_FLUSH = 0x8040
# Bit FZ of the ARM register FPCR: both of these.
_ARM_FLUSH = 1 << 24


def _architecture(context):  # needs jit
    triple = context.codegen().magic_tuple()[0]
    if triple.startswith(("x86_64", "i686")):
        return "x86"
    return "arm" if triple.startswith(("aarch64", "arm64")) else "other"


def _function(builder, name, result, arguments):  # needs jit
    function_type = ir.FunctionType(result, arguments)
    return cgutils.get_or_insert_function(builder.module, function_type, name)


def _x86_register(builder):  # needs jit
    """Return memory for MXCSR, as a pointer to a number and to bytes."""
    memory = cgutils.alloca_once(builder, ir.IntType(32))
    return memory, builder.bitcast(memory, ir.IntType(8).as_pointer())


def _set_x86(builder, value):  # needs jit
    memory, as_bytes = _x86_register(builder)
    builder.store(value, memory)
    ldmxcsr = _function(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [as_bytes.type])
    builder.call(ldmxcsr, [as_bytes])


def _set_arm(builder, value):  # needs jit
    set_fpcr = _function(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [ir.IntType(64)])
    builder.call(set_fpcr, [value])


def _flush_subnormals(typingctx):  # needs jit
    def codegen(context, builder, signature, args):
        architecture = _architecture(context)
        if architecture == "x86":
            memory, as_bytes = _x86_register(builder)
            stmxcsr = _function(
                builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [as_bytes.type]
            )
            builder.call(stmxcsr, [as_bytes])
            mode = builder.load(memory)
            _set_x86(builder, builder.or_(mode, ir.IntType(32)(_X86_FLUSH)))
            return builder.zext(mode, ir.IntType(64))
        if architecture == "arm":
            mode = builder.call(
                _function(builder, "llvm.aarch64.get.fpcr", ir.IntType(64), []), []
            )
            _set_arm(builder, builder.or_(mode, ir.IntType(64)(_ARM_FLUSH)))
            return mode
        return ir.IntType(64)(0)

    return types.int64(), codegen


def _restore_mode(typingctx, mode):  # needs jit
    def codegen(context, builder, signature, args):
        architecture = _architecture(context)
        if architecture == "x86":
            _set_x86(builder, builder.trunc(args[0], ir.IntType(32)))
        elif architecture == "arm":
            _set_arm(builder, args[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


if JIT_ENABLED:  # needs jit
    flush_subnormals = emitted(_flush_subnormals)
    restore_mode = emitted(_restore_mode)
else:

    def flush_subnormals():
        """Let subnormal numbers count as zero in this thread; return the mode before."""
        return 0

    def restore_mode(mode):
        """Set the mode that `flush_subnormals` returned."""
