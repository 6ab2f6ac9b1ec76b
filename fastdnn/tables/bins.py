"""Edges of the bins that a number is encoded by, piece by piece.

Piecewise-linear encoding (Gorishniy et al., 2022): of edges e_0 < ... < e_T component t of a
number x is (x - e_t) / (e_(t+1) - e_t), at least 0 and at most 1.
"""

import numpy as np
from sklearn.tree import DecisionTreeRegressor

# Components of all columns together at most, and of one.
_MOST_COMPONENTS, _MOST_BINS = 1024, 32
# Rows that a bin has in the mean at least.
_ROWS_OF_BIN = 8
# The same where classes are predicted, and so many bins at least: fewer do harm.
_ROWS_OF_CLASSES, _FEWEST_OF_CLASSES = 64, 8
# Edges below which a column is left as it is.
_FEWEST_EDGES = 3
# Rows of a leaf at least: a hundredth of them, within these limits.
_ROWS_OF_LEAF = 8, 64
# Rows that edges are found by at most, and numbers that trees can hold, which is float32's.
_MOST_ROWS, _LARGEST = 200_000, 1e30


def bins_of(n_rows: int, n_numbers: int, predicts_numbers: bool) -> int:
    """Return how many bins a column may have among so many rows and columns of numbers.

    Where columns are very many they have none, which is 0, nor where few rows are to be told
    apart by classes, each of which says less than a number.
    """
    most = min(_MOST_BINS, _MOST_COMPONENTS // max(1, n_numbers))
    if not predicts_numbers:
        n_bins = min(most, n_rows // _ROWS_OF_CLASSES)
        return n_bins if n_bins >= min(most, _FEWEST_OF_CLASSES) >= 2 else 0
    return max(2, min(most, n_rows // _ROWS_OF_BIN)) if most >= 2 else 0


def edges_of(x: np.ndarray, target: np.ndarray | None, n_bins: int) -> np.ndarray:
    """Return edges of a column, by a tree of the target or else by quantiles; none of no bins.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        The column, with NaN where a number is missing.
    target : ndarray of shape (n_samples,) or (n_samples, n_targets), or None
        What trees predict.
    n_bins : int
        At most about so many.
    """
    if n_bins < 2:
        return np.zeros(0)
    present = ~np.isnan(x)
    if target is None:
        return quantile_edges(x[present], n_bins)
    return tree_edges(x[present], target[present], n_bins)


def quantile_edges(x: np.ndarray, n_bins: int) -> np.ndarray:
    """Return edges by quantiles of the rows, and as many of the distinct values.

    The former have the same number of rows between them; the latter resolve ranges that few
    rows are in.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        Numbers that are present.
    n_bins : int
        At most about so many.
    """
    levels = np.linspace(0.0, 1.0, max(2, n_bins // 2) + 1)
    x = x[_some(x)]
    # Edges are numbers of the column: between those of a column of few there is nothing.
    both = [np.quantile(v, levels, method="nearest") for v in (x, np.unique(x))]
    return _told_apart(np.concatenate(both))


def tree_edges(
    x: np.ndarray, y: np.ndarray, n_bins: int, weight: np.ndarray | None = None
) -> np.ndarray:
    """Return edges where a least-squares tree of one column splits, and both ends.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        Numbers that are present.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Their targets.
    n_bins : int
        Leaves at most.
    weight : ndarray of shape (n_samples,), optional
        Sample weights.
    """
    if np.abs(x).max() > _LARGEST:
        return quantile_edges(x, n_bins)
    rows = _some(x)
    x, y, weight = x[rows], y[rows], None if weight is None else weight[rows]
    low, high = _ROWS_OF_LEAF
    tree = DecisionTreeRegressor(
        max_leaf_nodes=n_bins,
        min_samples_leaf=min(high, max(low, len(x) // 100)),
        random_state=0,
    )
    tree.fit(x.reshape(-1, 1), y, sample_weight=weight)
    is_split = tree.tree_.children_left >= 0
    return _told_apart(np.concatenate([[x.min(), x.max()], tree.tree_.threshold[is_split]]))


def _some(x: np.ndarray) -> np.ndarray | slice:
    """Return rows that are enough to find edges by, with both ends of a column."""
    n_rows = len(x)
    if n_rows <= _MOST_ROWS:
        return slice(None)
    rows = np.random.RandomState(0).choice(n_rows, _MOST_ROWS, replace=False)
    return np.append(np.sort(rows), [x.argmin(), x.argmax()])


def _told_apart(edges: np.ndarray) -> np.ndarray:
    """Return ascending edges that float32 can tell apart; none where they are too few."""
    edges = np.unique(edges)
    scale = np.abs(edges).max()
    is_apart = np.diff(edges) > 4.0 * np.finfo(np.float32).eps * scale
    edges = edges[np.concatenate([[True], is_apart])]
    return edges if edges.size >= _FEWEST_EDGES else np.zeros(0)
