"""Rows of arrays that lie in files, read from them; and whether a file is still the same."""

import mmap
import os
from typing import Any

import numpy as np


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

    def memory_for(self, n_rows: int) -> bytearray:
        """Return memory that so many rows can be read into."""
        return bytearray(n_rows * self._row_bytes)

    def read(self, first: int, last: int, memory: bytearray) -> np.ndarray:
        """Return some rows, which lie in `memory`.

        Raises
        ------
        EOFError
            If the file ends before the last of them.
        """
        n_bytes = (last - first) * self._row_bytes
        view = memoryview(memory)[:n_bytes]
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self._offset + first * self._row_bytes)
            done = 0
            while done < n_bytes:
                n_read = file.readinto(view[done:])
                if not n_read:
                    raise EOFError(
                        f"{self.path} ends within row {first + done // self._row_bytes}: it "
                        "is shorter than it was."
                    )
                done += n_read
        return np.frombuffer(view, self._dtype).reshape(last - first, *self._of_row)
