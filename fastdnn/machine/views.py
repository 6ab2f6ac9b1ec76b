"""Matrix and vector views that cost nothing inside compiled code.

`vector` and `matrix` view elements of an array, `vector_at` and `matrix_at` those at an
address. The caller keeps the memory alive, and answers for the bounds: with bounds
checking or without JIT, `require_within` raises where they are overstepped.
"""

import ctypes

import numpy as np
from numba.core import cgutils, types

from fastdnn.compiler.jit import BOUNDS_CHECKED, JIT_ENABLED, emitted, kernel


def array_struct(context, builder, array_type, value=None):  # needs jit
    """Return the LLVM structure of an array, for definitions of emitted functions."""
    # Imported to compile only: it brings all of numba's tables, a tenth of a first fit.
    from numba.np.arrayobj import make_array

    return make_array(array_type)(context, builder, value)


def _emit_view(context, builder, array_type, data, start, shape):  # needs jit
    """Build an array from a pointer: no reference count, no wrap-around of the start."""
    from numba.np.arrayobj import populate_array

    view = array_struct(context, builder, array_type)
    itemsize = context.get_constant(
        types.intp, context.get_abi_sizeof(context.get_data_type(array_type.dtype))
    )
    strides = [itemsize]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    populate_array(
        view,
        data=builder.gep(data, [start]),
        shape=cgutils.pack_array(builder, shape),
        strides=cgutils.pack_array(builder, strides),
        itemsize=itemsize,
        meminfo=None,
    )
    return view._getvalue()


def _codegen_of_array(context, builder, signature, args):  # needs jit
    buffer = array_struct(context, builder, signature.args[0], args[0])
    array_type = signature.return_type
    return _emit_view(context, builder, array_type, buffer.data, args[1], args[2:])


def _codegen_at_address(context, builder, signature, args):  # needs jit
    array_type = signature.return_type
    pointer_type = context.get_data_type(array_type.dtype).as_pointer()
    data = builder.inttoptr(args[1], pointer_type)
    return _emit_view(context, builder, array_type, data, args[2], args[3:])


def _emitted_vector(typingctx, buffer, start, length):  # needs jit
    view_type = types.Array(buffer.dtype, 1, "C")
    return view_type(buffer, types.intp, types.intp), _codegen_of_array


def _emitted_vector_at(typingctx, like, address, start, length):  # needs jit
    signature = types.Array(like, 1, "C")(like, *[types.intp] * 3)
    return signature, _codegen_at_address


def _emitted_matrix_at(typingctx, like, address, start, n_rows, n_columns):  # needs jit
    signature = types.Array(like, 2, "C")(like, *[types.intp] * 4)
    return signature, _codegen_at_address


def _address(typingctx, array, position):  # needs jit
    def codegen(context, builder, signature, args):
        data = array_struct(context, builder, signature.args[0], args[0]).data
        return builder.ptrtoint(builder.gep(data, [args[1]]), cgutils.intp_t)

    return types.intp(array, types.intp), codegen


def _require_within(start, count, size):
    # Nothing may lie anywhere.
    if count != 0 and (start < 0 or count < 0 or start + count > size):
        raise IndexError("a view reaches outside its buffer")


def _allow(start, count, size):
    pass


#: ``require_within(start, count, size)`` raises IndexError, or does nothing at full speed.
require_within = kernel(_require_within if BOUNDS_CHECKED or not JIT_ENABLED else _allow)

if JIT_ENABLED:  # needs jit
    _vector = emitted(_emitted_vector)
    #: ``vector_at(like, address, start, length)``, of elements of the type of `like`.
    vector_at = emitted(_emitted_vector_at)
    #: ``matrix_at(like, address, start, n_rows, n_columns)``.
    matrix_at = emitted(_emitted_matrix_at)
    #: ``address(array, position)`` of an element, for kernels that emit instructions.
    address = emitted(_address)
else:
    address = None

    def _vector(buffer, start, length):
        return buffer.reshape(buffer.size)[start : start + length]

    def vector_at(like, address, start, length):
        """View `length` elements of the type of `like`, `start` elements past `address`."""
        dtype = np.dtype(type(like))
        if length == 0:
            return np.empty(0, dtype)
        kind = ctypes.c_char * int(length * dtype.itemsize)
        memory = kind.from_address(int(address + start * dtype.itemsize))
        # NumPy's type stubs do not know that a ctypes array is a buffer.
        return np.frombuffer(memory, dtype)  # type: ignore[call-overload]

    def matrix_at(like, address, start, n_rows, n_columns):
        """View rows of the type of `like`, `start` elements past `address`."""
        return vector_at(like, address, start, n_rows * n_columns).reshape((n_rows, n_columns))


@kernel
def vector(buffer, start, length):
    """View `length` elements from `start` on of a C-contiguous array of any dimension."""
    require_within(start, length, buffer.size)
    return _vector(buffer, start, length)
