"""Files of tensors in the safetensors format: sizes checked on reading, written atomically.

A file is the length of a header in eight bytes, the header in JSON, and the numbers. The
format's own library trusts what a header says further than a file from anywhere deserves, and
orders what it writes by chance; it reads and writes these files too, as the tests do.
"""

import contextlib
import errno
import hashlib
import math
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np

from fastdnn.storage import checked_json

# A header of a network of a thousand layers has a fifth of it. It is all that is parsed, and
# what Python makes of a text takes up to twenty times as much memory.
_MOST_HEADER_BYTES = 2**20
_DIGEST = "sha256"
_BLANK_DIGEST = "0" * 64
_METADATA = "__metadata__"

#: The format's names of NumPy's types.
DTYPES = {"BOOL": np.dtype(np.bool_)} | {
    f"{kind.upper()}{8 * size}": np.dtype(f"{kind}{size}")
    for kind, sizes in (("u", (1, 2, 4, 8)), ("i", (1, 2, 4, 8)), ("f", (2, 4, 8)))
    for size in sizes
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}

_SIZE = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_HEADER_SCHEMA = {
    "type": "object",
    "required": [_METADATA],
    "properties": {
        _METADATA: {
            "type": "object",
            "required": [_DIGEST],
            "properties": {_DIGEST: {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
            "additionalProperties": {"type": "string"},
        },
    },
    "additionalProperties": {
        "type": "object",
        "required": ["dtype", "shape", "data_offsets"],
        "properties": {
            "dtype": {"type": "string", "enum": list(DTYPES)},
            "shape": {"type": "array", "items": _SIZE, "maxItems": 2},
            "data_offsets": {"type": "array", "items": _SIZE, "minItems": 2, "maxItems": 2},
        },
        "additionalProperties": False,
    },
}


def write(path: str, metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> None:
    """Write a file, as a whole or not at all; the same arguments give the same bytes.

    Parameters
    ----------
    path : str
        A file of that name is replaced.
    metadata : dict of str
        Texts; that of a digest is added.
    tensors : dict of ndarray
        Of the types in `DTYPES`.

    Raises
    ------
    OSError
        If it cannot be written.
    ValueError
        If the header becomes too long, or there is something else of that name.
    """
    # The largest types first: each then lies at a multiple of its size.
    ordered = dict(sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize))
    header: dict[str, Any] = {_METADATA: metadata | {_DIGEST: _BLANK_DIGEST}}
    end = 0
    for name, tensor in ordered.items():
        start, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = checked_json.dump(header)
    text += b" " * (-len(text) % 8)
    if len(text) > _MOST_HEADER_BYTES:
        raise ValueError(
            f"the network has too many layers: its header takes {len(text)} bytes, but at "
            f"most {_MOST_HEADER_BYTES} are read again"
        )
    length = len(text).to_bytes(8, "little")
    digest = hashlib.sha256(length + text)
    for tensor in ordered.values():
        digest.update(_bytes_of(tensor))
    entry = f'"{_DIGEST}":"%s"'  # within a text, its quotes would be escaped
    text = text.replace(
        (entry % _BLANK_DIGEST).encode(), (entry % digest.hexdigest()).encode(), 1
    )
    with _replacing(path) as file:
        file.write(length + text)
        for tensor in ordered.values():
            file.write(_bytes_of(tensor))


def _bytes_of(tensor: np.ndarray) -> memoryview:
    little_endian = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
    return little_endian.reshape(-1).view(np.uint8).data


def require_place(path: str) -> None:
    """Raise OSError or ValueError where a file could not be written for want of its folder."""
    folder = os.path.dirname(_target_of(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {folder!r}", path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def _target_of(path: str) -> str:
    """Return what a link points to, not the link."""
    target = os.path.realpath(path)
    if os.path.lexists(target) and not os.path.isfile(target):
        raise ValueError("there is something of that name that is not a regular file")
    return target


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[Any]:
    """Open a file for writing that takes the place of `path` when all is on the disk."""
    target = _target_of(path)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if hasattr(os, "O_DIRECTORY"):
        with contextlib.suppress(OSError):  # not every file system can, nor may every user
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)  # the new name, too, survives a loss of power
            finally:
                os.close(descriptor)


class TensorFile:
    """A file of tensors that is open for reading; a context manager.

    Parameters
    ----------
    path : str
        The file.

    Attributes
    ----------
    metadata : dict of str
        The texts that it was written with.
    entries : dict of (dtype, tuple)
        Type and shape of each tensor. All lie one after the other, without gaps, and fill
        the file to its end.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is not a regular file, or not in the format.
    """

    def __init__(self, path: str) -> None:
        # Without O_NONBLOCK, a pipe would wait for a writer.
        flags = os.O_RDONLY
        for name in ("O_BINARY", "O_NONBLOCK", "O_NOCTTY"):
            flags |= getattr(os, name, 0)
        self._file = os.fdopen(os.open(path, flags), "rb")
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "TensorFile":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _read_header(self) -> None:
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        start = self._file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= min(status.st_size - 8, _MOST_HEADER_BYTES):
            raise ValueError("it does not begin with the length of a header")
        raw = self._file.read(length)
        try:
            header = checked_json.parse(raw.decode("utf-8"))
        except ValueError as problem:
            raise ValueError(f"its header is not valid: {problem}") from None
        checked_json.check(header, _HEADER_SCHEMA, "header")
        self.metadata: dict[str, str] = header.pop(_METADATA)
        # In the order in which they lie. There are no gaps, so nothing can hide in one.
        ranges = sorted((*entry["data_offsets"], name) for name, entry in header.items())
        self.entries: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}
        last = 0
        for begin, end, name in ranges:
            entry = header[name]
            dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
            n_bytes = math.prod(shape) * dtype.itemsize
            if begin != last or end - begin != n_bytes:
                raise ValueError(
                    f"the tensor {checked_json.shown(name)} does not lie where it should"
                )
            last = end
            self.entries[name] = dtype, shape
        if 8 + length + last != status.st_size:
            raise ValueError(
                f"its header describes {8 + length + last} bytes, but it has {status.st_size}"
            )
        digest = self.metadata[_DIGEST].encode()
        if raw.count(digest) != 1:
            raise ValueError("its digest is not written once and in plain letters")
        self._digest = hashlib.sha256(start + raw.replace(digest, _BLANK_DIGEST.encode()))

    def read_into(self, arrays: dict[str, np.ndarray]) -> None:
        """Fill an array for each tensor: contiguous, and of its type and shape.

        Raises
        ------
        ValueError
            If the file ends early or its digest is another.
        """
        for name in self.entries:
            raw = arrays[name].reshape(-1).view(np.uint8).data
            if self._file.readinto(raw) != len(raw):
                raise ValueError("it ends early")
            self._digest.update(raw)
            if sys.byteorder == "big":
                arrays[name].byteswap(inplace=True)
        if self._digest.hexdigest() != self.metadata[_DIGEST]:
            raise ValueError("its content does not agree with its digest")
