"""`Stream`: samples that are read from where they lie while a network trains on them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from fastdnn.data.arrow_files import ArrowSource, is_dataset
from fastdnn.data.file_rows import StreamError
from fastdnn.data.sources import ArraySource, ChunkSource, IterableSource, Source

# Bytes of a block, of which two are in memory.
_BLOCK_BYTES = 2**27


class Stream:
    """Samples and targets that need not be in memory: ``fit`` reads them block by block.

    It is given in the place of X and y: ``DNNClassifier().fit(Stream("train.parquet",
    target="label"))``. While the network trains on one block, a thread reads the next. Each
    epoch reads the units of the source (chunks, row groups of Parquet files, record batches of
    Arrow files, runs of rows of an array) in a new order, and visits the rows of a block in a
    new order. So the two of an estimator's blocks are all that is in memory.

    Before training all targets are read, for their classes and their number; of chunks all
    there is. X is not scaled: see `transform`.

    Parameters
    ----------
    source : array, path, sequence, callable, iterable or pyarrow.dataset.Dataset
        What there is to read:

        - X, an array of two dimensions, such as a memory map ``np.load(path,
          mmap_mode="r")``, or the path of a ``.npy`` file; with its targets as `y`.
        - A Parquet file, an Arrow file (``.arrow``, ``.feather``), a folder of Parquet files,
          a list of files, or a dataset of pyarrow; with `target`. Needs pyarrow.
        - A list of chunks, read in any order: pairs (X, y), or callables that return them.
        - A callable that returns an iterable of chunks, such as a generator function, or an
          object that can be iterated again and again. Its chunks keep their order: rows are
          shuffled within blocks only.
    y : array or path, default=None
        Targets of an array.
    target : str or list of str, default=None
        The column of the targets in files, or the columns of several.
    columns : list of str, default=None
        The columns of the features in files; None for all others.
    classes : array-like, default=None
        All classes, where some may have no samples; None for those that are there.
    block_rows : int, default=None
        Rows of a block; fewer are taken, so that they make whole batches. None for as many as
        take 128 MiB. In a source that keeps its order rows meet within a block only.
    transform : callable, default=None
        ``transform(X)`` returns what takes the place of some rows of X, such as
        ``StandardScaler().fit(sample).transform``. It is called by the thread that reads.
        `predict` does not call it.

    See Also
    --------
    fastdnn.DNNClassifier.partial_fit : One epoch on samples that are in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn import DNNClassifier
    >>> from fastdnn.training import Stream
    >>> def chunks():
    ...     for seed in range(20):
    ...         X = np.random.default_rng(seed).normal(size=(500, 3))
    ...         yield X, X[:, 0] > X[:, 1]
    >>> model = DNNClassifier((8,), learning_rate_init=0.01, max_iter=5, tol=0, random_state=0)
    >>> X, y = next(iter(chunks()))
    >>> bool(model.fit(Stream(chunks, block_rows=2000)).score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        source: Any,
        y: Any = None,
        *,
        target: str | Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        classes: Any = None,
        block_rows: int | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        is_count = isinstance(block_rows, Integral) and not isinstance(block_rows, bool)
        if block_rows is not None and not (is_count and int(block_rows) > 0):
            raise ValueError(
                f"block_rows={block_rows!r} must be an integer of at least 1, or None."
            )
        if transform is not None and not callable(transform):
            raise ValueError(
                f"transform={transform!r} must be callable, such as a scaler's transform."
            )
        if isinstance(columns, str):
            raise ValueError(f"columns={columns!r} must be a list of names. Put it in one.")
        self.source, self.y, self.target, self.columns = source, y, target, columns
        self.classes, self.block_rows, self.transform = classes, block_rows, transform
        self._kind = self._kind_of_source()
        self._require_what_belongs()

    def _kind_of_source(self) -> str:
        source = self.source
        if is_dataset(source):
            return "files"
        if isinstance(source, str | os.PathLike):
            return "array" if _is_npy(source) else "files"
        if callable(source) and not hasattr(source, "shape"):
            return "iterable"
        if isinstance(source, list | tuple):
            if not source:
                raise StreamError("source is an empty list. Give chunks, or files.")
            are_paths = [isinstance(one, str | os.PathLike) for one in source]
            return "files" if all(are_paths) else "chunks"
        if hasattr(source, "shape") and hasattr(source, "dtype"):
            return "array"
        if isinstance(source, Iterator):
            raise StreamError(
                f"source is a {type(source).__name__}, which can be iterated once, but each "
                "epoch reads it. Give the function that makes it, without calling it."
            )
        if isinstance(source, Iterable) and not hasattr(source, "columns"):
            return "iterable"
        raise StreamError(
            f"source is a {type(source).__name__}, but must be an array, files, a list of "
            "chunks, or a callable that returns an iterable of chunks."
        )

    def _require_what_belongs(self) -> None:
        kind, is_array, are_files = self._kind, self._kind == "array", self._kind == "files"
        if is_array and self.y is None:
            raise StreamError("source is an array, and y has its targets. Give y.")
        if not is_array and self.y is not None:
            raise StreamError(
                f"y was given, but source ({kind}) has the targets itself. Leave y out."
            )
        if are_files and self.target is None:
            raise StreamError("target must name the column of the targets. Give target.")
        for name in ("target", "columns"):
            if not are_files and getattr(self, name) is not None:
                raise StreamError(
                    f"{name}={getattr(self, name)!r} names columns of Parquet or Arrow files, "
                    f"but source has none. Leave it out."
                )

    def __repr__(self) -> str:
        shown = repr(self.source) if self._kind == "files" else type(self.source).__name__
        return f"Stream({shown})"


def open_stream(stream: Stream) -> Source:
    """Return what reads the rows; every fit has its own.

    Raises
    ------
    StreamError
        If files are not there, or not what they should be.
    """
    if stream._kind == "files":
        target: Any = stream.target
        return ArrowSource(stream.source, target, stream.columns)
    if stream._kind == "chunks":
        return ChunkSource(stream.source)
    if stream._kind == "array":
        return ArraySource(_mapped(stream.source), _mapped(stream.y))
    source = stream.source
    return IterableSource(source if callable(source) else lambda: iter(source))


def rows_of_block(asked: int | None, n_rows: int, row_bytes: int, batch_rows: int) -> int:
    """Return how many rows a block has.

    Parameters
    ----------
    asked : int or None
        The parameter `block_rows`.
    n_rows : int
        All.
    row_bytes : int
        Of one, in the engine's precision.
    batch_rows : int
        Of a batch.

    Raises
    ------
    StreamError
        If a block is too small for a batch.
    """
    wanted = max(batch_rows, _BLOCK_BYTES // row_bytes) if asked is None else int(asked)
    if wanted >= n_rows:
        return n_rows
    if wanted < batch_rows:
        raise StreamError(
            f"block_rows={asked} is less than the {batch_rows} rows of a batch. Raise it, "
            "or lower batch_size."
        )
    return wanted // batch_rows * batch_rows


def _is_npy(path: Any) -> bool:
    return os.fspath(path).lower().endswith(".npy")


def _mapped(array: Any) -> Any:
    """Return an array; of a path the memory map."""
    if isinstance(array, str | os.PathLike):
        try:
            return np.load(array, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise StreamError(f"{os.fspath(array)} cannot be read: {error}") from error
    return array if hasattr(array, "shape") else np.asarray(array)
