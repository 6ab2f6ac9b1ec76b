"""What is known of each partition before training, and whether all of them fit together."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _get_feature_names, _num_samples

# Labels of a target that are not of classes are as many as there are rows: they stay there.
_MOST_CLASSES = 100_000


class Facts(NamedTuple):
    """What a partition is made of."""

    n_rows: tuple[int, ...]
    """Of X, of y and, if there are any, of the weights."""
    n_features: int
    """Columns of X."""
    names: tuple[str, ...] | None
    """Of the columns, where they have some."""
    dtypes: tuple[str, ...]
    """Of X, or of its columns if they are not all the same."""
    target: tuple[str, int]
    """The dtype of y, and how many columns it has; 0 for an array of one dimension."""
    classes: np.ndarray | None
    """The values of y, sorted; None if they are not asked for."""
    counts: np.ndarray | None
    """How often each of them is there."""
    problem: str | None
    """What is wrong with the numbers, or None."""


def facts_of(X: Any, y: Any, weight: Any, of_classes: bool) -> Facts:
    """Look at a partition; where it is, as a task."""
    given = [part for part in (X, y, weight) if part is not None]
    names, target = _get_feature_names(X), np.asarray(y)
    dtypes = [X.dtype] if hasattr(X, "dtype") else list(X.dtypes)
    n_features = X.shape[1] if len(X.shape) == 2 else 0
    classes = counts = problem = None
    if of_classes and target.ndim == 1 and len(target):
        classes, counts = np.unique(target, return_counts=True)
        if classes.dtype.kind in "OT":
            classes = classes.astype(str)
        classes, counts = classes[:_MOST_CLASSES], counts[:_MOST_CLASSES]
    try:
        if n_features and _num_samples(X):
            check_array(X, accept_sparse=True, input_name="X")
        if target.size and target.dtype.kind == "f" and not np.isfinite(target).all():
            problem = "y has NaN or infinity. Leave such rows out."
    except ValueError as error:
        problem = str(error).split("\n")[0]
    return Facts(
        tuple(map(_num_samples, given)),
        n_features,
        None if names is None else tuple(names),
        tuple(sorted({str(dtype) for dtype in dtypes})),
        (_kind_of(target), target.shape[1] if target.ndim == 2 else 0),
        classes,
        counts,
        problem,
    )


def _kind_of(target: np.ndarray) -> str:
    """Return the dtype of targets; texts have one, however long the longest is."""
    return "str" if target.dtype.kind in "OUST" else str(target.dtype)


def require_agreeing(facts: Sequence[Facts]) -> None:
    """Raise ValueError for what no network can be trained on, and say in which partition.

    Parameters
    ----------
    facts : sequence of Facts
        Of all partitions.
    """
    for i, of_one in enumerate(facts):
        if len(set(of_one.n_rows)) > 1:
            names = "X", "y", "sample_weight"
            pairs = zip(of_one.n_rows, names, strict=False)
            said = ", ".join(f"{n} of {name}" for n, name in pairs)
            raise ValueError(
                f"Partition {i} has other numbers of rows in X than in what goes with it: "
                f"{said}. Give all of them the same divisions, as by repartition or rechunk."
            )
        if of_one.n_rows[0] == 0:
            raise ValueError(
                f"Partition {i} of X is empty. Leave empty partitions out, for instance by "
                "X.repartition(npartitions=...) or rechunk, and in y as well."
            )
        if of_one.n_features == 0:
            raise ValueError(
                f"Partition {i} of X has no columns, or is no table. Give X two dimensions."
            )
        if of_one.problem is not None:
            raise ValueError(f"Partition {i} is not valid: {of_one.problem}")
    first = facts[0]
    for i, of_one in enumerate(facts):
        for what, mine, wanted in (
            ("columns of X", of_one.n_features, first.n_features),
            ("names of the columns of X", of_one.names, first.names),
            ("dtypes in X", of_one.dtypes, first.dtypes),
            ("dtype and columns in y", of_one.target, first.target),
        ):
            if mine != wanted:
                raise ValueError(
                    f"Partition {i} has other {what} than partition 0: {mine}, not {wanted}. "
                    "Make them equal, for instance by astype."
                )


def all_classes(facts: Sequence[Facts]) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of all partitions, sorted, and how often each is there."""
    values = np.concatenate([np.asarray(one.classes) for one in facts])
    counts = np.concatenate([np.asarray(one.counts) for one in facts])
    classes, positions = np.unique(values, return_inverse=True)
    return classes, np.bincount(positions, counts, minlength=len(classes))
