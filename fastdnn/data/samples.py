"""Samples as the engine takes them: dense or sparse, with targets, weights and an order."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from fastdnn.engine.record import Data

#: The order that visits all rows as they lie.
AS_THEY_LIE = np.zeros(0, dtype=np.int64)
#: Where a prediction reports losses.
NO_LOSSES = np.zeros(0, dtype=np.float64)


@dataclass
class Samples:
    """Rows to train on or to predict.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        C-contiguous, in the computing dtype.
    Y : ndarray of shape (n_samples, n_targets) or None
        C-contiguous, in the computing dtype; class positions for softmax, which nobody else
        may change: memory is read by them.
    weight : ndarray of shape (n_samples,) or None
        Sample weights in the computing dtype.
    rows : ndarray of int64 or None
        The rows to use; all of them if None.
    weight_scale : float
        What the user's weights were multiplied by; a penalty has to be as well.
    largest_target : float
        The largest magnitude among all targets.
    structure : pair of ndarray
        Of a CSR matrix copies of its indices, int32, and of its row pointers, int64: what
        is checked must not change before it is used.
    converted : ndarray, CSR matrix or None
        X in another precision, where several fits need it: one copy for all.
    """

    X: Any
    Y: Any = None
    weight: np.ndarray | None = None
    rows: np.ndarray | None = None
    weight_scale: float = 1.0
    largest_target: float = 0.0
    structure: tuple[np.ndarray, np.ndarray] = (np.zeros(0, np.int32), np.zeros(1, np.int64))
    converted: Any = None

    def __post_init__(self) -> None:
        # Headers of our own: those of the user's arrays may be given another shape any time.
        for name in ("X", "Y", "weight"):
            array = getattr(self, name)
            if type(array) is np.ndarray:
                setattr(self, name, array.view())
        if self.is_sparse and self.structure[0].size == 0:
            indices, indptr = np.array(self.X.indices), self.X.indptr.astype(np.int64)
            limits = np.iinfo(np.int32)
            if indices.size and not limits.min <= indices.min() <= indices.max() <= limits.max:
                raise ValueError(
                    f"X has indices from {indices.min()} to {indices.max()}, but "
                    f"{self.X.shape[1]} columns. Make a new sparse matrix."
                )
            self.structure = indices.astype(np.int32), indptr

    @property
    def n_rows(self) -> int:
        """Number of rows to use."""
        return self.X.shape[0] if self.rows is None else self.rows.size

    @property
    def rows_of_order(self) -> int:
        """Rows that are put in order at a time: all, unless they are read block by block."""
        return self.n_rows

    @property
    def head(self) -> "Samples":
        """Rows that stand for all: these, unless they are read block by block."""
        return self

    @property
    def n_targets(self) -> int:
        """Columns of the targets."""
        return 0 if self.Y is None else self.Y.shape[1]

    @property
    def is_sparse(self) -> bool:
        """Whether X is a CSR matrix."""
        return sparse.issparse(self.X)

    def astype(self, dtype: np.typing.DTypeLike) -> "Samples":
        """Return the samples converted to `dtype`."""
        is_there = self.converted is not None and self.converted.dtype == dtype
        return replace(
            self,
            X=self.converted if is_there else self.X.astype(dtype),
            Y=None if self.Y is None else self.Y.astype(dtype),
            weight=None if self.weight is None else self.weight.astype(dtype),
        )

    def also_in(self, dtype: np.typing.DTypeLike) -> "Samples":
        """Return the same samples, whose conversions to `dtype` share one copy of X."""
        return replace(self, converted=self.X.astype(dtype))

    def at(self, rows: np.ndarray) -> "Samples":
        """Return a selection of the rows; nothing is copied.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        if rows.size > 0 and not 0 <= rows.min() <= rows.max() < self.X.shape[0]:
            raise IndexError(
                f"rows from {rows.min()} to {rows.max()} are not among {self.X.shape[0]}."
            )
        return replace(self, rows=rows)

    def to_predict(self) -> "Samples":
        """Return the same rows without targets and weights."""
        return replace(self, Y=None, weight=None)

    def data(self, order: np.ndarray, dtype: np.dtype, losses: np.ndarray = NO_LOSSES) -> Data:
        """Return the arrays for an engine that computes in `dtype`, to visit in `order`.

        The engine adds the losses of epochs to `losses`, float64.

        Raises
        ------
        TypeError
            If one of them is of another dtype: the engine would misread its memory.
        """
        for name in ("X", "Y", "weight"):
            array = getattr(self, name)
            if array is not None and array.dtype != dtype:
                raise TypeError(f"{name} is {array.dtype}, but the network is {dtype}")
        nothing = np.zeros(0, dtype)
        X, values = self.X, nothing
        indices, indptr = self.structure
        if self.is_sparse:
            values = X.data
            X = np.zeros((0, self.X.shape[1]), dtype)
        Y = np.zeros((0, 1), dtype) if self.Y is None else self.Y
        weight = nothing if self.weight is None else self.weight
        return Data(
            X=X,
            values=values,
            indices=indices,
            indptr=indptr,
            Y=Y,
            weight=weight,
            order=order,
            losses=losses,
        )


class CheckedRows:
    """Rows of an X that was checked and converted: `predict` takes them in the place of X.

    So what scores an estimator on some rows needs no copy of them.

    Parameters
    ----------
    samples : Samples
        In the precision of the network.
    given : array-like
        The X that they are of, as it was given: predictions have its precision.
    """

    def __init__(self, samples: Samples, given: Any) -> None:
        self.samples, self.shape = samples, (samples.n_rows, samples.X.shape[1])
        dtype = getattr(given, "dtype", None)
        if isinstance(dtype, np.dtype):
            self.dtype = dtype

    def __len__(self) -> int:
        return self.shape[0]
