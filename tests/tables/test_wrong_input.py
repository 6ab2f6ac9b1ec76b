"""What is wrong is said before the table estimators train, and leaves them as they were."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor
from tests.tables.tables import BOTH, SMALL, outputs, table, targets

X, Y = table(60)


def at_row_7(value):
    """Return a column with a value in one row."""
    return np.where(np.arange(60) == 7, value, 0.0)


def changed(**columns):
    """Return the table with other columns."""
    return X.assign(**columns)


WRONG = [
    (dict(n_members=0), {}, "'n_members' parameter"),
    (dict(n_members=True), {}, "'n_members' parameter"),
    (dict(dropout=1.0), {}, "'dropout' parameter"),
    (dict(max_epochs=0), {}, "'max_epochs' parameter"),
    (dict(max_time=0.0), {}, "'max_time' parameter"),
    (dict(hidden_layer_sizes=(2.5,)), {}, "hidden_layer_sizes"),
    (dict(hidden_layer_sizes=(0,)), {}, "hidden_layer_sizes"),
    (dict(validation=0.0), {}, "'validation' parameter"),
    (dict(validation=60), {}, "validation=60 holds out 60 samples, but X has 60"),
    (dict(scoring="acuracy"), {}, "there is no scorer 'acuracy'"),
    (dict(scoring=["r2"]), {}, "'scoring' parameter"),
    (dict(callbacks=print), {}, "'callbacks' parameter"),
    (dict(callbacks=["print"]), {}, "callbacks has 'print', which cannot be called"),
    (dict(early_stopping="auto"), {}, "'early_stopping' parameter"),
    (dict(verbose=-1), {}, "'verbose' parameter"),
    (dict(categorical_features=["shape"]), {}, "categorical_features has 'shape'"),
    (dict(categorical_features=[3]), {}, "categorical_features has 3"),
    (dict(categorical_features=[True]), {}, "a mask of 1 columns, but X has 3"),
    (dict(), dict(X_val=X), "X_val was given without y_val"),
    (dict(), dict(y_val=Y), "y_val was given without X_val"),
    (dict(), dict(sample_weight_val=Y), "sample_weight_val was given without X_val"),
    (dict(), dict(X_val=X[:3], y_val=Y[:2]), "X_val has 3, y_val has 2"),
    (dict(), dict(X_val=X.drop(columns="age"), y_val=Y), "feature names"),
    (dict(), dict(X_val=X.assign(more=1), y_val=Y), "feature names"),
    (dict(), dict(X_val=X.rename(columns={"age": "Age"}), y_val=Y), "feature names"),
    (dict(), dict(X_val=X[["colour", "size", "age"]], y_val=Y), "feature names"),
    (dict(), dict(X_val=changed(size=np.inf), y_val=Y), "X_val: Column 'size' of X has inf"),
    (dict(), dict(X_val=Y, y_val=Y), "X_val: X has 1 dimension"),
    (dict(validation=59), {}, "validation=59 leaves 1 of 60 samples to train on"),
    (dict(), dict(X_val=changed(size="big"), y_val=Y), "Column 'size' of X holds category"),
    (dict(), dict(X_val=changed(colour=3), y_val=Y), "Column 'colour' of X holds numbers"),
    (dict(), dict(X_val=X[:0], y_val=Y[:0]), "0 sample"),
    (dict(), dict(sample_weight=np.zeros(60)), "[Ss]ample.weight"),
    (dict(), dict(sample_weight=-np.ones(60)), "[Nn]egative"),
    (dict(), dict(sample_weight=np.ones(3)), "sample_weight"),
    (dict(), dict(sample_weight=np.full(60, np.nan)), "NaN"),
    (dict(), dict(X_val=X, y_val=Y, sample_weight_val=np.zeros(60)), "sample_weight_val"),
]


@pytest.fixture
def no_training(monkeypatch):
    """Let any training fail."""

    def fail(*args):
        raise AssertionError("training has begun")

    monkeypatch.setattr("fastdnn.tables.members.Member.train", fail)


@BOTH
@pytest.mark.parametrize(("settings", "given", "message"), WRONG)
def test_what_is_wrong_is_said_before_training(
    Estimator, settings, given, message, no_training
):
    y = targets(Estimator, Y)
    given = {k: targets(Estimator, v) if k == "y_val" else v for k, v in given.items()}
    with pytest.raises(ValueError, match=message):
        Estimator(**SMALL | settings).fit(X, y, **given)


@BOTH
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (changed(size=at_row_7(-np.inf)), "Column 'size' of X has infinity in row 7"),
        (changed(age=at_row_7(1e305)), r"Column 'age' of X has 1e\+305 in row 7"),
        (X[:0], "0 sample|numbers of samples"),
        (X[:1], "1 sample|numbers of samples"),
        (X[:59], "X has 59, y has 60"),
        (np.zeros((60, 0)), "0 feature"),
        (np.zeros(60), "Reshape your data"),
        (np.zeros((60, 2)), "No column of X can be used"),
        (sparse.eye(60).tocsr(), "X is a sparse matrix"),
        (None, "must be a table"),
        (changed(age=pd.Series([{}] * 60)), "Column 'age' of X has {} of type dict"),
    ],
    ids=[*map(str, range(11))],
)
def test_tables_that_are_wrong_are_refused_before_training(Estimator, X, message, no_training):
    with pytest.raises(ValueError, match=message):
        Estimator(**SMALL).fit(X, targets(Estimator, Y))


@BOTH
def test_what_is_wrong_leaves_a_fitted_model_as_it_was(Estimator):
    y = targets(Estimator, Y)
    model = Estimator(**SMALL).fit(X, y)
    before = outputs(model, X)
    for X_val, y_val in ((changed(size=np.inf), y), (X, y[:3])):
        with pytest.raises(ValueError, match=r"infinity|y_val has 3"):
            model.fit(X[["size"]], y, X_val=X_val[["size"]], y_val=y_val)
    assert_array_equal(outputs(model, X), before)
    assert model.n_features_in_ == 3
    for wrong in (changed(size=np.inf), X.drop(columns="size"), changed(age="old")):
        with pytest.raises(ValueError, match=r"infinity|feature names|holds category"):
            model.predict(wrong)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(60, "one"), "one class only, .*'one'"),
        (np.r_[Y[:-1], np.nan], "NaN"),
        (np.array(["a", "b", None] * 20, dtype=object), "20 of 60 labels are missing"),
        (pd.Series(["a", "b", pd.NA] * 20, dtype="string"), "NaN|missing"),
        (np.zeros((60, 2)), "1d array"),
        (Y, "Unknown label type"),
        (None, "requires y to be passed"),
    ],
)
def test_targets_that_are_no_classes_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        TabularDNNClassifier(**SMALL).fit(X, y)


def test_unknown_classes_of_validation_rows_are_refused():
    y = targets(TabularDNNClassifier, Y)
    with pytest.raises(ValueError, match="`y` has classes not in"):
        TabularDNNClassifier(**SMALL).fit(X, y, X_val=X, y_val=np.full(60, "other"))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.r_[Y[:-1], np.nan], "NaN"),
        (np.r_[Y[:-1], -np.inf], "infinity"),
        (pd.array([1.5, None] * 30, dtype="Float64"), "NaN|missing"),
        ([1.0, None] * 30, "NaN"),
        (np.array(["cheap"] * 60), "y must have numbers.*'cheap'"),
        (np.full(60, 1e308), "differences overflow"),
        (np.zeros((60, 2, 2)), "dim"),
        (None, "requires y to be passed"),
    ],
    ids=["NaN", "infinity", "missing", "None among", "strings", "large", "3D", "None"],
)
def test_targets_that_are_no_numbers_are_refused(y, message, no_training):
    with pytest.raises(ValueError, match=message):
        TabularDNNRegressor(**SMALL).fit(X, y)


def test_targets_of_validation_rows_are_as_many():
    with pytest.raises(ValueError, match="y_val: Input y contains NaN"):
        TabularDNNRegressor(**SMALL).fit(X, Y, X_val=X, y_val=np.full(60, np.nan))
    with pytest.raises(ValueError, match="y_val: it has 2 targets a sample, but y has 1"):
        TabularDNNRegressor(**SMALL).fit(X, Y, X_val=X, y_val=np.column_stack([Y, Y]))
