"""Facts about processors that products are cut by: one row for each kind of processor.

Compiled code is made for one processor, and `PROFILE` is the row of its kind. No bit of a
result depends on these facts, only how fast it is there. What they are about, and where they
were measured: ``scripts/docs/engine/products.md``. Counts of cycles are ratios to each other.
"""

from typing import NamedTuple

from numba.core.registry import cpu_target

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.compiler.target import Target


class Profile(NamedTuple):
    """A kind of processor."""

    # Vectors and registers.
    vector_bytes: int
    #: Rows of a tile of two or three vectors, a power of two: registers hold its sums.
    tile_rows: int
    #: Rows of a tile of one vector: an addition takes as long as so many begin in.
    rows_of_one_vector: int = 8
    #: Whether a vector is taken in halves, so that half of one costs half as much.
    splits_vectors: bool = False

    # Panels of a right operand, which stay in the first-level cache while rows pass by.
    panel_bytes: int = 26 * 1024
    #: They are copied for so many rows, from a right operand with rows of so many bytes.
    rows_to_copy_panels: int = 28
    bytes_of_long_row: int = 2048
    #: Whether they are also copied where their rows push each other out of the first-level
    #: cache: a tile of few rows is done with a row of the panel before the second-level cache
    #: has sent the next.
    copies_conflicting_panels: bool = False
    cache_bytes: int = 32 * 1024
    #: Lines so far apart share a set of the first-level cache, of which a panel may take
    #: some; steps of a panel whose rows cut across lines, alone and beside lines of a
    #: transposed left operand.
    bytes_between_lines_of_set: int = 4096
    lines_of_set: int = 7
    steps_across_lines: int = 104
    steps_beside_transposed: int = 90

    # Transposed left operands: steps between two visits to the output, each a cache line.
    steps_of_lines: int = 128
    #: They are copied for so many columns, so many bytes at a time: these stay in the
    #: second-level cache.
    columns_to_copy_left: int = 64
    left_bytes: int = 128 * 1024

    # Products that skip zeros: bytes and inner steps of a panel.
    masked_panel_bytes: int = 28 * 1024
    masked_panel_steps: int = 104
    #: Whether one is copied for the only reason that its vectors lie across cache lines.
    copies_panels_across_lines: bool = False
    #: Rows and inner steps without which masks and panels never pay.
    fewest_masked_rows: int = 28
    fewest_masked_steps: int = 32
    #: Columns of the left operand are copied if a set would have more lines of them.
    lines_of_columns: int = 16

    # What products cost, in cycles, by which it is decided whether to skip zeros.
    #: A vector of a step in a tile, of one that a mask has, and of one copied into a panel.
    tile_step: float = 0.55
    masked_step: float = 0.56
    copied_step: float = 1.0
    #: An element of the left operand that a mask has, and a row, in every panel.
    masked_element: float = 0.34
    masked_row: float = 35.0
    #: A step to compare with zero, and to copy out of a column.
    step_to_mask: float = 0.2
    step_to_copy: float = 0.5
    #: An element of the output to transpose.
    transposed: float = 0.16


_AVX2 = Profile(vector_bytes=32, tile_rows=4, copies_conflicting_panels=True)
_AVX_512 = Profile(vector_bytes=64, tile_rows=8, copies_panels_across_lines=True)
#: By kind of processor, as `fastdnn.compiler.target` names it.
PROFILES = {
    # Whole vectors take half as long as halves, and what has no vectors counts twice.
    "AVX-512": _AVX_512._replace(
        masked_step=0.34,
        copied_step=0.5,
        masked_element=2.2,
        masked_row=46.0,
        step_to_mask=0.25,
        step_to_copy=0.6,
        transposed=0.25,
    ),
    "AVX-512 in halves": _AVX_512._replace(splits_vectors=True),
    "AVX2": _AVX2,
    "AVX2 in halves": _AVX2._replace(splits_vectors=True),
    "AArch64": Profile(vector_bytes=16, tile_rows=8),
    "other": _AVX2._replace(vector_bytes=16),
}

#: The kind of processor that this process compiles for; without JIT any will do.
KIND = "AVX2"
if JIT_ENABLED:  # needs jit
    KIND = Target.of(cpu_target.target_context.codegen()).kind
PROFILE = PROFILES[KIND]


def rows_of_tile(n_vectors: int) -> int:
    """Return how many rows a tile has that is so many vectors wide."""
    return PROFILE.rows_of_one_vector if n_vectors == 1 else PROFILE.tile_rows
