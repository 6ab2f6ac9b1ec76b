"""Tables to learn from: those of a folder with their splits, and one of any size that is made.

A folder has files ``NAME.npz`` with ``X`` (NaN where a value is missing, categories as codes),
``y``, ``task`` ("classification" or "regression"), ``cat_mask`` (which columns are categories)
and ``n_train`` (if above 0, the first rows are to train on and the others to test).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

# More rows to test by would hardly change a figure.
_MOST_TEST_ROWS = 20_000


class Table(NamedTuple):
    """Rows, their targets, and what is known of them."""

    X: np.ndarray
    """float32."""
    y: np.ndarray
    """Classes from 0 on, or float32."""
    is_regression: bool
    categories: np.ndarray
    """Which columns are categories."""
    n_official: int
    """The first rows, which are to train on, where that is said; -1 or 0 otherwise."""


class Parts(NamedTuple):
    """Numbers of the rows to train on, to validate on, and to test by."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def names_in(folder: Path) -> list[str]:
    """Return the names of the tables in a folder."""
    return sorted(path.stem for path in folder.glob("*.npz"))


def load(folder: Path, name: str) -> Table:
    """Read a table of a folder."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        is_regression = str(stored["task"]) == "regression"
        return Table(
            stored["X"].astype(np.float32),
            stored["y"].astype(np.float32 if is_regression else np.int64),
            is_regression,
            stored["cat_mask"].astype(bool),
            int(stored["n_train"]),
        )


def split(table: Table, seed: int, cap: int) -> Parts:
    """Split rows 60/20/20, of each class the same share.

    Where it is said which rows are to train on, a fifth of these validate. With more than
    `cap` rows to train on there are `cap` of them, and a third of that to validate on.
    """

    def cut(rows: np.ndarray, **size: float) -> list[np.ndarray]:
        y = table.y[rows]
        stratify = not table.is_regression and np.unique(y, return_counts=True)[1].min() > 1
        return train_test_split(
            rows, random_state=seed, stratify=y if stratify else None, **size
        )

    def thin(rows: np.ndarray, n: int) -> np.ndarray:
        return rows if len(rows) <= n else cut(rows, train_size=n)[0]

    rows, n = np.arange(len(table.y)), table.n_official
    rest, test = (rows[:n], rows[n:]) if n > 0 else cut(rows, test_size=0.2)
    train, validation = cut(rest, test_size=0.2 if n > 0 else 0.25)
    return Parts(thin(train, cap), thin(validation, cap // 3), thin(test, _MOST_TEST_ROWS))


def made(n_rows: int) -> tuple[Table, Parts]:
    """Return a table of 20 columns, a quarter of them categories, with two classes.

    There are `n_rows` to train on, and a tenth of that each to validate on and to test by.
    Two of a hundred numbers are missing.
    """
    rng = np.random.default_rng(0)
    n_others = max(100, n_rows // 10)
    n = n_rows + 2 * n_others
    X = rng.standard_normal((n, 20), np.float32)
    X[:, 10:15] = np.exp(X[:, 10:15])
    X[:, 15:] = rng.integers(0, [2, 5, 10, 20, 50], (n, 5))
    score = X[:, 0] * X[:, 1] + np.sin(2.0 * X[:, 2]) + np.log(X[:, 10]) * (X[:, 15] - 0.5)
    score += 0.1 * (X[:, 18] - 9.5) + 0.5 * rng.standard_normal(n, np.float32)
    for column in range(15):
        X[rng.integers(0, n, n // 50), column] = np.nan
    table = Table(X, (score > 0.0).astype(np.int64), False, np.arange(20) >= 15, n_rows)
    ends = [n_rows, n_rows + n_others]
    return table, Parts(*np.split(np.arange(n), ends))
