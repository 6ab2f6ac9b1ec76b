"""Encodes a column of very many categories by means of the target."""

import numpy as np
from sklearn.model_selection import KFold
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.multiclass import type_of_target

# Of the rows that an encoder is made of.
_FOLDS = 5
# Classes that have a mean.
_MOST_CLASSES = 16


class TargetMeans:
    """From one column of categories to means of the target, one for each class or target.

    scikit-learn's `TargetEncoder` shrinks them towards the mean of all. Means of the rows
    that it was made of are taken over other folds: a level of one row would else be its
    target.

    Parameters
    ----------
    name : str
        Of the column.
    values : ndarray of object of shape (n_samples,)
        Its levels, None for what is missing.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    random_state : RandomState
        Deals out the folds.

    Attributes
    ----------
    names : list of str
        Of what it returns.
    of_other_folds : ndarray of shape (n_samples, len(names)) or None
        Of the rows that it was made of.
    """

    def __init__(
        self, name: str, values: np.ndarray, y: np.ndarray, random_state: np.random.RandomState
    ) -> None:
        self._targets = _numbers_of(y)
        keys, every_row = _keys(values), np.arange(len(values))
        self._encoders = self._fitted(keys, every_row)
        means = np.empty((len(values), self._means(self._encoders, keys).shape[1]))
        folds = KFold(min(_FOLDS, len(values)), shuffle=True, random_state=random_state)
        for others, rows in folds.split(keys):
            means[rows] = self._means(self._fitted(keys, others), keys[rows])
        del self._targets
        self._centre, spread = means.mean(axis=0), means.std(axis=0)
        self._spread = np.where(spread > 0.0, spread, 1.0)
        self.of_other_folds: np.ndarray | None = (means - self._centre) / self._spread
        self.names = [f"{name}_mean{i}" for i in range(means.shape[1])]

    def _fitted(self, keys: np.ndarray, rows: np.ndarray) -> list[TargetEncoder]:
        return [
            TargetEncoder(target_type="continuous").fit(keys[rows], target[rows])
            for target in self._targets
        ]

    @staticmethod
    def _means(encoders: list[TargetEncoder], keys: np.ndarray) -> np.ndarray:
        return np.hstack([encoder.transform(keys) for encoder in encoders])

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write the means for each row into `out`, of shape (n_samples, len(names))."""
        out[...] = (self._means(self._encoders, _keys(values)) - self._centre) / self._spread


def _numbers_of(y: np.ndarray) -> list[np.ndarray]:
    """Return targets as numbers, of classes whether it is each of the most frequent ones."""
    if y.ndim > 1:
        return [target.astype(np.float64) for target in y.T]
    if y.dtype.kind in "fiub" and type_of_target(y).startswith("continuous"):
        return [y.astype(np.float64)]
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) > 2:
        classes = classes[np.argsort(-counts, kind="stable")][:_MOST_CLASSES]
    return [(y == c).astype(np.float64) for c in classes[len(classes) == 2 :]]


def _keys(values: np.ndarray) -> np.ndarray:
    """Return levels of any type as strings of one column."""
    keys = ["missing" if v is None else f"={v}" for v in values.tolist()]
    return np.array(keys, dtype=object).reshape(-1, 1)
