"""`TabularDNNClassifier` and `TabularDNNRegressor` as a user meets them."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor
from tests.tables.tables import BOTH, SMALL, outputs, table, targets

_NOT_EQUAL = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a sample that is given twice is shuffled as two, and may be in two parts"
    ),
    # Of scikit-learn 1.6, which gives it to estimators that take none.
    "check_sample_weight_equivalence_on_sparse_data": "tables are not sparse",
}


@pytest.mark.slow_without_jit
@parametrize_with_checks(
    [TabularDNNClassifier(**SMALL), TabularDNNRegressor(**SMALL)],
    expected_failed_checks=lambda _: _NOT_EQUAL,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow_without_jit
@BOTH
def test_a_table_is_learnt_without_tuning(Estimator):
    X, y = table(800)
    y = targets(Estimator, y)
    model = Estimator(random_state=0, hidden_layer_sizes=(64,), n_members=2)
    assert model.fit(X[:600], y[:600]).score(X[600:], y[600:]) > 0.93


@pytest.mark.slow_without_jit
@BOTH
def test_results_do_not_depend_on_threads_and_are_reproducible(Estimator):
    X, y = table()
    y = targets(Estimator, y)
    first = outputs(Estimator(**SMALL, n_threads=1).fit(X, y), X)
    for n_threads in (1, 2, 3):
        again = outputs(Estimator(**SMALL, n_threads=n_threads).fit(X, y), X)
        np.testing.assert_array_equal(again, first)
    other = outputs(Estimator(**SMALL | {"random_state": 1}).fit(X, y), X)
    assert not np.array_equal(other, first)


@BOTH
def test_given_validation_rows_decide(Estimator):
    X, y = table(600)
    y = targets(Estimator, y)
    model = Estimator(**SMALL).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert 1 <= len(model.cycle_weights_) <= 4
    assert model.cycle_weights_.sum() == pytest.approx(1.0)
    # They are no rows to train on: the encoder does not know their levels.
    marked = X[300:].assign(colour="other")
    model = Estimator(**SMALL).fit(X[:300], y[:300], X_val=marked, y_val=y[300:])
    names = model.encoder_.get_feature_names_out()
    assert "colour_other" not in names


@pytest.mark.slow_without_jit
def test_temperatures_make_probabilities_right():
    """Labels are half noise: networks that are sure of them are wrong."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5))
    y = np.where(rng.random(600) < 0.5, X[:, 0] > 0, rng.random(600) < 0.5).astype(int)
    model = TabularDNNClassifier(**SMALL | {"max_epochs": 60})
    model.fit(X[:300], y[:300], X_val=X[300:450], y_val=y[300:450])
    assert log_loss(y[450:], model.predict_proba(X[450:])) < np.log(2.0)


def test_predictions_stay_within_the_targets():
    X, y = table()
    model = TabularDNNRegressor(**SMALL).fit(X, y)
    far = model.predict(X.assign(size=1e6))
    assert y.min() - 1e-6 <= far.min() <= far.max() <= y.max() + 1e-6


def test_several_targets_and_their_spread():
    X, y = load_diabetes(return_X_y=True)
    Y = np.column_stack([y, -3.0 * y + 1.0])
    model = TabularDNNRegressor(**SMALL).fit(X, Y)
    mean, deviation = model.predict(X, return_std=True)
    assert mean.shape == deviation.shape == Y.shape
    assert (deviation > 0).any()
    np.testing.assert_allclose(mean, model.predict_members(X).mean(axis=0))


@pytest.mark.slow_without_jit
@BOTH
def test_a_weight_of_zero_leaves_a_sample_out(Estimator):
    """Samples of opposite targets, which do not count, change little."""
    X, y = table(300)
    y = targets(Estimator, y)
    wrong = y.copy()
    wrong[150:] = "high" if Estimator is TabularDNNClassifier else 50.0
    weight = np.r_[np.ones(150), np.zeros(150)]
    model = Estimator(**SMALL | {"max_epochs": 40})
    model.fit(X, wrong, sample_weight=weight, X_val=X[:150], y_val=y[:150])
    assert model.score(X[150:], y[150:]) > 0.8


