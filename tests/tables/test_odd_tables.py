"""Tables of any columns are encoded as numbers, row by row, or the error names the column."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from fastdnn.tables import TableEncoder
from tests.tables.drawn import N_ROWS, OBJECTS, PLAIN, tables


def encoded(encoder, X):
    Z = encoder.transform(X)
    return Z.toarray() if sparse.issparse(Z) else Z


def fitted(X, y=None, **options):
    """Return an encoder, or None where no column tells anything."""
    try:
        return TableEncoder(**options).fit(X, y)
    except ValueError as error:
        assert "No column of X can be used" in str(error)
        return None


ODD = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@ODD
@given(tables(OBJECTS), st.booleans(), st.permutations(range(N_ROWS)))
def test_any_objects_are_encoded_row_by_row(columns, with_target, order):
    X = pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in columns.items()})
    y = np.sin(np.arange(N_ROWS)) if with_target else None
    encoder = fitted(X, y, max_levels=8)
    if encoder is None:
        return
    Z = encoded(encoder, X)
    names = encoder.get_feature_names_out()
    assert Z.shape == (N_ROWS, len(names)) == (N_ROWS, encoder.n_features_out_)
    assert len(set(names)) == len(names)
    assert np.isfinite(Z).all()
    assert (np.abs(Z) < 100.0).all()
    rows = list(order)
    np.testing.assert_array_equal(encoded(encoder, X.iloc[rows]), Z[rows])
    np.testing.assert_array_equal(encoded(encoder, X.iloc[rows[:1]]), Z[rows[:1]])
    array = X.to_numpy(dtype=object)
    as_array = fitted(array, y, max_levels=8)
    np.testing.assert_array_equal(encoded(as_array, array), Z)


@ODD
@given(tables(PLAIN))
def test_libraries_agree(columns):
    ours = pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in columns.items()})
    theirs = pl.DataFrame(columns, strict=False)
    encoder = fitted(ours)
    other = fitted(theirs)
    assert (encoder is None) == (other is None)
    if encoder is None:
        return
    assert encoder.get_feature_names_out().tolist() == other.get_feature_names_out().tolist()
    Z = encoded(encoder, ours)
    np.testing.assert_array_equal(encoded(other, theirs), Z)
    np.testing.assert_array_equal(encoded(encoder, theirs), Z)


@ODD
@given(tables(OBJECTS), tables(OBJECTS))
def test_other_tables_are_encoded_or_refused_by_name(columns, others):
    X, other = (
        pd.DataFrame({f"c{j}": pd.Series(v, dtype=object) for j, v in enumerate(t.values())})
        for t in (columns, others)
    )
    encoder = fitted(X)
    if encoder is None or X.shape != other.shape:
        return
    try:
        Z = encoded(encoder, other)
    except ValueError as error:
        assert "Column 'c" in str(error)
    else:
        assert np.isfinite(Z).all()


def frame(**columns):
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([(1, 2)] * 9, r"Column 'c' of X has \(1, 2\) of type tuple"),
        ([0.0] * 8 + [np.inf], "Column 'c' of X has infinity in row 8"),
        ([0] * 8 + [10**400], "Column 'c' of X has infinity in row 8"),
        ([0.0] * 8 + [-1e301], r"Column 'c' of X has -1e\+301 in row 8. Numbers must be"),
        ([1j] * 9, "Complex data not supported"),
    ],
    ids=["tuple", "infinity", "integer", "large", "complex"],
)
def test_what_cannot_be_encoded_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder().fit(frame(c=pd.Series(values, dtype=object), z=range(9)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pl.DataFrame({"a": [1, 2]}).lazy(), r"LazyFrame.*collect\(\)"),
        ({"a": [1, 2]}, "X is a dict, but must be a table"),
        ("a.csv", "X is a str, but must be a table"),
        (None, "X is a NoneType, but must be a table"),
        (pd.Series([1, 2]), "Reshape your data"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "columns of the same name"),
        (pd.DataFrame(index=range(3)), "0 feature"),
        (np.zeros((0, 2)), "0 sample"),
        (np.zeros((1, 2)), "1 sample"),
        ([[1, 2], [3]], "must be a table"),
    ],
    ids=str,
)
def test_what_is_no_table_is_said(X, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder().fit(X)


def test_masked_numbers_are_missing():
    X = np.ma.masked_less(np.arange(-9.0, 31.0).reshape(-1, 1), 0.0)
    encoder = TableEncoder().fit(X)
    assert "x0_missing" in encoder.get_feature_names_out()
    assert encoder.transform(X)[:, 1].tolist() == [1.0] * 9 + [0.0] * 31
    whole = np.ma.masked_equal(np.arange(40).reshape(-1, 1), 7)
    assert TableEncoder().fit_transform(whole)[:, 1].sum() == 1.0


def test_categories_of_any_type_are_what_they_look_like():
    X = frame(
        size=pd.cut(np.arange(40.0), [-1, 10, 40]),
        day=pd.Categorical([datetime.date(2020, 1, 1 + i % 2) for i in range(40)]),
        good=pd.Categorical([i % 3 == 0 for i in range(40)]),
    )
    names = TableEncoder().fit(X).get_feature_names_out()
    assert list(names) == [
        *("size_(-1, 10]", "size_(10, 40]", "size_infrequent"),
        *("day_2020-01-01", "day_2020-01-02", "day_infrequent"),
        *("good_False", "good_True", "good_infrequent"),
    ]


def test_strings_and_numbers_are_not_the_same_categories():
    numbers = frame(c=pd.Categorical([1, 2] * 20))
    strings = frame(c=["1", "2"] * 20)
    for X, other, message in (
        (numbers, strings, "holds strings, but its categories were numbers in fit"),
        (strings, numbers, "holds numbers, but its categories were strings in fit"),
    ):
        with pytest.raises(ValueError, match=message):
            TableEncoder().fit(X).transform(other)
    missing = frame(c=pd.Series([None] * 5, dtype=object))
    assert TableEncoder().fit(strings).transform(missing)[:, -1].tolist() == [1.0] * 5


def test_a_column_that_is_dropped_may_hold_anything_later():
    X = frame(c=np.ones(20), z=np.arange(20.0))
    other = frame(c=["text"] * 20, z=np.arange(20.0))
    encoder = TableEncoder().fit(X)
    np.testing.assert_array_equal(encoder.transform(other), encoder.transform(X))


def test_names_that_would_be_the_same_have_numbers():
    X = frame(
        c=["missing", None] * 20,
        d=np.r_[np.nan, np.arange(39.0)],
        d_missing=np.arange(40.0) ** 2,
    )
    names = list(TableEncoder(numeric_encoding="linear").fit(X).get_feature_names_out())
    assert names == [
        *("c_missing", "c_missing_2", "c_infrequent", "d", "d_missing", "d_missing_2"),
    ]


def test_a_date_and_a_column_with_the_name_of_its_part():
    rng = np.random.default_rng(0)
    when = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 9999, 60), unit="h")
    X = frame(when=when, when_month=rng.normal(size=60))
    with_both = TableEncoder().fit_transform(X)
    each = [TableEncoder(n_bins=7).fit_transform(X[[name]]) for name in X]
    np.testing.assert_array_equal(TableEncoder(n_bins=7).fit_transform(X), np.hstack(each))
    assert np.isfinite(with_both).all()


def test_large_numbers_are_clipped_not_lost():
    X = np.r_[np.linspace(0.0, 1.0, 40), 1e200, -1e250].reshape(-1, 1)
    Z = TableEncoder(numeric_encoding="linear").fit_transform(X)
    np.testing.assert_allclose(Z[-2:, 0], [3.0, -3.0])


def test_decimals_count_as_numbers():
    X = frame(c=pd.Series([decimal.Decimal(i) / 4 for i in range(40)], dtype=object))
    as_floats = frame(c=np.arange(40) / 4)
    np.testing.assert_array_equal(
        TableEncoder().fit_transform(X), TableEncoder().fit_transform(as_floats)
    )
