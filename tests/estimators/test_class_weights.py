"""Weights of classes: what scikit-learn's classifiers mean by them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from fastdnn import DNNClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

MODEL = DNNClassifier((6,), random_state=0, max_iter=5, dtype="float64")


def unbalanced(n_classes=3, n_rows=200):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 3))
    labels = np.array(["b", "a", "c"])[np.digitize(X[:, 0], [0.8, 1.2][: n_classes - 1])]
    return X, labels


def weighing(class_weight):
    return clone(MODEL).set_params(class_weight=class_weight)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "class_weight", ["balanced", {"a": 2.0, "b": 0.5, "c": 1.5}, {"a": 3}], ids=str
)
def test_they_multiply_those_of_samples(class_weight, n_classes):
    X, y = unbalanced(n_classes)
    if isinstance(class_weight, dict) and n_classes == 2:
        class_weight = {key: value for key, value in class_weight.items() if key != "c"}
    weight = compute_sample_weight(class_weight, y)
    expected = clone(MODEL).fit(X, y, weight)
    got = weighing(class_weight).fit(X, y)
    assert_allclose(got.loss_curve_, expected.loss_curve_, rtol=1e-12)
    assert got.loss_curve_ != clone(MODEL).fit(X, y).loss_curve_
    if class_weight != "balanced":
        of_samples = np.linspace(0.5, 1.5, len(y))
        both = weighing(class_weight).fit(X, y, of_samples)
        assert both.loss_curve_ == clone(MODEL).fit(X, y, of_samples * weight).loss_curve_


def test_a_balanced_weight_of_two_is_a_sample_given_twice():
    X, y = unbalanced()
    times = np.where(y == "b", 1, 3)
    weighted = weighing("balanced").set_params(batch_size=len(y), shuffle=False)
    repeated = clone(weighted).set_params(batch_size=int(times.sum()))
    weighted.fit(X, y, times)
    repeated.fit(X.repeat(times, axis=0), y.repeat(times))
    # alpha is divided by the sum of the weights, which is that of the samples.
    assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-10)


def test_without_hidden_layers_the_optimum_is_that_of_logistic_regression():
    X, y = unbalanced(2)
    of_samples = np.linspace(0.5, 1.5, len(y))
    for class_weight in ("balanced", {"a": 3.0, "b": 0.5}):
        ours = DNNClassifier(
            (), solver="lbfgs", alpha=1.0, tol=1e-9, max_iter=1000, class_weight=class_weight
        ).fit(X, y, of_samples)
        theirs = LogisticRegression(C=1.0, tol=1e-9, max_iter=1000, class_weight=class_weight)
        theirs.fit(X, y, of_samples)
        assert_allclose(ours.coefs_[0].T, theirs.coef_, rtol=1e-3)


def test_a_list_has_a_dict_for_each_label():
    X, y = unbalanced()
    Y = np.column_stack([y == "a", y != "c"]).astype(int)
    weights = [{0: 1.0, 1: 5.0}, {0: 2.0, 1: 0.5}]
    for class_weight in (weights, "balanced"):
        expected = clone(MODEL).fit(X, Y, compute_sample_weight(class_weight, Y))
        assert weighing(class_weight).fit(X, Y).loss_curve_ == expected.loss_curve_
    with pytest.raises(ValueError, match="should be a list of dicts"):
        weighing({0: 1.0}).fit(X, Y)
    with pytest.raises(ValueError, match="should match number of outputs"):
        weighing(weights[:1]).fit(X, Y)
    with pytest.raises(ValueError, match="is a list, which is for several labels"):
        weighing(weights).fit(X, y)


def test_partial_fit_takes_fixed_weights_only():
    X, y = unbalanced()
    classes = np.unique(y)
    with pytest.raises(ValueError, match="is not supported for partial_fit"):
        weighing("balanced").partial_fit(X, y, classes=classes)
    fixed = dict(
        zip(classes, compute_class_weight("balanced", classes=classes, y=y), strict=True)
    )
    few = y != "c"  # a batch need not have all classes
    got = weighing(fixed).partial_fit(X[few], y[few], classes=classes)
    weight = compute_sample_weight({k: v for k, v in fixed.items() if k != "c"}, y[few])
    expected = clone(MODEL).partial_fit(X[few], y[few], weight, classes=classes)
    assert got.loss_curve_ == expected.loss_curve_


def test_a_class_that_is_not_there_is_named():
    X, y = unbalanced()
    with pytest.raises(ValueError, match=r"\['b', 'c'\], are not in class_weight"):
        weighing({"a": 1.0, "d": 2.0}).fit(X, y)


def test_samples_held_out_have_them_as_well():
    X, y = unbalanced()
    settings = dict(early_stopping=True, validation_fraction=0.3)
    weight = compute_sample_weight("balanced", y)
    got = weighing("balanced").set_params(**settings).fit(X, y)
    expected = clone(MODEL).set_params(**settings).fit(X, y, weight)
    assert_allclose(got.validation_scores_, expected.validation_scores_, rtol=1e-12)


@pytest.mark.slow_without_jit
def test_a_rare_class_is_found():
    X, y = unbalanced(2, 1000)
    rare = y == "a"
    for solver in ("adam", "lbfgs"):
        usual, balanced = (
            DNNClassifier((4,), random_state=0, solver=solver, class_weight=w).fit(X, y)
            for w in (None, {"a": 50.0, "b": 1.0})
        )
        found, usual_found = ((m.predict(X)[rare] == "a").mean() for m in (balanced, usual))
        assert found >= usual_found
        assert found > 0.97