def test_classes_are_weighted_as_samples():
    X, y = table()
    y = targets(TabularDNNClassifier, y)
    weight = {"high": 3.0, "low": 1.0}
    by_class = TabularDNNClassifier(**SMALL, class_weight=weight).fit(X, y)
    by_sample = TabularDNNClassifier(**SMALL)
    by_sample.fit(X, y, sample_weight=[weight[label] for label in y])
    np.testing.assert_array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))


@pytest.mark.slow_without_jit
def test_a_class_of_one_sample_and_many_classes():
    X, y = load_iris(return_X_y=True)
    y = np.r_[y[:-1], 7]
    model = TabularDNNClassifier(**SMALL).fit(X, y)
    assert model.predict_proba(X).shape == (150, 4)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), np.arange(300) % 100
    assert TabularDNNClassifier(**SMALL).fit(X, y).predict_proba(X).shape == (300, 100)


@BOTH
def test_copies_predict_the_same(Estimator):
    X, y = table()
    model = Estimator(**SMALL).fit(X, targets(Estimator, y))
    same = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(outputs(same, X), outputs(model, X))


@pytest.mark.slow_without_jit
def test_searches_and_cross_validation():
    X, y = table(200)
    y = targets(TabularDNNClassifier, y)
    assert cross_val_score(TabularDNNClassifier(**SMALL), X, y, cv=2).min() > 0.6
    search = GridSearchCV(TabularDNNClassifier(**SMALL), {"dropout": [0.0, 0.3]}, cv=2)
    assert search.fit(X, y).best_score_ > 0.6


X, Y = table(60)
WRONG = [
    (dict(n_members=0), {}, "'n_members' parameter"),
    (dict(dropout=1.0), {}, "'dropout' parameter"),
    (dict(max_epochs=0), {}, "'max_epochs' parameter"),
    (dict(hidden_layer_sizes=(2.5,)), {}, "hidden_layer_sizes"),
    (dict(), dict(X_val=X), "X_val was given without y_val"),
    (dict(), dict(y_val=Y), "y_val was given without X_val"),
    (dict(), dict(sample_weight_val=Y), "sample_weight_val was given without X_val"),
    (dict(), dict(X_val=X[:3], y_val=Y[:2]), "X_val has 3, y_val has 2"),
    (dict(), dict(X_val=X.drop(columns="age"), y_val=Y), "feature names"),
    (dict(), dict(sample_weight=np.zeros(60)), "[Ss]ample.weight"),
    (dict(), dict(sample_weight=-np.ones(60)), "[Nn]egative"),
    (dict(), dict(sample_weight=np.ones(3)), "sample_weight"),
]


@BOTH
@pytest.mark.parametrize(("settings", "given", "message"), WRONG)
def test_what_is_wrong_is_said_before_training(Estimator, settings, given, message):
    y = targets(Estimator, Y)
    given = {k: targets(Estimator, v) if k == "y_val" else v for k, v in given.items()}
    with pytest.raises(ValueError, match=message):
        Estimator(**SMALL | settings).fit(X, y, **given)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(60, "one"), "one class only, .*'one'"),
        (np.r_[Y[:-1], np.nan], "NaN"),
        (Y, "Unknown label type"),
    ],
)
def test_targets_that_are_no_classes_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        TabularDNNClassifier(**SMALL).fit(X, y)


def test_unknown_classes_of_validation_rows_are_refused():
    y = targets(TabularDNNClassifier, Y)
    with pytest.raises(ValueError, match="`y` has classes not in"):
        TabularDNNClassifier(**SMALL).fit(X, y, X_val=X, y_val=np.full(60, "other"))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_targets_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        TabularDNNRegressor(**SMALL).fit(X, np.r_[Y[:-1], bad])


@pytest.mark.slow_without_jit
def test_a_pilot_has_a_class_of_each_kind():
    X, y = load_iris(return_X_y=True)
    rows, _ = train_test_split(np.arange(150), train_size=60, stratify=y, random_state=0)
    model = TabularDNNClassifier(**SMALL | {"max_epochs": 60}).fit(X[rows], y[rows])
    assert model.score(X, y) > 0.9
