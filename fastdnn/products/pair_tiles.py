"""Tiles for nine and ten columns: eight in whole vectors, and the last two.

A second vector for two columns would be mostly empty. Here the last two columns of several
rows share one. Ten classes, of digits for one, are what many outputs have.
"""

from llvmlite import ir
from numba.core import types

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.machine.processor import lanes_of
from fastdnn.machine.profile import PROFILE, rows_of_tile
from fastdnn.products.switches import NO_PAIR_TILES
from fastdnn.products.tiles import TileCodegen

_INDEX = ir.IntType(64)

# Columns of the whole vectors, and of a pair.
_EIGHT = 8
#: How many columns rows share a vector for.
PAIR = 2
_ROWS_OF_ONE, _ROWS_OF_TWO = rows_of_tile(1), rows_of_tile(2)


def _vectors_of_eight(lanes):
    """Return how many vectors eight columns are, or 0 where they are not one or two."""
    return _EIGHT // lanes if lanes in (_EIGHT, _EIGHT // 2) else 0


def _eight_and_a_pair(
    typingctx, floor, a, a_row, a_step, a_tile, b, b_row, start, start_row, c, c_row, last,
    n_rows, n_inner, n_valid, claimed,
):  # needs jit  # fmt: skip
    """Define the product; see `fastdnn.products.tiles`. `last` is where the pair lies."""
    signature = types.void(floor, *[types.intp] * 15)
    return signature, _PairTileCodegen()


class _PairTileCodegen(TileCodegen):  # needs jit
    """Emits tiles whose sums are those of the eight columns, row by row, then the shared."""

    def __init__(self):
        super().__init__(1, False, False)

    def __call__(self, context, builder, signature, args):
        """Emit the tiles for compiled `args`, where there are any."""
        itemsize = signature.args[0].bitwidth // 8
        self._n_vectors = _vectors_of_eight(PROFILE.vector_bytes // itemsize)
        if self._n_vectors == 0:
            return context.get_dummy_value()
        return super().__call__(context, builder, signature, args)

    def _offsets(self, last):
        return [_INDEX(j * self._n_lanes) for j in range(self._n_vectors)] + [last]

    def _begin(self, context, builder, signature):
        super()._begin(context, builder, signature)
        self._pair = ir.VectorType(self._real, PAIR)
        self._rows_to_share = self._n_lanes // PAIR

    def _shared(self, values):
        """Split what rows have into as many as share a vector."""
        return [
            values[r : r + self._rows_to_share]
            for r in range(0, len(values), self._rows_to_share)
        ]

    def _add_step(self, sums, left, b, offsets):
        *eight, last = offsets
        n_rows = len(left)
        right = self._load_row(b, eight)
        pair = self._load_pair(self._move(b, last))
        pair = [self._lanes(pair, pair, list(range(PAIR)) * self._rows_to_share)]
        results, shared_results = [], []
        for s, shared in enumerate(self._shared(left)):
            together = None
            for r, address in enumerate(shared):
                row = sums[s * self._rows_to_share + r]
                a = self._load_spread(address)
                results.append(self._add_products(row, a, right))
                together = a if r == 0 else self._from_pair(together, a, r)
                self._keep_order()
            shared_results.append(self._add_products(sums[n_rows + s], together, pair))
        return results + shared_results

    def _move_left(self, a, n_elements):
        # Otherwise LLVM counts up the address of every row, one instruction each a step.
        opaque = ir.InlineAsm(ir.FunctionType(_INDEX, [_INDEX]), "", "=r,0", side_effect=False)
        return self._builder.call(opaque, [self._move(a, n_elements)])

    def _keep_order(self):
        """Keep LLVM from loading what comes next before: there are not registers for it."""
        nothing = ir.FunctionType(ir.VoidType(), [])
        self._builder.call(ir.InlineAsm(nothing, "", "~{memory}", side_effect=True), [])

    def _load_rows(self, addresses, offsets):
        *eight, last = offsets
        rows = super()._load_rows(addresses, eight)
        for shared in self._shared(addresses):
            pairs = [self._load_pair(self._move(address, last)) for address in shared]
            everywhere = list(range(PAIR)) * self._rows_to_share
            rows.append([self._side_by_side([self._lanes(x, x, everywhere) for x in pairs])])
        return rows

    def _store_rows(self, rows, addresses, offsets):
        *eight, last = offsets
        super()._store_rows(rows[: len(addresses)], addresses, eight)
        shared_rows = rows[len(addresses) :]
        for (row,), shared in zip(shared_rows, self._shared(addresses), strict=True):
            for r, address in enumerate(shared):
                value = self._lanes(row, row, [PAIR * r + lane for lane in range(PAIR)])
                address = self._move(address, last)
                pointer = self._builder.inttoptr(address, self._pair.as_pointer())
                self._builder.store(value, pointer, align=self._itemsize)

    def _load_pair(self, address):
        pointer = self._builder.inttoptr(address, self._pair.as_pointer())
        return self._builder.load(pointer, align=self._itemsize)

    def _side_by_side(self, vectors):
        """Return the first pair of the first vector, the second of the second, and so on."""
        result = vectors[0]
        for r, vector in enumerate(vectors[1:], start=1):
            result = self._from_pair(result, vector, r)
        return result

    def _from_pair(self, first, second, r):
        """Return `first` with the lanes of `second` from pair `r` on."""
        lanes = list(range(PAIR * r))
        lanes += range(self._n_lanes + PAIR * r, 2 * self._n_lanes)
        return self._lanes(first, second, lanes)

    def _lanes(self, first, second, lanes):
        indices = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self._builder.shuffle_vector(first, second, indices)


@kernel
def rows_of_pair_tile(real):  # needs jit
    """Return how many rows such a tile has, or 0 where there are none."""
    lanes = lanes_of(real)
    if lanes == _EIGHT:
        return _ROWS_OF_ONE
    return _ROWS_OF_TWO if 2 * lanes == _EIGHT else 0


@kernel
def has_pair_tiles(real, n_columns, flags):  # needs jit
    """Whether there are such tiles for so many columns; `flags` may turn them off."""
    fits = _EIGHT < n_columns <= _EIGHT + PAIR and flags & NO_PAIR_TILES == 0
    return fits and rows_of_pair_tile(real) > 0


if JIT_ENABLED:  # needs jit
    eight_and_a_pair = emitted(_eight_and_a_pair)
else:
    eight_and_a_pair = None
