"""The losses of `DNNClassifier`: what is reported, what is predicted, what is refused."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, special
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import hinge_loss, log_loss, roc_auc_score
from sklearn.model_selection import cross_val_score

from fastdnn import DNNClassifier
from tests import own

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LOSSES = [
    {"label_smoothing": 0.2},
    {"loss": "focal"},
    {"loss": "focal", "focal_gamma": 0.5},
    {"loss": "hinge"},
    {"loss": own.CROSS_ENTROPY},
]
IDS = [str(list(parameters.values())) for parameters in LOSSES]
KINDS = ["two", "three", "labels"]


def samples(kind, n_rows=300):
    """Return samples of two classes, of three, or with two labels each."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 4))
    Z = X @ rng.standard_normal((4, 3)) + 0.3 * rng.standard_normal((n_rows, 3))
    if kind == "labels":
        return X, (Z[:, :2] > 0).astype(int)
    return X, np.array(["a", "b", "c"])[
        Z.argmax(axis=1) if kind == "three" else (Z[:, 0] > 0) * 1
    ]


def model(**parameters):
    settings = dict(hidden_layer_sizes=(8,), random_state=0, max_iter=10, batch_size=32)
    return DNNClassifier(**(settings | {"learning_rate_init": 0.02} | parameters))


def frozen(**parameters):
    """Return a model that trains one epoch without moving."""
    nothing = {"alpha": 0.0, "learning_rate_init": 1e-30, "max_iter": 1, "dtype": "float64"}
    return model(**(nothing | parameters))


# -- what is reported ---------------------------------------------------------------------


def one_hot(fitted, y):
    """Return a column for each output: of two classes for the second."""
    if y.ndim == 2:
        return y
    columns = (y[:, None] == fitted.classes_).astype(float)
    return columns if len(fitted.classes_) > 2 else columns[:, 1:]


def of_each_output(fitted, X, y):
    """Return probabilities that are right, of the outputs of each sample."""
    logits, Y = fitted.decision_function(X).reshape(len(X), -1), one_hot(fitted, y)
    if fitted.out_activation_ == "softmax":
        return special.softmax(logits, axis=1), Y
    return special.expit(logits), Y


def smoothed(fitted, X, y, share=0.2):
    P, Y = of_each_output(fitted, X, y)
    n_classes = P.shape[1] if fitted.out_activation_ == "softmax" else 2
    soft = (1 - share) * Y + share / n_classes
    if fitted.out_activation_ == "softmax":
        return -(soft * np.log(P)).sum(axis=1).mean()
    return -(soft * np.log(P) + (1 - soft) * np.log(1 - P)).sum(axis=1).mean()


def focal(fitted, X, y, gamma):
    P, Y = of_each_output(fitted, X, y)
    right = -((1 - P) ** gamma) * np.log(P)
    if fitted.out_activation_ == "softmax":
        return (Y * right).sum(axis=1).mean()
    wrong = -(P**gamma) * np.log(1 - P)
    return (Y * right + (1 - Y) * wrong).sum(axis=1).mean()


def cross_entropy_of_each(fitted, X, y):
    P, Y = of_each_output(fitted, X, y)
    return -np.where(Y > 0.5, np.log(P), np.log(1 - P)).sum(axis=1).mean()


def hinge(fitted, X, y):
    if y.ndim == 2:
        decided = fitted.decision_function(X)
        return np.maximum(0, 1 - (2 * y - 1) * decided).sum(axis=1).mean()
    return hinge_loss(y, fitted.decision_function(X), labels=fitted.classes_)


METRICS = [
    smoothed,
    lambda *given: focal(*given, 2.0),
    lambda *given: focal(*given, 0.5),
    hinge,
    cross_entropy_of_each,
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("parameters", "metric"), zip(LOSSES, METRICS, strict=True), ids=IDS)
def test_the_reported_loss_is_its_formula(parameters, metric, kind):
    X, y = samples(kind)
    fitted = frozen(**parameters).fit(X, y)
    assert_allclose(fitted.loss_, metric(fitted, X, y), rtol=1e-12)


