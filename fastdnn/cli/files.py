"""Tables in files, CSV or Parquet: read whole, or part by part where they may be large."""

import functools
import io
import itertools
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fastdnn.cli.failures import Failure

#: Endings of names, and what such files are.
KINDS = {".csv": "CSV", ".tsv": "CSV", ".parquet": "Parquet", ".pq": "Parquet"}
# What stands for a missing value in CSV.
_MISSING = ["", "NA", "NaN", "nan", "null", "None"]


class Source(NamedTuple):
    """A file with a table."""

    path: Path
    kind: str
    separator: str = ","
    """What is between the columns of CSV."""


def source_of(name: str, separator: str | None = None) -> Source:
    """Return the file of a name, with another separator than the name says, if there is one.

    Raises
    ------
    Failure
        If there is none, or its name does not say what it is.
    """
    path = Path(name)
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise Failure(
            f"{name}: the name of a table must end in one of {', '.join(KINDS)}. Rename the "
            "file, or convert it."
        )
    if not path.is_file():
        raise Failure(f"{name}: there is no such file.")
    if separator is None:
        separator = "\t" if path.suffix.lower() == ".tsv" else ","
    if len(separator.encode()) != 1:
        raise Failure(f"--separator {separator!r}: this must be one character of ASCII.")
    return Source(path, kind, separator)


def whole_table(source: Source, texts: Collection[str] = ()) -> Any:
    """Return a whole file as a data frame of polars.

    Parameters
    ----------
    source : Source
        The file.
    texts : collection of str
        Columns that are strings, whatever they look like.

    Raises
    ------
    Failure
        If it cannot be read, or is empty.
    """
    if source.kind == "Parquet":
        frame = _read(source, functools.partial(_parquet, source, None, texts))
    else:
        frame = parsed(source, source.path, texts)
    return require_rows(source, frame)


def parsed(source: Source, content: Any, texts: Collection[str] = ()) -> Any:
    """Return CSV of a path or of bytes, in the manner of a source, as a data frame.

    Raises
    ------
    Failure
        If it cannot be read.
    """
    return _read(source, functools.partial(_csv, source, content, texts))


def require_rows(source: Source, frame: Any) -> Any:
    """Return what was read of a file.

    Raises
    ------
    Failure
        If that has no rows.
    """
    if frame is None or frame.height == 0 or frame.width == 0:
        raise Failure(f"{source.path}: the table has no rows.")
    return frame


def parts_of(source: Source, n_rows: int, texts: Collection[str] = ()) -> Iterator[Any]:
    """Give a file in parts of so many rows, each a data frame of polars.

    Raises
    ------
    Failure
        If it cannot be read.
    """
    if source.kind == "Parquet":
        yield from _parts_of_parquet(source, n_rows, texts)
        return
    for part in _parts_of_csv(source, n_rows):
        yield parsed(source, io.BytesIO(part), texts)


def columns_of(source: Source) -> list[str]:
    """Return the names of the columns of a file.

    Raises
    ------
    Failure
        If it cannot be read.
    """
    if source.kind == "Parquet":
        return list(_read(source, lambda pl: pl.read_parquet_schema(source.path)))
    header = next(records_of(source), b"")
    return list(parsed(source, io.BytesIO(header)).columns)


def _parts_of_parquet(source: Source, n_rows: int, texts: Collection[str]) -> Iterator[Any]:
    for start in itertools.count(0, n_rows):
        part = _read(source, functools.partial(_parquet, source, (start, n_rows), texts))
        if part.height > 0:
            yield part
        if part.height < n_rows:
            return


def _parquet(
    source: Source, rows: tuple[int, int] | None, texts: Collection[str], pl: Any
) -> Any:
    """Return all rows of Parquet, or from one on so many."""
    lazy = pl.scan_parquet(source.path)
    frame = (lazy if rows is None else lazy.slice(*rows)).collect()
    there = [name for name in texts if name in frame.columns]
    return frame.with_columns(pl.col(there).cast(pl.String)) if there else frame


def _parts_of_csv(source: Source, n_rows: int) -> Iterator[bytes]:
    records = records_of(source)
    header = next(records, b"")
    part: list[bytes] = []
    for record in records:
        part.append(record)
        if len(part) == n_rows:
            yield b"".join([header, *part])
            part = []
    if part:
        yield b"".join([header, *part])


def records_of(source: Source) -> Iterator[bytes]:
    """Give the records of CSV, the header first: several lines where quotes are open."""
    record: list[bytes] = []
    n_quotes = 0
    with source.path.open("rb") as file:
        for line in file:
            record.append(line)
            n_quotes += line.count(b'"')
            if n_quotes % 2 == 0:
                if record[0].strip():
                    yield b"".join(record)
                record, n_quotes = [], 0
    if record:
        yield b"".join(record)


def _csv(source: Source, file: Any, texts: Collection[str], pl: Any) -> Any:
    return pl.read_csv(
        file,
        separator=source.separator,
        infer_schema_length=None,
        try_parse_dates=True,
        null_values=_MISSING,
        schema_overrides=dict.fromkeys(texts, pl.String),
    )


def _read(source: Source, read: Any) -> Any:
    try:
        import polars as pl
    except ImportError as error:
        raise Failure(
            "Reading tables needs polars, which is not installed. Install it with "
            "pip install 'fastdnn[cli]'."
        ) from error
    try:
        return read(pl)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        advice = ""
        if source.kind == "CSV":
            advice = (
                f" Give --separator if its columns are not separated by {source.separator!r}."
            )
        raise Failure(
            f"{source.path}: this is no readable {source.kind}: {reason}.{advice}"
        ) from error
