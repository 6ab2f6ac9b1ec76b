"""`to_sklearn` and `from_sklearn`: the same network on both sides."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor

from fastdnn import DNNClassifier, DNNRegressor
from tests.their_features import HAVE_LOSSES, needs_losses

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def problem(kind):
    if kind == "multilabel":
        return make_multilabel_classification(n_samples=60, random_state=0)
    if kind in ("regression", "two targets"):
        X, y = load_diabetes(return_X_y=True)
        y = (y - y.mean()) / y.std()
        return X[:80], np.column_stack([y, y**2])[:80] if kind == "two targets" else y[:80]
    X, y = load_iris(return_X_y=True)
    return (X[:100], np.array(["a", "b"])[y[:100]]) if kind == "binary" else (X, y)


KINDS = pytest.mark.parametrize(
    "kind", ["binary", "multiclass", "multilabel", "regression", "two targets"]
)


def classes_of(kind):
    classifier = kind in ("binary", "multiclass", "multilabel")
    return (DNNClassifier, MLPClassifier) if classifier else (DNNRegressor, MLPRegressor)


@KINDS
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_both_predict_the_same(kind, solver):
    Ours, Theirs = classes_of(kind)
    X, y = problem(kind)
    settings = dict(solver=solver, hidden_layer_sizes=(7, 5), random_state=0, max_iter=8)
    ours = Ours(dtype="float64", **settings).fit(X, y)
    theirs = ours.to_sklearn()
    assert type(theirs) is Theirs
    assert_array_equal(theirs.predict(X), theirs.predict(X))
    assert_allclose(np.float64(theirs.score(X, y)), ours.score(X, y), rtol=1e-10)
    back = Ours.from_sklearn(theirs, dtype="float64")
    assert_array_equal(back.predict(X), ours.predict(X))
    assert back.get_params() == ours.get_params()
    if Ours is DNNClassifier:
        assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=1e-10)
        assert_array_equal(theirs.classes_, ours.classes_)


@KINDS
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_goes_on_from_the_same_state(kind, solver):
    Ours, Theirs = classes_of(kind)
    X, y = problem(kind)
    settings = dict(solver=solver, hidden_layer_sizes=(7,), random_state=0, batch_size=20)
    start = Theirs(max_iter=5, **settings).fit(X, y)
    ours = Ours.from_sklearn(start, dtype="auto").partial_fit(X, y)
    start.partial_fit(X, y)
    assert_allclose(ours.coefs_[0], start.coefs_[0], rtol=1e-9, atol=1e-12)
    theirs = ours.to_sklearn().partial_fit(X, y)
    start.partial_fit(X, y)
    assert_allclose(theirs.coefs_[0], start.coefs_[0], rtol=1e-9, atol=1e-12)
    assert_allclose(theirs.loss_curve_, start.loss_curve_, rtol=1e-9)
    assert theirs.t_ == start.t_


def test_the_twin_is_apart():
    X, y = problem("multiclass")
    ours = DNNClassifier(max_iter=3).fit(X, y)
    before = ours.predict_proba(X)
    theirs = ours.to_sklearn()
    theirs.coefs_[0][:] = 0.0
    theirs.partial_fit(X, y)
    assert_array_equal(ours.predict_proba(X), before)
    assert len(theirs.loss_curve_) == len(ours.loss_curve_) + 1


def test_early_stopping_history_crosses():
    X, y = problem("multiclass")
    settings = dict(early_stopping=True, random_state=0, max_iter=6)
    theirs = MLPClassifier(**settings).fit(X, y)
    ours = DNNClassifier.from_sklearn(theirs)
    assert ours.validation_scores_ == theirs.validation_scores_
    assert ours.to_sklearn().best_validation_score_ == theirs.best_validation_score_


def test_what_scikit_learn_does_not_have_is_refused():
    X, y = problem("multiclass")
    model = DNNClassifier(activation="silu", max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="'activation' parameter of MLPClassifier"):
        model.to_sklearn()
    with pytest.raises(NotFittedError):
        DNNClassifier().to_sklearn()
    with pytest.raises(NotFittedError):
        DNNRegressor.from_sklearn(MLPRegressor())


def counts():
    generator = np.random.default_rng(0)
    X = generator.standard_normal((60, 3))
    settings = dict(hidden_layer_sizes=(5,), random_state=0, max_iter=8, dtype="float64")
    y = generator.poisson(np.exp(0.3 * X[:, 0])).astype(float)
    return X, DNNRegressor(loss="poisson", **settings).fit(X, y)


@needs_losses
def test_rates_of_counts_cross():
    X, ours = counts()
    theirs = ours.to_sklearn()
    assert theirs.loss == "poisson"
    assert_allclose(theirs.predict(X), ours.predict(X), rtol=1e-10)
    back = DNNRegressor.from_sklearn(theirs, dtype="float64")
    assert_array_equal(back.predict(X), ours.predict(X))


@pytest.mark.skipif(HAVE_LOSSES, reason="this scikit-learn's MLPRegressor has this loss")
def test_a_loss_that_this_scikit_learn_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"has no MLPRegressor\(loss='poisson'\)"):
        counts()[1].to_sklearn()


def test_a_hyperparameter_that_scikit_learn_does_not_have_is_refused(monkeypatch):
    X, y = problem("regression")

    class Older(MLPRegressor):
        def get_params(self, deep=True):
            return {k: v for k, v in super().get_params(deep).items() if k != "max_fun"}

    monkeypatch.setattr("fastdnn.estimators.regressor.MLPRegressor", Older)
    model = DNNRegressor(max_iter=2, max_fun=15000, n_threads=1, dtype="float64")
    assert type(model.fit(X, y).to_sklearn()) is Older
    with pytest.raises(
        ValueError, match=r"has no Older\(max_fun=7\)\. Fit with max_fun=15000"
    ):
        model.set_params(max_fun=7).to_sklearn()


def test_what_limits_and_saves_a_fit_keeps_no_network_here(tmp_path):
    X, y = problem("binary")
    settings = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
    ours = DNNClassifier(
        **settings, checkpoint=tmp_path / "kept", max_time=1e3, warm_start="exact"
    ).fit(X, y)
    theirs = ours.to_sklearn()
    assert theirs.warm_start is True
    assert_array_equal(theirs.predict(X), ours.predict(X))
    assert ours.warm_start == "exact"
