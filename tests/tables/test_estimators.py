"""`TabularDNNClassifier` and `TabularDNNRegressor` as a user meets them."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor
from tests.tables.tables import BOTH, SMALL, outputs, table, targets

ESTIMATORS = TabularDNNClassifier, TabularDNNRegressor

_NOT_EQUAL = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a sample that is given twice is shuffled as two, and may be in two parts"
    ),
    # Of scikit-learn 1.6, which gives it to estimators that take none.
    "check_sample_weight_equivalence_on_sparse_data": "tables are not sparse",
}


@pytest.mark.slow_without_jit
@parametrize_with_checks(
    [Estimator(**SMALL | {"max_epochs": 40}) for Estimator in ESTIMATORS],
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


@pytest.mark.slow_without_jit
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


@pytest.mark.slow_without_jit
def test_predictions_stay_near_the_targets():
    """A little beyond them is allowed, but for the sign, which counts and prices keep."""
    X, y = table()
    for targets_given in (y, y - y.min(), y.max() - y, np.exp(3.0 * y)):
        model = TabularDNNRegressor(**SMALL).fit(X, targets_given)
        far = model.predict(pd.concat([X.assign(size=1e6), X.assign(size=-1e6)]))
        low, high = targets_given.min(), targets_given.max()
        beyond = 0.0201 * (high - low)
        assert max(low - beyond, 0.0 if low >= 0.0 else -np.inf) <= far.min() + 1e-6
        assert far.max() <= high + beyond


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1e30, 1e250])
def test_targets_may_have_any_unit(unit):
    X, y = table(100)
    unit = 2.0 ** np.round(np.log2(unit))  # of which products are exact
    expected = TabularDNNRegressor(**SMALL).fit(X, y).predict(X)
    found = TabularDNNRegressor(**SMALL).fit(X, y * unit).predict(X)
    np.testing.assert_allclose(found / unit, expected, rtol=1e-12)


@pytest.mark.slow_without_jit
def test_whole_numbers_to_predict_are_numbers():
    """The encoder of a regressor does not take counts for classes."""
    X, y = table(300)
    counts = np.round(10.0 * y)
    model = TabularDNNRegressor(**SMALL).fit(X, counts)
    with_fractions = TabularDNNRegressor(**SMALL).fit(X, counts / 64.0)
    assert_array_equal(model.predict(X), 64.0 * with_fractions.predict(X))


@pytest.mark.slow_without_jit
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
    X, y = table(200)
    y = targets(Estimator, y)
    wrong = y.copy()
    wrong[100:] = "other" if Estimator is TabularDNNClassifier else 1e9
    weight = np.r_[np.linspace(1.0, 2.0, 100), np.zeros(100)]
    odd = X.copy()
    odd.loc[100:, "size"] = 1e12
    for given in ({}, dict(X_val=X[:50], y_val=y[:50])):
        with_all = Estimator(**SMALL).fit(odd, wrong, weight, **given)
        without = Estimator(**SMALL).fit(X[:100], y[:100], weight[:100], **given)
        assert_array_equal(outputs(with_all, X), outputs(without, X))


@pytest.mark.slow_without_jit
@BOTH
def test_equal_weights_are_none_and_their_scale_does_not_count(Estimator):
    X, y = table(150)
    y = targets(Estimator, y)
    expected = outputs(Estimator(**SMALL).fit(X, y), X)
    assert_array_equal(outputs(Estimator(**SMALL).fit(X, y, np.full(150, 0.3)), X), expected)
    weight = np.linspace(0.5, 2.0, 150)
    first, second = (
        outputs(Estimator(**SMALL).fit(X, y, scale * weight), X) for scale in (1.0, 1024.0)
    )
    assert_array_equal(first, second)
    assert not np.array_equal(first, expected)


@pytest.mark.slow_without_jit
def test_classes_are_weighted_as_samples():
    X, y = table()
    y = targets(TabularDNNClassifier, y)
    weight = {"high": 3.0, "low": 1.0}
    by_class = TabularDNNClassifier(**SMALL, class_weight=weight).fit(X, y)
    by_sample = TabularDNNClassifier(**SMALL)
    by_sample.fit(X, y, sample_weight=[weight[label] for label in y])
    np.testing.assert_array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))


def test_balanced_weights_are_of_the_weights_of_samples():
    """A weight of 2 counts as the sample given twice."""
    X, y = table(60)
    y = targets(TabularDNNClassifier, y)
    weight = np.where(y == "high", 3.0, 1.0) * np.linspace(1.0, 2.0, 60)
    totals = {label: weight[y == label].sum() for label in ("high", "low")}
    explicit = {label: weight.sum() / (2.0 * total) for label, total in totals.items()}
    small = SMALL | {"hidden_layer_sizes": (4,), "max_epochs": 8}
    first, second = (
        TabularDNNClassifier(**small, class_weight=given).fit(X, y, weight).predict_proba(X)
        for given in ("balanced", explicit)
    )
    np.testing.assert_allclose(first, second, rtol=1e-3)
    with pytest.raises(ValueError, match="class_weight has the weight -1 for class 'low'"):
        TabularDNNClassifier(**SMALL, class_weight={"low": -1}).fit(X, y)


@pytest.mark.slow_without_jit
def test_a_class_of_one_sample_and_many_classes():
    X, y = load_iris(return_X_y=True)
    y = np.r_[y[:-1], 7]
    model = TabularDNNClassifier(**SMALL).fit(X, y)
    assert model.predict_proba(X).shape == (150, 4)
    rng = np.random.default_rng(0)
    for n_rows, n_classes in ((300, 100), (2000, 1000)):
        X, y = rng.normal(size=(n_rows, 3)), np.arange(n_rows) % n_classes
        model = TabularDNNClassifier(**SMALL | {"max_epochs": 2}).fit(X, y)
        P = model.predict_proba(X[:50])
        assert P.shape == (50, n_classes)
        np.testing.assert_allclose(P.sum(axis=1), 1.0)


@BOTH
@pytest.mark.parametrize("n_rows", [2, 3, 5, 9, 20, 50])
def test_tables_of_few_rows(Estimator, n_rows):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=n_rows), "b": rng.choice(["u", "v"], n_rows)})
    y = np.arange(n_rows) % 2
    model = Estimator(**SMALL | {"max_epochs": 3}).fit(X, y)
    assert np.isfinite(outputs(model, X)).all()


def test_a_table_whose_one_telling_row_is_not_in_the_pilot():
    X = np.zeros((20, 1))
    X[-1] = 1.0
    model = TabularDNNRegressor(**SMALL, validation=[(np.arange(19), [19])])
    model.fit(X, np.arange(20.0))
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.slow_without_jit
@BOTH
def test_tables_of_very_many_columns(Estimator):
    """They have no bins, which would make more of them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 10_000)).astype(np.float32)
    y = targets(Estimator, X[:, 0] + 0.7)
    model = Estimator(**SMALL | {"n_members": 1, "max_epochs": 2}).fit(X, y)
    assert model.encoder_.n_features_out_ == 10_000
    assert np.isfinite(outputs(model, X)).all()