@pytest.mark.parametrize(("parameters", "metric"), zip(LOSSES, METRICS, strict=True), ids=IDS)
def test_lbfgs_lowers_the_loss_of_all_samples(parameters, metric):
    X, y = samples("three", 60)
    losses = []
    for max_iter in (1, 4):
        fitted = model(
            solver="lbfgs", alpha=0.0, dtype="float64", max_iter=max_iter, **parameters
        )
        losses.append(fitted.fit(X, y).loss_)
        assert_allclose(fitted.loss_, metric(fitted, X, y), rtol=1e-9)
    assert losses[1] < losses[0]


def test_without_smoothing_and_exponent_they_are_the_log_loss():
    X, y = samples("three")
    usual = model().fit(X, y)
    smoothed_by_nothing = model(label_smoothing=0.0).fit(X, y)
    assert smoothed_by_nothing.loss_curve_ == usual.loss_curve_
    focal_of_zero = model(loss="focal", focal_gamma=0.0).fit(X, y)
    assert_allclose(focal_of_zero.loss_curve_, usual.loss_curve_, rtol=1e-4)


def test_of_two_classes_a_loss_of_users_own_is_one_of_the_second():
    X, y = samples("two")
    fitted = frozen(loss=own.CROSS_ENTROPY).fit(X, y)
    assert_allclose(fitted.loss_, log_loss(y, fitted.predict_proba(X)), rtol=1e-12)


# -- training -----------------------------------------------------------------------------


@pytest.mark.slow_without_jit
@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parameters", LOSSES, ids=IDS)
def test_samples_in_any_form_are_learnt(parameters, kind, dtype):
    X, y = samples(kind)
    weight = np.linspace(0.5, 1.5, len(y))
    fitted = model(dtype=dtype, **parameters).fit(X, y, weight)
    assert fitted.score(X, y) > (0.7 if kind == "labels" else 0.85)
    of_sparse = clone(fitted).fit(sparse.csr_array(X), y, weight)
    eps = np.finfo(dtype).eps
    assert_allclose(of_sparse.loss_curve_, fitted.loss_curve_, rtol=0, atol=1e4 * eps)
    stopped = clone(fitted).set_params(early_stopping=True).fit(X, y)
    assert stopped.best_validation_score_ > (0.5 if kind == "labels" else 0.7)
    same = pickle.loads(pickle.dumps(fitted))
    for _ in range(2):
        same.partial_fit(X, y)
        fitted.partial_fit(X, y)
    assert_array_equal(same.decision_function(X), fitted.decision_function(X))
    classes = [0, 1] if kind == "labels" else np.unique(y)
    first = clone(fitted).partial_fit(X[:50], y[:50], classes=classes)
    assert first.loss_ > 0.0


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("parameters", LOSSES, ids=IDS)
def test_no_bit_depends_on_threads(parameters):
    X, y = samples("three", 2000)
    one, two = (
        model(n_threads=n, max_iter=2, batch_size=256, **parameters).fit(X, y) for n in (1, 2)
    )
    assert_array_equal(one.decision_function(X), two.decision_function(X))


@pytest.mark.slow_without_jit
def test_smoothing_keeps_probabilities_from_0_and_1():
    X, y = samples("three")
    sharp, smooth = (
        model(label_smoothing=share, max_iter=200).fit(X, y).predict_proba(X).max(axis=1)
        for share in (0.0, 0.3)
    )
    # The best for a sample that is certain is 1 - 0.3 + 0.3 / 3.
    assert np.median(smooth) == pytest.approx(0.8, abs=0.05)
    assert np.median(sharp) > 0.95


