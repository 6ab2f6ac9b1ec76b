"""Columns of Parquet and Arrow files as the rows of a stream; pyarrow is needed for them."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastdnn.data.file_rows import FileStamp, StreamError
from fastdnn.data.sources import Look, Source

_IPC_ENDINGS = (".arrow", ".feather", ".ipc")
# Bytes that are decoded at a time; and of a row group that is read as a whole first, which is
# twice as fast as column by column.
_DECODED_BYTES, _GROUP_BYTES = 2**21, 2**26
# The first version that makes rows of columns in the order of rows.
_MAKES_ROWS = 17
# Rows whose columns become rows while they are in cache.
_ROWS_IN_CACHE = 1024


def import_pyarrow() -> Any:
    """Return the package, or say how to get it."""
    try:
        import pyarrow
        import pyarrow.dataset
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "A Stream of Parquet or Arrow files needs pyarrow. Install it: pip install "
            "'fastdnn[arrow]'."
        ) from error
    return pyarrow


def is_dataset(source: Any) -> bool:
    """Whether it is a dataset of pyarrow; pyarrow is not imported for others."""
    return any(
        kind.__module__ == "pyarrow._dataset" and kind.__name__ == "Dataset"
        for kind in type(source).__mro__
    )


class ArrowSource(Source):
    """Row groups of Parquet files, or record batches of Arrow files.

    Parameters
    ----------
    source : str, path, sequence of them, or pyarrow.dataset.Dataset
        The files; a folder stands for all Parquet files in it.
    target : str or sequence of str
        The column, or columns, of the targets.
    columns : sequence of str, optional
        Those of the features; all others than the target if None.
    """

    def __init__(
        self, source: Any, target: str | Sequence[str], columns: Sequence[str] | None
    ) -> None:
        self._arrow = import_pyarrow()
        self._files = [_File(self._arrow, *place) for place in _places(self._arrow, source)]
        if not self._files:
            raise StreamError(f"{source!r} has no files. Give some.")
        self._target = [target] if isinstance(target, str) else list(target)
        self._is_one = isinstance(target, str)
        first = self._files[0]
        if columns is None:
            columns = [name for name in first.schema.names if name not in self._target]
        self.names = list(columns)
        for file in self._files:
            self._require_columns(file)
        self._units = [(file, i) for file in self._files for i in range(file.n_units)]

    def _require_columns(self, file: "_File") -> None:
        names = set(file.schema.names)
        for name in (*(self.names or ()), *self._target):
            if name not in names:
                raise StreamError(
                    f"{file.path} has no column {name!r}. It has {file.schema.names}."
                )
        types = self._arrow.types
        kinds = types.is_integer, types.is_floating, types.is_boolean
        for name in self.names or ():
            kind = file.schema.field(name).type
            if not any(is_kind(kind) for is_kind in kinds):
                raise StreamError(
                    f"Column {name!r} of {file.path} is {kind}, but must hold numbers. "
                    "Convert it, or leave it out of columns."
                )
        targets = [self._files[0].schema.field(name).type for name in self._target]
        for name, kind in zip(self._target, targets, strict=True):
            found = file.schema.field(name).type
            if found != kind:
                raise StreamError(
                    f"Column {name!r} of {file.path} is {found}, but that of "
                    f"{self._files[0].path} is {kind}. Write both alike."
                )

    def survey(self, look: Look) -> None:
        """Read the targets alone."""
        counts = []
        for unit, (file, number) in enumerate(self._units):
            self.require_unchanged(unit)
            where, n_rows = self.name_of(unit), 0
            for batch in self._batches(unit, file, number, self._target):
                n_rows += batch.num_rows
                look(None, self._targets(batch, where), where)
            counts.append(n_rows)
        self._units = [one for one, n in zip(self._units, counts, strict=True) if n > 0]
        self.rows_of_units = [n for n in counts if n > 0]

    def read(self, unit: int) -> Iterator[tuple[Any, Any]]:
        """Yield some rows at a time."""
        file, number = self._units[unit]
        names = list(dict.fromkeys([*(self.names or ()), *self._target]))
        for batch in self._batches(unit, file, number, names):
            yield self._matrix(batch), self._targets(batch, self.name_of(unit))

    def _batches(self, unit: int, file: "_File", number: int, names: list[str]) -> Any:
        try:
            yield from file.batches(number, names)
        except StreamError:
            raise
        except (OSError, self._arrow.ArrowException) as error:
            raise StreamError(f"{self.name_of(unit)} cannot be read: {error}") from error

    def _matrix(self, batch: Any) -> np.ndarray:
        arrays = [batch.column(name) for name in self.names or ()]
        if self._may_make_rows(arrays):
            return batch.select(self.names).to_tensor(row_major=True).to_numpy()
        columns = [_numbers(array) for array in arrays]
        dtype = np.result_type(*columns) if columns else np.dtype(np.float64)
        matrix = np.empty((batch.num_rows, len(columns)), dtype)
        for first in range(0, batch.num_rows, _ROWS_IN_CACHE):
            rows = slice(first, first + _ROWS_IN_CACHE)
            for j, column in enumerate(columns):
                matrix[rows, j] = column[rows]
        return matrix

    def _may_make_rows(self, arrays: list[Any]) -> bool:
        """Whether pyarrow itself can make rows of columns: of one type, nothing missing."""
        if not arrays or int(self._arrow.__version__.split(".")[0]) < _MAKES_ROWS:
            return False
        kinds = {array.type for array in arrays}
        is_float = arrays[0].type in (self._arrow.float32(), self._arrow.float64())
        return is_float and len(kinds) == 1 and not any(array.null_count for array in arrays)

    def _targets(self, batch: Any, where: str) -> np.ndarray:
        columns = []
        for name in self._target:
            column = batch.column(name)
            if column.null_count > 0:
                raise StreamError(
                    f"{where}: the target {name!r} is missing in {column.null_count} rows. "
                    "Leave them out."
                )
            columns.append(column.to_numpy(zero_copy_only=False))
        return columns[0] if self._is_one else np.column_stack(columns)

    def name_of(self, unit: int) -> str:
        """Return which part of which file it is."""
        file, number = self._units[unit]
        return f"{file.unit_name} {number} of {file.path}"

    def require_unchanged(self, unit: int) -> None:
        """Look at the file."""
        problem = self._units[unit][0].problem()
        if problem is not None:
            raise StreamError(f"{problem} Train again when nobody writes to it.")


def _numbers(column: Any) -> np.ndarray:
    """Return a column as numbers; what is missing is NaN."""
    numbers = column.to_numpy(zero_copy_only=False)
    return numbers.astype(np.float64) if numbers.dtype == object else numbers


def _places(arrow: Any, source: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield the path, the file system and whether it is Parquet, of each file."""
    if is_dataset(source):
        if getattr(source, "_scan_options", None):
            raise StreamError(
                "A filtered dataset cannot be a Stream. Write its rows to files."
            )
        for fragment in source.get_fragments():
            kind = getattr(getattr(fragment, "format", None), "default_extname", None)
            if kind not in ("parquet", "ipc", "arrow", "feather"):
                raise StreamError(
                    f"A dataset of {kind or type(fragment).__name__} cannot be a Stream. "
                    "Write it to Parquet or Arrow files."
                )
            yield fragment.path, fragment.filesystem, kind == "parquet"
        return
    is_one = isinstance(source, str | os.PathLike)
    for path in [source] if is_one else source:
        path = os.fspath(path)
        if os.path.isdir(path):
            yield from _places(arrow, arrow.dataset.dataset(path, format="parquet"))
        elif not os.path.exists(path):
            raise StreamError(f"There is no file {path}.")
        else:
            yield path, None, not path.lower().endswith(_IPC_ENDINGS)


