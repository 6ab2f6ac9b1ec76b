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
        classes = np.unique(y)
        if 2 * len(classes) <= len(y):
            # Labels beyond doubt: scikit-learn's checks take as long as an epoch.
            return classes, False
    check_classification_targets(y)
    target_type = type_of_target(y, input_name="y")
    if target_type == "multiclass-multioutput":
        raise ValueError("Multioutput target data is not supported with label binarization")
    return unique_labels(y), target_type.startswith("multilabel")


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
