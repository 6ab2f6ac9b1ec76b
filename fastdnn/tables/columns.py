"""Reads a table column by column: of each its name, what it is, and its values.

Data frames of any library are read by narwhals; arrays and lists as arrays. One column at a
time is made numbers of: a table of millions of rows is never there twice.
"""

from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from scipy import sparse

from fastdnn.tables.objects import as_levels, as_numbers, with_none

#: What a column can be. A DATE is in seconds since 1970 of the clock on the wall.
NUMBER, CATEGORY, DATE = "number", "category", "date"

# A column of strings is text if more than so many of them differ and they have, in the mean,
# so many words or more: then it is no name of anything.
_MANY_DIFFERENT, _WORDS_OF_TEXT = 100, 5.0
# Rows that are looked at for that.
_ROWS_OF_TEXT = 10_000


class Column(NamedTuple):
    """A column of a table."""

    name: str
    kind: str
    """NUMBER, CATEGORY or DATE."""
    values: np.ndarray
    """float64 with NaN for what is missing; of categories objects, with None."""
    is_said: bool = False
    """Whether it is said to be a category, by the user or its dtype."""


class Table:
    """A table of any library, or some of its rows; columns are read when they are asked for.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, n_features)
        The table; whatever narwhals knows, such as one of pandas, polars or pyarrow, or what
        NumPy makes an array of.
    rows : ndarray of int or slice, optional
        Those that count, in this order; all by default.

    Attributes
    ----------
    names : list of str
        Of the columns.

    Raises
    ------
    ValueError
        If X is not a table.
    """

    def __init__(self, X: Any, rows: np.ndarray | None = None) -> None:
        self.whole = as_table(X)
        frame = nw.from_native(self.whole, eager_only=True, pass_through=True)
        self._frame = frame if isinstance(frame, nw.DataFrame) else None
        self._rows = rows
        if self._frame is None:
            self.names = [f"x{j}" for j in range(self.whole.shape[1])]
        else:
            self.names = [str(name) for name in self._frame.columns]

    def __len__(self) -> int:
        return len(self.whole) if self._rows is None else len(self._rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), len(self.names)

    def at(self, rows: np.ndarray) -> "Table":
        """Return some of the rows; nothing is copied."""
        return Table(self.whole, rows if self._rows is None else self._rows[rows])

    def native(self) -> Any:
        """Return it in its own library."""
        if self._rows is None:
            return self.whole
        if self._frame is None:
            return self.whole[self._rows]
        return self._frame[self._rows].to_native()

    def row_of_user(self, row: int) -> int:
        """Return the position of a row in the table that the user gave."""
        return row if self._rows is None else int(self._rows[row])

    def column(self, j: int, is_category: bool = False, by_dtype: bool = True) -> Column:
        """Read a column.

        Parameters
        ----------
        j : int
            Its position.
        is_category : bool, default=False
            Whether it is one whatever it has.
        by_dtype : bool, default=True
            Whether one of a categorical dtype is one.

        Raises
        ------
        ValueError
            If it cannot be read.
        """
        name = self.names[j]
        if self._frame is None:
            values = self.whole[:, j]
            values = values if self._rows is None else values[self._rows]
            return _of_array(name, values, is_category)
        series = self._frame[:, j]
        if self._rows is not None:
            series = series[self._rows]
        return _of_series(name, series, is_category, by_dtype)


def as_table(X: Any) -> Any:
    """Return a data frame as it is, and all else as an array of two dimensions.

    Raises
    ------
    ValueError
        If X is a sparse matrix, or has not two dimensions.
    """
    if sparse.issparse(X):
        raise ValueError(
            "X is a sparse matrix, but must be a table: sparse input is not supported here. "
            "Give X.toarray(), or train a DNNClassifier or DNNRegressor on it."
        )
    try:
        frame = nw.from_native(X, pass_through=True)
    except DuplicateError as error:
        raise ValueError(f"X has columns of the same name. {error}. Rename them.") from None
    if isinstance(frame, nw.LazyFrame):
        raise ValueError(
            f"X is a {type(X).__module__}.{type(X).__name__}, whose rows are not yet there. "
            "Give X.collect()."
        )
    if not isinstance(frame, nw.DataFrame):
        return _array_of(X)
    return X


def category_mask(categorical_features: Any, names: list[str]) -> np.ndarray:
    """Return which columns are said to be categories.

    Parameters
    ----------
    categorical_features : 'from_dtype', None, or array-like of bool, int or str
        A mask, positions or names; none are said by the first two.
    names : list of str
        Of the columns.

    Raises
    ------
    ValueError
        If what is said names no column.
    """
    mask = np.zeros(len(names), dtype=bool)
    if categorical_features is None or (
        isinstance(categorical_features, str) and categorical_features == "from_dtype"
    ):
        return mask
    given = np.asarray(categorical_features)
    if given.ndim != 1 or (given.dtype.kind not in "biuUO" and given.size > 0):
        raise ValueError(
            f"categorical_features={categorical_features!r} must be 'from_dtype', None, a "
            "mask, or positions or names of columns."
        )
    if given.dtype == bool:
        if given.size != len(names):
            raise ValueError(
                f"categorical_features is a mask of {given.size} columns, but X has "
                f"{len(names)}."
            )
        return given.copy()
    for item in given.tolist():
        if type(item) is int and -len(names) <= item < len(names):
            mask[item] = True
        elif isinstance(item, str) and item in names:
            mask[names.index(item)] = True
        else:
            raise ValueError(
                f"categorical_features has {item!r}, but X has "
                f"{len(names)} columns: {names[:10]}{'...' * (len(names) > 10)}."
            )
    return mask


