"""What a product works on, as its kernels hand it to each other: addresses and distances.

Distances are in elements.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.core import types

# Numbers, which ``0`` and ``1`` are not: such a constant becomes a part of the type of a
# record that it is put into, and numba compiles all that takes it once more.
#: No address, or no distance.
NOTHING = np.int64(0)
#: The distance of what lies next to each other.
ADJACENT = np.int64(1)

#: What records consist of.
Number = int | np.int64


def types_of(record: type) -> Any:
    """Return numba's type of a record."""
    # A record is a NamedTuple, which Python has no type of.
    fields = record._fields  # type: ignore[attr-defined]
    return types.containers.NamedUniTuple(types.int64, len(fields), record)


class Left(NamedTuple):
    """A left operand: its rows, or its inner steps, lie next to each other."""

    address: Number
    row: Number  # from one row to the next
    step: Number  # from one inner step to the next


class Right(NamedTuple):
    """A right operand, or what sums start from: rows in one piece each."""

    address: Number
    row: Number  # from one row to the next


class Output(NamedTuple):
    """A matrix to write, row after row."""

    address: Number
    bias: Number  # address of what is added to every row, or 0
    claimed: Number  # address of as much memory whose cache lines to claim, or 0


class How(NamedTuple):
    """How products are done."""

    flags: Number  # of fastdnn.products.switches
    stop: Number  # address of a number of `fastdnn.machine.stops`, or 0
    dense: Number  # address of the kernel of `fastdnn.products.matmul`
    nonzeros: Number  # that of `fastdnn.products.nonzeros`; 0 where no operand has zeros


class Shape(NamedTuple):
    """Sizes of a product."""

    n_rows: Number  # of the left operand and the output
    n_columns: Number  # of the right operand and the output
    n_inner: Number  # steps of the inner dimension
