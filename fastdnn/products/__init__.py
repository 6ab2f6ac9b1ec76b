"""Matrix products and sums: where the order of additions is decided, and with it all bits.

`linear` has the three products of a layer; `matmul` cuts them into the tiles of `tiles` and
`pair_tiles`; `operands` are records of what they work on; `operand_copies` and `transpose`
move parts of it; `masks`, `nonzero_tiles` and `nonzeros` leave out zeros; `sums` adds up
vectors; `switches` names what can be switched off, and `switched_off` does it. Why all that,
and its words: ``scripts/docs/engine/products.md``.

Called by `ops` and `engine`. How a product is made can be changed here alone, as long as every
output stays the sum in the order of the inner dimension.
"""
