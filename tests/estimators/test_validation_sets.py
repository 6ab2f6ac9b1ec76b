"""Samples given to `fit` to validate on, and splits that hold some out of X."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    train_test_split,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
Y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])
T = X[:, 0] - 0.5 * X[:, 1] ** 2
LABELS = (X[:, :3] + 0.1 * RNG.normal(size=(300, 3)) > 0).astype(int)
TRAIN, VAL = slice(0, 240), slice(240, 300)
WEIGHT = RNG.uniform(0.5, 2.0, 300)
SMALL = dict(hidden_layer_sizes=(7,), random_state=0, batch_size=30, learning_rate_init=0.02)

TASKS = {
    "classes": (DNNClassifier, Y),
    "two classes": (DNNClassifier, np.array(["no", "yes"])[(Y > 0).astype(int)]),
    "labels": (DNNClassifier, LABELS),
    "target": (DNNRegressor, T),
    "targets": (DNNRegressor, np.column_stack([T, X[:, 2]])),
}


def mean_loss(model, X, y, weight=None):
    """Return the mean loss of a fitted estimator, in NumPy."""
    if isinstance(model, DNNRegressor):
        error = model.predict(X) - y
        rows = 0.5 * np.square(error).reshape(len(X), -1).mean(axis=1)
        return np.average(rows, weights=weight)
    P = model.predict_proba(X)
    if y.ndim == 1:
        return log_loss(y, P, sample_weight=weight, labels=model.classes_)
    rows = -(y * np.log(P) + (1 - y) * np.log(1 - P)).sum(axis=1)
    return np.average(rows, weights=weight)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_matrix])
def test_every_epoch_is_validated_as_after_so_many_calls_of_partial_fit(
    task, weighted, dtype, as_given
):
    Estimator, y = TASKS[task]
    options = SMALL | dict(dtype=dtype, shuffle=False)
    weights = dict(sample_weight=WEIGHT[TRAIN]) if weighted else {}
    weight = WEIGHT[VAL] if weighted else None
    model = Estimator(**options, max_iter=4).fit(
        as_given(X[TRAIN]),
        y[TRAIN],
        **weights,
        X_val=as_given(X[VAL]),
        y_val=y[VAL],
        sample_weight_val=weight,
    )
    by_epoch = Estimator(**options)
    first = dict(classes=np.unique(y)) if Estimator is DNNClassifier and y.ndim == 1 else {}
    if y.ndim == 2 and Estimator is DNNClassifier:
        first = dict(classes=[0, 1, 2])
    losses, scores = [], []
    for _ in range(4):
        by_epoch.partial_fit(as_given(X[TRAIN]), y[TRAIN], **weights, **first)
        losses.append(mean_loss(by_epoch, X[VAL], y[VAL], weight))
        scores.append(by_epoch.score(X[VAL], y[VAL], weight))
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    assert_allclose(model.validation_loss_curve_, losses, rtol=tolerance)
    assert_allclose(model.validation_scores_, scores, rtol=tolerance)
    assert model.best_validation_score_ is None
    assert_array_equal(model.coefs_[0], by_epoch.coefs_[0])  # it was only recorded


@pytest.mark.parametrize("task", TASKS)
def test_what_is_only_recorded_changes_nothing(task):
    Estimator, y = TASKS[task]
    model = Estimator(**SMALL, max_iter=8)
    plain = model.fit(X[TRAIN], y[TRAIN]).coefs_[0].copy(), model.loss_curve_
    model.fit(X[TRAIN], y[TRAIN], X_val=X[VAL], y_val=y[VAL])
    assert_array_equal(model.coefs_[0], plain[0])
    assert model.loss_curve_ == plain[1]
    assert len(model.validation_loss_curve_) == len(model.loss_curve_)
    model.fit(X[TRAIN], y[TRAIN])
    assert model.validation_loss_curve_ is None and model.validation_scores_ is None


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("early_stopping", [True, "auto"])
def test_training_stops_by_what_was_given_and_keeps_the_best(task, early_stopping):
    Estimator, y = TASKS[task]
    model = Estimator(**SMALL, max_iter=400, n_iter_no_change=3)
    model.set_params(early_stopping=early_stopping)
    model.fit(X[TRAIN], y[TRAIN], X_val=X[VAL], y_val=y[VAL])
    scores = model.validation_scores_
    assert model.n_iter_ == len(scores) < 400
    assert model.best_validation_score_ == max(scores)
    assert_allclose(model.score(X[VAL], y[VAL]), max(scores), rtol=1e-5)
    assert model.best_loss_ is None
    # All of X is trained on: the first epoch is that of a fit which only records.
    plain = Estimator(**SMALL, max_iter=1).fit(X[TRAIN], y[TRAIN])
    assert model.loss_curve_[0] == plain.loss_curve_[0]


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_same_bits_for_any_threads(n_threads):
    def curves(n_threads):
        model = DNNClassifier((40, 30), random_state=0, max_iter=6, early_stopping=True)
        many = np.tile(X, (8, 1))
        model.set_params(n_threads=n_threads, scoring=["neg_log_loss", "loss"])
        model.fit(many, np.tile(Y, 8), X_val=many, y_val=np.tile(Y, 8))
        return model.validation_loss_curve_, model.validation_scores_

    assert curves(n_threads) == curves(1)


def test_auto_holds_samples_out_of_many_only():
    many = np.repeat(X, 34, axis=0)[:10_001]
    model = DNNRegressor(
        hidden_layer_sizes=2, early_stopping="auto", max_iter=1, batch_size=1000
    )
    assert model.fit(many, many[:, 0]).validation_scores_ is not None
    assert model.t_ == 9000
    assert model.fit(many[:-1], many[:-1, 0]).validation_scores_ is None
    assert model.t_ == 10_000
    assert len(model.partial_fit(many, many[:, 0]).loss_curve_) == 2


def test_partial_fit_does_not_stop_early():
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        DNNRegressor(early_stopping=True).partial_fit(X, T)


@pytest.mark.parametrize("given", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", ["float32", "float64", "auto"])
def test_any_precision_is_converted_to_that_of_the_network(given, dtype):
    model = DNNRegressor(**SMALL, max_iter=2, dtype=dtype)
    model.fit(X[TRAIN].astype(np.float32), T[TRAIN], X_val=X[VAL].astype(given), y_val=T[VAL])
    assert_allclose(
        model.validation_loss_curve_[-1], mean_loss(model, X[VAL], T[VAL]), rtol=1e-4
    )


def test_tables_with_names_are_taken_and_compared():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = DNNClassifier(**SMALL, max_iter=3, early_stopping=True, scoring="accuracy")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", message="Stochastic")
        model.fit(frame[TRAIN], Y[TRAIN], X_val=frame[VAL], y_val=pd.Series(Y[VAL]))
        model.fit(frame, Y)
    with pytest.raises(ValueError, match=r"X_val: .*feature names"):
        model.fit(frame, Y, X_val=frame[list("fabcde")], y_val=Y)


@pytest.mark.slow_without_jit
def test_given_samples_are_not_copied():
    """Nothing as large as X is allocated by a fit that takes both as they are."""
    n_rows, n_features = 20_000, 50
    many = RNG.normal(size=(n_rows, n_features)).astype(np.float32)
    y = (many[:, 0] > 0).astype(int)
    model = DNNClassifier((2,), max_iter=1, batch_size=2000, early_stopping=True)
    model.fit(many, y, X_val=many, y_val=y)
    for scoring in (None, "loss"):
        model.set_params(scoring=scoring)
        tracemalloc.start()
        try:
            model.fit(many, y, X_val=many, y_val=y)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 0.75 * many.nbytes


# -- what does not fit ------------------------------------------------------------------------

NOT_FINITE = X[VAL].copy()
NOT_FINITE[3, 2] = np.nan

WRONG = {
    "X_val alone": (dict(X_val=X[VAL]), "X_val was given without y_val"),
    "y_val alone": (dict(y_val=Y[VAL]), "y_val was given without X_val"),
    "weights alone": (dict(sample_weight_val=[1.0]), "sample_weight_val was given without"),
    "features": (dict(X_val=X[VAL, :4], y_val=Y[VAL]), "X_val: X has 4 features"),
    "NaN": (dict(X_val=NOT_FINITE, y_val=Y[VAL]), "X_val: Input X contains NaN"),
    "empty": (dict(X_val=X[:0], y_val=Y[:0]), "X_val: Found array with 0 sample"),
    "text": (dict(X_val=X[VAL].astype(str), y_val=Y[VAL]), "X_val: X has values of dtype"),
    "one dimension": (dict(X_val=X[0], y_val=Y[:1]), "X_val: Expected 2D array"),
    "length of y": (dict(X_val=X[VAL], y_val=Y[:7]), "y_val has 7 samples, but X_val has 60"),
    "unknown class": (dict(X_val=X[VAL], y_val=Y[VAL] + 1), "y_val: .*not in `self.classes_`"),
    "other classes": (dict(X_val=X[VAL], y_val=Y[VAL].astype(str)), "y_val: .*not in"),
    "labels": (dict(X_val=X[VAL], y_val=LABELS[VAL]), "y_val: .*multilabel"),
    "length of weights": (
        dict(X_val=X[VAL], y_val=Y[VAL], sample_weight_val=[1.0]),
        "sample_weight_val: .*shape",
    ),
    "no weight": (
        dict(X_val=X[VAL], y_val=Y[VAL], sample_weight_val=np.zeros(60)),
        "sample_weight_val",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_before_anything_is_drawn(case):
    given, message = WRONG[case]
    random_state = np.random.RandomState(0)
    model = DNNClassifier((3,), max_iter=1, random_state=random_state)
    with pytest.raises(ValueError, match=message):
        model.fit(X[TRAIN], Y[TRAIN], **given)
    assert vars(model).keys() == vars(DNNClassifier()).keys()
    assert random_state.random_sample() == np.random.RandomState(0).random_sample()


@pytest.mark.parametrize(
    ("y_val", "message"),
    [
        (np.ones((60, 2)), "y_val: it has 2 targets a sample, but y has 1"),
        (-np.ones(60), "y_val: loss='poisson' needs"),
        (np.full(60, np.nan), "y_val: Input y contains NaN"),
        (np.full(60, 1e39), "y_val: y has values of up to 1e.39"),
    ],
)
def test_targets_are_checked_as_those_of_the_fit(y_val, message):
    model = DNNRegressor("poisson", (3,), max_iter=1)
    with pytest.raises(ValueError, match=message):
        model.fit(X[TRAIN], np.square(T[TRAIN]), X_val=X[VAL], y_val=y_val)


def test_some_classes_may_be_missing():
    few = np.flatnonzero(Y != 1)
    model = DNNClassifier(**SMALL, max_iter=2, warm_start=True)
    for _ in range(2):
        model.fit(X, Y, X_val=X[few], y_val=Y[few])
    assert len(model.validation_loss_curve_) == 4


# -- in scikit-learn --------------------------------------------------------------------------


def test_a_pipeline_transforms_the_samples_to_validate_on():
    with sklearn.config_context(enable_metadata_routing=True):
        network = DNNClassifier(**SMALL, max_iter=5)
        network.set_fit_request(X_val=True, y_val=True, sample_weight_val=True)
        steps = [("scale", StandardScaler()), ("network", network)]
        pipeline = Pipeline(steps, transform_input=["X_val"])
        pipeline.fit(
            3.0 * X[TRAIN] + 1.0,
            Y[TRAIN],
            X_val=3.0 * X[VAL] + 1.0,
            y_val=Y[VAL],
            sample_weight_val=WEIGHT[VAL],
        )
    scaler = StandardScaler().fit(3.0 * X[TRAIN] + 1.0)
    scaled = [scaler.transform(3.0 * X[rows] + 1.0) for rows in (TRAIN, VAL)]
    expected = DNNClassifier(**SMALL, max_iter=5).fit(
        scaled[0], Y[TRAIN], X_val=scaled[1], y_val=Y[VAL], sample_weight_val=WEIGHT[VAL]
    )
    network = pipeline.named_steps["network"]
    assert network.validation_loss_curve_ == expected.validation_loss_curve_
    assert network.history_["validation_score"] == expected.history_["validation_score"]


def test_a_grid_search_hands_on_what_to_validate_on():
    pipeline = make_pipeline(StandardScaler(), DNNClassifier(**SMALL, early_stopping="auto"))
    grid = {"dnnclassifier__alpha": [1e-4, 1.0], "dnnclassifier__max_iter": [3]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(
        X[TRAIN], Y[TRAIN], dnnclassifier__X_val=X[VAL], dnnclassifier__y_val=Y[VAL]
    )
    assert len(search.best_estimator_[-1].validation_loss_curve_) == 3


def test_what_was_validated_is_pickled_and_goes_on():
    model = DNNClassifier(**SMALL, max_iter=3, early_stopping=True, warm_start=True)
    model.fit(X[TRAIN], Y[TRAIN], X_val=X[VAL], y_val=Y[VAL])
    other = pickle.loads(pickle.dumps(model))
    assert other.history_ == model.history_
    assert other.validation_loss_curve_ == model.validation_loss_curve_
    for one in (model, other):
        one.fit(X[TRAIN], Y[TRAIN], X_val=X[VAL], y_val=Y[VAL])
    assert other.validation_loss_curve_ == model.validation_loss_curve_
    assert len(model.validation_loss_curve_) == 6


def test_l_bfgs_validates_after_every_iteration():
    train, val = train_test_split(np.arange(300), random_state=0)
    model = DNNRegressor(**SMALL | dict(solver="lbfgs", max_iter=5, batch_size="auto"))
    model.fit(X[train], T[train], X_val=X[val], y_val=T[val])
    table = model.history_
    assert table["epoch"] == [1, 2, 3, 4, 5]
    assert table["loss"][-1] == model.loss_
    assert_allclose(table["validation_loss"][-1], mean_loss(model, X[val], T[val]), rtol=1e-5)
    assert_allclose(model.validation_scores_[-1], model.score(X[val], T[val]), rtol=1e-5)
    assert not hasattr(model, "loss_curve_")
    before = model.coefs_[0].copy()
    assert_array_equal(model.fit(X[train], T[train]).coefs_[0], before)
    assert model.history_["loss"] == table["loss"]