@pytest.mark.slow_without_jit
def test_a_fit_keeps_no_copy_of_the_table():
    """Besides what the networks are trained on, which is not larger than the table."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 20))
    options = dict(n_members=1, hidden_layer_sizes=(4,), max_epochs=1, random_state=0)
    TabularDNNRegressor(**options).fit(X[:100], X[:100, 0])  # compiles
    tracemalloc.start()
    try:
        model = TabularDNNRegressor(**options).fit(X, X[:, 0])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    encoded = 4 * len(X) * model.encoder_.n_features_out_
    assert encoded > 20 * X.nbytes / 2
    assert peak < 2 * X.nbytes


@pytest.mark.slow_without_jit
@BOTH
def test_many_rows_are_predicted_in_parts(Estimator, monkeypatch):
    X, y = table(300)
    model = Estimator(**SMALL).fit(X, targets(Estimator, y))
    expected = outputs(model, X)
    monkeypatch.setattr("fastdnn.tables.base._ROWS_AT_ONCE", 70)
    for given in (X, pl.DataFrame({name: X[name].to_list() for name in X})):
        np.testing.assert_allclose(outputs(model, given), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="Column 'size' of X has infinity in row 150"):
        model.predict(X.assign(size=np.where(np.arange(300) == 150, np.inf, 0.0)))


@pytest.mark.slow_without_jit
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


@pytest.mark.slow_without_jit
def test_a_pilot_has_a_class_of_each_kind():
    X, y = load_iris(return_X_y=True)
    rows, _ = train_test_split(np.arange(150), train_size=60, stratify=y, random_state=0)
    model = TabularDNNClassifier(**SMALL | {"max_epochs": "auto"}).fit(X[rows], y[rows])
    assert model.score(X, y) > 0.9
