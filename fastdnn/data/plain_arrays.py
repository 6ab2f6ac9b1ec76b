"""Arrays that need no more validation: one look instead of scikit-learn's many."""

import math
from typing import Any

import numpy as np

from fastdnn.data.conversion import NotFiniteError, convert_all

# Up to so many numbers, threads take longer to start than one of them to convert all.
_NUMBERS_FOR_ONE_THREAD = 1_000_000


def plain_matrix(
    X: Any, dtypes: tuple, most_numbers: float = math.inf, n_threads: int | None = 1
) -> np.ndarray | None:
    """Return a matrix of finite floating-point numbers as the engine takes it.

    Parameters
    ----------
    X : object
        What the user gave.
    dtypes : tuple of dtype
        Those that are acceptable; with a single one, others are converted to it.
    most_numbers : float, default=inf
        Larger matrices are left to others.
    n_threads : int or None, default=1
        Threads that the user allows, for many numbers; None for as many as there are.

    Returns
    -------
    ndarray of shape (n_samples, n_features) or None
        C-contiguous; `X` itself where it can be. None if `X` is something else.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or not 0 < X.size <= most_numbers:
        return None
    if X.dtype not in dtypes and (len(dtypes) > 1 or X.dtype.kind != "f"):
        return None
    dtype = dtypes[0] if len(dtypes) == 1 else X.dtype
    if X.size > _NUMBERS_FOR_ONE_THREAD:
        try:
            return convert_all(X, dtype, n_threads) if X.flags.c_contiguous else None
        except NotFiniteError:
            return None
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        converted = np.ascontiguousarray(X, dtype=dtype)
    return converted if np.isfinite(converted).all() else None


def is_plain_target(y: Any, n_samples: int) -> bool:
    """Return whether `y` is an array of so many targets, without NaN or infinity."""
    if type(y) is not np.ndarray or y.ndim not in (1, 2) or y.size == 0:
        return False
    if len(y) != n_samples or y.dtype.kind not in "biuf":
        return False
    return y.dtype.kind != "f" or bool(np.isfinite(y).all())


def has_engine_form(X: Any, dtype: np.dtype, n_features: int) -> bool:
    """Return whether X can go into the engine as it is, if all its numbers are finite."""
    return (
        type(X) is np.ndarray
        and X.dtype == dtype
        and X.ndim == 2
        and X.shape[1] == n_features
        and X.shape[0] > 0
        and X.flags.c_contiguous
    )
