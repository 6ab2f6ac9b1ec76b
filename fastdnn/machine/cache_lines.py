"""Cache lines: copies of them, and how a core asks for those that it is going to write."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from fastdnn.compiler.jit import JIT_ENABLED, emitted

#: A cache line, in bytes.
LINE_BYTES = 64


def _copy_lines(typingctx, like, source, source_step, out, out_step, n_lines):  # needs jit
    """Define a copy of cache lines between addresses; steps to the next one in elements.

    Where lines overlap, the later one counts.
    """

    def codegen(context, builder, signature, args):
        _, source, source_step, out, out_step, n_lines = args
        real = context.get_data_type(signature.args[0])
        itemsize = signature.args[0].bitwidth // 8
        line = ir.VectorType(real, LINE_BYTES // itemsize).as_pointer()
        with cgutils.for_range(builder, n_lines) as loop:
            pointers = []
            for start, step in ((source, source_step), (out, out_step)):
                offset = builder.mul(loop.index, builder.mul(step, step.type(itemsize)))
                pointers.append(builder.inttoptr(builder.add(start, offset), line))
            builder.store(builder.load(pointers[0], align=itemsize), pointers[1], itemsize)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 5), codegen


def emit_claim(builder, address):  # needs jit
    """Write what is there already, by which this core owns the cache line."""
    word = builder.inttoptr(address, ir.IntType(32).as_pointer())
    # Atomic, so that LLVM does not remove it; a plain load and a plain store.
    value = builder.load_atomic(word, "monotonic", 4)
    builder.store_atomic(value, word, "monotonic", 4)


def emit_prefetch_to_write(builder, address):  # needs jit
    """Ask for a cache line that will be written soon; any address will do."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    function_type = ir.FunctionType(ir.VoidType(), [byte, *[number] * 3])
    prefetch = cgutils.get_or_insert_function(
        builder.module, function_type, "llvm.prefetch.p0"
    )
    to_write, to_nearest_cache, of_data = number(1), number(3), number(1)
    pointer = builder.inttoptr(address, byte)
    builder.call(prefetch, [pointer, to_write, to_nearest_cache, of_data])


if JIT_ENABLED:  # needs jit
    copy_lines: Any = emitted(_copy_lines)
else:  # teams of one exchange nothing
    copy_lines = None
