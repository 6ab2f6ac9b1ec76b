"""What can be switched off, one by one, and what a matrix product is told about its operands.

Every optimisation named here changes no bit of a finite result. Tests show that by turning
them off in whole fits (`fastdnn.products.switched_off`), and ``benchmarks/ablation.py`` what
each of them gains.
"""

#: The left, or the right, operand is made by ReLU: it may be faster to leave its zeros out.
ZEROS_ON_LEFT, ZEROS_ON_RIGHT = 1, 2

#: Optimisations by name, each with the bit that turns it off; those of products come first.
OPTIMISATIONS = {
    "zero skipping": 1 << 2,  # fastdnn.products.nonzeros, with all masks
    "copies of columns": 1 << 3,  # fastdnn.products.nonzeros
    "copies of left operands": 1 << 4,  # fastdnn.products.matmul
    "copies of panels": 1 << 5,  # fastdnn.products.matmul
    "pair tiles": 1 << 6,  # fastdnn.products.pair_tiles
    "half vectors": 1 << 7,  # fastdnn.products.matmul
    "masks of deltas": 1 << 8,  # fastdnn.engine.delta_masks
    "masks by outputs": 1 << 9,  # fastdnn.products.linear.rectified_gradient
    "claims of lines": 1 << 10,  # fastdnn.engine.blocks
    "mailboxes": 1 << 11,  # fastdnn.engine.mailboxes
    "shards taken together": 1 << 12,  # fastdnn.engine.shards
    "placement of workers": 1 << 13,  # fastdnn.engine.placement
    "places of threads": 1 << 14,  # fastdnn.teams.separation
    "crowding": 1 << 15,  # fastdnn.teams.crowding
}

(
    NO_ZERO_SKIPPING, NO_COLUMN_COPIES, NO_LEFT_COPIES, NO_PANEL_COPIES, NO_PAIR_TILES,
    NO_HALF_VECTORS, NO_DELTA_MASKS, NO_MASKS_BY_OUTPUTS, NO_CLAIMS,
    NO_MAILBOXES, NO_TOGETHER, NO_PLACEMENT, NO_PLACES, NO_CROWDING,
) = OPTIMISATIONS.values()  # fmt: skip
