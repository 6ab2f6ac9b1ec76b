"""Tables of several libraries, read column by column."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from fastdnn.tables.columns import (
    CATEGORY,
    DATE,
    NUMBER,
    Table,
    category_mask,
    require_no_text,
)

DATES = [datetime.datetime(2020, 1, 1), None, datetime.datetime(2021, 2, 3, 4, 5)]
SECONDS = [1577836800.0, np.nan, 1612325100.0]


def read_columns(X, categories="from_dtype"):
    """Return all columns of a table."""
    table = Table(X)
    mask = category_mask(categories, table.names)
    return [table.column(j, is_category) for j, is_category in enumerate(mask)]


def equal(values, expected):
    values = list(values)
    same = [a == b or (a != a and b != b) for a, b in zip(values, expected, strict=True)]
    return all(same)


PANDAS = {
    "float": (pd.Series([1.5, None, -2.0]), NUMBER, [1.5, np.nan, -2.0]),
    "nullable": (pd.array([1, None, 3], dtype="Int64"), NUMBER, [1.0, np.nan, 3.0]),
    "bool": (pd.Series([True, False, True]), NUMBER, [1.0, 0.0, 1.0]),
    "boolean": (pd.array([True, None, False], dtype="boolean"), NUMBER, [1.0, np.nan, 0.0]),
    "strings": (pd.Series(["x", None, "y"]), CATEGORY, ["x", None, "y"]),
    "categories": (pd.Categorical([3, None, 5]), CATEGORY, [3, None, 5]),
    "objects": (pd.Series([1, None, "u"], dtype=object), CATEGORY, [1, None, "u"]),
    "numbers": (pd.Series([1, None, 2.5], dtype=object), NUMBER, [1.0, np.nan, 2.5]),
    "dates": (pd.to_datetime(pd.Series(DATES)), DATE, SECONDS),
    "zoned": (pd.to_datetime(pd.Series(DATES)).dt.tz_localize("Asia/Tokyo"), DATE, SECONDS),
    "durations": (
        pd.to_timedelta([1, None, 90], unit="s"),
        NUMBER,
        [1.0, np.nan, 90.0],
    ),
}
POLARS = {
    "float": (pl.Series([1.5, None, -2.0]), NUMBER, [1.5, np.nan, -2.0]),
    "int": (pl.Series([1, None, 3]), NUMBER, [1.0, np.nan, 3.0]),
    "bool": (pl.Series([True, None, False]), NUMBER, [1.0, np.nan, 0.0]),
    "strings": (pl.Series(["x", None, "y"]), CATEGORY, ["x", None, "y"]),
    "categories": (
        pl.Series(["a", None, "b"], dtype=pl.Categorical),
        CATEGORY,
        ["a", None, "b"],
    ),
    "datetimes": (pl.Series(DATES), DATE, SECONDS),
    "dates": (
        pl.Series([d and d.date() for d in DATES]),
        DATE,
        [1577836800.0, np.nan, 1612310400.0],
    ),
    "durations": (
        pl.Series([datetime.timedelta(seconds=1), None, datetime.timedelta(seconds=90)]),
        NUMBER,
        [1.0, np.nan, 90.0],
    ),
}


@pytest.mark.parametrize("name", PANDAS)
def test_columns_of_pandas(name):
    values, kind, expected = PANDAS[name]
    (column,) = read_columns(pd.DataFrame({"c": values}))
    assert column.name == "c"
    assert column.kind == kind
    assert equal(column.values, expected)


@pytest.mark.parametrize("name", POLARS)
def test_columns_of_polars(name):
    values, kind, expected = POLARS[name]
    (column,) = read_columns(pl.DataFrame({"c": values}))
    assert column.kind == kind
    assert equal(column.values, expected)


def test_arrays_have_numbered_columns():
    columns = read_columns(np.array([[1.0, np.nan], [2.0, 3.0]]))
    assert [c.name for c in columns] == ["x0", "x1"]
    assert [c.kind for c in columns] == [NUMBER, NUMBER]
    mixed = read_columns([[1, "a"], [None, "b"]])
    assert [c.kind for c in mixed] == [NUMBER, CATEGORY]
    assert equal(mixed[0].values, [1.0, np.nan])
    dates = np.array(["2020-01-01", "NaT"], dtype="datetime64[D]").reshape(-1, 1)
    assert read_columns(dates)[0].kind == DATE


@pytest.mark.parametrize(
    "said", [[True, False], [0], np.array([0]), ["a"], [-2]], ids=["mask", *"0123"]
)
def test_columns_can_be_said_to_be_categories(said):
    frame = pd.DataFrame({"a": [1, 2, 1], "b": [1.0, 2.0, 3.0]})
    kinds = [c.kind for c in read_columns(frame, said)]
    assert kinds == [CATEGORY, NUMBER]


@pytest.mark.parametrize("said", [[True], ["z"], [7], [[0]], [0.5]], ids=str)
def test_what_is_said_must_name_columns(said):
    with pytest.raises(ValueError, match="categorical_features"):
        read_columns(pd.DataFrame({"a": [1, 2, 1], "b": [1.0, 2.0, 3.0]}), said)


def test_text_is_refused_by_name():
    text = [f"this is row {i} of a long story" for i in range(150)]
    (column,) = read_columns(pd.DataFrame({"story": text}))
    with pytest.raises(ValueError, match="Column 'story' of X is text: 150 different"):
        require_no_text(column)
    names = [f"person {i}" for i in range(150)]
    for others in (names, pd.Categorical(text)):
        require_no_text(read_columns(pd.DataFrame({"story": others}))[0])
    require_no_text(read_columns(pd.DataFrame({"story": text}), ["story"])[0])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (sparse.eye(3).tocsr(), "X is a sparse matrix"),
        (np.ones(3), "Reshape your data"),
        (np.ones((2, 2), dtype=complex), "Complex data not supported"),
        (pd.DataFrame({"c": [[1], [2]]}), "Column 'c' of X"),
        (pl.DataFrame({"c": [[1], [2]]}), "Column 'c' of X has dtype List"),
    ],
)
def test_what_is_no_table_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        read_columns(X)
