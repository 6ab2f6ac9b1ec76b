"""Instructions for products that skip the zeros of their left operand.

A list has the positions of the elements of a row that are not zero, each in one byte. Lists
are made eight elements at a time: the comparison with zero gives a mask of eight bits, and a
table has the positions of the bits of every mask. `fastdnn.kernels.nonzeros` calls these.
"""

from typing import Any

from llvmlite import ir
from numba.core import types

from fastdnn._jit import JIT_ENABLED, emitted
from fastdnn.kernels.processor import vector_bytes
from fastdnn.kernels.tiles import TileCodegen, do_not_unroll, spread
from fastdnn.kernels.transpose import TILE, load_turned

_INDEX, _BYTE = ir.IntType(64), ir.IntType(8)
# Positions that are loaded at once.
_STEPS_AT_ONCE = 4
_POSITIONS = ir.VectorType(_BYTE, TILE)


def _table_of_positions(module):  # needs jit
    """Return the address of a table with the positions of the set bits of every byte."""
    name = "fastdnn.positions_of_bits"
    if name not in module.globals:
        rows = bytearray()
        for mask in range(1 << TILE):
            positions = [i for i in range(TILE) if mask >> i & 1]
            rows += bytes(positions + [0] * (TILE - len(positions)))
        values = ir.ArrayType(_BYTE, len(rows))
        table = ir.GlobalVariable(module, values, name)
        table.linkage, table.global_constant, table.align = "internal", True, 64
        table.initializer = ir.Constant(values, rows)
    return module.globals[name]


def _append_positions(builder, values, skip, base, out):  # needs jit
    """Write the positions of the nonzero `values`, counted from `base`, to address `out`.

    The first `skip` values are left out. Returns how many positions count; bytes up to the
    eighth are overwritten as well.
    """
    is_nonzero = builder.fcmp_unordered("!=", values, ir.Constant(values.type, None))
    skip = builder.trunc(skip, _BYTE)
    mask = builder.shl(builder.lshr(builder.bitcast(is_nonzero, _BYTE), skip), skip)
    mask = builder.zext(mask, _INDEX)
    table = builder.ptrtoint(_table_of_positions(builder.module), _INDEX)
    row = builder.add(table, builder.mul(mask, _INDEX(TILE)))
    positions = builder.load(builder.inttoptr(row, _POSITIONS.as_pointer()), align=TILE)
    positions = builder.add(positions, spread(builder, builder.trunc(base, _BYTE), TILE))
    builder.store(positions, builder.inttoptr(out, _POSITIONS.as_pointer()), align=1)
    return builder.ctpop(mask)


def _list_eight(typingctx, real, source, skip, base, out):  # needs jit
    """Define how the nonzero ones of eight elements are listed; returns how many there are."""

    def codegen(context, builder, signature, args):
        _, source, skip, base, out = args
        itemsize = signature.args[0].bitwidth // 8
        vector = ir.VectorType(context.get_data_type(signature.args[0]), TILE)
        values = builder.load(builder.inttoptr(source, vector.as_pointer()), align=itemsize)
        return _append_positions(builder, values, skip, base, out)

    return types.intp(real, *[types.intp] * 4), codegen


def _turn_and_list_tile(
    typingctx, real, source, source_row, skip, base, copy, copy_row, lists, lists_row, counts
):  # needs jit
    """Define the transpose of an 8 x 8 tile, and how the rows of the transpose are listed.

    `counts` is the address of how many positions each of the eight lists has so far.
    """

    def codegen(context, builder, signature, args):
        _, source, source_row, skip, base, copy, copy_row, lists, lists_row, counts = args
        real_type = context.get_data_type(signature.args[0])
        itemsize = signature.args[0].bitwidth // 8
        vector_pointer = ir.VectorType(real_type, TILE).as_pointer()
        rows = load_turned(builder, real_type, source, source_row)
        for r, values in enumerate(rows):
            offset = builder.mul(copy_row, _INDEX(r * itemsize))
            pointer = builder.inttoptr(builder.add(copy, offset), vector_pointer)
            builder.store(values, pointer, align=itemsize)
            count_at = builder.add(counts, _INDEX(8 * r))
            count_at = builder.inttoptr(count_at, _INDEX.as_pointer())
            count = builder.load(count_at)
            out = builder.add(lists, builder.mul(lists_row, _INDEX(r)))
            found = _append_positions(builder, values, skip, base, builder.add(out, count))
            builder.store(builder.add(count, found), count_at)
        return context.get_dummy_value()

    return types.void(real, *[types.intp] * 9), codegen


def _copy_one_vector(typingctx, real, source, out):  # needs jit
    """Define the copy of one vector between addresses."""

    def codegen(context, builder, signature, args):
        _, source, out = args
        itemsize = signature.args[0].bitwidth // 8
        n_lanes = vector_bytes(context) // itemsize
        pointer = ir.VectorType(context.get_data_type(signature.args[0]), n_lanes).as_pointer()
        value = builder.load(builder.inttoptr(source, pointer), align=itemsize)
        builder.store(value, builder.inttoptr(out, pointer), align=itemsize)
        return context.get_dummy_value()

    return types.void(real, types.intp, types.intp), codegen


