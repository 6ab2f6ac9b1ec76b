"""Random rows of a file that may be larger than memory, which is read in parts."""

import io
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fastdnn.cli.files import Source, parsed, parts_of, records_of, require_rows

_ROWS_AT_ONCE = 50_000


class Sample(NamedTuple):
    """Rows that were drawn, as a data frame of polars, and how many there are in the file."""

    frame: Any
    n_rows: int


def sample_of(source: Source, n_rows: int, seed: int, texts: Collection[str] = ()) -> Sample:
    """Draw rows of a file, all with the same probability; return them in their order.

    In memory are those that are drawn and a part of the file.

    Parameters
    ----------
    source : Source
        The file.
    n_rows : int
        How many, at most; of a file with fewer rows all.
    seed : int
        Decides which; of a file these are the same ones each time.
    texts : collection of str
        Columns that are strings, whatever they look like.

    Raises
    ------
    Failure
        If the file cannot be read, or has no rows.
    """
    random_state = np.random.RandomState(seed)
    if source.kind == "Parquet":
        parts: Iterable[Any] = parts_of(source, _ROWS_AT_ONCE, texts)
        frame, n_seen = _drawn(parts, n_rows, random_state, _joined_frames, _rows_of_frame)
        return Sample(require_rows(source, frame), n_seen)
    # Of CSV records are drawn, and columns get the types that all of those agree with.
    records = records_of(source)
    header = next(records, b"")
    parts = _batches(records)
    drawn, n_seen = _drawn(parts, n_rows, random_state, _joined_lists, _items_of_list)
    content = io.BytesIO(b"".join([header, *map(_with_end, drawn or [])]))
    return Sample(require_rows(source, parsed(source, content, texts)), n_seen)


def _drawn(
    parts: Iterable[Any],
    n_rows: int,
    random_state: np.random.RandomState,
    joined: Callable[[Any, Any], Any],
    rows_of: Callable[[Any, np.ndarray], Any],
) -> tuple[Any, int]:
    """Keep the rows with the lowest of numbers that are drawn for all of them."""
    held, keys, n_seen = None, np.zeros(0), 0
    for part in parts:
        n_seen += len(part)
        keys = np.concatenate([keys, random_state.random_sample(len(part))])
        held = part if held is None else joined(held, part)
        if len(keys) > n_rows:
            kept = np.sort(np.argpartition(keys, n_rows - 1)[:n_rows])
            keys, held = keys[kept], rows_of(held, kept)
    return held, n_seen


def _batches(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    return iter(lambda: list(itertools.islice(records, _ROWS_AT_ONCE)), [])


def _with_end(record: bytes) -> bytes:
    """Return a record with the end of its line, which the last one of a file may lack."""
    return record if record.endswith((b"\n", b"\r")) else record + b"\n"


def _joined_frames(first: Any, second: Any) -> Any:
    import polars as pl

    return pl.concat([first, second])


def _rows_of_frame(frame: Any, rows: np.ndarray) -> Any:
    return frame[rows.tolist()]


def _joined_lists(first: list[bytes], second: list[bytes]) -> list[bytes]:
    return first + second


def _items_of_list(items: list[bytes], rows: np.ndarray) -> list[bytes]:
    return [items[row] for row in rows.tolist()]
