"""What the kernels' own instructions rely on of numba's inside, a case each."""

from pathlib import Path

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

import fastdnn
from tests.assumptions.rows import assume

PACKAGE = Path(fastdnn.__file__).parent
EMITTING = tuple(
    path.relative_to(PACKAGE).as_posix()
    for room in ("machine", "products", "ops", "engine")
    for path in sorted((PACKAGE / room).glob("*.py"))
    if "context" in path.read_text(encoding="utf-8")
)


@assume(
    "an intrinsic's codegen has (context, builder, signature, args) and these tools", *EMITTING
)
def emitted_code():
    @intrinsic
    def doubled(typingctx, x):
        def codegen(context, builder, signature, args):
            real = context.get_data_type(signature.args[0])
            assert real == context.get_value_type(signature.args[0]) == ir.DoubleType()
            assert context.get_abi_sizeof(real) == 8
            assert context.get_constant(types.intp, 3).type == cgutils.intp_t
            context.get_dummy_value()
            total = cgutils.alloca_once_value(builder, args[0])
            other = cgutils.alloca_once(builder, real)
            with cgutils.for_range(builder, ir.IntType(64)(1)):
                builder.store(builder.fadd(builder.load(total), args[0]), total)
            bounds = (ir.IntType(64)(n) for n in (0, 4, 4))
            with cgutils.for_range_slice(builder, *bounds, intp=cgutils.intp_t) as (index, _):
                assert index.type == cgutils.intp_t
                builder.store(args[0], other)
            cgutils.pack_array(builder, [args[0], args[0]])
            kind = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()])
            fabs = cgutils.get_or_insert_function(builder.module, kind, "llvm.fabs.f64")
            return builder.call(fabs, [builder.load(total)])

        return x(x), codegen

    assert numba.njit(lambda x: doubled(x))(-1.5) == 3.0


@assume(
    "an array is a structure that make_array reads and populate_array fills",
    "machine/views.py",
)
def array_structures():
    from numba.np.arrayobj import make_array, populate_array

    @intrinsic
    def first_two(typingctx, array):
        def codegen(context, builder, signature, args):
            given = make_array(signature.args[0])(context, builder, args[0])
            view = make_array(signature.args[0])(context, builder, None)
            itemsize = context.get_constant(types.intp, 8)
            shape = [context.get_constant(types.intp, 2)]
            populate_array(
                view,
                data=given.data,
                shape=cgutils.pack_array(builder, shape),
                strides=cgutils.pack_array(builder, [itemsize]),
                itemsize=itemsize,
                meminfo=None,
            )
            return view._getvalue()

        return types.Array(array.dtype, 1, "C")(array), codegen

    assert numba.njit(lambda a: first_two(a).sum())(np.array([1.0, 2.0, 4.0])) == 3.0


@assume("a record is the address of its bytes, laid out as NumPy's dtype", "engine/record.py")
def records():
    dtype = np.dtype([("a", np.int64), ("b", np.float64)], align=True)
    record_type = numba.from_dtype(dtype)

    @intrinsic
    def at(typingctx, address):
        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(record_type))

        return record_type(types.intp), codegen

    table = np.array([(3, 0.25)], dtype)
    assert numba.njit(lambda address: at(address).a + at(address).b)(table.ctypes.data) == 3.25


@assume(
    "code at an address is called by call_conv with the types that it was compiled for",
    "compiler/addressed.py",
)
def calls_by_address():
    @numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
    def scale(x, factor):
        if factor < 0.0:
            raise ValueError("negative")
        x[0] *= factor
        return x[0]

    kinds = types.Array(types.float32, 1, "C"), types.float64
    scale.compile(types.float64(*kinds))
    result = scale.overloads[kinds]
    address = result.library.get_pointer_to_function(result.fndesc.mangled_name)

    @intrinsic
    def call(typingctx, where, arguments):
        def codegen(context, builder, signature, args):
            operands = [
                context.cast(builder, value, *pair)
                for value, pair in zip(
                    cgutils.unpack_tuple(builder, args[1]),
                    zip(arguments.types, kinds, strict=True),
                    strict=True,
                )
            ]
            convention = context.call_conv
            pointer = convention.get_function_type(types.float64, kinds).as_pointer()
            status, value = convention.call_function(
                builder, builder.inttoptr(args[0], pointer), types.float64, kinds, operands
            )
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return value

        return types.float64(types.intp, arguments), codegen

    @numba.njit
    def caller(where, x, factor):
        return call(where, (x, factor))

    assert caller(address, np.ones(1, np.float32), 3) == 3.0
    try:
        caller(address, np.ones(1, np.float32), -1.0)
    except ValueError as error:
        assert str(error) == "negative"
    else:
        raise AssertionError("the error was lost")
