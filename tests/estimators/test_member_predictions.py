"""What several networks predict together, of samples and of those that were left out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import accuracy_score, r2_score

from fastdnn import DNNClassifier, DNNRegressor
from tests.estimators.member_fits import BOTH, SMALL, fitted, samples

pytestmark = [
    pytest.mark.usefixtures("four_cpus"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


# -- predictions ----------------------------------------------------------------------------


def test_probabilities_are_means_and_all_else_follows_from_them():
    for n_classes in (2, 3):
        X, y = samples(DNNClassifier)
        X, y = X[y < n_classes], y[y < n_classes]
        model = DNNClassifier(**SMALL, n_members=3).fit(X, y)
        P = np.stack([member.predict_proba(X) for member in model.estimators_])
        assert_array_equal(model.predict_members(X), P)
        mean = model.predict_proba(X)
        assert_allclose(mean, P.mean(axis=0), rtol=1e-12)
        assert_array_equal(model.predict(X), model.classes_[mean.argmax(axis=1)])
        assert_allclose(model.predict_log_proba(X), np.log(mean), rtol=1e-5, atol=1e-6)
        Z = model.decision_function(X)
        if n_classes == 2:
            assert_allclose(Z, np.log(mean[:, 1] / mean[:, 0]), rtol=1e-5, atol=1e-6)
        else:
            powers = np.exp(Z)
            softmax = powers / powers.sum(axis=1, keepdims=True)
            assert_allclose(softmax, mean, rtol=1e-5)


def test_logarithms_of_tiny_probabilities_are_finite():
    X, y = samples(DNNClassifier)
    X, y = X[:100], y[:100]
    model = DNNClassifier(**SMALL, n_members=2).fit(X, y)
    for member in model.estimators_:
        member.intercepts_[-1][:] = -1000.0
    logarithms = model.predict_log_proba(X)
    assert np.isfinite(logarithms).all()
    assert (logarithms[:, 1] < -800.0).all()
    assert_allclose(model.decision_function(X), logarithms[:, 1], rtol=1e-6)


def test_labels_and_scores_of_the_hinge_loss_are_means():
    X, Y = make_multilabel_classification(60, random_state=0)
    model = DNNClassifier(**SMALL, n_members=2, bagging="folds").fit(X, Y)
    P = model.predict_members(X)
    assert P.shape == (2, 60, 5)
    assert_array_equal(model.predict(X), (P.mean(axis=0) > 0.5).astype(int))
    assert model.oof_prediction_.shape == (60, 5)
    assert model.oof_score_ == accuracy_score(Y, (model.oof_prediction_ > 0.5).astype(int))
    X, y = samples(DNNClassifier)
    model = DNNClassifier(**SMALL, n_members=2, bagging="folds", loss="hinge").fit(X, y)
    scores = [member.decision_function(X) for member in model.estimators_]
    assert_allclose(model.decision_function(X), np.mean(scores, axis=0), rtol=1e-6)
    assert not hasattr(model, "predict_members") and not hasattr(model, "predict_set")
    assert model.oof_score_ == np.mean(model.oof_prediction_.argmax(axis=1) == y)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_targets_are_means_and_their_spread_is_said(n_targets):
    X, y = samples(DNNRegressor)
    y = y if n_targets == 1 else np.column_stack([y, -y])
    model = DNNRegressor(**SMALL, n_members=4).fit(X, y)
    each = model.predict_members(X)
    assert each.shape == (4, *y.shape)
    mean, deviation = model.predict(X, return_std=True)
    assert_allclose(mean, each.mean(axis=0), rtol=1e-12)
    assert_allclose(deviation, each.std(axis=0), rtol=1e-9)
    assert_allclose(model.predict(X), mean, rtol=1e-12)


@pytest.mark.slow_without_jit
def test_variances_are_those_of_the_mixture():
    X, y = samples(DNNRegressor)
    options = SMALL | {"loss": "gaussian_nll", "max_iter": 30, "learning_rate_init": 0.1}
    model = DNNRegressor(**options, n_members=3).fit(X, (y - y.mean()) / y.std())
    each = [member.predict(X, return_std=True) for member in model.estimators_]
    means, deviations = (np.stack(part) for part in zip(*each, strict=True))
    mean, deviation = model.predict(X, return_std=True)
    assert_allclose(mean, means.mean(axis=0), rtol=1e-9)
    # E[y^2] - E[y]^2 over draws from a member that is drawn.
    expected = (deviations**2 + means**2).mean(axis=0) - means.mean(axis=0) ** 2
    assert_allclose(deviation**2, expected, rtol=1e-9)
    assert (deviation > deviations.min(axis=0)).all()
    assert model.predict_members(X).shape == (3, 150)


def test_quantiles_do_not_cross_and_a_link_is_kept():
    X, y = samples(DNNRegressor)
    levels = {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}
    model = DNNRegressor(**SMALL | levels, n_members=3).fit(X, y)
    assert (np.diff(model.predict(X), axis=1) >= 0.0).all()
    model = DNNRegressor(**SMALL, loss="poisson", n_members=3).fit(X, y)
    each = np.stack([member.predict(X) for member in model.estimators_])
    assert_allclose(model.predict(X), each.mean(axis=0), rtol=1e-12)


@BOTH
def test_one_network_is_one_member(Estimator):
    model, X, _ = fitted(Estimator, n_members=1)
    predict = model.predict_proba if Estimator is DNNClassifier else model.predict
    assert_array_equal(model.predict_members(X), predict(X)[np.newaxis])
    assert not hasattr(model, "estimators_")


def test_float32_stays_float32():
    model, X, _ = fitted(DNNRegressor)
    X = X.astype(np.float32)
    for result in (model.predict(X), *model.predict(X, return_std=True)):
        assert result.dtype == np.float32


# -- samples that were left out -------------------------------------------------------------


@pytest.mark.slow_without_jit
def test_the_score_of_what_was_left_out_is_that_of_score():
    model, _, y = fitted(DNNClassifier, bagging="folds", max_iter=40)
    labels = model.classes_[model.oof_prediction_.argmax(axis=1)]
    assert model.oof_score_ == accuracy_score(y, labels)
    model, _, y = fitted(DNNRegressor, bagging="folds", max_iter=40)
    assert model.oof_score_ == pytest.approx(r2_score(y, model.oof_prediction_), rel=1e-6)


def test_samples_of_no_weight_are_predicted_and_not_scored():
    X, y = samples(DNNRegressor)
    weight = np.ones(150)
    wrong, weight[::3] = y.copy(), 0.0
    wrong[::3] = 1e4
    options = SMALL | {"n_members": 3, "bagging": "folds"}
    model = DNNRegressor(**options).fit(X, wrong, weight)
    assert np.isfinite(model.oof_prediction_).all()
    counts = weight > 0.0
    score = r2_score(y[counts], model.oof_prediction_[counts])
    assert model.oof_score_ == pytest.approx(score, rel=1e-6)
    low, high = model.predict_interval(X)
    assert (high - low).max() < 5e3


def test_a_class_of_one_sample_is_left_out_by_one():
    X, y = samples(DNNClassifier)
    y = np.r_[y[:-1], 7]
    model = DNNClassifier(**SMALL, n_members=4, bagging="folds").fit(X, y)
    assert model.oof_prediction_.shape == (150, 4)
    assert all(len(member.classes_) == 4 for member in model.estimators_)


def test_few_rows_and_one_epoch():
    X, y = samples(DNNRegressor)
    options = SMALL | {"max_iter": 1, "n_members": 5, "bagging": "folds", "batch_size": 2}
    model = DNNRegressor(**options).fit(X[:5], y[:5])
    assert np.isfinite(model.oof_prediction_).all()
    low, high = model.predict_interval(X[:5], level=0.9)
    assert np.isinf(low).all() and np.isinf(high).all()  # nine are needed
    with pytest.raises(ValueError, match=r"n_members=5 .*n_samples=4"):
        DNNRegressor(**options).fit(X[:4], y[:4])
