"""Encodes a column of very many categories by means of the target."""

from typing import Any

import numpy as np
from sklearn.preprocessing import TargetEncoder


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
    random_state : int, RandomState instance or None
        Deals out the folds.

    Attributes
    ----------
    names : list of str
        Of what it returns.
    of_other_folds : ndarray of shape (n_samples, len(names)) or None
        Of the rows that it was made of.
    """

    def __init__(self, name: str, values: np.ndarray, y: np.ndarray, random_state: Any) -> None:
        targets = [y] if y.ndim == 1 else list(y.T)
        self._encoders = [TargetEncoder(random_state=random_state) for _ in targets]
        keys = _keys(values)
        means = [
            encoder.fit_transform(keys, target)
            for encoder, target in zip(self._encoders, targets, strict=True)
        ]
        self.of_other_folds: np.ndarray | None = self._scaled(np.hstack(means), first=True)
        self.names = [f"{name}_mean{i}" for i in range(self.of_other_folds.shape[1])]

    def _scaled(self, means: np.ndarray, first: bool = False) -> np.ndarray:
        if first:
            self._centre, spread = means.mean(axis=0), means.std(axis=0)
            self._spread = np.where(spread > 0.0, spread, 1.0)
        return (means - self._centre) / self._spread

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write the means for each row into `out`, of shape (n_samples, len(names))."""
        keys = _keys(values)
        means = np.hstack([encoder.transform(keys) for encoder in self._encoders])
        out[...] = self._scaled(means)


def _keys(values: np.ndarray) -> np.ndarray:
    """Return levels of any type as strings of one column."""
    keys = ["missing" if v is None else f"={v}" for v in values.tolist()]
    return np.array(keys, dtype=object).reshape(-1, 1)
