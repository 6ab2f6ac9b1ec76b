"""Targets that are probabilities of classes."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedShuffleSplit

from fastdnn import DNNClassifier
from tests import own

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = dict(hidden_layer_sizes=(8,), random_state=0, max_iter=10, learning_rate_init=0.02)


def taught(n_classes=3, n_rows=400):
    """Return samples, and what a teacher says of them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 4))
    return X, special.softmax(2 * X @ rng.standard_normal((4, n_classes)), axis=1)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.slow_without_jit
def test_a_student_learns_what_a_teacher_says(n_classes):
    X, P = taught(n_classes)
    settings = SETTINGS | {"max_iter": 200, "alpha": 0.0, "tol": 0.0}
    student = DNNClassifier(**settings).fit(X, P)
    assert_array_equal(student.classes_, np.arange(n_classes))
    assert_allclose(student.predict_proba(X), P, rtol=0, atol=0.1)
    labels = P.argmax(axis=1)
    assert student.score(X, P) == student.score(X, labels) > 0.95
    assert student.predict(X).dtype == labels.dtype


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_loss_is_the_cross_entropy_with_the_rows(n_classes):
    X, P = taught(n_classes)
    frozen = {"learning_rate_init": 1e-30, "max_iter": 1, "alpha": 0.0, "dtype": "float64"}
    model = DNNClassifier(**(SETTINGS | frozen)).fit(X, P)
    expected = -(P * model.predict_log_proba(X)).sum(axis=1).mean()
    assert model.loss_ == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("loss", ["log_loss", "focal", "hinge", own.CROSS_ENTROPY], ids=str)
def test_every_loss_takes_them(loss, n_classes):
    X, P = taught(n_classes)
    model = DNNClassifier(loss=loss, **SETTINGS).fit(X, P)
    assert model.score(X, P) > 0.8
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_of_certainty_are_labels(n_classes):
    X, P = taught(n_classes)
    labels = P.argmax(axis=1)
    soft = np.eye(n_classes)[labels]
    soft[0] = 1 / n_classes  # without it they would be several labels a sample
    weight = np.ones(len(X))
    weight[0] = 0.0
    of_rows, of_labels = (
        DNNClassifier(dtype="float64", **SETTINGS).fit(X, y, weight) for y in (soft, labels)
    )
    assert_allclose(of_rows.loss_curve_, of_labels.loss_curve_, rtol=1e-10)
    assert DNNClassifier(max_iter=1).fit(X, np.eye(n_classes)[labels])._multilabel


def test_any_table_of_floats():
    X, P = taught()
    expected = DNNClassifier(**SETTINGS).fit(X, P).loss_curve_
    for table in (pd.DataFrame(P), P.tolist()):
        model = DNNClassifier(**SETTINGS).fit(X, table)
        assert model.loss_curve_ == expected
        assert model.score(X, table) == model.score(X, P.argmax(axis=1))
        first = DNNClassifier(**SETTINGS).partial_fit(X, table)
        assert first.loss_curve_ == DNNClassifier(**SETTINGS).partial_fit(X, P).loss_curve_
    single = DNNClassifier(**SETTINGS).fit(X, P.astype(np.float32))
    assert_allclose(single.loss_curve_, expected, rtol=1e-5)


def test_partial_fit_learns_classes_and_goes_on_with_rows_or_labels():
    X, P = taught()
    model = DNNClassifier(**SETTINGS).partial_fit(X, P)
    assert_array_equal(model.classes_, [0, 1, 2])
    model.partial_fit(X, np.eye(3)[P.argmax(axis=1)])
    model.partial_fit(X, P.argmax(axis=1))
    named = DNNClassifier(**SETTINGS).partial_fit(X, P, classes=["x", "y", "z"])
    named.partial_fit(X, np.array(["z", "x"])[(P[:, 0] > 0.5) * 1])
    assert set(named.predict(X)) <= {"x", "y", "z"}
    with pytest.raises(ValueError, match=r"`y` has 2 columns of class probabilities, but"):
        model.partial_fit(X, P[:, :2] / P[:, :2].sum(axis=1, keepdims=True))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_early_stopping_scores_the_most_probable_class(n_classes):
    X, P = taught(n_classes)
    model = DNNClassifier(early_stopping=True, **SETTINGS).fit(X, P)
    assert model.best_validation_score_ > 0.7
    given = DNNClassifier(**SETTINGS).fit(X, P, X_val=X[:100], y_val=P[:100])
    assert given.validation_scores_[-1] == accuracy_score(
        P[:100].argmax(axis=1), given.predict(X[:100])
    )
    by_labels = DNNClassifier(**SETTINGS).fit(
        X, P, X_val=X[:100], y_val=P[:100].argmax(axis=1)
    )
    assert by_labels.validation_scores_ == given.validation_scores_
    split = StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
    scored = DNNClassifier(
        early_stopping=True, validation_fraction=split, scoring="balanced_accuracy", **SETTINGS
    ).fit(X, P)
    assert len(scored.validation_scores_) == scored.n_iter_


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, 0.6, 0.1], r"row 3 has values from 0\.1 to 0\.6 that sum to 1\.2"),
        ([1.5, -0.5, 0.0], "row 3 has values from -0.5 to 1.5 that sum to 1"),
        ([0.5, 0.0, 0.0], r"Give labels, or rows of class probabilities"),
    ],
)
def test_rows_that_are_no_probabilities(row, message):
    X, P = taught()
    P[3] = row
    with pytest.raises(ValueError, match=f"Unknown label type: .*{message}"):
        DNNClassifier(**SETTINGS).fit(X, P)


def test_numbers_of_one_column_are_no_probabilities():
    X, P = taught()
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        DNNClassifier(**SETTINGS).fit(X, P[:, 0])


def test_classes_have_no_weights_where_samples_have_several():
    X, P = taught()
    for class_weight in ("balanced", {0: 2.0}):
        with pytest.raises(ValueError, match="needs a class for each sample"):
            DNNClassifier(class_weight=class_weight, **SETTINGS).fit(X, P)


def test_rows_are_refused_after_several_labels_a_sample():
    X, P = taught()
    Y, classes = np.eye(3)[P.argmax(axis=1)], [0, 1, 2]
    model = DNNClassifier(**SETTINGS).partial_fit(X, Y, classes=classes)
    with pytest.raises(ValueError):
        model.partial_fit(X, P)
