"""Grids and draws: the results of scikit-learn's searches."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.neural_network import MLPRegressor

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.search import DNNSearchCV
from fastdnn.teams import cpus
from tests.search.kinds import (
    DRAWS,
    LABELS,
    X,
    network,
    require_equal_networks,
    require_equal_results,
    targets_of,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"alpha": [1e-4, 1.0], "max_iter": [2, 5], "hidden_layer_sizes": [(3,), (4, 3)]}


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize("return_train_score", [True, False])
def test_a_grid(Estimator, return_train_score):
    options = {"cv": 3, "return_train_score": return_train_score}
    y = targets_of(Estimator)
    model = network(Estimator, learning_rate="cosine")
    ours = DNNSearchCV(model, GRID, **options).fit(X, y)
    theirs = GridSearchCV(model, GRID, **options).fit(X, y)
    require_equal_results(ours.cv_results_, theirs.cv_results_)
    assert (ours.best_index_, ours.best_score_) == (theirs.best_index_, theirs.best_score_)
    require_equal_networks(ours.best_estimator_, theirs.best_estimator_)
    assert ours.score(X, y) == theirs.score(X, y)


def test_draws_and_several_scores():
    options = {"n_iter": 5, "cv": 3, "random_state": 3, "refit": "loss"}
    options["scoring"] = {"accuracy": "accuracy", "loss": "neg_log_loss"}
    model = network(max_iter=3)
    ours = DNNSearchCV(model, DRAWS, **options).fit(X, LABELS)
    theirs = RandomizedSearchCV(model, DRAWS, **options).fit(X, LABELS)
    require_equal_results(ours.cv_results_, theirs.cv_results_)
    assert ours.best_index_ == theirs.best_index_
    assert ours.score(X, LABELS) == theirs.score(X, LABELS)


@pytest.mark.needs_jit
def test_bits_do_not_depend_on_threads(monkeypatch):
    monkeypatch.setattr(cpus, "usable_cpus", lambda: 3)
    first = None
    for n_jobs in (1, 2, 3):
        search = DNNSearchCV(network(), GRID, cv=3, n_jobs=n_jobs).fit(X, LABELS)
        first = first or search
        require_equal_results(search.cv_results_, first.cv_results_)
        require_equal_networks(search.best_estimator_, first.best_estimator_)


def test_several_scores_need_a_refit_by_one_of_them():
    search = DNNSearchCV(network(), GRID, scoring=["accuracy", "neg_log_loss"])
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        search.fit(X, LABELS)


def test_other_estimators_are_sent_elsewhere():
    with pytest.raises(TypeError, match=r"GridSearchCV of sklearn\.model_selection"):
        DNNSearchCV(MLPRegressor(), GRID).fit(X, LABELS)


def test_candidates_may_be_of_either_network_of_a_search():
    search = DNNSearchCV(network(max_iter=2), {"solver": ["adam", "lbfgs"]}, cv=2)
    search.fit(X, LABELS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_in_a_cross_validation():
    search = DNNSearchCV(network(max_iter=3), {"alpha": [1e-4, 1.0]}, cv=2)
    theirs = GridSearchCV(network(max_iter=3), {"alpha": [1e-4, 1.0]}, cv=2)
    ours, expected = (cross_val_score(one, X, LABELS, cv=2) for one in (search, theirs))
    np.testing.assert_array_equal(ours, expected)
