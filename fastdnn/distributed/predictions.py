"""Predictions of a fitted network for Dask arrays and data frames, chunk by chunk."""

from typing import Any

import numpy as np

from fastdnn.distributed.collections import is_collection
from fastdnn.distributed.dask_imports import dask_module


def predicted(model: Any, method: str, X: Any) -> Any:
    """Return what a method of a model says of X: of a collection as a lazy Dask array.

    Parameters
    ----------
    model : DNNClassifier or DNNRegressor
        Fitted.
    method : str
        Of the model, which takes X.
    X : Dask array or data frame, or array-like
        Samples.
    """
    if not is_collection(X):
        return getattr(model, method)(X)
    array, delayed = dask_module("dask.array"), dask_module("dask").delayed
    like = _of(model, method, _two_rows(model, X))
    call = delayed(_of, pure=True)
    given = delayed(model)
    parts = X.to_delayed()
    parts = list(parts.ravel()) if isinstance(parts, np.ndarray) else list(parts)
    rows = X.chunks[0] if hasattr(X, "chunks") else [np.nan] * len(parts)
    return array.concatenate(
        [
            array.from_delayed(call(given, method, part), (n, *like.shape[1:]), meta=like[:0])
            for n, part in zip(rows, parts, strict=True)
        ]
    )


def _of(model: Any, method: str, X: Any) -> np.ndarray:
    n_rows = len(X) if hasattr(X, "__len__") else X.shape[0]
    if n_rows == 0:  # as a filter may leave some partitions
        return getattr(model, method)(_two_rows(model, X))[:0]
    return getattr(model, method)(X)


def _two_rows(model: Any, X: Any) -> Any:
    """Return a table as X is one, to see what predictions look like."""
    if hasattr(X, "columns"):
        import pandas as pd

        return pd.DataFrame(np.zeros((2, model.n_features_in_)), columns=list(X.columns))
    dtype = X.dtype if X.dtype.kind == "f" else np.float64
    return np.zeros((2, model.n_features_in_), dtype)
