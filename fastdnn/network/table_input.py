"""`TableInput`: what the columns of a compact table stand for as inputs of a network."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastdnn.ops.table_entries import (
    CLIPPED,
    COLUMN,
    FIRST_EDGE,
    KIND,
    LEVEL,
    MISSING,
    N_COLUMNS,
    PLAIN,
    SIZE,
    STAIRS,
    START,
)

_LARGEST_INPUT = 2**24  # float32 counts them


class Entry(NamedTuple):
    """What some inputs are made from.

    Parameters
    ----------
    column : int
        Of the compact table. Of a category it holds the positions of levels, otherwise
        numbers, NaN for those that are missing.
    kind : int
        One of `fastdnn.ops.table_entries`.
    size : int
        How many inputs it stands for.
    edges : tuple of float
        Of the bins of a staircase, ascending, one more than it has inputs; else empty.
    """

    column: int
    kind: int
    size: int = 1
    edges: tuple[float, ...] = ()


class TableInput:
    """A compact table as the input of a network.

    Parameters
    ----------
    n_columns : int
        Of the compact table.
    entries : sequence of Entry
        What the inputs are made from, in the order of the inputs.

    Attributes
    ----------
    n_inputs : int
        Inputs that they stand for.
    entries : ndarray of int64 of shape (n_entries, 5)
        As the engine reads them.
    edges : ndarray of float32
        Of all staircases, one after the other.

    Raises
    ------
    ValueError
        If an entry does not fit the others.
    """

    def __init__(self, n_columns: int, entries: Sequence[Entry]) -> None:
        self.n_columns, self.n_inputs = n_columns, sum(entry.size for entry in entries)
        edges: list[float] = []
        rows, start = [], 0
        for entry in entries:
            rows.append((entry.column, entry.kind, start, entry.size, len(edges)))
            edges += entry.edges
            start += entry.size
        self.entries = np.array(rows, dtype=np.int64).reshape(-1, N_COLUMNS)
        self.edges = np.array(edges, dtype=np.float32)
        self.require_valid(self.n_columns, self.n_inputs, self.entries, self.edges)

    @property
    def scratch_size(self) -> int:
        """Numbers of scratch that a row needs, or the gradient of one row's entries."""
        return 4 * len(self.entries) + self.n_inputs + 1

    @property
    def starts(self) -> list[int]:
        """Inputs before which weights may be divided: no staircase is."""
        starts: list[int] = []
        for _, kind, start, size, _ in self.entries.tolist():
            starts += [start] if kind == STAIRS else range(start, start + size)
        return starts

    @staticmethod
    def require_valid(
        n_columns: int, n_inputs: int, entries: np.ndarray, edges: np.ndarray
    ) -> None:
        """Raise ValueError unless entries name memory that there is."""
        start = 0
        for row in entries.tolist():
            kind, size, first_edge = row[KIND], row[SIZE], row[FIRST_EDGE]
            fits = 0 <= row[COLUMN] < n_columns and row[START] == start and size >= 1
            if kind == STAIRS:
                own = edges[max(0, first_edge) : first_edge + size + 1]
                fits &= first_edge >= 0 and own.size == size + 1
                fits &= bool(np.isfinite(own).all() and (np.diff(own) > 0).all())
            elif kind != LEVEL:
                fits &= kind in (PLAIN, CLIPPED, MISSING) and size == 1
            if not fits:
                raise ValueError(
                    f"An entry of a table, {row}, does not fit {n_columns} columns, "
                    f"{edges.size} ascending edges, and the inputs up to {start}."
                )
            start += size
        if start != n_inputs or not 0 < start < _LARGEST_INPUT:
            raise ValueError(
                f"The entries of a table stand for {start} inputs, but the network has "
                f"{n_inputs}; needed are as many, and fewer than {_LARGEST_INPUT}."
            )
