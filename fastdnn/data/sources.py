"""Where the rows of a stream come from: arrays that may lie in files, and chunks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastdnn.data.file_rows import FileRows, FileStamp, StreamError

# Bytes that are read at a time, and of a unit of an array: in one place of its file.
PIECE_BYTES, _UNIT_BYTES = 2**20, 2**22

#: ``look(X, y, where)`` is shown rows before training; X is None where it was not read.
Look = Callable[[Any, Any, str], None]


class Source(ABC):
    """Rows in units, each of which is read from its beginning to its end.

    Attributes
    ----------
    rows_of_units : list of int
        How many each has, as `survey` found it.
    names : list of str or None
        Of the columns, where they have some.
    """

    rows_of_units: list[int]
    names: list[str] | None = None

    @abstractmethod
    def survey(self, look: Look) -> None:
        """Count the rows of all units, and show all targets."""

    @abstractmethod
    def read(self, unit: int) -> Iterator[tuple[Any, Any]]:
        """Yield the rows of a unit, some at a time, each valid until the next."""

    @abstractmethod
    def name_of(self, unit: int) -> str:
        """Return what a message calls a unit."""

    @abstractmethod
    def require_unchanged(self, unit: int) -> None:
        """Raise StreamError where a file is another one than at the survey."""


class ArraySource(Source):
    """Rows of two arrays, such as memory maps.

    Those that lie in a file as they are get read from it: a file that has become shorter is
    an error then, not the end of the process, and the map takes no memory.

    Parameters
    ----------
    X, y : array
        With a shape and a dtype, whose rows can be sliced.
    """

    def __init__(self, X: Any, y: Any) -> None:
        if len(X.shape) != 2:
            raise StreamError(
                f"X has {len(X.shape)} dimensions, but must have 2: samples and features. "
                "Reshape it."
            )
        if X.shape[0] != y.shape[0]:
            raise StreamError(
                f"X has {X.shape[0]} rows, but y has {y.shape[0]}. Give one target a row."
            )
        self._X, self._y, self._n_rows = X, y, int(X.shape[0])
        row_bytes = max(1, int(X.shape[1]) * np.dtype(X.dtype).itemsize)
        self._unit_rows = max(1, _UNIT_BYTES // row_bytes)
        self._rows = [FileRows.of(a) for a in (X, y)]
        # What is read where it is wanted needs no memory of its own.
        is_read = self._rows[0] is not None
        self._piece_rows = self._unit_rows if is_read else max(1, PIECE_BYTES // row_bytes)
        self._stamps = [FileStamp(rows.path) for rows in self._rows if rows is not None]

    def survey(self, look: Look) -> None:
        """Look at y; X has its size."""
        starts = range(0, self._n_rows, self._unit_rows)
        self.rows_of_units = [min(self._unit_rows, self._n_rows - first) for first in starts]
        for unit in range(len(starts)):
            self.require_unchanged(unit)
            first = unit * self._unit_rows
            last = first + self.rows_of_units[unit]
            look(None, self._targets(first, last), self.name_of(unit))

    def read(self, unit: int) -> Iterator[tuple[Any, Any]]:
        """Yield some rows at a time; those of X in a file as `RowsToRead`."""
        first, of_X = unit * self._unit_rows, self._rows[0]
        end = first + self.rows_of_units[unit]
        for start in range(first, end, self._piece_rows):
            stop = min(start + self._piece_rows, end)
            X = self._X[start:stop] if of_X is None else of_X.part(start, stop)
            yield X, self._targets(start, stop)

    def name_of(self, unit: int) -> str:
        """Return which rows they are, and of which file."""
        first = unit * self._unit_rows
        rows, of_X = f"rows {first} to {first + self.rows_of_units[unit] - 1}", self._rows[0]
        return rows if of_X is None else f"{rows} of {of_X.path}"

    def require_unchanged(self, unit: int) -> None:
        """Look at the files."""
        for stamp in self._stamps:
            _require(stamp)

    def _targets(self, first: int, last: int) -> Any:
        rows = self._rows[1]
        return self._y[first:last] if rows is None else rows.read(first, last)


class ChunkSource(Source):
    """Chunks of rows that can be read in any order.

    Parameters
    ----------
    chunks : sequence
        Of pairs X, y, or of callables that return them.
    """

    def __init__(self, chunks: Sequence[Any]) -> None:
        self._chunks = chunks
        self.rows_of_units = [0] * len(chunks)

    def survey(self, look: Look) -> None:
        """Read all chunks."""
        for unit in range(len(self._chunks)):
            where = self.name_of(unit)
            X, y = next(self.read(unit))
            self.rows_of_units[unit] = rows_of_chunk(X, y, where)
            look(X, y, where)

    def read(self, unit: int) -> Iterator[tuple[Any, Any]]:
        """Yield the chunk as a whole."""
        chunk = self._chunks[unit]
        yield pair_of(chunk() if callable(chunk) else chunk, self.name_of(unit))

    def name_of(self, unit: int) -> str:
        """Return which chunk it is."""
        return f"chunk {unit}"

    def require_unchanged(self, unit: int) -> None:
        """Let it pass: only its rows tell."""


class IterableSource(Source):
    """Chunks of rows that come one after the other: a single unit.

    Parameters
    ----------
    make : callable
        ``make()`` returns an iterable of pairs X, y; once an epoch.
    """

    def __init__(self, make: Callable[[], Iterable[Any]]) -> None:
        self._make = make

    def survey(self, look: Look) -> None:
        """Read all chunks."""
        n_rows = 0
        for number, (X, y) in enumerate(self.read(0)):
            where = f"chunk {number}"
            n_rows += rows_of_chunk(X, y, where)
            look(X, y, where)
        self.rows_of_units = [n_rows]

    def read(self, unit: int) -> Iterator[tuple[Any, Any]]:
        """Yield one chunk after the other."""
        chunks = self._make()
        if not isinstance(chunks, Iterable):
            raise StreamError(
                f"The callable returned {type(chunks).__name__}, but must return an iterable "
                "of pairs (X, y). Give a generator function, for instance."
            )
        for number, chunk in enumerate(chunks):
            yield pair_of(chunk, f"chunk {number}")

    def name_of(self, unit: int) -> str:
        """Return what it is called."""
        return "the iterable"

    def require_unchanged(self, unit: int) -> None:
        """Let it pass: only its rows tell."""


def pair_of(chunk: Any, where: str) -> tuple[Any, Any]:
    """Return X and y of a chunk."""
    if not isinstance(chunk, tuple | list) or len(chunk) != 2:
        shown = type(chunk).__name__
        if isinstance(chunk, tuple | list):
            shown = f"a {shown} of {len(chunk)}"
        raise StreamError(f"{where} is {shown}, but must be a pair (X, y). Make it one.")
    return chunk[0], chunk[1]


def rows_of_chunk(X: Any, y: Any, where: str) -> int:
    """Return how many rows a chunk has; there must be some, each with a target."""
    counts = []
    for name, array in (("X", X), ("y", y)):
        shape = getattr(array, "shape", None)
        try:
            counts.append(len(array) if shape is None else int(shape[0]))
        except (TypeError, IndexError):
            raise StreamError(f"{where}: {name} has no rows. Give arrays.") from None
    if counts[0] != counts[1]:
        raise StreamError(
            f"{where}: X has {counts[0]} rows, but y has {counts[1]}. Give one target a row."
        )
    if counts[0] == 0:
        raise StreamError(f"{where} is empty. Leave it out.")
    return counts[0]


def _require(stamp: FileStamp) -> None:
    problem = stamp.problem()
    if problem is not None:
        raise StreamError(f"{problem} Train again when nobody writes to it.")
