"""What a matrix product is told: where its operands have zeros, and what to do without.

Every optimisation named here changes no bit of a finite result. Tests show that by turning
them off, one by one, in whole fits: `fastdnn.planning.switched_off`.

Above these bits comes the address of a number of `fastdnn.machine.stops`, or 0.
"""

#: The left, or the right, operand is made by ReLU: it may be faster to leave its zeros out.
ZEROS_ON_LEFT, ZEROS_ON_RIGHT = 1, 2

#: Optimisations by name, each with the bit that turns it off.
OPTIMISATIONS = {
    "zero skipping": 4,  # fastdnn.products.nonzeros and delta_masks
    "copies of operands": 8,  # fastdnn.products.copies
    "pair tiles": 16,  # fastdnn.products.pair_tiles
    "transposed products": 32,  # fastdnn.products.linear
    "exchange of weights": 64,  # fastdnn.engine.exchange
    "shards taken together": 128,  # fastdnn.engine.shards
}

#: An address counts this many times, above all bits.
STOP_FACTOR = 256

NO_ZERO_SKIPPING, NO_COPIES, NO_PAIR_TILES, NO_TRANSPOSED, NO_EXCHANGE, NO_TOGETHER = (
    OPTIMISATIONS.values()
)
