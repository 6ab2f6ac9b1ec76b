"""What Python objects in a table are: missing, numbers, dates, levels of a category."""

import datetime
from numbers import Number
from typing import Any

import numpy as np

# Most columns hold nothing else, and are a million times asked.
_NEVER_MISSING = {str, int, bool, type(None)}
_EPOCH, _MIDNIGHT = datetime.datetime(1970, 1, 1), datetime.time()


def with_none(values: list) -> np.ndarray:
    """Return objects as an array, with None for all that stands for missing."""
    objects = np.empty(len(values), dtype=object)
    kinds = set(map(type, values))
    if kinds <= _NEVER_MISSING:
        objects[:] = values
    elif kinds <= _NEVER_MISSING | {float}:
        objects[:] = [v if v == v else None for v in values]
    else:
        for i, v in enumerate(values):  # which may have a length
            objects[i] = None if is_missing(v) else v
    return objects


def is_missing(v: Any) -> bool:
    """Whether an object stands for something that is not there."""
    if v is None:
        return True
    if type(v) in _NEVER_MISSING:
        return False
    try:
        return bool(v != v)  # NaN of any type, and NaT
    except TypeError:  # pandas.NA is neither
        return type(v).__name__ == "NAType"
    except ValueError:  # an array
        return False


def as_numbers(values: np.ndarray) -> tuple[np.ndarray, bool] | None:
    """Return objects as numbers, if all of them are numbers, or all dates, or all times.

    Parameters
    ----------
    values : ndarray of object of shape (n_samples,)
        None for what is missing.

    Returns
    -------
    numbers : ndarray of float64 of shape (n_samples,)
        NaN for what is missing; of dates seconds since 1970, of the clock on the wall; of
        durations and times of the day seconds.
    are_dates : bool
        Whether they are dates.

    Raises
    ------
    ValueError
        If a number is complex, or too large.
    """
    present = [v for v in values if v is not None]
    if all(isinstance(v, Number | np.bool_ | np.number) for v in present):
        if any(isinstance(v, complex | np.complexfloating) for v in present):
            raise ValueError("Complex data not supported: X must have real numbers.")
        return _mapped(values, _as_float), False
    if all(isinstance(v, datetime.date | np.datetime64) for v in present):
        return _mapped(values, _seconds_since_1970), True
    if all(isinstance(v, datetime.timedelta | np.timedelta64) for v in present):
        return _mapped(values, _seconds_of_duration), False
    if all(isinstance(v, datetime.time) for v in present):
        return _mapped(values, _seconds_of_day), False
    return None


def _mapped(values: np.ndarray, function: Any) -> np.ndarray:
    return np.array([np.nan if v is None else function(v) for v in values])


def _as_float(v: Any) -> float:
    try:
        return float(v)
    except OverflowError:  # an integer, which is reported as what it is for a network
        return float("inf") if v > 0 else float("-inf")


def _seconds_since_1970(v: Any) -> float:
    if isinstance(v, np.datetime64):
        return float(v.astype("datetime64[us]").astype(np.int64)) / 1e6
    if not isinstance(v, datetime.datetime):
        v = datetime.datetime.combine(v, _MIDNIGHT)
    return (v.replace(tzinfo=None) - _EPOCH).total_seconds()


def _seconds_of_duration(v: Any) -> float:
    if isinstance(v, np.timedelta64):
        return float(v.astype("timedelta64[us]").astype(np.int64)) / 1e6
    return v.total_seconds()


def _seconds_of_day(v: datetime.time) -> float:
    return v.hour * 3600.0 + v.minute * 60.0 + v.second + v.microsecond / 1e6


def as_levels(name: str, values: np.ndarray, of_dtype: bool = True) -> np.ndarray:
    """Return the levels of a category as strings, numbers and None.

    Parameters
    ----------
    name : str
        Of the column.
    values : ndarray of object of shape (n_samples,)
        None for what is missing.
    of_dtype : bool, default=True
        Whether the column is said to be one of categories: then levels of other types, such
        as dates and intervals, are what they look like.

    Raises
    ------
    ValueError
        If one is no level.
    """
    if set(map(type, values)) <= {str, type(None)}:
        return values
    levels: dict[Any, Any] = {}
    result = np.empty(len(values), dtype=object)
    for i, v in enumerate(values):
        if type(v) is str or v is None:
            result[i] = v
            continue
        try:
            if v not in levels:
                levels[v] = _level(name, v, of_dtype)
            result[i] = levels[v]
        except TypeError:  # which have no hash
            result[i] = _level(name, v, False)
    return result


def _level(name: str, v: Any, of_dtype: bool) -> Any:
    if isinstance(v, bytes):
        return v.decode("utf-8", "backslashreplace")
    if isinstance(v, str):
        return str(v)
    if isinstance(v, np.generic):
        v = v.item()
    if isinstance(v, int) and not -(2**63) <= v < 2**63:
        return str(v)
    if isinstance(v, bool | int | float):
        return v
    if isinstance(v, Number) and not isinstance(v, complex):  # decimals and fractions
        # `Number` promises no conversion; those that are not complex have one.
        return float(v)  # type: ignore[arg-type]
    if of_dtype:
        return str(v)
    raise ValueError(
        f"Column {name!r} of X has {v!r} of type {type(v).__name__}; its argument must be a "
        "string or a number. Convert it, or leave the column out."
    )
