"""Operations on one short row, such as that of a softmax, as vector instructions.

A row is walked through in vectors of eight or, if it is shorter, of four elements. The last
one ends with the row and may overlap the one before. Rows of up to three elements have plain
loops. Why LLVM does not do it: ``scripts/docs/engine/step.md``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.machine.views import address
from fastdnn.products.tiles import spread

_INDEX, _LANE = ir.IntType(64), ir.IntType(32)


class _Row:  # needs jit
    """Emits instructions on a row of at least `n_lanes` elements, at an address."""

    def __init__(self, context, builder, signature, args, n_lanes):
        self._builder, self._n_lanes = builder, n_lanes
        self._itemsize = signature.args[0].bitwidth // 8
        self._vector = ir.VectorType(context.get_data_type(signature.args[0]), n_lanes)
        _, self._start, self._size = args
        self._last = builder.sub(self._size, _INDEX(n_lanes))

    def _pointer(self, position):
        builder = self._builder
        offset = builder.mul(position, _INDEX(self._itemsize))
        return builder.inttoptr(builder.add(self._start, offset), self._vector.as_pointer())

    def _load(self, position):
        return self._builder.load(self._pointer(position), align=self._itemsize)

    def _store(self, value, position):
        self._builder.store(value, self._pointer(position), align=self._itemsize)

    @contextmanager
    def _positions(self) -> Iterator[Any]:
        """Loop over the positions of all vectors but the last."""
        step = _INDEX(self._n_lanes)
        loop = cgutils.for_range_slice(self._builder, _INDEX(0), self._last, step, _INDEX)
        with loop as (position, _):
            yield position

    def last(self):
        """Return the last vector."""
        return self._load(self._last)

    def fold(self, last, operation: Callable):
        """Combine `last` with all vectors before it, then the lanes of the result."""
        builder, n_lanes = self._builder, self._n_lanes
        total = cgutils.alloca_once_value(builder, last)
        with self._positions() as position:
            builder.store(operation(builder.load(total), self._load(position)), total)
        lanes = builder.load(total)
        distance = n_lanes // 2
        while distance:
            order = [(lane + distance) % n_lanes for lane in range(n_lanes)]
            lanes = operation(lanes, self._shuffle(lanes, order))
            distance //= 2
        return builder.extract_element(lanes, _LANE(0))

    def change(self, operation: Callable):
        """Overwrite every vector with what `operation` makes of it."""
        last = operation(self.last())  # read before the one it overlaps is written
        with self._positions() as position:
            self._store(operation(self._load(position)), position)
        self._store(last, self._last)

    def spread(self, scalar):
        """Return a vector of equal lanes."""
        return spread(self._builder, scalar, self._n_lanes)

    def _shuffle(self, value, order):
        indices = ir.Constant(ir.VectorType(_LANE, self._n_lanes), order)
        return self._builder.shuffle_vector(value, ir.Constant(value.type, None), indices)


def _subtract_largest(n_lanes):  # needs jit
    def definition(typingctx, real, start, size):
        def codegen(context, builder, signature, args):
            row = _Row(context, builder, signature, args, n_lanes)

            def larger(x, y):
                return builder.select(builder.fcmp_ordered(">", x, y), x, y)

            largest = row.spread(row.fold(row.last(), larger))
            row.change(lambda value: builder.fsub(value, largest))
            return context.get_dummy_value()

        return types.void(real, types.intp, types.intp), codegen

    return definition


def _multiply(n_lanes):  # needs jit
    def definition(typingctx, factor, start, size):
        def codegen(context, builder, signature, args):
            row = _Row(context, builder, signature, args, n_lanes)
            factors = row.spread(args[0])
            row.change(lambda value: builder.fmul(value, factors))
            return context.get_dummy_value()

        return types.void(factor, types.intp, types.intp), codegen

    return definition


if JIT_ENABLED:  # needs jit
    _subtract_largest_of_8 = emitted(_subtract_largest(8))
    _subtract_largest_of_4 = emitted(_subtract_largest(4))
    _multiply_8, _multiply_4 = emitted(_multiply(8)), emitted(_multiply(4))


@kernel
def subtract_largest(row):
    """Subtract the largest element from all; one that is NaN stays NaN."""
    real = row.dtype.type(0)
    if JIT_ENABLED and row.size >= 8:
        _subtract_largest_of_8(real, address(row, 0), row.size)
    elif JIT_ENABLED and row.size >= 4:
        _subtract_largest_of_4(real, address(row, 0), row.size)
    else:
        largest = row[0]
        for j in range(1, row.size):
            largest = max(largest, row[j])
        for j in range(row.size):
            row[j] -= largest


@kernel
def multiply_by(factor, row):
    """Multiply every element by `factor`, a number of their type."""
    if JIT_ENABLED and row.size >= 8:
        _multiply_8(factor, address(row, 0), row.size)
    elif JIT_ENABLED and row.size >= 4:
        _multiply_4(factor, address(row, 0), row.size)
    else:
        for j in range(row.size):
            row[j] *= factor
