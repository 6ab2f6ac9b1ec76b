"""Reads a table: of every column its name, what it is, and its values as NumPy arrays.

Data frames of any library are read by narwhals; arrays and lists column by column.
"""

from numbers import Number
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from scipy import sparse

#: What a column can be. A DATE is in seconds since 1970 of the clock on the wall.
NUMBER, CATEGORY, DATE = "number", "category", "date"

# A column of strings is text if more than so many of them differ and they have, in the mean,
# so many words or more: then it is no name of anything.
_MANY_DIFFERENT, _WORDS_OF_TEXT = 100, 5.0


class Column(NamedTuple):
    """A column of a table."""

    name: str
    kind: str
    """NUMBER, CATEGORY or DATE."""
    values: np.ndarray
    """float64 with NaN for what is missing; of categories objects, with None."""


def read_columns(X: Any, categorical_features: Any = "from_dtype") -> list[Column]:
    """Return the columns of a table.

    Parameters
    ----------
    X : DataFrame, array-like of shape (n_samples, n_features)
        The table; whatever narwhals knows, such as one of pandas, polars or pyarrow, or what
        NumPy makes an array of.
    categorical_features : 'from_dtype', None, or array-like of bool, int or str
        Which columns are categories besides those of strings: by their dtype, none, or by a
        mask, positions or names.

    Returns
    -------
    list of Column

    Raises
    ------
    ValueError
        If X is not a table, a column cannot be read, or there is no such column.
    """
    frame = nw.from_native(as_table(X), eager_only=True, pass_through=True)
    is_frame = isinstance(frame, nw.DataFrame)
    array = np.zeros((0, 0)) if is_frame else frame
    names = list(map(str, frame.columns)) if is_frame else _numbered(array.shape[1])
    are_categories = category_mask(categorical_features, names)
    by_dtype = isinstance(categorical_features, str)
    columns = []
    for j, name in enumerate(names):
        forced = bool(are_categories[j])
        if is_frame:
            series = frame.get_column(frame.columns[j])
            columns.append(_of_series(name, series, forced, by_dtype))
        else:
            columns.append(_of_array(name, array[:, j], forced))
    for column in columns:
        _require_no_text(column)
    return columns


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
    is_frame = isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame)
    return X if is_frame else _array_of(X)


def rows_at(X: Any, rows: np.ndarray) -> Any:
    """Return some rows of a table from `as_table`."""
    if isinstance(X, np.ndarray):
        return X[rows]
    return nw.from_native(X, eager_only=True)[rows].to_native()


