"""Blocks of a stream's rows: read unit after unit, checked, and converted for the engine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fastdnn.data.conversion import (
    NotFiniteError,
    convert_piece,
    require_finite,
    rows_of_piece,
)
from fastdnn.data.file_rows import RowsToRead, StreamError
from fastdnn.data.samples import Samples
from fastdnn.data.sources import Source

#: Rows of numbers, in memory or in a file.
Matrix = np.ndarray | RowsToRead

#: Rows of a stream that stand for all where few are looked at.
HEAD_ROWS = 256


@dataclass
class Block:
    """Memory for some rows.

    Attributes
    ----------
    X, Y : ndarray
        In the computing dtype.
    n_rows : int
        Those that are there.
    """

    X: np.ndarray
    Y: np.ndarray
    n_rows: int = 0

    def samples(self) -> Samples:
        """Return the rows that are there; nothing is copied."""
        return Samples(self.X[: self.n_rows], self.Y[: self.n_rows])


@dataclass
class StreamedSamples(Samples):
    """Rows that are read block by block; `X` and `Y` are the first few of them.

    Attributes
    ----------
    source : Source
        Surveyed.
    encode : callable
        ``encode(y, dtype)`` returns targets as the engine takes them.
    transform : callable or None
        ``transform(X)`` returns what takes the place of rows that were read.
    block_rows : int
        Of each block but the last of an epoch; a multiple of those of a batch where there
        are several blocks.
    n_all : int
        Rows of all units.
    """

    source: Source = field(kw_only=True)
    encode: Callable[[Any, np.dtype], np.ndarray] = field(kw_only=True)
    transform: Callable[[Any], Any] | None = None
    block_rows: int = 0
    n_all: int = 0

    @property
    def n_rows(self) -> int:
        """Number of all rows."""
        return self.n_all

    @property
    def rows_of_order(self) -> int:
        """Rows that are put in order at a time."""
        return self.block_rows

    @property
    def n_blocks(self) -> int:
        """Blocks of an epoch."""
        return -(-self.n_all // self.block_rows)

    @property
    def head(self) -> Samples:
        """The first few rows."""
        return Samples(self.X, self.Y, largest_target=self.largest_target)

    def astype(self, dtype: np.typing.DTypeLike) -> "StreamedSamples":
        """Return the same stream, whose blocks have another precision."""
        return replace(self, X=self.X.astype(dtype), Y=self.Y.astype(dtype))

    def new_block(self) -> Block:
        """Return memory for the rows of a block."""
        X, Y = (np.empty((self.block_rows, a.shape[1]), a.dtype) for a in (self.X, self.Y))
        return Block(X, Y)


class Epoch:
    """The rows of one epoch, of which one block is filled after the other.

    Parameters
    ----------
    samples : StreamedSamples
        The stream.
    units : sequence of int
        The order in which its units are read.
    number : int
        Of the epoch, for messages.
    is_known : bool, default=False
        Whether an epoch before has found all numbers finite. Those of a file that nobody has
        written to since are not looked at again.
    """

    def __init__(
        self,
        samples: StreamedSamples,
        units: Sequence[int],
        number: int,
        is_known: bool = False,
    ) -> None:
        self._samples, self._number, self._n_blocks = samples, number, 0
        self._is_known = is_known
        self._rest: tuple[Matrix, np.ndarray, str] | None = None
        self._pieces = self._read(units)

    def fill(self, block: Block, is_wanted: Callable[[], bool], is_last: bool) -> None:
        """Read the rows of the next block.

        Parameters
        ----------
        block : Block
            Gets them.
        is_wanted : callable
            Says whether somebody still waits for them.
        is_last : bool
            Whether no rows are to follow.

        Raises
        ------
        StreamError
            Saying which block of which epoch was to be read.
        """
        block.n_rows = 0
        try:
            while block.n_rows < self._samples.block_rows and is_wanted():
                piece = self._rest or next(self._pieces, None)
                self._rest = None
                if piece is None:
                    break
                self._take(block, *piece)
            if is_last and is_wanted():
                # There is none; or else what is wrong comes up.
                next(self._pieces, None)
        except StreamError as error:
            raise self._named(str(error)) from error
        except Exception as error:
            raise self._named(f"{type(error).__name__}: {error}") from error
        self._n_blocks += 1

    def _named(self, what: str) -> StreamError:
        return StreamError(
            f"Block {self._n_blocks + 1} of epoch {self._number} could not be read. {what}"
        )

    def _take(self, block: Block, X: Matrix, Y: np.ndarray, where: str) -> None:
        first = block.n_rows
        n = min(len(X), self._samples.block_rows - first)
        convert_rows(X[:n], block.X[first : first + n], where, self._is_known)
        block.Y[first : first + n] = Y[:n]
        block.n_rows += n
        if n < len(X):
            self._rest = X[n:], Y[n:], where

    def _read(self, units: Sequence[int]) -> Iterator[tuple[Matrix, np.ndarray, str]]:
        samples, source = self._samples, self._samples.source
        for unit in units:
            source.require_unchanged(unit)
            wanted, n_rows, where = source.rows_of_units[unit], 0, source.name_of(unit)
            for X, y in source.read(unit):
                yield rows_as_numbers(samples, X, y, where)
                n_rows += len(y)
                if n_rows > wanted:
                    break
            source.require_unchanged(unit)
            if n_rows != wanted:
                found = f"{n_rows} rows" if n_rows < wanted else "more rows"
                raise StreamError(
                    f"{where} has {found}, but had {wanted} when the stream was first read. "
                    "Give what has the same rows every time."
                )


def rows_as_numbers(
    samples: StreamedSamples, X: Any, y: Any, where: str
) -> tuple[Matrix, np.ndarray, str]:
    """Return rows as a matrix of numbers, not converted yet, and their targets, encoded.

    Parameters
    ----------
    samples : StreamedSamples
        Has the transformation, the encoding, and the number of columns.
    X, y : array-like
        As they were read.
    where : str
        They come from.
    """
    matrix = matrix_of(X, where, samples.transform)
    n_features = samples.X.shape[1]
    if matrix.shape[1] != n_features:
        raise StreamError(
            f"{where}: X has {matrix.shape[1]} columns, but the first rows have {n_features}. "
            "Give all the same."
        )
    try:
        Y = samples.encode(y, samples.X.dtype)
    except StreamError:
        raise
    except ValueError as error:
        raise StreamError(f"{where}: {error}") from error
    if Y.shape[0] != len(matrix):
        raise StreamError(
            f"{where}: X has {len(matrix)} rows, but y has {len(Y)}. Give one target a row."
        )
    return matrix, Y, where


def matrix_of(X: Any, where: str, transform: Callable[[Any], Any] | None) -> Matrix:
    """Return rows as a matrix of numbers; those of a file are read for a transformation only.

    Raises
    ------
    StreamError
        If they are something else.
    """
    matrix = X
    if transform is not None:
        matrix = transform(np.asarray(X) if isinstance(X, RowsToRead) else X)
    if hasattr(matrix, "toarray"):
        raise StreamError(
            f"{where}: X is sparse, which a Stream is not. Give X.toarray(), for instance by "
            "transform=lambda X: X.toarray()."
        )
    if not isinstance(matrix, RowsToRead):
        matrix = np.asarray(matrix)
    if matrix.ndim != 2:
        raise StreamError(
            f"{where}: X has {matrix.ndim} dimensions, but must have 2: samples and features. "
            "Reshape it."
        )
    if matrix.dtype.kind not in "biuf":
        raise StreamError(
            f"{where}: X is of dtype {matrix.dtype}, but must hold numbers. Convert it."
        )
    return matrix


def convert_rows(X: Matrix, out: np.ndarray, where: str, is_known: bool = False) -> None:
    """Write rows in the dtype of `out` there.

    Those of a file that have it are read into it; if they are known to be finite, that is all.

    Raises
    ------
    StreamError
        If some are not finite in that.
    """
    if isinstance(X, RowsToRead) and X.dtype == out.dtype:
        X.read_into(out)
        if is_known:
            return
        X = out
    X = np.asarray(X)
    at_once = rows_of_piece(X)
    for first in range(0, len(X), at_once):
        rows = slice(first, first + at_once)
        try:
            if X is out:
                require_finite(out[rows])
            else:
                convert_piece(X[rows], out[rows])
        except NotFiniteError:
            i, j = np.argwhere(~np.isfinite(out[rows]))[0]
            raise StreamError(
                f"{where}: X has {X[first + i, j]} in column {j}, but must hold finite "
                f"numbers of {out.dtype}. Impute it, or leave such rows out."
            ) from None
