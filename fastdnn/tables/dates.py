"""Dates as a network can read them: how long ago, and when in the year, week and day."""

import numpy as np

from fastdnn.tables.columns import CATEGORY, DATE, NUMBER, Column

_DAY = 86_400.0
#: Behind the name of a column, of the parts that it becomes.
SUFFIXES = "", "_month", "_weekday", "_hour"


def parts_of(column: Column) -> list[Column]:
    """Return the columns that a column of dates becomes; others as they are."""
    return parts_of_dates(column) if column.kind == DATE else [column]


def parts_of_dates(column: Column) -> list[Column]:
    """Return the columns that a column of dates becomes.

    They are its seconds, a number, and the month, the day of the week (Monday is 0) and the
    hour as categories; each is left out later where it is constant.

    Parameters
    ----------
    column : Column
        Of kind DATE: seconds since 1970, NaN for missing ones.
    """
    seconds, name = column.values, column.name
    missing = np.isnan(seconds)
    whole = np.where(missing, 0.0, seconds)
    days = np.floor(whole / _DAY).astype(np.int64)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    parts = (
        months,
        (days + 3) % 7,  # the first of January 1970 was a Thursday
        ((whole - days * _DAY) // 3600.0).astype(np.int64),
    )
    columns = [Column(name, NUMBER, seconds)]
    for suffix, values in zip(SUFFIXES[1:], parts, strict=True):
        objects = values.astype(object)
        objects[missing] = None
        columns.append(Column(f"{name}{suffix}", CATEGORY, objects))
    return columns