def category_mask(categorical_features: Any, names: list[str]) -> np.ndarray:
    """Return which columns are said to be categories.

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
        if isinstance(item, int) and -len(names) <= item < len(names):
            mask[item] = True
        elif item in names:
            mask[names.index(item)] = True
        else:
            raise ValueError(
                f"categorical_features has {item!r}, but X has "
                f"{len(names)} columns: {names[:10]}{'...' * (len(names) > 10)}."
            )
    return mask


def _numbered(n_columns: int) -> list[str]:
    return [f"x{j}" for j in range(n_columns)]


def _array_of(X: Any) -> np.ndarray:
    array = X
    if not isinstance(X, np.ndarray):
        is_array = hasattr(X, "__array__")
        array = np.asarray(X) if is_array else np.asarray(X, dtype=object)
    if array.ndim != 2:
        raise ValueError(
            f"X has {array.ndim} dimension{'s' * (array.ndim != 1)}, but must be a table of "
            "2: rows and columns. Reshape your data either using array.reshape(-1, 1) if it "
            "has a single feature or array.reshape(1, -1) if it contains a single sample."
        )
    if array.dtype.kind == "c":
        raise ValueError("Complex data not supported: X must have real numbers.")
    return array


def _of_series(name: str, series: Any, forced: bool, by_dtype: bool) -> Column:
    dtype = series.dtype
    is_category = dtype in (nw.Categorical, nw.Enum) and by_dtype
    if dtype in (nw.Categorical, nw.Enum, nw.String, nw.Object, nw.Unknown):
        values = _objects_of(series)
        if is_category or forced:
            return Column(name, CATEGORY, values)
        return _of_objects(name, values)
    if forced:
        return Column(name, CATEGORY, _objects_of(series))
    if dtype in (nw.Datetime, nw.Date):
        if dtype == nw.Date:
            series = series.cast(nw.Datetime("ms"))
        milliseconds = series.dt.replace_time_zone(None).dt.timestamp("ms")
        return Column(name, DATE, _floats(milliseconds) / 1e3)
    if dtype == nw.Duration:
        return Column(name, NUMBER, _floats(series.dt.total_milliseconds()) / 1e3)
    if dtype.is_numeric() or dtype == nw.Boolean:
        return Column(name, NUMBER, _floats(series))
    raise ValueError(
        f"Column {name!r} of X has dtype {dtype}, which cannot be encoded. Give numbers, "
        "booleans, strings, categories or dates, or leave it out."
    )


def _floats(series: Any) -> np.ndarray:
    """Return numbers with NaN for nulls, whatever the library has for them."""
    missing = series.is_null().to_numpy()
    if not missing.any():
        return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    pairs = zip(series.to_list(), missing.tolist(), strict=True)
    return np.array([np.nan if is_missing else float(v) for v, is_missing in pairs])


def _objects_of(series: Any) -> np.ndarray:
    """Return Python objects with None for nulls."""
    objects = _objects(series.to_list())
    objects[series.is_null().to_numpy()] = None
    return objects


def _of_array(name: str, values: np.ndarray, forced: bool) -> Column:
    if values.dtype.kind in "mM":
        missing = np.isnat(values)
        unit = "datetime64[ms]" if values.dtype.kind == "M" else "timedelta64[ms]"
        seconds = values.astype(unit).astype(np.int64) / 1e3
        seconds[missing] = np.nan
        return Column(name, DATE if values.dtype.kind == "M" else NUMBER, seconds)
    if forced or values.dtype.kind in "US":
        return Column(name, CATEGORY, _objects(values.tolist()))
    if values.dtype == object:
        return _of_objects(name, _objects(values.tolist()))
    return Column(name, NUMBER, values.astype(np.float64))


def _of_objects(name: str, values: np.ndarray) -> Column:
    """Return a column of what Python objects are: numbers, if all of them are."""
    present = [v for v in values if v is not None]
    if all(isinstance(v, Number | np.bool_) for v in present):
        if any(isinstance(v, complex) for v in present):
            raise ValueError("Complex data not supported: X must have real numbers.")
        numbers = np.array([np.nan if v is None else float(v) for v in values])
        return Column(name, NUMBER, numbers)
    for v in present:
        if not isinstance(v, str | bytes | Number | np.bool_):
            raise ValueError(
                f"Column {name!r} of X has {v!r} of type {type(v).__name__}; its argument "
                "must be a string or a number. Convert it, or leave the column out."
            )
    return Column(name, CATEGORY, values)


def _objects(values: list) -> np.ndarray:
    """Return an array of objects, with None for all that stands for missing."""
    objects = np.empty(len(values), dtype=object)
    for i, v in enumerate(values):
        is_nan = isinstance(v, float) and v != v
        objects[i] = None if is_nan else v
    return objects


def _require_no_text(column: Column) -> None:
    if column.kind != CATEGORY:
        return
    texts = [v for v in column.values[:10_000] if isinstance(v, str)]
    if len(set(texts)) <= _MANY_DIFFERENT:
        return
    words = sum(len(text.split()) for text in texts) / len(texts)
    if words >= _WORDS_OF_TEXT:
        raise ValueError(
            f"Column {column.name!r} of X is text: {len(set(texts))} different strings of "
            f"{words:.0f} words in the mean. Leave it out, or make numbers of it, for "
            "instance with sklearn.feature_extraction.text.TfidfVectorizer and TruncatedSVD."
        )