def _listed_rows(n_vectors):  # needs jit
    """Define rows of a product: ``c = max(start + a @ b, floor)``, the listed steps of it.

    Row `i` has ``lengths[i]`` steps, each a byte from ``lists + i * list_bytes`` on. Rows of
    `b` are `b_row` elements apart and whole vectors long; the last vector of a row of `c` lies
    at `last`, which may overlap the one before. Addresses, and strides in elements; `start`
    is 0 for zeros. `claimed` is the address of memory as large as `c` whose cache lines are
    claimed row by row, or 0.
    """

    def definition(
        typingctx, floor, a, a_row, lists, list_bytes, lengths, b, b_row, start, start_row,
        c, c_row, last, n_rows, claimed,
    ):  # fmt: skip
        signature = types.void(floor, *[types.intp] * 14)
        return signature, _ListedRowsCodegen(n_vectors)

    return definition


class _ListedRowsCodegen(TileCodegen):  # needs jit
    """Emits rows; see `_listed_rows`."""

    def __init__(self, n_vectors):
        super().__init__(n_vectors, False, False)

    def __call__(self, context, builder, signature, args):
        """Emit the rows for compiled `args`, at least one."""
        floor, a, a_row, lists, list_bytes, lengths, b, b_row, start, start_row, *rest = args
        c, c_row, last, n_rows, claimed = rest
        self._begin(context, builder, signature)
        self._mask: Any = None
        whole = [_INDEX(j * self._n_lanes) for j in range(self._n_vectors)]
        offsets = [*whole[:-1], last]
        a_step, start_step, c_step = (
            self._move(_INDEX(0), row) for row in (a_row, start_row, c_row)
        )

        def row(phis):
            _, a, positions, length_at, start, c, claimed_now = phis
            self._claim(claimed, claimed_now, lambda: [_INDEX(0)])
            n = builder.load(builder.inttoptr(length_at, _INDEX.as_pointer()))
            sums = self._load_unless_zero(start, lambda: [self._load_row(start, offsets)])
            sums = [self._accumulate_listed(sums[0], a, positions, n, b, b_row, whole)]
            (sums,) = self._raise_to(floor, sums)
            for j, value in enumerate(sums):
                self._store(value, self._move(c, offsets[j]), j)

        first = n_rows, a, lists, lengths, start, c, claimed
        steps = _INDEX(-1), a_step, list_bytes, _INDEX(8), start_step, c_step, c_step
        self._repeat(first, steps, row)
        return context.get_dummy_value()

    def _accumulate_listed(self, sums, a, positions, n, b, b_row, offsets):
        """Walk through the list, which may be empty; return the new sums."""
        builder = self._builder
        whole = builder.and_(n, _INDEX(-_STEPS_AT_ONCE))

        def load_positions(i, n_steps):
            numbers = ir.IntType(8 * n_steps)
            pointer = builder.inttoptr(builder.add(positions, i), numbers.as_pointer())
            word = builder.load(pointer, align=1)
            for step in range(n_steps):
                position = builder.lshr(word, numbers(8 * step))
                yield builder.zext(builder.trunc(position, _BYTE), _INDEX)

        def steps(n_steps):
            def emit(i, sums):
                for position in load_positions(i, n_steps):
                    left = self._load_spread(self._move(a, position))
                    row = self._move(b, builder.mul(position, b_row))
                    sums = self._add_products(sums, left, self._load_row(row, offsets))
                return sums

            return emit

        sums = self._loop(sums, _INDEX(0), whole, _STEPS_AT_ONCE, steps(_STEPS_AT_ONCE))
        return self._loop(sums, whole, n, 1, steps(1))

    def _loop(self, sums, first, last, by, emit):
        """Repeat what `emit` makes of a number and `sums`; return the last sums."""
        builder = self._builder
        before = builder.block
        body = builder.append_basic_block("row.inner")
        after = builder.append_basic_block("row.done")
        builder.cbranch(builder.icmp_signed("<", first, last), body, after)
        builder.position_at_end(body)
        i = builder.phi(_INDEX)
        phis = [builder.phi(self._vector) for _ in sums]
        results = emit(i, phis)
        following = builder.add(i, _INDEX(by))
        i.add_incoming(first, before)
        i.add_incoming(following, body)
        for phi, start, result in zip(phis, sums, results, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(result, body)
        is_more = builder.icmp_signed("<", following, last)
        do_not_unroll(builder.module, builder.cbranch(is_more, body, after))
        builder.position_at_end(after)
        return self._join(before, [sums], body, [results])[0]


if JIT_ENABLED:  # needs jit
    list_eight = emitted(_list_eight)
    turn_and_list_tile = emitted(_turn_and_list_tile)
    copy_one_vector = emitted(_copy_one_vector)
    eight_vectors_of_rows = emitted(_listed_rows(8))
    seven_vectors_of_rows = emitted(_listed_rows(7))
    six_vectors_of_rows = emitted(_listed_rows(6))
else:
    list_eight = turn_and_list_tile = copy_one_vector = None
    eight_vectors_of_rows = seven_vectors_of_rows = six_vectors_of_rows = None
