"""Targets that are probabilities of classes, a row for each sample, in the place of labels."""

from typing import Any

import numpy as np

# What the sum of a row may be off by: probabilities may have been rounded to few digits.
_ROUNDED_SUM = 1e-3


def are_soft(y: Any) -> bool:
    """Return whether targets are rows of class probabilities.

    They are a matrix of floating-point numbers of two or more columns, some of them neither 0
    nor 1: a matrix of zeros and ones has several labels a sample.

    Raises
    ------
    ValueError
        If there are such numbers, but not in rows of probabilities that sum to 1.
    """
    y = _as_array(y)
    if not _is_matrix(y) or bool(((y == 0.0) | (y == 1.0)).all()):
        return False
    if bool((y == np.floor(y)).all()):  # whole numbers: classes of several outputs
        return False
    _require_probabilities(y)
    return True


def soft_rows(y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return rows of probabilities as the engine takes them, of so many classes.

    Raises
    ------
    ValueError
        If they have another number of columns, or are no probabilities.
    """
    if y.shape[1] != n_classes:
        raise ValueError(
            f"`y` has {y.shape[1]} columns of class probabilities, but the network was fitted "
            f"with {n_classes} classes. Give a column for each of them, in the order of "
            "classes_, or call fit with warm_start=False."
        )
    _require_probabilities(y)
    # Two classes have one output, the probability of the second.
    return y[:, 1:] if n_classes == 2 else y


def may_be_soft(y: Any) -> bool:
    """Return whether targets can be such rows where it is known that classes have one each.

    Then a batch may have zeros and ones only.
    """
    return _is_matrix(y)


def labels_of(y: Any, classes: np.ndarray) -> Any:
    """Return the most probable class of each row, or `y` itself if it has labels."""
    rows = _as_array(y)
    if not are_soft(rows) or rows.shape[1] != len(classes):
        return y
    return classes[rows.argmax(axis=1)]


def _as_array(y: Any) -> Any:
    """Return a list or a table as an array, where it is one."""
    if hasattr(y, "to_numpy"):
        return y.to_numpy()
    if not isinstance(y, list | tuple):
        return y
    try:
        return np.asarray(y)
    except ValueError:  # rows of several lengths, of which others complain
        return y


def _is_matrix(y: Any) -> bool:
    is_array = isinstance(y, np.ndarray) and y.dtype.kind == "f"
    return is_array and y.ndim == 2 and y.shape[1] > 1 and len(y) > 0


def _require_probabilities(y: np.ndarray) -> None:
    sums = y.sum(axis=1, dtype=np.float64)
    is_wrong = np.abs(sums - 1.0) > _ROUNDED_SUM
    is_wrong |= (y < 0.0).any(axis=1) | (y > 1.0).any(axis=1)
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        raise ValueError(
            f"Unknown label type: y is a matrix of numbers that are no labels, and row {row} "
            f"has values from {y[row].min():g} to {y[row].max():g} that sum to "
            f"{sums[row]:g}. Give labels, or rows of class probabilities that sum to 1."
        )