# -- the hinge loss -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_scores_in_the_place_of_probabilities(kind):
    X, y = samples(kind)
    unfitted = model(loss="hinge")
    fitted = clone(unfitted).fit(X, y)
    for either in (unfitted, fitted):
        for method in ("predict_proba", "predict_log_proba"):
            assert not hasattr(either, method)
            with pytest.raises(AttributeError, match=f"no attribute '{method}'") as error:
                getattr(either, method)
            assert "loss='hinge' has no probabilities" in str(error.value.__cause__)
    decided = fitted.decision_function(X)
    assert fitted.out_activation_ == "identity"
    if kind == "labels":
        assert_array_equal(fitted.predict(X), decided > 0)
    elif kind == "two":
        assert decided.shape == (len(X),)
        assert_array_equal(fitted.predict(X), np.where(decided > 0, "b", "a"))
    else:
        assert_array_equal(fitted.predict(X), fitted.classes_[decided.argmax(axis=1)])


def test_what_needs_scores_takes_them():
    X, y = samples("two")
    fitted = model(loss="hinge").fit(X, y)
    assert roc_auc_score(y, fitted.decision_function(X)) > 0.9
    scores = cross_val_score(model(loss="hinge"), X, y, scoring="roc_auc", cv=2)
    assert scores.min() > 0.8
    calibrated = CalibratedClassifierCV(model(loss="hinge"), cv=2).fit(X, y)
    assert log_loss(y, calibrated.predict_proba(X)) < 0.5


def test_of_a_parameter_that_is_set_later_predictions_know_nothing():
    X, y = samples("three")
    for before, after in (("hinge", "log_loss"), ("log_loss", "hinge"), ("focal", "hinge")):
        fitted = model(loss=before).fit(X, y)
        expected = fitted.decision_function(X)
        fitted.set_params(loss=after)
        assert_array_equal(fitted.decision_function(X), expected)
        assert hasattr(fitted, "predict_proba") == (before != "hinge")
        with pytest.raises(ValueError, match="parameters and targets ask for"):
            fitted.partial_fit(X, y)


def test_a_scorer_of_probabilities_is_refused():
    X, y = samples("two")
    with pytest.raises(ValueError, match=r"needs .*predict_proba.*loss='hinge'"):
        model(loss="hinge", early_stopping=True, scoring="neg_log_loss").fit(X, y)


# -- what is refused ----------------------------------------------------------------------


def test_smoothing_is_of_the_log_loss():
    X, y = samples("two")
    for loss in ("focal", "hinge", own.CROSS_ENTROPY):
        with pytest.raises(ValueError, match=r"label_smoothing=0\.1 needs loss='log_loss'"):
            model(loss=loss, label_smoothing=0.1).fit(X, y)


def test_a_loss_of_numbers_is_for_regressors():
    X, y = samples("two")
    with pytest.raises(ValueError, match="is a loss of numbers, for a DNNRegressor"):
        model(loss=own.SQUARE).fit(X, y)


@pytest.mark.parametrize("parameters", LOSSES, ids=IDS)
def test_what_scikit_learn_does_not_have_is_not_brought_there(parameters):
    X, y = samples("two")
    with pytest.raises(ValueError, match="has no MLPClassifier"):
        frozen(**parameters).fit(X, y).to_sklearn()


# -- users' own activations ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_activation_of_users_own_trains_as_the_same_one_of_the_table(dtype):
    X, y = samples("three")
    ours, theirs = (
        model(activation=activation, dtype=dtype, max_iter=3).fit(X, y)
        for activation in (own.SWISH, "silu")
    )
    eps = np.finfo(dtype).eps
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e3 * eps)
    same = pickle.loads(pickle.dumps(ours))
    assert same.activation == own.SWISH
    assert_array_equal(same.predict_proba(X), ours.predict_proba(X))
    assert clone(ours).activation is own.SWISH
    with pytest.raises(ValueError, match="activation"):
        ours.to_sklearn()
