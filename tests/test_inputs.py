"""Samples of every form: frames, sparse matrices, memory maps, orders and dtypes."""

import numpy as np
import pandas
import polars
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RECORD = dict(hidden_layer_sizes=(6, 4), random_state=0, max_iter=4, batch_size=32)


@pytest.fixture(scope="module")
def samples():
    generator = np.random.default_rng(0)
    X = generator.standard_normal((250, 9))
    X[generator.random(X.shape) < 0.7] = 0.0
    return X, X[:, :3].argmax(axis=1)


@pytest.mark.pairwise
@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"shuffle": False}, {"early_stopping": True}, {"solver": "lbfgs"}],
    ids=str,
)
def test_sparse_trains_and_predicts_like_dense(samples, form, dtype, settings):
    X, y = samples
    settings = RECORD | dict(dtype=dtype) | settings
    dense = DNNClassifier(**settings).fit(X, y)
    other = DNNClassifier(**settings).fit(form(X), y)
    tolerance = 1e-4 if dtype == "float32" else 1e-9
    assert_allclose(other.coefs_[0], dense.coefs_[0], rtol=tolerance, atol=tolerance)
    assert_allclose(other.predict_proba(form(X)), other.predict_proba(X), rtol=1e-5)


def test_sparse_with_unsorted_indices_and_duplicates(samples):
    X, y = samples
    sorted_once = sparse.csr_array(X)
    rows = np.split(np.arange(sorted_once.nnz), sorted_once.indptr[1:-1])
    # Every entry in two halves, the entries of a row in backward order.
    entries = np.concatenate([np.repeat(row[::-1], 2) for row in rows])
    twice = sparse.csr_array(
        (sorted_once.data[entries] / 2, sorted_once.indices[entries], 2 * sorted_once.indptr),
        shape=X.shape,
    )
    assert not twice.has_canonical_format
    settings = RECORD | dict(dtype="float64")
    expected = DNNClassifier(**settings).fit(X, y)
    assert_allclose(
        DNNClassifier(**settings).fit(twice, y).coefs_[0], expected.coefs_[0], rtol=1e-9
    )


@pytest.mark.slow_without_jit
def test_a_wide_sparse_matrix_is_never_densified():
    generator = np.random.default_rng(0)
    # 400 x 2,000,000 as float32 would be 3.2 GB.
    values = generator.random(4000, dtype=np.float32)
    where = generator.integers(0, 400, 4000), generator.integers(0, 2_000_000, 4000)
    X = sparse.coo_array((values, where), shape=(400, 2_000_000)).tocsr()
    y = generator.integers(0, 2, 400)
    model = DNNClassifier(hidden_layer_sizes=(1,), max_iter=1, batch_size=400)
    assert model.fit(X, y).predict(X).shape == (400,)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, bool]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_dtype_and_order(dtype, order):
    generator = np.random.default_rng(0)
    X = generator.integers(0, 2, (60, 5))
    y = X[:, 0]
    expected = DNNClassifier(**RECORD).fit(X.astype(np.float32), y)
    given = np.asarray(X.astype(dtype), order=order)
    model = DNNClassifier(**RECORD).fit(given, y)
    assert_array_equal(model.coefs_[0], expected.coefs_[0])
    assert_array_equal(model.predict(given), expected.predict(X))


def test_a_memory_map_is_read_where_it_lies(samples, tmp_path):
    X, y = samples
    file = tmp_path / "X.npy"
    np.save(file, X.astype(np.float32))
    mapped = np.load(file, mmap_mode="r")
    expected = DNNClassifier(**RECORD).fit(X.astype(np.float32), y)
    model = DNNClassifier(**RECORD).fit(mapped, y)
    assert_array_equal(model.coefs_[0], expected.coefs_[0])
    assert_array_equal(model.predict(mapped), expected.predict(X))


def test_polars_frames(samples):
    X, y = samples
    frame = polars.DataFrame(X, schema=[f"x{j}" for j in range(X.shape[1])])
    if not hasattr(StandardScaler().fit(frame), "feature_names_in_"):
        pytest.skip("this scikit-learn reads names by __dataframe__, which polars 2 has not")
    model = DNNRegressor(**RECORD).fit(frame, polars.Series(y.astype(float)))
    assert_array_equal(model.feature_names_in_, frame.columns)
    named = pandas.DataFrame(X, columns=frame.columns)
    assert_array_equal(model.predict(frame), model.predict(named))


def test_poisson_needs_counts(samples):
    X, y = samples
    model = DNNRegressor(loss="poisson", **RECORD)
    assert (model.fit(X, y).predict(X) > 0).all()
    with pytest.raises(ValueError, match="loss='poisson' needs targets y >= 0, got -1"):
        model.fit(X, y - 1)
