"""Instructions for products that skip the zeros of their left operand.

The sums of one row of the output stay in registers while the bits of that row's mask are
walked through, from the lowest to the highest. `fastdnn.products.nonzeros` calls these;
`fastdnn.products.masks` makes the masks.
"""

from typing import Any

from llvmlite import ir
from numba.core import types

from fastdnn.compiler.jit import JIT_ENABLED, emitted
from fastdnn.machine.profile import PROFILE
from fastdnn.products.tiles import TileCodegen, do_not_unroll

#: Steps of a word of a mask.
STEPS_OF_WORD = 64

_INDEX = ir.IntType(64)
# Steps that are added between two jumps.
_STEPS_AT_ONCE = 3


def repeat_while(builder, values, least, emit):  # needs jit
    """Repeat what `emit` makes of `values` while the first is at least `least`."""
    before = builder.block
    body = builder.append_basic_block("repeat.body")
    done = builder.append_basic_block("repeat.done")

    def is_more(values):
        return builder.icmp_signed(">=", values[0], _INDEX(least))

    builder.cbranch(is_more(values), body, done)
    builder.position_at_end(body)
    phis = [builder.phi(value.type) for value in values]
    results = emit(phis)
    after = builder.block
    do_not_unroll(builder.module, builder.cbranch(is_more(results), body, done))
    builder.position_at_end(done)
    joined = [builder.phi(value.type) for value in values]
    for in_body, at_end, value, result in zip(phis, joined, values, results, strict=True):
        for phi in (in_body, at_end):
            phi.add_incoming(value, before)
            phi.add_incoming(result, after)
    return joined


def _copy_one_vector(typingctx, real, source, out):  # needs jit
    """Define the copy of one vector between addresses."""

    def codegen(context, builder, signature, args):
        _, source, out = args
        itemsize = signature.args[0].bitwidth // 8
        n_lanes = PROFILE.vector_bytes // itemsize
        pointer = ir.VectorType(context.get_data_type(signature.args[0]), n_lanes).as_pointer()
        value = builder.load(builder.inttoptr(source, pointer), align=itemsize)
        builder.store(value, builder.inttoptr(out, pointer), align=itemsize)
        return context.get_dummy_value()

    return types.void(real, types.intp, types.intp), codegen


def _masked_rows(n_vectors):  # needs jit
    """Define rows of a product: ``c = max(start + a @ b, floor)``, the nonzero steps of it.

    Row `i` of `a` has a mask of `n_steps` bits in whole words at ``masks + i * mask_bytes``.
    Rows of `b` are so many vectors long and follow each other; the last vector of a row of
    `c` lies at `last`, which may overlap the one before. Addresses, and strides in elements;
    `start` is 0 for zeros. `claimed` is the address of memory as large as `c` whose cache
    lines are claimed row by row, or 0. `totals` is that of one number for each row, to which
    the row's elements of `a` that the mask has are added, or 0. Numbers come one by one, as in
    `fastdnn.products.tiles`.
    """

    def definition(
        typingctx, floor, a, a_row, a_step, masks, mask_bytes, n_steps, b, start, start_row,
        c, c_row, last, n_rows, claimed, totals,
    ):  # fmt: skip
        signature = types.void(floor, *[types.intp] * 15)
        return signature, _MaskedRowsCodegen(n_vectors)

    return definition


