"""Which arrays the engine takes without scikit-learn's validation."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.data.plain_arrays import has_engine_form, is_plain_target, plain_matrix
from fastdnn.estimators import validation as validation_module


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrices_of_the_computing_dtype_have_the_form_for_the_engine(dtype):
    assert has_engine_form(np.zeros((2, 3), dtype), np.dtype(dtype), 3)


@pytest.mark.parametrize(
    "X",
    [
        [[1.0, 2.0, 3.0]],
        np.zeros((2, 3)),
        np.zeros(3, np.float32),
        np.zeros((2, 4), np.float32),
        np.zeros((0, 3), np.float32),
        np.zeros((3, 2), np.float32).T,
    ],
    ids=["list", "dtype", "vector", "columns", "empty", "order"],
)
def test_what_needs_conversion_or_a_message_has_not(X):
    assert not has_engine_form(X, np.dtype(np.float32), 3)


FLOAT32, BOTH = (np.dtype(np.float32),), (np.float64, np.float32)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_plain_matrices_are_converted(dtype):
    X = np.asfortranarray(np.arange(6, dtype=dtype).reshape(2, 3))
    plain = plain_matrix(X, FLOAT32, 6)
    assert plain.dtype == np.float32
    assert plain.flags.c_contiguous
    np.testing.assert_array_equal(plain, X)


@pytest.mark.parametrize("dtype", BOTH)
def test_plain_matrices_of_an_acceptable_dtype_are_not_copied(dtype):
    X = np.ones((2, 3), dtype)
    assert plain_matrix(X, BOTH, 6) is X


@pytest.mark.parametrize(
    ("X", "dtypes"),
    [
        (np.zeros((7, 1)), FLOAT32),
        ([[1.0]], FLOAT32),
        (np.zeros(3), FLOAT32),
        (np.zeros((0, 3)), FLOAT32),
        (np.zeros((2, 0)), FLOAT32),
        (np.zeros((1, 1), int), FLOAT32),
        (np.zeros((1, 1), object), FLOAT32),
        (np.zeros((1, 1), np.float16), BOTH),
        (np.full((1, 1), np.nan), BOTH),
        (np.full((1, 1), 1e300), FLOAT32),  # infinite in float32
        (np.ma.zeros((1, 1)), FLOAT32),
    ],
    ids=str,
)
def test_other_tables_are_left_to_scikit_learn(X, dtypes):
    assert plain_matrix(X, dtypes, 6) is None


@pytest.mark.parametrize("y", [np.zeros(3, bool), np.arange(3), np.zeros((3, 2))], ids=str)
def test_plain_targets(y):
    assert is_plain_target(y, 3)


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 0],
        None,
        np.zeros(2),
        np.zeros((3, 0)),
        np.zeros((3, 1, 1)),
        np.array([0.0, np.nan, 1.0]),
        np.array(["a", "b", "a"]),
        np.zeros(3, object),
        np.ma.zeros(3),
    ],
    ids=str,
)
def test_other_targets_are_left_to_scikit_learn(y):
    assert not is_plain_target(y, 3)


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize("dtype", ["float32", "float64", "auto"])
def test_plain_arrays_train_like_those_that_scikit_learn_validates(
    Estimator, dtype, monkeypatch
):
    X = np.random.RandomState(0).standard_normal((30, 4))
    y = np.arange(30) % 3
    options = dict(hidden_layer_sizes=(3,), max_iter=2, random_state=0, dtype=dtype)
    with monkeypatch.context() as patch:
        patch.setattr(validation_module, "validate_data", None)  # is not called
        quick = Estimator(**options).fit(X, y)
    monkeypatch.setattr(validation_module, "plain_matrix", lambda *args, **options: None)
    thorough = Estimator(**options).fit(X, y)
    for a, b in zip(quick.coefs_, thorough.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert quick.n_features_in_ == thorough.n_features_in_ == 4


def test_plain_arrays_after_a_table_with_names_leave_no_names():
    pandas = pytest.importorskip("pandas")
    X, y = np.random.RandomState(0).standard_normal((30, 2)), np.arange(30) % 2
    model = DNNClassifier((3,), max_iter=2).fit(pandas.DataFrame(X, columns=["a", "b"]), y)
    assert list(model.feature_names_in_) == ["a", "b"]
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.partial_fit(X, y)
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")


def test_incremental_fits_need_the_same_number_of_features():
    X, y = np.random.RandomState(0).standard_normal((30, 2)), np.arange(30) % 2
    model = DNNClassifier((3,)).partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="X has 1 features, but DNNClassifier is expecting 2"):
        model.partial_fit(X[:, :1], y)


@pytest.mark.pairwise
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize("first", [np.float32, np.float64])
@pytest.mark.parametrize("incremental", [True, False], ids=["partial_fit", "warm_start"])
def test_a_fit_that_goes_on_keeps_its_precision(Estimator, first, incremental):
    X, y = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 2
    other = np.float64 if first == np.float32 else np.float32
    options = dict(hidden_layer_sizes=(5,), max_iter=2, random_state=0)
    model = Estimator(dtype="auto", warm_start=not incremental, **options)
    name = "partial_fit" if incremental else "fit"
    classes = [[0, 1]] if incremental and Estimator is DNNClassifier else []
    getattr(model, name)(X.astype(first), y, *([None] if classes else []), *classes)
    X = X.astype(np.float32)  # the same numbers in both precisions
    for dtype in ("auto", np.dtype(other).name):
        model.set_params(dtype=dtype)
        model, same = copy.deepcopy(model), copy.deepcopy(model)
        getattr(model, name)(X.astype(other), y)
        getattr(same, name)(X.astype(first), y)
        assert model.coefs_[0].dtype == first
        np.testing.assert_array_equal(model.coefs_[0], same.coefs_[0])


@pytest.mark.parametrize("assume_finite", [True, False])
@pytest.mark.parametrize("n_rows", [3, 3000])
def test_nan_is_predicted_only_where_scikit_learn_is_told_not_to_look(assume_finite, n_rows):
    X = np.random.default_rng(0).standard_normal((40, 3))
    model = DNNRegressor(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, X[:, 0])
    X = np.zeros((n_rows, 3))
    X[1, 0] = np.nan
    with sklearn.config_context(assume_finite=assume_finite):
        if assume_finite:
            np.testing.assert_array_equal(np.isnan(model.predict(X)).nonzero()[0], [1])
        else:
            with pytest.raises(ValueError, match="Input X contains NaN"):
                model.predict(X)


def test_parameter_names_belong_to_their_caller():
    class Quiet(DNNClassifier):
        @classmethod
        def _get_param_names(cls):
            names = super()._get_param_names()
            names.remove("verbose")
            return names

    for _ in range(2):
        assert "verbose" not in Quiet().get_params()
        assert "verbose" in DNNClassifier().get_params()


def test_parameters_of_a_subclass_are_its_own():
    class Wider(DNNClassifier):
        def __init__(self, width=3, max_iter=5):
            super().__init__(width, max_iter=max_iter)
            self.width = width

    assert list(Wider().get_params()) == ["max_iter", "width"]
    assert len(DNNClassifier().get_params()) > 20

    def init(self, depth=1):
        self.depth = depth

    Wider.__init__ = init
    assert Wider().get_params() == {"depth": 1}


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_targets_train_like_dense_ones(Estimator, form):
    X = np.random.default_rng(0).standard_normal((30, 2))
    Y = np.eye(3)[np.arange(30) % 3]
    options = dict(hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    dense, other = Estimator(**options).fit(X, Y), Estimator(**options).fit(X, form(Y))
    np.testing.assert_array_equal(dense.coefs_[0], other.coefs_[0])


@pytest.mark.parametrize(
    "column",
    [
        [1.0, None, 3.0, 4.0],
        pd.Series(["Oslo", "Rome", "Oslo", "Rome"]),
        pd.Series(["Oslo", "Rome", "Oslo", "Rome"], dtype="category"),
        pd.Series(["Oslo", 2, 3.0, 4], dtype=object),
        pd.date_range("2020-01-01", periods=4),
    ],
    ids=["missing", "strings", "category", "objects", "dates"],
)
def test_errors_on_raw_tables_lead_to_the_estimators_for_them(column):
    X, y = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "city": column}), [0, 1, 0, 1]
    with pytest.raises(ValueError, match=r"TabularDNNClassifier .* take missing values"):
        DNNClassifier().fit(X, y)
    model = DNNRegressor(hidden_layer_sizes=(2,), max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X.assign(city=1.0), y)
    with pytest.raises(ValueError, match=r"TabularDNNClassifier .* take missing values"):
        model.predict(X)


def test_errors_on_targets_do_not_speak_of_tables():
    y = np.array(["a", "b"], dtype=object)
    with pytest.raises(ValueError, match="could not convert string to float") as caught:
        DNNRegressor().fit(np.ones((2, 2)), y)
    assert not getattr(caught.value, "__notes__", [])
