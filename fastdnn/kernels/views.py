"""Matrix and vector views into flat buffers that cost nothing inside compiled code."""

import numpy as np
from numba.core import cgutils, types
from numba.np.arrayobj import make_array, populate_array

from fastdnn._jit import BOUNDS_CHECKED, JIT_ENABLED, emitted, kernel


def _view_codegen(ndim):  # needs jit
    """Build an array from a pointer: no reference count, no wrap-around of the start."""

    def codegen(context, builder, signature, args):
        buffer_type = signature.args[0]
        buffer = make_array(buffer_type)(context, builder, args[0])
        start, shape = args[1], args[2:]
        view = make_array(signature.return_type)(context, builder)
        itemsize = context.get_constant(
            types.intp, context.get_abi_sizeof(context.get_data_type(buffer_type.dtype))
        )
        strides = [itemsize]
        for length in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        populate_array(
            view,
            data=builder.gep(buffer.data, [start]),
            shape=cgutils.pack_array(builder, shape),
            strides=cgutils.pack_array(builder, strides),
            itemsize=itemsize,
            meminfo=None,
        )
        return view._getvalue()

    return codegen


def _unchecked_vector(typingctx, buffer, start, length):  # needs jit
    view_type = types.Array(buffer.dtype, 1, "C")
    return view_type(buffer, types.intp, types.intp), _view_codegen(1)


def _unchecked_matrix(typingctx, buffer, start, n_rows, n_columns):  # needs jit
    view_type = types.Array(buffer.dtype, 2, "C")
    signature = view_type(buffer, types.intp, types.intp, types.intp)
    return signature, _view_codegen(2)


def _checked_vector(buffer, start, length):
    # A view of nothing may lie anywhere.
    if length != 0 and (start < 0 or length < 0 or start + length > buffer.size):
        raise IndexError("a vector view reaches outside its buffer")
    return _vector(buffer, start, length)


def _checked_matrix(buffer, start, n_rows, n_columns):
    size = n_rows * n_columns
    if size != 0 and (start < 0 or n_rows < 0 or start + size > buffer.size or size < 0):
        raise IndexError("a matrix view reaches outside its buffer")
    return _matrix(buffer, start, n_rows, n_columns)


# vector(buffer, start, length) and matrix(buffer, start, n_rows, n_columns) view the
# elements from position `start` on of a C-contiguous `buffer` of any dimension. The
# caller keeps the buffer alive. With bounds checking or without JIT they check.
if JIT_ENABLED:  # needs jit
    _vector = emitted(_unchecked_vector)
    _matrix = emitted(_unchecked_matrix)
else:

    def _vector(buffer, start, length):
        return buffer.reshape(buffer.size)[start : start + length]

    def _matrix(buffer, start, n_rows, n_columns):
        return _vector(buffer, start, n_rows * n_columns).reshape((n_rows, n_columns))


if JIT_ENABLED and not BOUNDS_CHECKED:  # needs jit
    vector, matrix = _vector, _matrix
else:
    vector, matrix = kernel(_checked_vector), kernel(_checked_matrix)


def read_only(array: np.ndarray) -> np.ndarray:
    """View `array` as read-only: one numba type for all inputs, memory maps included."""
    view = array.view(np.ndarray)
    view.flags.writeable = False
    return view
