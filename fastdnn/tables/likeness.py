"""Whether a column tells anything, and whether a later one is like that of the fit."""

import hashlib

import numpy as np

from fastdnn.tables.columns import CATEGORY, NUMBER, Column, Table

# Of larger numbers the differences may overflow.
_LARGEST = 1e300


class Seen:
    """Columns that there were, to find those that tell nothing new."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}

    def why_to_drop(self, column: Column) -> str | None:
        """Return why a column is to be left out, or None; remember it."""
        values = column.values
        if column.kind == NUMBER:
            missing = np.isnan(values)
            if missing.all():
                return "all missing"
            if not missing.any() and values.min() == values.max():
                return "constant"
            told = values.tobytes()
        else:
            levels = set(values.tolist())
            if len(levels) < 2:
                return "all missing" if levels == {None} else "constant"
            told = repr(values.tolist()).encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(told, digest_size=16).digest()
        if key in self._names:
            return f"equal to {self._names[key]!r}"
        self._names[key] = column.name
        return None


def require_finite(column: Column, table: Table) -> None:
    """Raise ValueError, with the row, where a number is infinite or nearly so."""
    if column.kind == CATEGORY:
        return
    are_too_large = np.abs(column.values) > _LARGEST
    if are_too_large.any():
        rows = np.flatnonzero(are_too_large)
        at, row = min((table.row_of_user(row), row) for row in rows.tolist())
        what = "infinity" if np.isinf(column.values[row]) else f"{column.values[row]:g}"
        raise ValueError(
            f"Column {column.name!r} of X has {what} in row {at}. Numbers "
            f"must be smaller than {_LARGEST:g}: replace it, for instance by NaN, which is "
            "taken for missing."
        )


def words_of(column: Column) -> bool | None:
    """Return whether all levels of a category are words; None if some are."""
    if column.kind != CATEGORY:
        return None
    kinds = set(map(type, column.values)) - {type(None)}
    are_words = {issubclass(kind, str) for kind in kinds}
    return are_words.pop() if len(are_words) == 1 else None


def require_alike(column: Column, words: bool | None) -> None:
    """Raise ValueError for numbers where levels were words, and the other way round."""
    found = words_of(column)
    if words is None or found is None or found == words:
        return
    now, before = ("strings", "numbers") if found else ("numbers", "strings")
    raise ValueError(
        f"Column {column.name!r} of X holds {now}, but its categories were {before} in fit. "
        "Convert it to what it was."
    )


def as_kind(column: Column, kind: str) -> Column:
    """Return a column as what it was in the fit."""
    values = column.values
    if column.kind != CATEGORY and np.isnan(values).all():
        return column._replace(kind=kind)
    if column.kind == CATEGORY and all(v is None for v in values):
        return Column(column.name, kind, np.full(len(values), np.nan))
    raise ValueError(
        f"Column {column.name!r} of X holds {column.kind} values, but held {kind} values in "
        "fit. Convert it to what it was."
    )
