"""Tiles of the matrix product, as vector instructions.

A tile is a few rows of the output by up to three vectors, kept in registers while the inner
dimension is walked through. What is emitted has the loop over all tiles of the same columns
around them. `fastdnn.products.matmul` calls it; see ``scripts/docs/engine/products.md``.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from fastdnn.compiler.jit import JIT_ENABLED, emitted
from fastdnn.machine.arithmetic import emit_multiply_add
from fastdnn.machine.cache_lines import LINE_BYTES, emit_claim, emit_prefetch_to_write
from fastdnn.machine.profile import PROFILE, rows_of_tile

_INDEX = ir.IntType(64)


def _tiles(n_vectors, *, is_partial=False, of_halves=False):  # needs jit
    """Define the product for some columns: ``c = max(start + a @ b, floor)``.

    NaN stays NaN, and -0 is not below a floor of 0.

    All operands come as addresses, and strides count elements; `a_tile` is that from the
    rows of one tile to those of the next. The last vector of a row lies at `last`, which may
    overlap the one before; with `is_partial` only its first `n_valid` lanes exist. A tile
    has as many rows as registers allow; past `n_rows`, which is at least 1, the last one
    works on the last row again. `start` is 0 for zeros. `claimed` is the address of memory as
    large as `c` whose cache lines are claimed tile by tile, or 0. With `of_halves` vectors
    are half as long; such tiles are there for processors that split their vectors only.

    Numbers come one by one: records would only be taken apart again.
    """

    def definition(
        typingctx, floor, a, a_row, a_step, a_tile, b, b_row, start, start_row, c, c_row,
        last, n_rows, n_inner, n_valid, claimed,
    ):  # fmt: skip
        signature = types.void(floor, *[types.intp] * 15)
        return signature, TileCodegen(n_vectors, is_partial, of_halves)

    return definition


class TileCodegen:  # needs jit
    """Emits tiles; see `_tiles`."""

    def __init__(self, n_vectors, is_partial, of_halves):
        self._n_vectors, self._is_partial = n_vectors, is_partial
        self._of_halves = of_halves

    def __call__(self, context, builder, signature, args):
        """Emit the tiles for compiled `args`."""
        if self._of_halves and not PROFILE.splits_vectors:
            return context.get_dummy_value()
        self._begin(context, builder, signature)
        floor, a, a_row, a_step, a_tile, b, b_row, start, start_row, c, c_row, *rest = args
        last, n_rows, n_inner, n_valid, claimed = rest
        self._mask: Any = self._valid_lanes(n_valid) if self._is_partial else None
        offsets = self._offsets(last)
        height = rows_of_tile(self._n_vectors)
        # How far it is from one tile to the next.
        start_step, c_step = (
            builder.mul(row, _INDEX(height * self._itemsize)) for row in (start_row, c_row)
        )
        steps = [_INDEX(-height), self._move(_INDEX(0), a_tile), start_step, c_step, c_step]

        def tile(phis):
            n_left, a, start, c, claimed_now = phis
            self._claim(claimed, claimed_now, lambda: self._rows(c_row, n_left, height))
            # The lines of the next tile are on their way while this one is made. Beyond the
            # last one may be what another worker writes.
            n_next = builder.sub(n_left, _INDEX(height))
            is_last = builder.icmp_signed("<=", n_next, _INDEX(0))
            following = builder.add(c, builder.select(is_last, _INDEX(0), c_step))
            rows = self._rows(c_row, n_next, height)
            self._for_lines(following, rows, emit_prefetch_to_write)

            def load_start():
                rows = self._rows(start_row, n_left, height)
                return self._load_rows([builder.add(start, row) for row in rows], offsets)

            sums = self._load_unless_zero(start, load_start)
            a_rows = self._rows(a_row, n_left, height)
            sums = self._accumulate(sums, a, a_rows, a_step, b, b_row, offsets, n_inner)
            sums = self._raise_to(floor, sums)
            # Not before: there are not registers for the addresses of all rows.
            c_rows = self._rows(c_row, n_left, height)
            self._store_rows(sums, [builder.add(c, row) for row in c_rows], offsets)

        self._repeat((n_rows, a, start, c, claimed), steps, tile)
        return context.get_dummy_value()

    def _offsets(self, last):
        """Return where each vector of a row begins."""
        return [_INDEX(j * self._n_lanes) for j in range(self._n_vectors - 1)] + [last]

    def _repeat(self, first, steps, emit):
        """Repeat what `emit` makes of numbers, each of which then grows by its step.

        The first of them counts down: it ends the loop when it is not positive.
        """
        builder = self._builder
        before = builder.block
        body = builder.append_basic_block("tiles.body")
        done = builder.append_basic_block("tiles.done")
        builder.branch(body)
        builder.position_at_end(body)
        phis = [builder.phi(_INDEX) for _ in first]
        emit(phis)
        following = [builder.add(phi, step) for phi, step in zip(phis, steps, strict=True)]
        for phi, value, after in zip(phis, first, following, strict=True):
            phi.add_incoming(value, before)
            phi.add_incoming(after, builder.block)
        builder.cbranch(builder.icmp_signed(">", following[0], _INDEX(0)), body, done)
        builder.position_at_end(done)

    def _begin(self, context, builder, signature):
        self._context, self._builder = context, builder
        self._real = context.get_data_type(signature.args[0])
        self._itemsize = signature.args[0].bitwidth // 8
        self._n_lanes = PROFILE.vector_bytes // self._itemsize // (1 + self._of_halves)
        self._vector = ir.VectorType(self._real, self._n_lanes)

    def _for_lines(self, address, rows, emit):
        """Emit something for each cache line of the rows of a tile."""
        for row in rows:
            for byte in range(0, self._n_vectors * self._n_lanes * self._itemsize, LINE_BYTES):
                line = self._builder.add(address, row)
                emit(self._builder, self._builder.add(line, _INDEX(byte)))

    def _claim(self, claimed, address, rows):
        """Claim the lines of what `rows` emits, unless `claimed` is 0."""
        is_claimed = self._builder.icmp_signed("!=", claimed, _INDEX(0))
        with self._builder.if_then(is_claimed, likely=False):
            self._for_lines(address, rows(), emit_claim)

    def _rows(self, distance, n_rows, height):
        """Return how many bytes into its matrix each row of a tile begins.

        Past `n_rows` it is the last one again.
        """
        builder = self._builder
        distance = builder.mul(distance, _INDEX(self._itemsize))
        rows = [_INDEX(0)]
        for r in range(1, height):
            is_inside = builder.icmp_signed("<", _INDEX(r), n_rows)
            step = builder.select(is_inside, distance, _INDEX(0))
            rows.append(builder.add(rows[-1], step))
        return rows

    def _accumulate(self, sums, a, a_rows, a_step, b, b_row, offsets, n_inner):
        """Walk through the inner dimension, at least one step; return the new sums."""
        builder = self._builder
        before = builder.block
        body = builder.append_basic_block("tile.inner")
        after = builder.append_basic_block("tile.done")
        builder.branch(body)
        builder.position_at_end(body)
        step, a_offset, b_offset = (builder.phi(_INDEX) for _ in range(3))
        phis = [[builder.phi(self._vector) for _ in row] for row in sums]
        a_now = self._move_left(a, a_offset)
        left = [builder.add(a_now, row) for row in a_rows]
        results = self._add_step(phis, left, self._move(b, b_offset), offsets)
        next_step = builder.add(step, _INDEX(1))
        for phi, increment in [(step, _INDEX(1)), (a_offset, a_step), (b_offset, b_row)]:
            phi.add_incoming(_INDEX(0), before)
            phi.add_incoming(builder.add(phi, increment), body)
        for phi_row, first, result in zip(phis, sums, results, strict=True):
            for phi, x, y in zip(phi_row, first, result, strict=True):
                phi.add_incoming(x, before)
                phi.add_incoming(y, body)
        is_more = builder.icmp_signed("<", next_step, n_inner)
        do_not_unroll(builder.module, builder.cbranch(is_more, body, after))
        builder.position_at_end(after)
        return results

    def _add_step(self, sums, left, b, offsets):
        """Return the sums after one inner step of the elements at the addresses `left`."""
        right = self._load_row(b, offsets)
        return [
            self._add_products(row, self._load_spread(a), right)
            for a, row in zip(left, sums, strict=True)
        ]

    def _load_spread(self, address):
        pointer = self._builder.inttoptr(address, self._real.as_pointer())
        return self._spread(self._builder.load(pointer))

    def _add_products(self, sums, left, right):
        """Return `sums` with the products of one vector and each of others added to them."""
        pairs = zip(right, sums, strict=True)
        return [emit_multiply_add(self._context, self._builder, left, x, y) for x, y in pairs]

    def _load_rows(self, addresses, offsets):
        return [self._load_row(address, offsets) for address in addresses]

    def _store_rows(self, rows, addresses, offsets):
        for row, address in zip(rows, addresses, strict=True):
            for j, value in enumerate(row):
                self._store(value, self._move(address, offsets[j]), j)

    def _load_unless_zero(self, address, load):
        """Return what `load` emits, or zeros of the same shape where `address` is 0."""
        builder = self._builder
        before = builder.block
        loading = builder.append_basic_block("tile.load")
        joined = builder.append_basic_block("tile.start")
        builder.cbranch(builder.icmp_signed("!=", address, _INDEX(0)), loading, joined)
        builder.position_at_end(loading)
        loaded = load()
        builder.branch(joined)
        builder.position_at_end(joined)
        zeros = [[ir.Constant(self._vector, None) for _ in row] for row in loaded]
        return self._join(before, zeros, loading, loaded)

    def _raise_to(self, floor, sums):
        """Return the maximum of each sum and `floor`, unless that is -inf; NaN stays NaN."""
        builder = self._builder
        before = builder.block
        raising = builder.append_basic_block("tile.raise")
        joined = builder.append_basic_block("tile.raised")
        lowest = ir.Constant(self._real, float("-inf"))
        builder.cbranch(builder.fcmp_ordered(">", floor, lowest), raising, joined)
        builder.position_at_end(raising)
        floors = self._spread(floor)

        def higher(value):
            # One instruction, which gives its second operand where one is NaN.
            return builder.select(builder.fcmp_ordered(">", floors, value), floors, value)

        raised = [[higher(value) for value in row] for row in sums]
        builder.branch(joined)
        builder.position_at_end(joined)
        return self._join(before, sums, raising, raised)

    def _join(self, first, first_rows, second, second_rows):
        """Return the values of whichever of two blocks control comes from."""
        joined = []
        for pairs in zip(first_rows, second_rows, strict=True):
            joined.append([self._builder.phi(self._vector) for _ in pairs[0]])
            for phi, x, y in zip(joined[-1], *pairs, strict=True):
                phi.add_incoming(x, first)
                phi.add_incoming(y, second)
        return joined

    def _move(self, address, n_elements):
        builder = self._builder
        return builder.add(address, builder.mul(n_elements, _INDEX(self._itemsize)))

    def _move_left(self, a, n_elements):
        """Return where the elements of the left operand for one inner step begin."""
        return self._move(a, n_elements)

    def _load_row(self, address, offsets):
        return [self._load(self._move(address, x), j) for j, x in enumerate(offsets)]

    def _is_masked(self, position):
        return self._is_partial and position == self._n_vectors - 1

    def _load(self, address, position):
        pointer = self._builder.inttoptr(address, self._vector.as_pointer())
        if not self._is_masked(position):
            return self._builder.load(pointer, align=self._itemsize)
        types_ = [pointer.type, ir.IntType(32), self._mask.type, self._vector]
        load = self._function("masked.load", ir.FunctionType(self._vector, types_), ".p0")
        alignment, zeros = ir.IntType(32)(self._itemsize), ir.Constant(self._vector, None)
        return self._builder.call(load, [pointer, alignment, self._mask, zeros])

    def _store(self, value, address, position):
        pointer = self._builder.inttoptr(address, self._vector.as_pointer())
        if not self._is_masked(position):
            self._builder.store(value, pointer, align=self._itemsize)
            return
        types_ = [self._vector, pointer.type, ir.IntType(32), self._mask.type]
        store = self._function("masked.store", ir.FunctionType(ir.VoidType(), types_), ".p0")
        alignment = ir.IntType(32)(self._itemsize)
        self._builder.call(store, [value, pointer, alignment, self._mask])

    def _function(self, name, function_type, suffix=""):
        kind = "f32" if self._itemsize == 4 else "f64"
        full_name = f"llvm.{name}.v{self._n_lanes}{kind}{suffix}"
        return cgutils.get_or_insert_function(self._builder.module, function_type, full_name)

    def _valid_lanes(self, n_valid):
        numbers = ir.VectorType(ir.IntType(32), self._n_lanes)
        lanes = ir.Constant(numbers, list(range(self._n_lanes)))
        count = self._builder.trunc(n_valid, ir.IntType(32))
        return self._builder.icmp_signed("<", lanes, self._spread(count))

    def _spread(self, scalar):
        return spread(self._builder, scalar, self._n_lanes)


def spread(builder, scalar, n_lanes):  # needs jit
    """Return a vector of equal lanes."""
    empty = ir.Constant(ir.VectorType(scalar.type, n_lanes), ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), n_lanes), None)
    return builder.shuffle_vector(first, empty, zeros)


def do_not_unroll(module, branch):  # needs jit
    """Tell LLVM not to unroll the loop that ends in `branch`.

    There are no registers for the addresses of two steps: it would keep them in memory.
    """
    option = ir.MetaDataString(module, "llvm.loop.unroll.disable")
    option = module.add_metadata([option])
    loop = module.add_metadata([option])  # one for all loops of the module
    # LLVM wants it to begin with itself. It has no hash, then, and cannot become part of
    # other metadata.
    loop.operands = (loop, option)
    branch.set_metadata("llvm.loop", loop)


if JIT_ENABLED:  # needs jit
    three_vectors = emitted(_tiles(3))
    two_vectors = emitted(_tiles(2))
    one_vector = emitted(_tiles(1))
    part_of_vector = emitted(_tiles(1, is_partial=True))
    three_half_vectors = emitted(_tiles(3, of_halves=True))
else:  # NumPy takes the place of products, see fastdnn.products.linear
    three_half_vectors = three_vectors = two_vectors = one_vector = part_of_vector = None
