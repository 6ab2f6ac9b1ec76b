"""Sums of many terms, in an order that depends on their number only.

Left to LLVM, a sum is cut into as many partial sums as the vectors of the processor suggest,
or is not cut at all. Here its terms go, one after the other, to a fixed number of partial
sums: lanes of vectors, which are as long as that whatever the processor has; LLVM makes as
many of its own vectors of them. The last terms, if they do not fill all lanes, go to the last
lanes. Then the upper half of the lanes is added to the lower one until one is left. A row of
fewer terms than the shortest vector has a plain loop.
"""

from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.machine.arithmetic import emit_multiply_add, multiply_add
from fastdnn.machine.processor import itemsize_of
from fastdnn.machine.views import address
from fastdnn.products.tiles import spread

_INDEX, _LANE = ir.IntType(64), ir.IntType(32)


def _ordered_sum(  # needs jit
    n_bytes: int, n_rows: int, add: Callable, in_double=False, has_number=False
):
    """Define the sum of what ``add(context, builder, sums, *vectors)`` makes of rows.

    There are `n_rows` of them, at addresses, of `n_bytes` each at least: a vector. With
    `in_double` the sums are float64, whatever the elements. With `has_number` the last of the
    vectors is one of equal numbers.
    """

    def emit(context, builder, signature, args):
        _, *starts, size = args
        number = starts.pop() if has_number else None
        itemsize = signature.args[0].bitwidth // 8
        n_lanes = n_bytes // itemsize
        vector = ir.VectorType(context.get_data_type(signature.args[0]), n_lanes)
        result = context.get_data_type(signature.return_type)
        zeros, no_sums = (
            ir.Constant(kind, None) for kind in (vector, ir.VectorType(result, n_lanes))
        )

        of_number = [spread(builder, number, n_lanes)] if has_number else []

        def load(position):
            offset = builder.mul(position, _INDEX(itemsize))
            pointers = [
                builder.inttoptr(builder.add(start, offset), vector.as_pointer())
                for start in starts
            ]
            loaded = [builder.load(pointer, align=itemsize) for pointer in pointers]
            return loaded + of_number

        last = builder.sub(size, _INDEX(n_lanes))
        sums = cgutils.alloca_once_value(builder, no_sums)
        step = _INDEX(n_lanes)
        with cgutils.for_range_slice(builder, _INDEX(0), last, step, _INDEX) as (position, _):
            total = add(context, builder, builder.load(sums), *load(position))
            builder.store(total, sums)
        # The last vector, with zeros where it overlaps the one before.
        beyond = builder.and_(builder.sub(size, _INDEX(1)), _INDEX(n_lanes - 1))
        first_new = builder.trunc(builder.sub(_INDEX(n_lanes - 1), beyond), _LANE)
        lanes = ir.Constant(ir.VectorType(_LANE, n_lanes), list(range(n_lanes)))
        is_new = builder.icmp_signed(">=", lanes, spread(builder, first_new, n_lanes))
        values = [builder.select(is_new, value, zeros) for value in load(last)]
        total = add(context, builder, builder.load(sums), *values)
        return _add_lanes(builder, total, n_lanes)

    def definition_of_one(typingctx, real, start, size):
        result = types.float64 if in_double else real
        return result(real, *[types.intp] * 2), emit

    def definition_of_two(typingctx, real, start, other, size):
        return real(real, *[types.intp] * 3), emit

    def definition_of_one_and_number(typingctx, real, start, number, size):
        return real(real, types.intp, real, types.intp), emit

    def definition_of_three_and_number(typingctx, real, start, other, third, number, size):
        return real(real, *[types.intp] * 3, real, types.intp), emit

    if has_number:
        return definition_of_one_and_number if n_rows == 1 else definition_of_three_and_number
    return definition_of_one if n_rows == 1 else definition_of_two


def _add_lanes(builder, sums, n_lanes):  # needs jit
    while n_lanes > 1:
        n_lanes //= 2
        halves = [
            ir.Constant(ir.VectorType(_LANE, n_lanes), list(range(first, first + n_lanes)))
            for first in (0, n_lanes)
        ]
        nothing = ir.Constant(sums.type, None)
        low, high = (builder.shuffle_vector(sums, nothing, half) for half in halves)
        sums = builder.fadd(low, high)
    return builder.extract_element(sums, _LANE(0))


def _add_elements(context, builder, sums, x):  # needs jit
    return builder.fadd(sums, x)


def _add_in_double(context, builder, sums, x):  # needs jit
    is_double = x.type == sums.type
    return builder.fadd(sums, x if is_double else builder.fpext(x, sums.type))


def _add_squares(context, builder, sums, x):  # needs jit
    return emit_multiply_add(context, builder, x, x, sums)


def _add_squares_in_double(context, builder, sums, x):  # needs jit
    x = x if x.type == sums.type else builder.fpext(x, sums.type)
    return emit_multiply_add(context, builder, x, x, sums)


def _add_sizes_in_double(context, builder, sums, x):  # needs jit
    x = x if x.type == sums.type else builder.fpext(x, sums.type)
    suffix = f"v{x.type.count}f64"
    kind = ir.FunctionType(x.type, [x.type])
    size = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fabs.{suffix}")
    return builder.fadd(sums, builder.call(size, [x]))


def _add_products(context, builder, sums, x, y):  # needs jit
    return emit_multiply_add(context, builder, x, y, sums)


def _add_square_deviations(context, builder, sums, x, number):  # needs jit
    difference = builder.fsub(x, number)
    return emit_multiply_add(context, builder, difference, difference, sums)


