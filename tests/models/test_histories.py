"""Calls one after the other on one estimator, whose parameters and data change in between."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.neural_network import MLPClassifier, MLPRegressor

from fastdnn import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(1)
X = RNG.standard_normal((60, 4))
Y = (X[:, 0] > 0).astype(int)
LABELS = (X[:, :2] > 0).astype(int)


# -- what an optimiser remembers --------------------------------------------------------------


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("width", [20, 300])
@pytest.mark.parametrize("scale", [1e11, 1e15, 1e16])
def test_moments_beyond_float32_stay_in_float64(scale, width):
    """A few rows are computed in float64; what float32 cannot hold is not made infinite."""
    model = DNNRegressor(hidden_layer_sizes=(width, width), max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model.fit(X * scale, X[:, 0] * 1e10)
    assert np.isfinite(model._state.optimizer.memory).all()
    before = model._state.parameters.theta.copy()
    model.partial_fit(X, X[:, 0])
    assert np.isfinite(model._state.parameters.theta).all()
    n_moved = (model._state.parameters.theta != before).mean()
    wide = DNNRegressor(**model.get_params() | {"dtype": "float64"})
    wide.fit(X * scale, X[:, 0] * 1e10)
    before = wide._state.parameters.theta.copy()
    wide.partial_fit(X, X[:, 0])
    assert n_moved > 0.9 * (wide._state.parameters.theta != before).mean()
    assert_allclose(model.loss_, wide.loss_, rtol=1e-3)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"solver": "adam"}, {"solver": "sgd", "learning_rate": "invscaling"}),
        ({"solver": "adam"}, {"solver": "sgd", "learning_rate": "adaptive"}),
        ({"solver": "sgd", "learning_rate": "invscaling"}, {"solver": "adam"}),
        ({"solver": "sgd", "nesterovs_momentum": False}, {"nesterovs_momentum": True}),
    ],
)
def test_the_optimiser_of_the_first_call_goes_on_whatever_the_solver_is_by_now(first, then):
    options = {"hidden_layer_sizes": (5,), "random_state": 0, "learning_rate_init": 0.01}
    ours = DNNClassifier(dtype="float64", **options, **first)
    theirs = MLPClassifier(**options, **first)
    for model in (ours, theirs):
        for _ in range(3):
            model.partial_fit(X, Y, classes=[0, 1])
        model.set_params(**then)
        for _ in range(5):
            model.partial_fit(X, Y)
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    twin = ours.to_sklearn()
    assert type(twin._optimizer) is type(theirs._optimizer)
    assert_allclose(twin.partial_fit(X, Y).loss_, theirs.partial_fit(X, Y).loss_, rtol=1e-9)


def test_a_rate_that_has_become_0_goes_on():
    model = DNNClassifier((5,), solver="sgd", learning_rate="invscaling", power_t=300.0)
    model.partial_fit(X, Y, classes=[0, 1])
    before = model.coefs_[0].copy()
    assert np.isfinite(model.partial_fit(X, Y).loss_)
    assert np.isfinite(before).all()


# -- targets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "form"),
    [
        (lambda Y: 5 * Y, np.asarray),
        (lambda Y: 5 * Y, sparse.csr_matrix),
        # Sparse matrices without zeros have one value only.
        (lambda Y: Y + 1, np.asarray),
        (lambda Y: 2 * Y - 1, np.asarray),
    ],
)
def test_labels_of_any_two_values_are_those_of_scikit_learn(change, form):
    labels = form(change(LABELS))
    options = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0}
    ours = DNNClassifier(dtype="float64", **options).fit(X, labels)
    theirs = MLPClassifier(**options).fit(X, labels)
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)


def test_labels_of_other_values_in_a_later_call():
    model = DNNClassifier((5,), random_state=0)
    model.partial_fit(X, LABELS, classes=[0, 1]).partial_fit(X, 7 * LABELS)
    same = DNNClassifier((5,), random_state=0)
    same.partial_fit(X, LABELS, classes=[0, 1]).partial_fit(X, LABELS)
    assert_array_equal(model.coefs_[0], same.coefs_[0])


@pytest.mark.parametrize(
    "classes", [["b", "a"], [5, 3], [0, 0], [2, 1, 0], [0, 2, 1]], ids=lambda c: f"{c}"
)
@pytest.mark.parametrize("incremental", [False, True])
def test_classes_in_disorder_are_refused_before_training_goes_on(classes, incremental):
    ordered = np.array(sorted(set(classes) | ({9} if classes == [0, 0] else set())))
    y = ordered[np.arange(60) % len(ordered)]
    model = DNNClassifier((5,), max_iter=2, random_state=0, warm_start=not incremental)
    model.fit(X, y)
    model.classes_ = np.array(classes)
    with pytest.raises(ValueError, match="ascending order"):
        model.partial_fit(X, y) if incremental else model.fit(X, y)


def test_a_single_class_is_always_predicted_right_for_early_stopping_as_well():
    options = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 3}
    y = np.zeros(60, int)
    ours = DNNClassifier(early_stopping=True, dtype="float64", **options).fit(X, y)
    theirs = MLPClassifier(early_stopping=True, **options).fit(X, y)
    assert ours.validation_scores_ == theirs.validation_scores_ == [1.0] * 4
    assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-9)


@pytest.mark.parametrize(
    "values",
    [
        np.datetime64("2020-01-01") + np.arange(60),
        np.arange(60).astype("timedelta64[D]"),
        np.arange(60).astype(str),
        np.arange(60).astype("S3"),
    ],
    ids=lambda values: str(values.dtype),
)
def test_dates_and_text_are_no_numbers(values):
    pd = pytest.importorskip("pandas")
    model = DNNRegressor(hidden_layer_sizes=(5,), max_iter=2).fit(X[:, :1], X[:, 0])
    with pytest.raises(ValueError, match="y has dtype"):
        model.fit(X[:, :1], values)
    for matrix in (values[:, None], pd.DataFrame({"when": values})):
        if getattr(matrix, "dtypes", None) is not None and values.dtype.kind in "SU":
            continue  # pandas has its own kinds of text, which scikit-learn refuses or reads
        with pytest.raises(ValueError, match="must hold numbers"):
            model.fit(matrix, X[:, 0])
        with pytest.raises(ValueError, match="must hold numbers"):
            model.predict(matrix)


@pytest.mark.parametrize("offset", [2**32, -(2**32)])
def test_indices_that_would_fit_after_a_loss_of_bits_are_refused(offset):
    matrix = sparse.csr_array(X)
    matrix.indices = matrix.indices.astype(np.int64)
    matrix.indices[3] += offset
    with pytest.raises(ValueError, match="indices"):
        DNNClassifier((5,), max_iter=1).fit(matrix, Y)


# -- other estimators, other parameters -------------------------------------------------------


@pytest.mark.parametrize(
    ("fitted", "later"),
    [
        ({}, {"early_stopping": True}),
        ({"early_stopping": True}, {"early_stopping": False}),
        ({"solver": "lbfgs"}, {"solver": "adam"}),
        ({"solver": "adam"}, {"solver": "lbfgs"}),
    ],
)
@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_scikit_learns_estimators_are_taken_over_whatever_was_set_after_their_fit(
    Estimator, fitted, later
):
    theirs = Estimator(hidden_layer_sizes=(5,), max_iter=3, random_state=0, **fitted)
    theirs.fit(X, Y).set_params(**later)
    Ours = DNNClassifier if Estimator is MLPClassifier else DNNRegressor
    ours = Ours.from_sklearn(theirs, dtype="float64")
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)
    ours.set_params(early_stopping=False, solver="adam").partial_fit(X, Y)
    assert np.isfinite(ours.loss_)


@pytest.mark.parametrize("first", [False, True])
def test_a_warm_start_shows_scores_if_it_stops_early(first):
    model = DNNClassifier((5,), max_iter=3, random_state=0, warm_start=True)
    model.set_params(early_stopping=first).fit(X, Y)
    model.set_params(early_stopping=not first).fit(X, Y)
    assert (model.validation_scores_ is None) == first
    assert (model.best_validation_score_ is None) == first
    assert (model.best_loss_ is None) == (not first)


def test_an_estimator_that_was_never_fitted_says_so():
    model = DNNClassifier((2,))
    model.coefs_, model.intercepts_ = [np.ones((4, 1))], [np.ones(1)]
    with pytest.raises(ValueError, match="never fitted"):
        model.predict(X)


# -- at the same time -------------------------------------------------------------------------


def test_attributes_of_the_users_own_that_are_set_during_a_fit_stay(monkeypatch):
    class Noted(DNNClassifier):
        def _publish(self):
            original.note = "new"
            original.earlier = "changed"
            super()._publish()

    original = Noted((5,), max_iter=2, random_state=0)
    original.earlier = "old"
    original.fit(X, Y)
    assert (original.note, original.earlier) == ("new", "changed")


def test_first_calls_at_the_same_time_begin_from_what_each_has_seen():
    """Between two looks at an estimator, another thread may have fitted it."""

    class Late(DNNClassifier):
        def __getattribute__(self, name):
            if self is shared and is_copied and not done:
                done.append(True)
                other = DNNClassifier((5,), max_iter=1).fit(X, Y)
                object.__getattribute__(shared, "__dict__").update(vars(other))
            if self is shared and name == "__dict__":
                is_copied.append(True)
            return super().__getattribute__(name)

    shared, is_copied, done = None, [], []
    shared = Late((5,), max_iter=1, warm_start=True)
    shared._fit(X, Y, None, incremental=False)
    assert done
    assert shared.predict(X).shape == (60,)
