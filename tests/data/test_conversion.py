"""Float64 rows for a float32 network, to predict and to fit: same bits, same errors."""

import numpy as np
import pytest
from sklearn.utils import check_array

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.data.conversion import (
    NotFiniteError,
    convert_all,
    convert_piece,
    for_pieces,
    is_to_convert,
    rows_of_piece,
)
from tests.switches import share_out_rows

pytestmark = pytest.mark.usefixtures("four_cpus")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 5))
LARGE = RNG.standard_normal((50_000, 5))  # more than one piece, and more than a few numbers
MODEL = DNNRegressor(hidden_layer_sizes=(6,), max_iter=2, random_state=0).fit(X, X[:, 0])


@pytest.mark.parametrize(
    "n_threads",
    [1, 2, *(pytest.param(n, marks=pytest.mark.slow_without_jit) for n in (3, None))],
)
def test_rows_converted_in_pieces_give_the_bits_of_rows_converted_before(n_threads):
    assert len(LARGE) > rows_of_piece(LARGE)
    MODEL.set_params(n_threads=n_threads)
    expected = MODEL.predict(LARGE.astype(np.float32))
    np.testing.assert_array_equal(MODEL.predict(LARGE), expected)
    np.testing.assert_array_equal(MODEL.predict(np.asfortranarray(LARGE)), expected)


@pytest.mark.pairwise
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("row", [0, 49_999])
def test_a_number_that_is_not_finite_is_reported_as_by_scikit_learn(row, value, n_threads):
    bad = LARGE.copy()
    bad[row, 2] = value
    MODEL.set_params(n_threads=n_threads)
    with np.errstate(over="ignore"), pytest.raises(ValueError) as theirs:
        check_array(bad, dtype=np.float32, estimator=MODEL, input_name="X")
    with pytest.raises(ValueError) as ours:
        MODEL.predict(bad)
    assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]
    MODEL.predict(X)  # and the next call works


def test_other_checks_are_scikit_learns():
    with pytest.raises(ValueError, match="4 features, but DNNRegressor is expecting 5"):
        MODEL.predict(LARGE[:, :4].copy())
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        MODEL.predict(LARGE[:0])


def test_feature_names_are_still_checked():
    model = DNNClassifier(hidden_layer_sizes=(3,), max_iter=1).fit(X, X[:, 0] > 0)
    model.feature_names_in_ = np.array(list("abcde"), dtype=object)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(LARGE)


def test_what_is_converted_in_pieces():
    assert is_to_convert(LARGE, np.float32)
    assert not is_to_convert(LARGE, np.float64)
    assert not is_to_convert(LARGE.astype(np.float32), np.float32)
    assert not is_to_convert(LARGE.T, np.float32)
    assert not is_to_convert(LARGE[0], np.float32)
    assert not is_to_convert(LARGE.tolist(), np.float32)
    assert not is_to_convert(LARGE.astype(">f8"), np.float32)


@pytest.mark.parametrize("n_features", [1, 5, 10**6])
def test_pieces_have_whole_blocks_of_rows(n_features):
    rows = rows_of_piece(np.zeros((0, n_features)), 24)
    assert rows >= 24
    assert rows % 24 == 0
    assert rows == 24 or rows * n_features * 4 <= 512 * 1024


def test_every_piece_is_taken_once():
    taken = []
    for_pieces(10, 4, 2, lambda worker: lambda first, last: taken.append((first, last)))
    assert sorted(taken) == [(0, 4), (4, 8), (8, 10)]


def test_conversion_rounds_and_reports():
    out = np.empty((2, 2), np.float32)
    exact = np.array([[0.1, -2.5], [1e-60, 3.0]])
    convert_piece(exact, out)
    np.testing.assert_array_equal(out, exact.astype(np.float32))
    with pytest.raises(NotFiniteError):
        convert_piece(np.array([[1.0, 1e39], [0.0, 0.0]]), out)


MANY = np.random.default_rng(0).standard_normal((1_200_000, 2))  # more than goes to one worker


@pytest.mark.parametrize("n_threads", [1, 2, 3, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_convert_all(dtype, n_threads):
    converted = convert_all(MANY, dtype, n_threads)
    assert (converted is MANY) == (dtype == np.float64)
    np.testing.assert_array_equal(converted, MANY.astype(dtype))


@pytest.mark.pairwise
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", [0, 600_000, 1_199_999])
def test_all_are_checked(row, dtype, n_threads):
    bad = MANY.copy()
    bad[row, 1] = np.nan
    with pytest.raises(NotFiniteError):
        convert_all(bad, dtype, n_threads)


@pytest.fixture
def many_threads(monkeypatch):
    """Let fits share out few rows, too: pieces of three, sixteen of them together."""
    share_out_rows(monkeypatch, piece_bytes=64)


@pytest.mark.parametrize("n_threads", [1, 2, None])
@pytest.mark.parametrize("dtype", ["float32", "float64", "auto"])
def test_fits_on_shared_out_rows_have_the_same_bits(n_threads, dtype, many_threads):
    options = dict(hidden_layer_sizes=(6,), max_iter=2, random_state=0, dtype=dtype)
    model = DNNRegressor(n_threads=n_threads, **options).fit(X, X[:, 0])
    # Columns that do not lie as rows are left to scikit-learn.
    same = DNNRegressor(**options).fit(np.asfortranarray(X), X[:, 0])
    for a, b in zip(model.coefs_, same.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e300])
def test_fits_report_numbers_as_scikit_learn_does(value, n_threads, many_threads):
    bad = X.copy()
    bad[7, 2] = value
    with np.errstate(over="ignore"), pytest.raises(ValueError) as theirs:
        check_array(bad, dtype=np.float32, estimator=MODEL, input_name="X")
    with pytest.raises(ValueError) as ours:
        DNNRegressor(n_threads=n_threads).fit(bad, X[:, 0])
    assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]


def test_a_fit_goes_on_with_the_features_that_it_began_with(many_threads):
    model = DNNRegressor(hidden_layer_sizes=(3,)).partial_fit(X, X[:, 0])
    with pytest.raises(ValueError, match="4 features, but DNNRegressor is expecting 5"):
        model.partial_fit(X[:, :4].copy(), X[:, 0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.partial_fit(X, X[:-1, 0])
