"""The classes among labels, and whether later labels agree with them."""

from typing import Any

import numpy as np
from sklearn.utils.multiclass import (
    check_classification_targets,
    type_of_target,
    unique_labels,
)


def find_classes(y: Any) -> tuple[np.ndarray, bool]:
    """Return the classes of `y`, and whether it has several labels a sample.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Class labels of any type, or a 0/1 matrix for several labels a sample.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted; the positions of the labels for several a sample.
    multilabel : bool
        Whether `y` is a matrix of labels.

    Raises
    ------
    ValueError
        If `y` is not made of classes, or has several multi-class outputs.
    """
    if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biuUS":
        classes = _unique(y)
        if 2 * len(classes) <= len(y):
            # Labels beyond doubt: scikit-learn's checks take as long as an epoch.
            return classes, False
    check_classification_targets(y)
    target_type = type_of_target(y, input_name="y")
    if target_type == "multiclass-multioutput":
        raise ValueError("Multioutput target data is not supported with label binarization")
    return unique_labels(y), target_type.startswith("multilabel")


def _unique(y: np.ndarray) -> np.ndarray:
    """Return the sorted values of `y`; integers are ticked off, many times as fast."""
    if y.dtype.kind not in "iu" or y.size == 0:
        return np.unique(y)
    lowest, highest = int(y.min()), int(y.max())
    if not _are_close(lowest, highest, y.size):
        return np.unique(y)
    occurs = np.zeros(highest - lowest + 1, dtype=bool)
    occurs[_distances(y, lowest)] = True
    return (np.flatnonzero(occurs) + lowest).astype(y.dtype)


def positions_of(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the position of each label among the sorted `classes`, which has all of them.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Class labels.
    classes : ndarray of shape (n_classes,)
        As from `find_classes`.

    Returns
    -------
    ndarray of int64 of shape (n_samples,)
    """
    are_integers = y.dtype.kind in "iu" and classes.dtype.kind in "iu"
    if not are_integers or not _are_close(int(classes[0]), int(classes[-1]), y.size):
        return np.searchsorted(classes, y)
    positions = np.zeros(int(classes[-1]) - int(classes[0]) + 1, dtype=np.int64)
    positions[_distances(classes, int(classes[0]))] = np.arange(classes.size)
    return positions[_distances(y, int(classes[0]))]


def _are_close(lowest: int, highest: int, most: int) -> bool:
    """Whether there are at most so many integers between, and all have 64 bits."""
    return highest - lowest < most and lowest >= -(2**63) and highest < 2**63


def _distances(y: np.ndarray, lowest: int) -> np.ndarray:
    return y.astype(np.int64, copy=False) - np.int64(lowest)


def require_ascending(classes: np.ndarray) -> None:
    """Raise ValueError unless classes, which may have been edited, are sorted and differ."""
    try:
        are_ascending = bool((classes[:-1] < classes[1:]).all())
    except TypeError:  # of kinds that cannot be compared; NumPy has not sorted them either
        return
    if not are_ascending:
        raise ValueError(
            f"classes_={classes!r} must be in ascending order, each once, to go on training: "
            "targets are positions in it. Put it right, or call fit with warm_start=False."
        )


def require_same_form(y: np.ndarray, n_labels: int | None) -> None:
    """Raise ValueError unless `y` has as many labels a sample as the fit that goes on.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_columns)
        Class labels.
    n_labels : int or None
        Labels of a sample; None for one class a sample.
    """
    if n_labels is None and y.ndim > 1:
        raise ValueError(
            f"The object was not fitted with multilabel input, but `y` has shape {y.shape}. "
            "Give one class for each sample, or call fit with warm_start=False."
        )
    if n_labels is not None and y.shape[1:] != (n_labels,):
        raise ValueError(
            f"`y` has shape {y.shape}, but the network was fitted with {n_labels} labels a "
            "sample. Give a column for each of them, or call fit with warm_start=False."
        )


def require_same_classes(y: np.ndarray, classes: np.ndarray) -> None:
    """Raise ValueError unless `y` has exactly the `classes` of the fit that goes on."""
    found = unique_labels(y)
    if set(found) != set(classes):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in "
            f"the previous call to fit. Previously got {classes}, `y` has "
            f"{found}"
        )


def require_known_classes(y: np.ndarray, classes: np.ndarray) -> None:
    """Raise ValueError if `y` has a class that is not among `classes`."""
    found = unique_labels(y)
    if len(np.setdiff1d(found, classes, assume_unique=True)):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. "
            f"'y' has {found}."
        )