def require_no_text(column: Column) -> None:
    """Raise ValueError for a column of categories that looks like text."""
    if column.kind != CATEGORY or column.is_said:
        return
    texts = [v for v in column.values[:_ROWS_OF_TEXT] if isinstance(v, str)]
    if len(set(texts)) <= _MANY_DIFFERENT:
        return
    words = sum(len(text.split()) for text in texts) / len(texts)
    if words >= _WORDS_OF_TEXT:
        raise ValueError(
            f"Column {column.name!r} of X is text: {len(set(texts))} different strings of "
            f"{words:.0f} words in the mean. Leave it out, or make numbers of it, for "
            "instance with sklearn.feature_extraction.text.TfidfVectorizer and TruncatedSVD; "
            "or say by categorical_features that it is a category."
        )


def _array_of(X: Any) -> np.ndarray:
    array = X
    if isinstance(X, np.ma.MaskedArray):
        array = X.data.astype(object)
        array[np.ma.getmaskarray(X)] = None
    elif not isinstance(X, np.ndarray):
        is_array = hasattr(X, "__array__")
        array = np.asarray(X) if is_array else np.asarray(X, dtype=object)
    if array.ndim == 0:
        raise ValueError(
            f"X is a {type(X).__name__}, but must be a table: a data frame, or an array or a "
            "list of rows. Reshape your data."
        )
    if array.ndim != 2:
        raise ValueError(
            f"X has {array.ndim} dimension{'s' * (array.ndim != 1)}, but must be a table of "
            "2: rows and columns. Reshape your data either using array.reshape(-1, 1) if it "
            "has a single feature or array.reshape(1, -1) if it contains a single sample."
        )
    if array.dtype.kind == "c":
        raise ValueError("Complex data not supported: X must have real numbers.")
    return array


def _of_series(name: str, series: Any, is_category: bool, by_dtype: bool) -> Column:
    dtype = series.dtype
    is_category |= dtype in (nw.Categorical, nw.Enum) and by_dtype
    if is_category:
        return Column(name, CATEGORY, as_levels(name, _objects_of(series)), True)
    if dtype in (nw.Categorical, nw.Enum, nw.String, nw.Object, nw.Unknown):
        return _of_objects(name, _objects_of(series))
    if dtype in (nw.Datetime, nw.Date):
        if dtype == nw.Date:
            series = series.cast(nw.Datetime("us"))
        microseconds = series.dt.replace_time_zone(None).dt.timestamp("us")
        return Column(name, DATE, _floats(microseconds) / 1e6)
    if dtype == nw.Duration:
        return Column(name, NUMBER, _floats(series.dt.total_microseconds()) / 1e6)
    if dtype == nw.Time:
        return _of_objects(name, _objects_of(series))
    if dtype.is_numeric() or dtype == nw.Boolean:
        return Column(name, NUMBER, _floats(series))
    raise ValueError(
        f"Column {name!r} of X has dtype {dtype}, which cannot be encoded. Give numbers, "
        "booleans, strings, categories or dates, or leave it out."
    )


def _floats(series: Any) -> np.ndarray:
    """Return numbers with NaN for nulls, whatever the library has for them."""
    missing = series.is_null().to_numpy()
    if missing.any():
        series = series.fill_null(False if series.dtype == nw.Boolean else 0)
    numbers = np.array(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    numbers[missing] = np.nan
    return numbers


def _objects_of(series: Any) -> np.ndarray:
    """Return Python objects with None for nulls."""
    objects = with_none(series.to_list())
    objects[series.is_null().to_numpy()] = None
    return objects


def _of_array(name: str, values: np.ndarray, is_category: bool) -> Column:
    if is_category or values.dtype.kind in "US":
        levels = as_levels(name, with_none(values.tolist()))
        return Column(name, CATEGORY, levels, is_category)
    if values.dtype.kind in "mM":
        missing = np.isnat(values)
        unit = "datetime64[us]" if values.dtype.kind == "M" else "timedelta64[us]"
        seconds = values.astype(unit).astype(np.int64) / 1e6
        seconds[missing] = np.nan
        return Column(name, DATE if values.dtype.kind == "M" else NUMBER, seconds)
    if values.dtype.kind in "biuf":
        return Column(name, NUMBER, values.astype(np.float64))
    return _of_objects(name, with_none(values.tolist()))


def _of_objects(name: str, values: np.ndarray) -> Column:
    """Return a column of what Python objects are: numbers or dates, if all of them are."""
    found = as_numbers(values)
    if found is None:
        return Column(name, CATEGORY, as_levels(name, values, of_dtype=False))
    numbers, are_dates = found
    return Column(name, DATE if are_dates else NUMBER, numbers)
