"""`DNNClassifier`: labels of every kind and probabilities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from fastdnn import DNNClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


@pytest.mark.slow_without_jit
def test_learns_digits():
    X, y = load_digits(return_X_y=True)
    model = DNNClassifier(random_state=0, max_iter=40).fit(X[:1200] / 16, y[:1200])
    assert model.score(X[1200:] / 16, y[1200:]) > 0.9
    assert model.loss_curve_[-1] < 0.2 * model.loss_curve_[0]


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["numbers", "strings", "bool", "far apart"])
def test_labels_of_any_type(iris, n_classes, kind):
    if kind == "bool" and n_classes > 2:
        n_classes = 2
    X, y = iris[0][: 50 * n_classes], iris[1][: 50 * n_classes]
    labels = {
        "numbers": np.array([0, 1, 2]),
        "strings": np.array(["setosa", "versicolor", "virginica"]),
        "bool": np.array([False, True, True]),
        "far apart": np.array([-7, 1000, 5]),
    }[kind][y]
    model = DNNClassifier(random_state=0, max_iter=30, learning_rate_init=0.02)
    model.fit(X, labels)
    assert_array_equal(model.classes_, np.unique(labels))
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels) > 0.9


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities(iris, n_classes):
    X, y = iris[0][: 50 * n_classes], iris[1][: 50 * n_classes]
    model = DNNClassifier(random_state=0, max_iter=10).fit(X, y)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (len(X), n_classes)
    assert probabilities.dtype == np.float64
    assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-15)
    assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
    assert_allclose(model.predict_log_proba(X), np.log(probabilities), rtol=1e-6)


def test_multilabel_agrees_with_scikit_learn():
    X, Y = make_multilabel_classification(n_samples=80, random_state=0)
    settings = dict(hidden_layer_sizes=(9,), random_state=0, max_iter=10)
    ours = DNNClassifier(dtype="float64", **settings).fit(X, Y)
    theirs = MLPClassifier(**settings).fit(X, Y)
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-8)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).shape == Y.shape


def test_multilabel_early_stopping_scores_whole_rows():
    X, Y = make_multilabel_classification(n_samples=80, random_state=0)
    settings = dict(hidden_layer_sizes=(9,), random_state=0, max_iter=5)
    settings["early_stopping"] = True
    ours = DNNClassifier(dtype="float64", **settings).fit(X, Y)
    theirs = MLPClassifier(**settings).fit(X, Y)
    assert_allclose(ours.validation_scores_, theirs.validation_scores_)


def test_one_class_only(iris):
    X = iris[0][:20]
    model = DNNClassifier(max_iter=2).fit(X, np.full(20, "only"))
    assert_array_equal(model.predict(X), np.full(20, "only"))


def test_a_row_of_weight_two_is_a_row_given_twice(iris):
    X, y = iris
    weight = np.random.RandomState(0).randint(0, 3, len(y))
    keep = np.repeat(np.arange(len(y)), weight)[:190]
    weight = np.bincount(keep, minlength=len(y))
    settings = dict(random_state=0, max_iter=20, hidden_layer_sizes=(8,))
    weighted = DNNClassifier(**settings).fit(X, y, sample_weight=weight)
    repeated = DNNClassifier(**settings).fit(X[keep], y[keep])
    assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-6)


def test_partial_fit_needs_the_classes(iris):
    X, y = iris
    with pytest.raises(ValueError, match="classes must be passed"):
        DNNClassifier().partial_fit(X, y)
    model = DNNClassifier().partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
        model.partial_fit(X, y + 1)


def test_warm_start_needs_the_same_classes(iris):
    X, y = iris
    model = DNNClassifier(warm_start=True, max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="warm_start can only be used where"):
        model.fit(X[:100], y[:100])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.linspace(0, 1, 150), "Unknown label type"),
        (np.full(150, np.nan), "Input y contains NaN"),
        (np.stack([np.arange(150) % 3, np.arange(150) % 4], axis=1), "[Mm]ultioutput"),
        (np.zeros(149), "inconsistent numbers of samples"),
    ],
)
def test_bad_labels(iris, y, message):
    with pytest.raises(ValueError, match=message):
        DNNClassifier().fit(iris[0], y)


def test_column_vector_labels_warn(iris):
    X, y = iris
    from sklearn.exceptions import DataConversionWarning

    with pytest.warns(DataConversionWarning, match="column-vector y"):
        DNNClassifier(max_iter=2).fit(X, y.reshape(-1, 1))


def test_the_last_epoch_warns(iris):
    X, y = iris
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(3\)"):
        DNNClassifier(max_iter=3).fit(X, y)


@pytest.mark.parametrize("incremental", [True, False], ids=["partial_fit", "warm_start"])
@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        ("labels", "fewer labels", r"`y` has shape \(30, 2\), but .* 3 labels a sample"),
        ("labels", "classes", r"`y` has shape \(30,\), but .* 3 labels a sample"),
        ("classes", "labels", "The object was not fitted with multilabel input"),
    ],
)
def test_a_fit_that_goes_on_needs_the_same_form_of_labels(first, then, message, incremental):
    X = np.random.default_rng(0).standard_normal((30, 2))
    labels = np.eye(3, dtype=int)[np.arange(30) % 3]
    y = {"labels": labels, "fewer labels": labels[:, :2], "classes": np.arange(30) % 3}
    model = DNNClassifier((3,), warm_start=not incremental, max_iter=2)
    classes = {"classes": [0, 1, 2]} if incremental else {}
    go_on = model.partial_fit if incremental else model.fit
    go_on(X, y[first], **classes)
    with pytest.raises(ValueError, match=message):
        go_on(X, y[then])
    go_on(X, y[first])
    assert model.predict(X).shape == y[first].shape
