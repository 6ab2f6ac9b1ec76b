"""Matrix products of row-major matrices, straight on the BLAS that SciPy ships.

``np.dot`` in compiled code takes whole contiguous arrays only. The weight gradient is made
in blocks of input columns, ``X[:, first:last].T @ D``, so the products call ``?gemm``
itself, through symbols that point at SciPy's documented ``cython_blas`` interface.
"""

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import get_cython_function_address

from fastdnn._jit import JIT_ENABLED, emitted

_SYMBOLS = {types.float32: "fastdnn_sgemm", types.float64: "fastdnn_dgemm"}

if JIT_ENABLED:  # needs jit
    for _name in ("sgemm", "dgemm"):
        llvm.add_symbol(
            f"fastdnn_{_name}",
            get_cython_function_address("scipy.linalg.cython_blas", _name),
        )


def _gemm_codegen(transpose_left, transpose_right, has_first):  # needs jit
    """Emit ``out = op(left) @ op(right)``.

    Fortran's matrices are column-major, so it is given out.T = op(right).T @ op(left).T.
    `first` is the column of `left` that the product starts at.
    """

    def codegen(context, builder, signature, args):
        left_type, right_type, out_type = (
            signature.args[0],
            signature.args[-2],
            signature.args[-1],
        )
        left = make_array(left_type, context, builder, args[0])
        right = make_array(right_type, context, builder, args[-2])
        out = make_array(out_type, context, builder, args[-1])
        left_rows, left_columns = cgutils.unpack_tuple(builder, left.shape, 2)
        _, right_columns = cgutils.unpack_tuple(builder, right.shape, 2)
        out_rows, out_columns = cgutils.unpack_tuple(builder, out.shape, 2)
        left_data = left.data
        if has_first:
            left_data = builder.gep(left_data, [args[1]])

        int_type = ir.IntType(32)
        real_type = context.get_data_type(out_type.dtype)
        char_type = ir.IntType(8)

        def by_address(value):
            return cgutils.alloca_once_value(builder, value)

        def integer(value):
            return by_address(builder.trunc(value, int_type))

        def flag(transposed):
            return by_address(ir.Constant(char_type, ord("T" if transposed else "N")))

        arguments = [
            flag(transpose_right),
            flag(transpose_left),
            integer(out_columns),
            integer(out_rows),
            integer(left_rows if transpose_left else left_columns),
            by_address(ir.Constant(real_type, 1.0)),
            right.data,
            integer(right_columns),
            left_data,
            integer(left_columns),
            by_address(ir.Constant(real_type, 0.0)),
            out.data,
            integer(out_columns),
        ]
        function_type = ir.FunctionType(
            ir.VoidType(), [argument.type for argument in arguments]
        )
        gemm = cgutils.get_or_insert_function(
            builder.module, function_type, _SYMBOLS[out_type.dtype]
        )
        builder.call(gemm, arguments)
        return context.get_dummy_value()

    return codegen


def make_array(array_type, context, builder, value):  # needs jit
    """Open the array struct `value` for reading its data pointer and shape."""
    return context.make_array(array_type)(context, builder, value)


def _matmul(typingctx, left, right, out):  # needs jit
    return types.void(left, right, out), _gemm_codegen(False, False, False)


def _matmul_right_transposed(typingctx, left, right, out):  # needs jit
    return types.void(left, right, out), _gemm_codegen(False, True, False)


def _matmul_left_transposed(typingctx, left, first, right, out):  # needs jit
    signature = types.void(left, types.intp, right, out)
    return signature, _gemm_codegen(True, False, True)


if JIT_ENABLED:  # needs jit
    matmul = emitted(_matmul)
    matmul_right_transposed = emitted(_matmul_right_transposed)
    matmul_left_transposed = emitted(_matmul_left_transposed)
else:

    def matmul(left, right, out):
        """Write ``left @ right`` into `out`."""
        np.dot(left, right, out)

    def matmul_right_transposed(left, right, out):
        """Write ``left @ right.T`` into `out`."""
        np.dot(left, right.T, out)

    def matmul_left_transposed(left, first, right, out):
        """Write ``left[:, first:first + out.shape[0]].T @ right`` into `out`."""
        np.dot(left[:, first : first + out.shape[0]].T, right, out)