class _MaskedRowsCodegen(TileCodegen):  # needs jit
    """Emits rows; see `_masked_rows`."""

    def __init__(self, n_vectors):
        super().__init__(n_vectors, False, False)

    def __call__(self, context, builder, signature, args):
        """Emit the rows for compiled `args`, at least one, of at least one step."""
        floor, a, a_row, a_step, masks, mask_bytes, n_steps, b, start, start_row, *rest = args
        c, c_row, last, n_rows, claimed, totals = rest
        self._begin(context, builder, signature)
        self._mask: Any = None
        whole = [_INDEX(j * self._n_lanes) for j in range(self._n_vectors)]
        offsets = [*whole[:-1], last]
        distances = a_row, start_row, c_row
        row_bytes, start_bytes, c_bytes = (self._move(_INDEX(0), row) for row in distances)
        step_bytes = self._move(_INDEX(0), a_step)

        def row(phis):
            n_left, a, mask, start, c, claimed_now = phis
            self._claim(claimed, claimed_now, lambda: [_INDEX(0)])
            (sums,) = self._load_unless_zero(start, lambda: [self._load_row(start, offsets)])
            total_at = self._move(totals, builder.sub(n_rows, n_left))
            ((total,),) = self._load_unless_zero(
                totals, lambda: [[self._load_spread(total_at)]]
            )
            total, *sums = self._accumulate_masked(
                [total, *sums], a, step_bytes, mask, n_steps, b, whole
            )
            with builder.if_then(builder.icmp_signed("!=", totals, _INDEX(0))):
                pointer = builder.inttoptr(total_at, self._real.as_pointer())
                builder.store(builder.extract_element(total, ir.IntType(32)(0)), pointer)
            (sums,) = self._raise_to(floor, [sums])
            for j, value in enumerate(sums):
                self._store(value, self._move(c, offsets[j]), j)

        first = n_rows, a, masks, start, c, claimed
        self._repeat(
            first, (_INDEX(-1), row_bytes, mask_bytes, start_bytes, c_bytes, c_bytes), row
        )
        return context.get_dummy_value()

    def _accumulate_masked(self, sums, a, step_bytes, mask, n_steps, b, offsets):
        """Walk through the words of a mask; return the new total of `a` and the new sums.

        The total takes additions only, for which processors have units beside those that
        multiply: it costs no time.
        """
        builder = self._builder
        b_bytes = _INDEX(self._n_vectors * self._n_lanes * self._itemsize)

        def add_step(values, a, b):
            word, total, *sums = values
            step = builder.cttz(word, ir.IntType(1)(1))
            rest = builder.and_(word, builder.sub(word, _INDEX(1)))
            left = self._load_spread(builder.add(a, builder.mul(step, step_bytes)))
            right = self._load_row(builder.add(b, builder.mul(step, b_bytes)), offsets)
            total = builder.fadd(total, left)
            return [rest, total, *self._add_products(sums, left, right)]

        def add_word(values):
            n_left, word_at, a_now, b_now, *sums = values
            word = builder.load(builder.inttoptr(word_at, _INDEX.as_pointer()))
            n = builder.ctpop(word)

            def steps(n_steps):
                def emit(values):
                    n_left, *values = values
                    for _ in range(n_steps):
                        values = add_step(values, a_now, b_now)
                    return [builder.sub(n_left, _INDEX(n_steps)), *values]

                return emit

            values = [n, word, *sums]
            for at_once in (_STEPS_AT_ONCE, 1):
                values = repeat_while(builder, values, at_once, steps(at_once))
            _, _, *sums = values
            ahead = _INDEX(STEPS_OF_WORD)
            return [
                builder.sub(n_left, ahead),
                builder.add(word_at, _INDEX(8)),
                builder.add(a_now, builder.mul(step_bytes, ahead)),
                builder.add(b_now, builder.mul(b_bytes, ahead)),
                *sums,
            ]

        values = repeat_while(builder, [n_steps, mask, a, b, *sums], 1, add_word)
        return values[4:]


if JIT_ENABLED:  # needs jit
    copy_one_vector = emitted(_copy_one_vector)
    eight_vectors_of_rows = emitted(_masked_rows(8))
    seven_vectors_of_rows = emitted(_masked_rows(7))
    six_vectors_of_rows = emitted(_masked_rows(6))
else:
    copy_one_vector = None
    eight_vectors_of_rows = seven_vectors_of_rows = six_vectors_of_rows = None
