"""The validation loss of every loss and kind of target, beside scikit-learn's metrics."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics

from fastdnn import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(3)
X = RNG.normal(size=(300, 6))
Y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])
T = np.exp(0.3 * X[:, 0] - 0.2 * X[:, 1]) + 0.1
SOFT = 0.8 * np.eye(3)[Y] + 0.2 / 3
TRAIN, VAL = slice(0, 240), slice(240, 300)
LEVELS = [0.1, 0.5, 0.9]
SMALL = dict(hidden_layer_sizes=(7,), random_state=0, batch_size=30, learning_rate_init=0.02)
SMALL |= dict(max_iter=4, dtype="float64")


def log_loss(targets, P):
    return -(targets * np.log(P)).sum(axis=1).mean()


def focal(y, P):
    p = P[np.arange(len(y)), y]
    return -((1.0 - p) ** 2 * np.log(p)).mean()


CLASSIFIERS = {
    "log_loss": ({}, Y, lambda m: metrics.log_loss(Y[VAL], m.predict_proba(X[VAL]))),
    "smoothed": (
        dict(label_smoothing=0.2),
        Y,
        lambda m: log_loss(SOFT[VAL], m.predict_proba(X[VAL])),
    ),
    "soft targets": ({}, SOFT, lambda m: log_loss(SOFT[VAL], m.predict_proba(X[VAL]))),
    "focal": (dict(loss="focal"), Y, lambda m: focal(Y[VAL], m.predict_proba(X[VAL]))),
    "hinge": (
        dict(loss="hinge"),
        Y,
        lambda m: metrics.hinge_loss(Y[VAL], m.decision_function(X[VAL])),
    ),
}


@pytest.mark.parametrize("case", CLASSIFIERS)
@pytest.mark.parametrize(
    "more",
    [{}, dict(dropout=0.4), dict(input_noise=0.3), dict(ema_decay=0.9), dict(swa_start=0.3)],
    ids=str,
)
def test_of_classes(case, more):
    """Neither dropout nor noise is in it; of an average of parameters it is the average's."""
    options, y, expected = CLASSIFIERS[case]
    model = DNNClassifier(**SMALL, **options, **more)
    model.fit(X[TRAIN], y[TRAIN], X_val=X[VAL], y_val=y[VAL])
    assert_allclose(model.validation_loss_curve_[-1], expected(model), rtol=1e-10)
    assert_allclose(model.validation_scores_[-1], model.score(X[VAL], Y[VAL]))


def gaussian_nll(m):
    mean, std = m.predict(X[VAL], return_std=True)
    return np.mean(np.log(std) + 0.5 * ((T[VAL] - mean) / std) ** 2)


REGRESSORS = {
    "squared_error": lambda t, p: metrics.mean_squared_error(t, p) / 2,
    "absolute_error": metrics.mean_absolute_error,
    "huber": lambda t, p: np.mean(
        np.where(abs(t - p) <= 1.0, 0.5 * (t - p) ** 2, abs(t - p) - 0.5)
    ),
    "log_cosh": lambda t, p: np.log(np.cosh(t - p)).mean(),
    "poisson": lambda t, p: metrics.mean_poisson_deviance(t, p) / 2,
    "gamma": lambda t, p: metrics.mean_gamma_deviance(t, p) / 2,
    "tweedie": lambda t, p: metrics.mean_tweedie_deviance(t, p, power=1.5) / 2,
    "quantile": lambda t, p: metrics.mean_pinball_loss(t, p, alpha=0.5),
}


@pytest.mark.parametrize("loss", REGRESSORS)
def test_of_targets(loss):
    model = DNNRegressor(loss, **SMALL).fit(X[TRAIN], T[TRAIN], X_val=X[VAL], y_val=T[VAL])
    expected = REGRESSORS[loss](T[VAL], model.predict(X[VAL]))
    assert_allclose(model.validation_loss_curve_[-1], expected, rtol=1e-10)
    assert_allclose(model.validation_scores_[-1], model.score(X[VAL], T[VAL]), rtol=1e-10)


def test_of_several_quantiles():
    model = DNNRegressor("quantile", quantile=LEVELS, **SMALL)
    model.fit(X[TRAIN], T[TRAIN], X_val=X[VAL], y_val=T[VAL])
    columns = zip(LEVELS, model.predict(X[VAL]).T, strict=True)
    losses = [metrics.mean_pinball_loss(T[VAL], p, alpha=level) for level, p in columns]
    assert_allclose(model.validation_loss_curve_[-1], np.mean(losses), rtol=1e-10)


def test_of_mean_and_variance():
    model = DNNRegressor("gaussian_nll", **SMALL)
    model.fit(X[TRAIN], T[TRAIN], X_val=X[VAL], y_val=T[VAL])
    assert_allclose(model.validation_loss_curve_[-1], gaussian_nll(model), rtol=1e-10)


@pytest.mark.parametrize("more", [dict(ema_decay=0.9), dict(swa_start=0.1)], ids=str)
def test_an_average_that_is_the_best_is_kept(more):
    options = SMALL | more | dict(max_iter=80, n_iter_no_change=4, scoring="loss")
    model = DNNClassifier(**options, early_stopping=True)
    model.fit(X[TRAIN], Y[TRAIN], X_val=X[VAL], y_val=Y[VAL])
    assert model.best_validation_score_ == -min(model.validation_loss_curve_)
    found = metrics.log_loss(Y[VAL], model.predict_proba(X[VAL]))
    assert_allclose(found, -model.best_validation_score_, rtol=1e-10)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc_ovr"])
def test_scores_of_probabilities_need_some(scoring):
    model = DNNClassifier(loss="hinge", scoring=scoring, early_stopping=True)
    with pytest.raises(ValueError, match=r"needs .*predict_proba, .*loss='hinge'\) does not"):
        model.fit(X, Y)


@pytest.mark.parametrize(("y", "y_val"), [(Y, SOFT), (SOFT, Y), (SOFT, SOFT)])
def test_soft_targets_and_labels_go_together(y, y_val):
    model = DNNClassifier(**SMALL, scoring=["neg_log_loss", "accuracy"])
    model.fit(X[TRAIN], y[TRAIN], X_val=X[VAL], y_val=y_val[VAL])
    P = model.predict_proba(X[VAL])
    targets = np.eye(3)[Y[VAL]] if y_val is Y else SOFT[VAL]
    assert_allclose(model.validation_loss_curve_[-1], log_loss(targets, P), rtol=1e-10)
    assert_allclose(model.validation_scores_[-1], -metrics.log_loss(Y[VAL], P), rtol=1e-10)


def test_class_weights_count_for_samples_that_are_held_out():
    weights, rows = {0: 1.0, 1: 5.0, 2: 0.5}, [(np.arange(240), np.arange(240, 300))]
    model = DNNClassifier(**SMALL, class_weight=weights, early_stopping=True)
    model.set_params(validation_fraction=rows, scoring="loss").fit(X, Y)
    w = np.array([weights[label] for label in Y[VAL]])
    found = metrics.log_loss(Y[VAL], model.predict_proba(X[VAL]), sample_weight=w)
    assert_allclose(model.best_validation_score_, -found, rtol=1e-10)
    model.set_params(validation_fraction=0.1, early_stopping=False)
    model.fit(X[TRAIN], Y[TRAIN], X_val=X[VAL], y_val=Y[VAL])
    found = metrics.log_loss(Y[VAL], model.predict_proba(X[VAL]))
    assert_allclose(model.validation_loss_curve_[-1], found, rtol=1e-10)
