"""A compact table for tests, and what a network is given of it, by formulas."""

import numpy as np

from fastdnn.network.table_input import Entry, TableInput
from fastdnn.ops.table_entries import CLIPPED, LEVEL, MISSING, PLAIN, STAIRS

EDGES = {0: (-1.0, -0.5, 0.25, 2.0), 1: tuple(np.linspace(-2, 2, 34)), 2: (-1.5, 0.0, 1.0)}
N_LEVELS = 70


def table():
    """Describe columns of three numbers, a category and a plain number."""
    entries = []
    for column, edges in EDGES.items():
        entries += [Entry(column, CLIPPED), Entry(column, MISSING)]
        entries.append(Entry(column, STAIRS, len(edges) - 1, edges))
    entries += [Entry(3, LEVEL, N_LEVELS), Entry(4, PLAIN)]
    return TableInput(5, entries)


def rows_of_table(n_rows, seed=0):
    """Draw rows, of which some numbers are missing, at an edge, or beyond all of them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 5)) * 1.5
    for column, edges in EDGES.items():
        X[column::7, column] = rng.choice(edges, X[column::7, column].size)
    X[::5, 0], X[1::11, 1] = np.nan, np.nan
    X[:, 3] = rng.integers(0, N_LEVELS, n_rows)
    return X.astype(np.float32)


def encoded(X):
    """Write what a network is given of each row, by the formulas of the encoding."""
    X, blocks = X.astype(np.float64), []
    for column, edges in EDGES.items():
        missing = np.isnan(X[:, column])
        x, e = np.where(missing, 0.0, X[:, column]), np.float32(edges).astype(np.float64)
        blocks += [x / np.sqrt(1.0 + (x / 3.0) ** 2), missing]
        blocks += list(np.clip((x[:, np.newaxis] - e[:-1]) / np.diff(e), 0.0, 1.0).T)
    blocks += list(np.eye(N_LEVELS)[X[:, 3].astype(int)].T)
    return np.column_stack([*blocks, X[:, 4]])
