"""A table as the engine reads it: one number a column, near the size of the raw table.

What an encoder makes of a column, the engine makes of one number of it
(`fastdnn.ops.table_entries`): of numbers those that are centred and scaled, of categories the
positions of levels. So the encoded table is never written.
"""

from typing import Any

import numpy as np

from fastdnn.network.table_input import Entry, TableInput
from fastdnn.ops.table_entries import CLIPPED, LEVEL, MISSING, PLAIN, STAIRS
from fastdnn.tables.categories import CategoryEncoder
from fastdnn.tables.columns import Table
from fastdnn.tables.encoder import TableEncoder
from fastdnn.tables.numbers import NumberEncoder
from fastdnn.tables.targets import TargetMeans

# Beyond so many columns of numbers bins are few, and a product of dense rows is faster.
_MOST_NUMBERS = 128


def input_of(encoder: TableEncoder) -> TableInput | None:
    """Return what the columns of a compact table stand for; None for an encoded one."""
    numbers = [one for _, one in encoder._encoders if isinstance(one, NumberEncoder)]
    if len(numbers) > _MOST_NUMBERS:
        return None
    entries: list[Entry] = []
    column = 0
    for _, one in encoder._encoders:
        if isinstance(one, NumberEncoder):
            edges = one.scaled(one.edges)
            entries += [Entry(column, CLIPPED)] * (not one.is_constant)
            entries += [Entry(column, MISSING)] * one.has_missing
            if edges.size > 0:
                entries.append(Entry(column, STAIRS, edges.size - 1, tuple(edges.tolist())))
            column += 1
        elif isinstance(one, CategoryEncoder):
            entries.append(Entry(column, LEVEL, len(one.names)))
            column += 1
        else:
            width = len(one.names)
            entries += [Entry(column + j, PLAIN) for j in range(width)]
            column += width
    return TableInput(column, entries)


def fit_rows(encoder: TableEncoder, X: Any, y: Any) -> Any:
    """Fit an encoder to a table, and return it as `rows_of` does.

    Of categories with means of targets, rows have those over other folds than their own.
    """
    table = encoder._fit(X, y)
    if input_of(encoder) is None:
        return encoder._encode(table, is_fitted=True)
    rows = _written(encoder, table, is_fitted=True)
    encoder._forget_other_folds()
    return rows


def rows_of(encoder: TableEncoder, X: Any) -> Any:
    """Return a table as the engine reads it.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted.
    X : DataFrame or array-like of shape (n_samples, n_features)
        The table.

    Returns
    -------
    ndarray of float32 or CSR matrix of shape (n_samples, n_columns)
        The columns of `input_of`, or the encoded table.
    """
    if input_of(encoder) is None:
        return encoder._encode(encoder._read(X, reset=False))
    return _written(encoder, encoder._read(X, reset=False), is_fitted=False)


def _written(encoder: TableEncoder, table: Table, is_fitted: bool) -> np.ndarray:
    widths = [
        len(one.names) if isinstance(one, TargetMeans) else 1 for _, one in encoder._encoders
    ]
    out = np.empty((len(table), sum(widths)), dtype=np.float32)
    first = 0
    for (values, one), width in zip(encoder._each(table), widths, strict=True):
        if isinstance(one, NumberEncoder):
            out[:, first] = one.scaled(values)
        elif isinstance(one, CategoryEncoder):
            out[:, first] = one.codes(values)
        elif is_fitted:
            out[:, first : first + width] = one.of_other_folds
        else:
            one.write(values, out[:, first : first + width])
        first += width
    return out
