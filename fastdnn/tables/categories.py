"""Encodes one column of categories: a column of 0 and 1 for each level that is common."""

from typing import Any

import numpy as np
from scipy import sparse

# Levels of fewer rows share a column; of small tables a twentieth of the rows is enough.
_FEWEST_ROWS, _SMALL_SHARE = 10, 20


class CategoryEncoder:
    """From one column of categories to one column for each common level.

    What is missing is a level. All levels that are rare, or were never seen, share the last
    column.

    Parameters
    ----------
    name : str
        Of the column.
    values : ndarray of object of shape (n_samples,)
        Its levels, None for what is missing.
    most_levels : int
        Common levels at most, the most frequent ones.

    Attributes
    ----------
    names : list of str
        Of what it returns.
    positions : dict
        Of each common level, in the order of the columns.
    n_levels : int
        How many levels there are, common or not.
    """

    def __init__(self, name: str, values: np.ndarray, most_levels: int) -> None:
        counts: dict[Any, int] = {}
        for value in values.tolist():
            counts[value] = counts.get(value, 0) + 1
        fewest = min(_FEWEST_ROWS, max(1, len(values) // _SMALL_SHARE))
        common = [value for value, count in counts.items() if count >= fewest]
        common.sort(key=lambda value: (-counts[value], _sortable(value)))
        self._begin(name, sorted(common[:most_levels], key=_sortable), len(counts))

    def _begin(self, name: str, levels: list[Any], n_levels: int) -> None:
        self.n_levels = n_levels
        self.positions = {value: position for position, value in enumerate(levels)}
        self.names = [f"{name}_{'missing' if value is None else value}" for value in levels]
        self.names.append(f"{name}_infrequent")

    @classmethod
    def of_levels(cls, name: str, levels: list[Any], n_levels: int) -> "CategoryEncoder":
        """Return the encoder that has found these common levels among so many."""
        encoder = cls.__new__(cls)
        encoder._begin(name, levels, n_levels)
        return encoder

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Return the position of each level; the last one of those that are not common."""
        other, positions = len(self.positions), self.positions
        return np.array([positions.get(v, other) for v in values.tolist()], dtype=np.int64)

    def sparse(self, values: np.ndarray, dtype: Any) -> sparse.csr_matrix:
        """Return 0 and 1 for each row as a sparse matrix of shape (n_samples, len(names))."""
        n_rows = len(values)
        parts = np.ones(n_rows, dtype=dtype), self.codes(values), np.arange(n_rows + 1)
        return sparse.csr_matrix(parts, shape=(n_rows, len(self.names)))

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write 0 and 1 for each row into `out`, of shape (n_samples, len(names))."""
        out[...] = 0
        out[np.arange(len(values)), self.codes(values)] = 1


def _sortable(value: Any) -> tuple:
    """Return a key that orders levels of any type, numbers first, what is missing last."""
    if value is None:
        return 2, 0.0, ""
    if isinstance(value, str):
        return 1, 0.0, value
    return 0, float(value), ""
