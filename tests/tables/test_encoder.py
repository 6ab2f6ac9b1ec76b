"""`TableEncoder` as a whole."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastdnn import DNNClassifier
from fastdnn.tables import TableEncoder


def table(n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    hours = pd.to_timedelta(rng.integers(0, 900 * 24, n_rows), unit="h")
    return pd.DataFrame(
        {
            "size": rng.normal(size=n_rows),
            "age": np.where(rng.random(n_rows) < 0.1, np.nan, rng.exponential(size=n_rows)),
            "kind": pd.Categorical(rng.integers(0, 5, n_rows)),
            "colour": rng.choice(["red", "green", "blue"], n_rows),
            "when": pd.Timestamp("2020-01-01") + hours,
        }
    )


def polars(X):
    return pl.DataFrame({name: X[name].tolist() for name in X.columns})


@parametrize_with_checks([TableEncoder(), TableEncoder(sparse_output=True)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_all_columns_are_encoded_and_named():
    X = table()
    encoder = TableEncoder(n_bins=8)
    Z = encoder.fit_transform(X)
    names = encoder.get_feature_names_out()
    assert Z.dtype == np.float32
    assert Z.shape == (300, len(names)) == (300, encoder.n_features_out_)
    assert len(set(names)) == len(names)
    assert {"size", "size_bin0", "age_missing", "colour_red", "when", "when_month_3"} <= set(
        names
    )
    assert np.isfinite(Z).all()
    np.testing.assert_array_equal(encoder.transform(X), Z)


def test_what_tells_nothing_is_left_out():
    X = table().assign(one=1.0, none=np.nan, same="x", nothing=None)
    X["again"] = X["size"]
    encoder = TableEncoder().fit(X)
    assert encoder.dropped_ == {
        "one": "constant",
        "none": "all missing",
        "same": "constant",
        "nothing": "all missing",
        "again": "equal to 'size'",
    }
    without = TableEncoder().fit_transform(table())
    np.testing.assert_array_equal(encoder.transform(X), without)


def test_frames_of_two_libraries_are_encoded_alike():
    X = table().astype({"kind": str})
    ours = TableEncoder().fit(X)
    theirs = TableEncoder().fit(polars(X))
    np.testing.assert_array_equal(ours.transform(X), theirs.transform(polars(X)))


def test_arrays_with_codes_of_categories():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=100), rng.integers(0, 3, 100)])
    encoder = TableEncoder(categorical_features=[1], numeric_encoding="linear").fit(X)
    assert list(encoder.get_feature_names_out()) == [
        *("x0", "x1_0.0", "x1_1.0", "x1_2.0", "x1_infrequent"),
    ]


def test_rows_are_encoded_by_themselves():
    X = table()
    encoder = TableEncoder().fit(X)
    whole = encoder.transform(X)
    few = [encoder.transform(X.iloc[i : i + 1]) for i in range(10)]
    np.testing.assert_array_equal(np.vstack(few), whole[:10])


def test_sparse_results_are_the_same_numbers():
    X = table()
    dense = TableEncoder(sparse_output=False).fit_transform(X)
    is_csr = TableEncoder(sparse_output=True).fit_transform(X)
    assert sparse.isspmatrix_csr(is_csr)
    np.testing.assert_array_equal(is_csr.toarray(), dense)


def test_many_levels_make_the_result_sparse():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({f"c{j}": rng.integers(0, 60, 2000).astype(str) for j in range(10)})
    assert sparse.issparse(TableEncoder().fit_transform(X))
    assert not sparse.issparse(TableEncoder().fit_transform(X[["c0"]]))


def test_bins_are_of_the_target_in_regression():
    X = pd.DataFrame({"x": np.arange(400.0)})
    y = 1.0 * (X["x"] >= 100.0) + 0.5
    by_target = TableEncoder(n_bins=2).fit(X, y + 0.01 * np.sin(X["x"]))
    assert by_target._encoders[0][1].edges[1] == 99.5
    by_rows = TableEncoder(n_bins=2).fit(X, (y > 1).astype(int))
    assert by_rows._encoders[0][1].edges.size == 3
    assert by_rows._encoders[0][1].edges[1] != 99.5


def test_names_of_very_many_levels_become_means():
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 150, 1500)
    effect = rng.normal(size=150)
    X = pd.DataFrame({"city": [f"city {i}" for i in levels]})
    y = effect[levels] + 0.1 * rng.normal(size=1500)
    encoder = TableEncoder(max_levels=64)
    Z = encoder.fit_transform(X, y)
    assert encoder.get_feature_names_out()[-1] == "city_mean0"
    assert np.corrcoef(Z[:, -1], effect[levels])[0, 1] > 0.9
    assert np.corrcoef(encoder.transform(X)[:, -1], effect[levels])[0, 1] > 0.9
    assert not np.array_equal(encoder.transform(X), Z)  # which are of other folds


def test_copies_and_output_containers():
    X = table()
    encoder = TableEncoder().fit(X)
    same = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(same.transform(X), encoder.transform(X))
    frame = clone(encoder).set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == list(encoder.get_feature_names_out())


@pytest.mark.slow_without_jit
def test_a_network_learns_from_a_table():
    X = table(600)
    y = np.where((X["size"] > 0) ^ (X["colour"] == "red"), "yes", "no")
    network = DNNClassifier((32,), learning_rate_init=0.01, max_iter=40, random_state=0)
    model = make_pipeline(TableEncoder(n_bins=16), network).fit(X[:400], y[:400])
    assert model.score(X[400:], y[400:]) > 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.assign(size=np.inf), "Column 'size' of X has infinity in row 0"),
        (
            lambda X: X.assign(size="large"),
            "Column 'size' of X holds category values, but held",
        ),
        (lambda X: X.drop(columns="size"), "feature names should match"),
        (lambda X: X.iloc[:0], "0 sample"),
    ],
)
def test_tables_unlike_that_of_the_fit_are_refused(change, message):
    encoder = TableEncoder().fit(table())
    with pytest.raises(ValueError, match=message):
        encoder.transform(change(table()))


def test_what_is_missing_may_be_all_of_a_column_later():
    encoder = TableEncoder().fit(table())
    Z = encoder.transform(table(5).assign(size=np.nan, colour=None))
    assert np.isfinite(Z).all()


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        (dict(numeric_encoding="fourier"), None, "'numeric_encoding' parameter"),
        (dict(n_bins=1), None, "'n_bins' parameter"),
        (dict(max_levels=0), None, "'max_levels' parameter"),
        (dict(numeric_encoding="tree"), None, "numeric_encoding='tree' needs y"),
        (dict(categorical_features=["shape"]), None, "categorical_features has 'shape'"),
        (dict(), np.zeros(3), "inconsistent numbers of samples"),
    ],
)
def test_wrong_settings_are_refused(settings, y, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder(**settings).fit(table(), y)


def test_a_table_without_anything_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="No column of X can be used"):
        TableEncoder().fit(pd.DataFrame({"a": [1.0, 1.0], "b": [None, None]}))
