"""Rows of arrays that lie in files, read from them; and whether a file is still the same."""

import mmap
import os
from typing import Any

import numpy as np


class StreamError(ValueError):
    """The source of a stream cannot be trained on, or is no longer what it was.

    If training had begun, the estimator has the network of the steps before.
    """


class FileStamp:
    """What a file looked like, to see later whether it was changed.

    Parameters
    ----------
    path : str
        Of a file that is there.
    """

    def __init__(self, path: str) -> None:
        self._path, self._seen = path, _look(path)

    def problem(self) -> str | None:
        """Return what has become of it, or None if it is as it was."""
        try:
            now = _look(self._path)
        except OSError as error:
            return f"{self._path} can no longer be read: {error.strerror}."
        if now[0] != self._seen[0]:
            return f"{self._path} had {self._seen[0]} bytes, and has {now[0]} now."
        if now != self._seen:
            return f"{self._path} was changed during training."
        return None


def _look(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


class FileRows:
    """The rows of an array that lies in a file as it is, one after the other.

    Parameters
    ----------
    path : str
        The file.
    offset : int
        Bytes before the first row.
    array : ndarray
        Has the dtype and the shape.
    """

    def __init__(self, path: str, offset: int, array: np.ndarray) -> None:
        self.path, self._offset = path, offset
        self._dtype, self._of_row = array.dtype, array.shape[1:]
        self._row_bytes = array.dtype.itemsize * int(np.prod(array.shape[1:]))

    @classmethod
    def of(cls, array: Any) -> "FileRows | None":
        """Return the rows of a memory map, or of a part of one; None of other arrays."""
        if not isinstance(array, np.memmap) or array.filename is None or array.size == 0:
            return None
        if array.mode == "c" or not array.flags.c_contiguous or array.dtype.hasobject:
            return None  # what was written to it is in memory alone, or rows lie apart
        # A part of a map has the offset of the whole one. Type stubs leave `_mmap` out.
        map_of_file: Any = array._mmap  # type: ignore[attr-defined]
        if map_of_file is None:
            return None
        first_byte = np.frombuffer(map_of_file, np.uint8).ctypes.data
        granularity = array.offset % mmap.ALLOCATIONGRANULARITY
        offset = array.offset - granularity + array.ctypes.data - first_byte
        return cls(os.fspath(array.filename), offset, array)

    def read(self, first: int, last: int) -> np.ndarray:
        """Return some rows.

        Raises
        ------
        StreamError
            If the file ends before the last of them.
        """
        out = np.empty((last - first, *self._of_row), self._dtype)
        self.read_into(first, out)
        return out

    def read_into(self, first: int, out: np.ndarray) -> None:
        """Read rows into an array of their dtype, C-contiguous.

        Raises
        ------
        StreamError
            If the file ends before the last of them.
        """
        as_bytes: Any = out.reshape(-1).view(np.uint8)
        view = memoryview(as_bytes)
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self._offset + first * self._row_bytes)
            done = 0
            while done < len(view):
                n_read = file.readinto(view[done:])
                if not n_read:
                    raise StreamError(
                        f"{self.path} ends within row {first + done // self._row_bytes}: it "
                        "is shorter than it was."
                    )
                done += n_read

    def part(self, first: int, last: int) -> "RowsToRead":
        """Return some rows without reading them."""
        return RowsToRead(self, first, last)


class RowsToRead:
    """Rows of a matrix in a file, which are read when it is known where to.

    Parameters
    ----------
    rows : FileRows
        All of them.
    first, last : int
        Which ones.
    """

    ndim = 2

    def __init__(self, rows: FileRows, first: int, last: int) -> None:
        self._rows, self._first, self._last = rows, first, last
        self.dtype, self.shape = rows._dtype, (last - first, *rows._of_row)

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, part: slice) -> "RowsToRead":
        first, last, _ = part.indices(len(self))
        return RowsToRead(self._rows, self._first + first, self._first + last)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self._rows.read(self._first, self._last), dtype)

    def read_into(self, out: np.ndarray) -> None:
        """Read them into an array of their dtype, C-contiguous."""
        self._rows.read_into(self._first, out)
