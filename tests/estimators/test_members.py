"""Several networks of one estimator: each is trained as it would be alone."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.training import fit as fit_module
from tests.estimators.member_fits import BOTH, SMALL, assert_same_networks, fitted, samples

pytestmark = [
    pytest.mark.usefixtures("four_cpus"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.mark.slow_without_jit
@parametrize_with_checks(
    [
        DNNClassifier(n_members=2, max_iter=100),
        DNNRegressor(n_members=2, max_iter=100),
        DNNClassifier(n_members=2, max_iter=100, bagging="folds"),
        DNNRegressor(n_members=2, max_iter=100, bagging="folds"),
    ],
    expected_failed_checks=lambda model: (
        {
            f"check_sample_weight_equivalence_on_{kind}_data": (
                "a sample that is given twice may be in two folds"
            )
            for kind in ("dense", "sparse")
        }
        if model.bagging
        else {}
    ),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


WAYS = [
    {},
    {"early_stopping": True},
    {"solver": "lbfgs"},
    {"shuffle": False},
    {"dtype": "float64", "solver": "sgd"},
    {"dropout": 0.2, "ema_decay": 0.5},
]


@BOTH
@pytest.mark.parametrize("bagging", [None, "folds"])
@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_member_is_what_it_would_be_alone(Estimator, bagging, options):
    model, X, y = fitted(Estimator, bagging=bagging, **options)
    seeds = {member.random_state for member in model.estimators_}
    assert len(seeds) == 3
    left_out = np.zeros(len(X), dtype=int)
    for member in model.estimators_:
        assert type(member) is Estimator
        assert member.get_params() == model.get_params() | {
            "n_members": 1,
            "bagging": None,
            "random_state": member.random_state,
        }
        rows = np.arange(len(X))
        if bagging:
            predict = "predict_proba" if Estimator is DNNClassifier else "predict"
            same = model.oof_prediction_ == getattr(member, predict)(X)
            is_left_out = same.reshape(len(X), -1).all(axis=1)
            left_out += is_left_out
            rows = np.flatnonzero(~is_left_out)
        alone = Estimator(**member.get_params()).fit(X[rows], y[rows])
        assert_same_networks(member, alone)
        assert member.loss_curve_ == alone.loss_curve_ if "solver" not in options else True
    assert (left_out == (1 if bagging else 0)).all()


@BOTH
@pytest.mark.parametrize("bagging", [None, "folds"])
def test_results_do_not_depend_on_threads(Estimator, bagging):
    of_each = [fitted(Estimator, bagging=bagging, n_threads=n)[0] for n in (1, 2, 4, None)]
    for model in of_each[1:]:
        for mine, first in zip(model.estimators_, of_each[0].estimators_, strict=True):
            assert_same_networks(mine, first)
        if bagging:
            assert_array_equal(model.oof_prediction_, of_each[0].oof_prediction_)


@BOTH
def test_a_random_state_is_drawn_from_once(Estimator):
    states = [np.random.RandomState(3) for _ in range(2)]
    one, other = (fitted(Estimator, random_state=state)[0] for state in states)
    for mine, theirs in zip(one.estimators_, other.estimators_, strict=True):
        assert_same_networks(mine, theirs)
    again = fitted(Estimator, random_state=states[0])[0]
    assert again.estimators_[0].random_state != one.estimators_[0].random_state


@pytest.mark.parametrize("form", [np.float32, "sparse"])
def test_all_members_train_on_one_x(form, monkeypatch):
    X, y = samples(DNNClassifier)
    X = sparse.csr_array(X.astype(np.float32)) if form == "sparse" else X.astype(form)
    seen, real = [], DNNClassifier._train

    def train(self, ready, options, *more):
        seen.append(ready.samples)
        return real(self, ready, options, *more)

    monkeypatch.setattr(DNNClassifier, "_train", train)
    for bagging in (None, "folds"):
        DNNClassifier(**SMALL, n_members=3, bagging=bagging).fit(X, y)
    assert len(seen) == 6
    for one in seen:
        if form == "sparse":
            assert np.shares_memory(one.X.data, X.data)
            assert one.structure[0] is seen[0 if one.rows is None else 3].structure[0]
        else:
            assert np.shares_memory(one.X, X)


@BOTH
@pytest.mark.parametrize("bagging", [None, "folds"])
def test_all_members_share_a_conversion(Estimator, bagging, monkeypatch):
    seen, real = [], fit_module.fit_lbfgs

    def fit(objective, *others):
        seen.append(objective)
        real(objective, *others)

    monkeypatch.setattr(fit_module, "fit_lbfgs", fit)
    X, y = samples(Estimator)
    options = SMALL | {"solver": "lbfgs", "n_members": 3, "bagging": bagging}
    Estimator(**options).fit(X, y, X_val=X[:20], y_val=y[:20])
    assert len(seen) == 3
    for objective in seen:
        assert objective.samples.X.dtype == objective.validation.X.dtype == np.float64
        assert np.shares_memory(objective.samples.X, seen[0].samples.X)
        assert np.shares_memory(objective.validation.X, seen[0].validation.X)


@BOTH
def test_sparse_samples_and_folds(Estimator):
    X, y = samples(Estimator)
    X[np.abs(X) < np.median(np.abs(X))] = 0.0
    options = SMALL | {"n_members": 3, "bagging": "folds"}
    dense, thin = (Estimator(**options).fit(form, y) for form in (X, sparse.csr_array(X)))
    assert_allclose(thin.oof_prediction_, dense.oof_prediction_, rtol=1e-4, atol=1e-5)


def test_weights_of_classes_are_those_of_a_fold():
    X, y = samples(DNNClassifier)
    y = np.where(y == 2, 1, y)
    weight = np.linspace(0.1, 2.0, 150)
    options = SMALL | {"class_weight": "balanced"}
    model = DNNClassifier(**options, n_members=2, bagging="folds").fit(X, y, weight)
    first = model.estimators_[0]
    rows = np.flatnonzero((model.oof_prediction_ != first.predict_proba(X)).any(axis=1))
    alone = DNNClassifier(**first.get_params()).fit(X[rows], y[rows], weight[rows])
    assert_same_networks(first, alone)


@BOTH
def test_a_refit_leaves_nothing_of_the_fit_before(Estimator):
    X, y = samples(Estimator)
    once = Estimator(**SMALL).fit(X, y)
    model = Estimator(**SMALL).fit(X, y)
    model.set_params(n_members=2, bagging="folds").fit(X, y)
    for name in ("coefs_", "loss_curve_", "best_loss_", "t_", "history_"):
        assert not hasattr(model, name), name
    model.set_params(n_members=1, bagging=None).fit(X, y)
    assert vars(model).keys() == vars(once).keys()
    assert_same_networks(model, once)


@pytest.mark.slow_without_jit
@BOTH
def test_pandas_copies_searches_and_pickles(Estimator):
    X, y = samples(Estimator)
    X = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    model = Estimator(**SMALL, n_members=2, bagging="folds").fit(X, y)
    assert list(model.feature_names_in_) == list(X.columns)
    same = pickle.loads(pickle.dumps(model))
    assert_array_equal(same.predict(X), model.predict(X))
    assert_array_equal(same.oof_prediction_, model.oof_prediction_)
    assert_array_equal(clone(model).fit(X, y).predict(X), model.predict(X))
    search = GridSearchCV(clone(model), {"n_members": [2, 3]}, cv=2, n_jobs=2).fit(X, y)
    assert len(search.best_estimator_.estimators_) in (2, 3)