class _File:
    """A Parquet file or an Arrow file, opened anew whenever a unit of it is read."""

    def __init__(self, arrow: Any, path: str, filesystem: Any, is_parquet: bool) -> None:
        self._arrow, self.path, self._is_parquet = arrow, path, is_parquet
        is_local = filesystem is None or filesystem.type_name == "local"
        self._filesystem = arrow.fs.LocalFileSystem() if filesystem is None else filesystem
        self._stamp = FileStamp(path) if is_local else None
        self._metadata: Any = None
        try:
            with self._open() as file:
                if is_parquet:
                    reader = arrow.parquet.ParquetFile(file)
                    self._metadata, self.schema = reader.metadata, reader.schema_arrow
                    self.n_units = self._metadata.num_row_groups
                else:
                    reader = arrow.ipc.open_file(file)
                    self.schema, self.n_units = reader.schema, reader.num_record_batches
        except (OSError, arrow.ArrowException) as error:
            kind = "Parquet" if is_parquet else "Arrow"
            raise StreamError(f"{path} cannot be read as a {kind} file: {error}") from error
        self.unit_name = "row group" if is_parquet else "record batch"
        names = self.schema.names
        if len(set(names)) < len(names):
            raise StreamError(f"{path} has columns of the same name: {names}. Rename them.")

    def problem(self) -> str | None:
        return None if self._stamp is None else self._stamp.problem()

    def batches(self, unit: int, names: list[str]) -> Iterator[Any]:
        """Yield some rows of a unit at a time, of some columns."""
        n_rows = max(1, _DECODED_BYTES // (4 * max(1, len(names))))
        with self._open() as file:
            if self._is_parquet:
                is_small = self._metadata.row_group(unit).total_byte_size <= _GROUP_BYTES
                reader = self._arrow.parquet.ParquetFile(
                    file,
                    metadata=self._metadata,
                    buffer_size=0 if is_small else 2**20,
                    pre_buffer=is_small,
                )
                yield from reader.iter_batches(
                    n_rows, row_groups=[unit], columns=names, use_threads=False
                )
                return
            places = [self.schema.names.index(name) for name in names]
            options = self._arrow.ipc.IpcReadOptions(
                included_fields=sorted(places), use_threads=False
            )
            batch = self._arrow.ipc.open_file(file, options=options).get_batch(unit)
            for first in range(0, batch.num_rows, n_rows):
                yield batch.slice(first, n_rows)

    def _open(self) -> Any:
        return self._filesystem.open_input_file(self.path)
