"""Weights of classes, which multiply those of samples."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight


def weighted_by_class(
    class_weight: Any,
    Y: np.ndarray,
    y: np.ndarray,
    classes: np.ndarray,
    sample_weight: np.ndarray | None,
) -> np.ndarray | None:
    """Return the weights of samples, multiplied by those of their classes.

    Parameters
    ----------
    class_weight : dict, list of dict, 'balanced' or None
        The parameter.
    Y : ndarray of shape (n_samples, 1) or (n_samples, n_labels)
        Positions of classes; or of several labels a sample whether each is there; or, as
        floating-point numbers, probabilities of classes.
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        The same as the user gave it.
    classes : ndarray of shape (n_classes,)
        All classes; of several labels their positions.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each sample, finite.

    Raises
    ------
    ValueError
        If weights are not of these classes.
    """
    if class_weight is None:
        return sample_weight
    _require_weights(class_weight)
    if Y.dtype.kind == "f":
        raise ValueError(
            f"class_weight={class_weight!r} needs a class for each sample, but y has rows of "
            "class probabilities. Use class_weight=None, and weigh samples by sample_weight."
        )
    if Y.dtype.kind == "b":  # of several labels
        weights = compute_sample_weight(class_weight, y)
    elif isinstance(class_weight, list):
        raise ValueError(
            f"class_weight={class_weight!r} is a list, which is for several labels a sample, "
            "but y has one class a sample. Give one dict with the weight of each class."
        )
    else:
        positions = Y.ravel()
        if isinstance(class_weight, str):
            # A weight of 2 counts as the sample given twice, as for LogisticRegression.
            counts = np.bincount(positions, sample_weight, minlength=len(classes))
            with np.errstate(divide="ignore"):
                of_classes = counts.sum() / (np.count_nonzero(counts) * counts)
        else:
            of_classes = compute_class_weight(class_weight, classes=classes, y=y)
        weights = of_classes[positions]
    return weights if sample_weight is None else sample_weight * weights


def _require_weights(class_weight: Any) -> None:
    """Raise where a dict has a weight that is no finite number of at least 0."""
    for weights in class_weight if isinstance(class_weight, list) else [class_weight]:
        for label, weight in weights.items() if isinstance(weights, dict) else ():
            is_number = isinstance(weight, Real) and not isinstance(weight, bool)
            if not is_number or not 0.0 <= weight < np.inf:
                raise ValueError(
                    f"class_weight has the weight {weight!r} for class {label!r}. Give "
                    "finite numbers of at least 0."
                )


def require_fixed_weights(class_weight: Any) -> None:
    """Raise where weights would be those of the samples of one call of `partial_fit`."""
    if isinstance(class_weight, str):
        raise ValueError(
            f"class_weight={class_weight!r} is not supported for partial_fit, which sees some "
            f"samples at a time. Use compute_class_weight({class_weight!r}, classes=classes, "
            "y=y) of scikit-learn on all targets, or on a large sample of them, and give what "
            "it returns as a dict."
        )
