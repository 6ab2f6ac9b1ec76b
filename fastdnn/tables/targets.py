"""Encodes a column of very many categories by means of the target."""

from typing import Any

import numpy as np
from sklearn.model_selection import KFold
from sklearn.utils.multiclass import type_of_target

# Of the rows that an encoder is made of.
_FOLDS = 5
# Classes that have a mean.
_MOST_CLASSES = 16


class TargetMeans:
    """From one column of categories to means of the target, one for each class or target.

    They are shrunk towards the mean of all, the more the fewer rows a level has and the more
    these differ (Micci-Barreca, 2001), as by scikit-learn's `TargetEncoder`. Means of the
    rows that it was made of are taken over other folds: a level of one row would else be its
    target.

    Parameters
    ----------
    name : str
        Of the column.
    values : ndarray of object of shape (n_samples,)
        Its levels, None for what is missing.
    Y : ndarray of float64 of shape (n_samples, n_targets)
        Targets, from `numbers_of`.
    random_state : RandomState
        Deals out the folds.

    Attributes
    ----------
    names : list of str
        Of what it returns.
    positions : dict
        Rows of `means`, by level.
    means : ndarray of shape (n_levels + 1, n_targets)
        What it returns for each level, standardised; last for those that it does not know.
    of_other_folds : ndarray of shape (n_samples, n_targets) or None
        Of the rows that it was made of.
    """

    def __init__(
        self, name: str, values: np.ndarray, Y: np.ndarray, random_state: np.random.RandomState
    ) -> None:
        self.positions: dict[Any, int] = {}
        self.names = [f"{name}_mean{i}" for i in range(Y.shape[1])]
        codes = np.array(
            [self.positions.setdefault(v, len(self.positions)) for v in values.tolist()]
        )
        n_levels = len(self.positions)
        apart = np.empty(Y.shape)
        folds = KFold(min(_FOLDS, len(Y)), shuffle=True, random_state=random_state)
        for others, rows in folds.split(codes):
            apart[rows] = shrunk_means(codes[others], Y[others], n_levels)[codes[rows]]
        centre, spread = apart.mean(axis=0), apart.std(axis=0)
        spread = np.where(spread > 0.0, spread, 1.0)
        self.means = (shrunk_means(codes, Y, n_levels) - centre) / spread
        self.of_other_folds: np.ndarray | None = (apart - centre) / spread

    @classmethod
    def of_means(cls, name: str, levels: list[Any], means: np.ndarray) -> "TargetMeans":
        """Return the encoder that has found these means of levels."""
        encoder = cls.__new__(cls)
        encoder.positions = {level: position for position, level in enumerate(levels)}
        encoder.names = [f"{name}_mean{i}" for i in range(means.shape[1])]
        encoder.means, encoder.of_other_folds = means, None
        return encoder

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write the means for each row into `out`, of shape (n_samples, len(names))."""
        other, positions = len(self.positions), self.positions
        out[...] = self.means[[positions.get(v, other) for v in values.tolist()]]


def shrunk_means(codes: np.ndarray, Y: np.ndarray, n_levels: int) -> np.ndarray:
    """Return the mean of targets for each level, shrunk towards that of all.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        The position of each sample's level.
    Y : ndarray of shape (n_samples, n_targets)
        Targets.
    n_levels : int
        Levels, of which some may have no samples.

    Returns
    -------
    ndarray of shape (n_levels + 1, n_targets)
        Those without samples, and the last, have the mean of all.
    """
    counts = np.bincount(codes, minlength=n_levels + 1)
    result = np.empty((n_levels + 1, Y.shape[1]))
    for i, y in enumerate(Y.T):
        mean, variance = y.mean(), y.var()
        with np.errstate(divide="ignore", invalid="ignore"):
            means = np.bincount(codes, y, n_levels + 1) / counts
            inner = np.bincount(codes, np.square(y - means[codes]), n_levels + 1) / counts
            share = variance * counts / (variance * counts + inner)
        shrunk = share * means + (1.0 - share) * mean
        result[:, i] = np.where(np.isnan(share) | (counts == 0), mean, shrunk)
    return result


def numbers_of(y: np.ndarray, target_type: str) -> np.ndarray:
    """Return targets as numbers; of classes whether it is each of the most frequent ones.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    target_type : {'auto', 'continuous', 'classes'}
        What they are.

    Returns
    -------
    ndarray of float64 of shape (n_samples, n_numbers)

    Raises
    ------
    ValueError
        If they should be numbers, but are not, or not finite.
    """
    if y.ndim == 1 and not is_continuous(y, target_type):
        classes, counts = np.unique(y, return_counts=True)
        if len(classes) == 2:
            return (y == classes[1]).astype(np.float64)[:, np.newaxis]
        most = classes[np.argsort(-counts, kind="stable")][:_MOST_CLASSES]
        return (y[:, np.newaxis] == most).astype(np.float64)
    try:
        Y = y.astype(np.float64).reshape(len(y), -1)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"y must have numbers, or target_type be 'classes': {error}"
        ) from None
    if not np.isfinite(Y).all():
        raise ValueError("y has NaN or infinity. Leave such samples out.")
    return Y


def is_continuous(y: np.ndarray, target_type: str) -> bool:
    """Whether targets are numbers rather than classes."""
    if target_type != "auto":
        return target_type == "continuous"
    return y.dtype.kind in "fiub" and type_of_target(y).startswith("continuous")


def target_of_bins(
    numeric_encoding: str, target_type: str, y: np.ndarray | None
) -> np.ndarray | None:
    """Return what trees are to predict, or None for bins by quantiles.

    Raises
    ------
    ValueError
        If trees are asked for, and there is no target.
    """
    if numeric_encoding in ("quantile", "linear"):
        return None
    if y is None:
        if numeric_encoding == "tree":
            raise ValueError("numeric_encoding='tree' needs y. Give it, or use 'quantile'.")
        return None
    numbers = numbers_of(y, target_type)
    is_binary = numbers.shape[1] == 1 and not is_continuous(y, target_type)
    return None if numeric_encoding == "auto" and is_binary else numbers
