"""Folds: parts of the rows, each of which somebody leaves out."""

import numpy as np


def deal_out(
    n_rows: int,
    n_folds: int,
    random_state: np.random.RandomState,
    positions: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Return the rows of each fold, drawn at random.

    Folds differ by one row at most, and by one row of each class: the rows of one class after
    the other are dealt out like cards. So a class may have fewer rows than there are folds.

    Parameters
    ----------
    n_rows, n_folds : int
        How many.
    random_state : RandomState
        Shuffles the rows.
    positions : ndarray of int of shape (n_rows,), optional
        The class of each row.

    Returns
    -------
    list of ndarray of int64
        In ascending order; each row is in one of them.

    Raises
    ------
    ValueError
        If there are fewer rows than folds.
    """
    if n_rows < n_folds:
        raise ValueError(
            f"n_members={n_folds} with bagging='folds' needs as many samples at least, but "
            f"n_samples={n_rows}. Lower n_members, or use bagging=None."
        )
    order = random_state.permutation(n_rows)
    if positions is not None:
        order = order[np.argsort(positions[order], kind="stable")]
    fold_of_row = np.empty(n_rows, np.int64)
    fold_of_row[order] = np.arange(n_rows) % n_folds
    return [np.flatnonzero(fold_of_row == fold) for fold in range(n_folds)]


def others_than(rows: np.ndarray, n_rows: int) -> np.ndarray:
    """Return all rows but some, in ascending order."""
    is_left = np.ones(n_rows, dtype=bool)
    is_left[rows] = False
    return np.flatnonzero(is_left)