def _add_weighted_deviations(context, builder, sums, x, y, z, number):  # needs jit
    weight = builder.fmul(x, y)
    return emit_multiply_add(context, builder, weight, builder.fsub(z, number), sums)


# The longer a vector, the fewer additions wait for each other; the shorter, the shorter may a
# row be.
_LONGEST, _LONG, _SHORT, _SHORTEST = 256, 128, 32, 16

if JIT_ENABLED:  # needs jit
    _long_sum, _short_sum, _shortest_sum = (
        emitted(_ordered_sum(n_bytes, 1, _add_elements))
        for n_bytes in (_LONG, _SHORT, _SHORTEST)
    )
    _long_sum_in_double = emitted(_ordered_sum(_LONG, 1, _add_in_double, in_double=True))
    _long_squares_in_double, _long_sizes_in_double = (
        emitted(_ordered_sum(_LONG, 1, add, in_double=True))
        for add in (_add_squares_in_double, _add_sizes_in_double)
    )
    _longest_squares = emitted(_ordered_sum(_LONGEST, 1, _add_squares))
    _long_products, _short_products = (
        emitted(_ordered_sum(n_bytes, 2, _add_products)) for n_bytes in (_LONG, _SHORT)
    )
    _long_square_deviations, _short_square_deviations = (
        emitted(_ordered_sum(n_bytes, 1, _add_square_deviations, has_number=True))
        for n_bytes in (_LONG, _SHORT)
    )
    _long_weighted_deviations, _short_weighted_deviations = (
        emitted(_ordered_sum(n_bytes, 3, _add_weighted_deviations, has_number=True))
        for n_bytes in (_LONG, _SHORT)
    )


@kernel
def sum_of(x):
    """Return the sum of the elements of a vector."""
    total = x.dtype.type(0)
    if JIT_ENABLED:
        n_bytes = x.size * itemsize_of(total)
        if n_bytes >= _LONG:
            return _long_sum(total, address(x, 0), x.size)
        if n_bytes >= _SHORT:
            return _short_sum(total, address(x, 0), x.size)
        if n_bytes >= _SHORTEST:
            return _shortest_sum(total, address(x, 0), x.size)
    for i in range(x.size):
        total += x[i]
    return total


@kernel
def sum_in_double(x):
    """Return the sum of the elements of a vector as float64: of losses there may be many."""
    if JIT_ENABLED and x.size * itemsize_of(x.dtype.type(0)) >= _LONG:
        return _long_sum_in_double(x.dtype.type(0), address(x, 0), x.size)
    total = 0.0
    for i in range(x.size):
        total += float(x[i])
    return total


@kernel
def sum_of_squares(x):
    """Return the sum of the squares of the elements of a vector."""
    total = x.dtype.type(0)
    if JIT_ENABLED and x.size * itemsize_of(total) >= _LONGEST:
        return _longest_squares(total, address(x, 0), x.size)
    for i in range(x.size):
        total = multiply_add(x[i], x[i], total)
    return total


@kernel
def sum_of_squares_in_double(x):
    """Return the same as float64, as are its squares: of a gradient they may overflow."""
    if JIT_ENABLED and x.size * itemsize_of(x.dtype.type(0)) >= _LONG:
        return _long_squares_in_double(x.dtype.type(0), address(x, 0), x.size)
    total = 0.0
    for i in range(x.size):
        number = np.float64(x[i])
        total = multiply_add(number, number, total)
    return total


@kernel
def sum_of_sizes(x):
    """Return the sum of the magnitudes of the elements of a vector as float64."""
    if JIT_ENABLED and x.size * itemsize_of(x.dtype.type(0)) >= _LONG:
        return _long_sizes_in_double(x.dtype.type(0), address(x, 0), x.size)
    total = 0.0
    for i in range(x.size):
        total += abs(np.float64(x[i]))
    return total


@kernel
def sum_of_products(x, y):
    """Return the sum of the products of the elements of two vectors of one length."""
    total = x.dtype.type(0)
    if JIT_ENABLED:
        n_bytes = x.size * itemsize_of(total)
        if n_bytes >= _LONG:
            return _long_products(total, address(x, 0), address(y, 0), x.size)
        if n_bytes >= _SHORT:
            return _short_products(total, address(x, 0), address(y, 0), x.size)
    for i in range(x.size):
        total = multiply_add(x[i], y[i], total)
    return total


@kernel
def sum_of_square_deviations(x, number):
    """Return the sum of the squares of what the elements of a vector are above a number."""
    total = x.dtype.type(0)
    if JIT_ENABLED:
        n_bytes = x.size * itemsize_of(total)
        if n_bytes >= _LONG:
            return _long_square_deviations(total, address(x, 0), number, x.size)
        if n_bytes >= _SHORT:
            return _short_square_deviations(total, address(x, 0), number, x.size)
    for i in range(x.size):
        total = multiply_add(x[i] - number, x[i] - number, total)
    return total


@kernel
def sum_of_weighted_deviations(x, y, z, number):
    """Return the sum of ``x * y * (z - number)`` over the elements of three vectors."""
    total = x.dtype.type(0)
    if JIT_ENABLED:
        n_bytes = x.size * itemsize_of(total)
        if n_bytes >= _LONG:
            return _long_weighted_deviations(
                total, address(x, 0), address(y, 0), address(z, 0), number, x.size
            )
        if n_bytes >= _SHORT:
            return _short_weighted_deviations(
                total, address(x, 0), address(y, 0), address(z, 0), number, x.size
            )
    for i in range(x.size):
        total = multiply_add(x[i] * y[i], z[i] - number, total)
    return total
