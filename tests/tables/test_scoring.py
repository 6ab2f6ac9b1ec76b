"""The parameter `scoring` of the table estimators."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, make_scorer, mean_absolute_error, r2_score

from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor, ensemble
from fastdnn.tables.selection import greedy_weights
from tests.tables.tables import BOTH, SMALL, table, targets


def fitted(Estimator, **settings):
    X, y = table(90)
    y = targets(Estimator, y)
    model = Estimator(**SMALL | {"hidden_layer_sizes": (4,)} | settings)
    return model.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])


@BOTH
def test_the_loss_decides_if_nothing_else_is_said(Estimator):
    model = fitted(Estimator)
    assert len(model.validation_scores_) == len(model.cycle_weights_)
    assert (model.validation_scores_ < 0.0).all()  # minus the loss


@pytest.mark.parametrize(
    ("Estimator", "scoring", "score"),
    [
        (TabularDNNClassifier, None, accuracy_score),
        (TabularDNNClassifier, "accuracy", accuracy_score),
        (TabularDNNRegressor, None, r2_score),
        (TabularDNNRegressor, "r2", r2_score),
        (
            TabularDNNRegressor,
            make_scorer(mean_absolute_error, greater_is_better=False),
            lambda y, p: -mean_absolute_error(y, p),
        ),
        (
            TabularDNNClassifier,
            lambda estimator, X, y: accuracy_score(y, estimator.predict(X)),
            accuracy_score,
        ),
    ],
)
def test_scores_are_those_of_what_is_kept(Estimator, scoring, score, monkeypatch):
    """With the best cycle alone, the best score is that of the estimator."""

    def best(candidates, cost):
        weights = np.zeros(len(candidates))
        weights[np.argmin([cost(c) for c in candidates])] = 1.0
        return weights

    monkeypatch.setattr(ensemble, "greedy_weights", best)
    model = fitted(Estimator, scoring=scoring)
    X, y = table(90)
    y = targets(Estimator, y)
    expected = score(y[60:], model.predict(X[60:]))
    assert model.validation_scores_.max() == pytest.approx(expected, rel=1e-12)


def test_a_score_chooses_other_cycles_than_the_loss():
    def alike_the_first(estimator, X, y):
        """Return how near predictions are to those that were scored first."""
        predicted = estimator.predict(X)
        seen.append(predicted)
        return -np.abs(predicted - seen[0]).max()

    seen: list = []
    model = fitted(TabularDNNRegressor, scoring=alike_the_first)
    assert model.cycle_weights_[0] == 1.0
    assert fitted(TabularDNNRegressor).cycle_weights_[0] < 1.0


def test_weights_are_given_to_scorers_that_take_them():
    X, y = table(100)
    seen = []

    def score(estimator, X, y, sample_weight=None):
        seen.append(sample_weight)
        return 0.0

    weight = np.r_[np.ones(50), np.full(50, 2.0)]
    model = TabularDNNRegressor(**SMALL, scoring=score)
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    assert len(seen) > 0
    for given in seen:
        np.testing.assert_array_equal(given, weight)


def test_a_pilot_is_scored_on_rows_of_the_table():
    X, y = table(100)
    seen = []

    def score(estimator, given, y):
        seen.append((list(given.columns), len(given), len(y)))
        return 0.0

    TabularDNNRegressor(**SMALL, scoring=score, validation=30).fit(X, y)
    assert set(map(str, seen)) == {str((list(X.columns), 30, 30))}


@BOTH
@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        ("acuracy", "scoring='acuracy': there is no scorer 'acuracy'"),
        (3, "'scoring' parameter"),
        (lambda estimator, X, y: "high", "failed on the 30 validation samples"),
        (lambda estimator, X, y: np.nan, "is nan on the 30 validation samples"),
    ],
)
def test_what_is_no_score_is_said(Estimator, scoring, message):
    with pytest.raises(ValueError, match=message):
        fitted(Estimator, scoring=scoring)


def test_scorers_need_what_they_ask_for():
    with pytest.raises(ValueError, match=r"needs .*predict_proba, which TabularDNNRegressor"):
        fitted(TabularDNNRegressor, scoring="neg_log_loss")


def test_greedy_weights_take_costs_that_are_not_positive():
    assert greedy_weights([np.zeros(1), np.ones(1)], lambda p: -p[0]).tolist() == [0.0, 1.0]
