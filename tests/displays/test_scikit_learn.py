"""scikit-learn's own displays, of our estimators."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.inspection import DecisionBoundaryDisplay, PartialDependenceDisplay
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay, RocCurveDisplay

from fastdnn import DNNClassifier, DNNRegressor
from tests.displays.fits import LABELS, SMALL, TARGETS, X, classifier, fitted, regressor

PLANE = X[:, :2]


def grid_of(display):
    return np.column_stack([display.xx0.ravel(), display.xx1.ravel()])


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_the_boundary_between_two_classes(method):
    model = fitted(DNNClassifier(**SMALL), PLANE, LABELS)
    options = {"response_method": method, "grid_resolution": 7}
    display = DecisionBoundaryDisplay.from_estimator(model, PLANE, **options)
    grid = grid_of(display)
    expected = {
        "predict": lambda: (model.predict(grid) == "yes").astype(float),
        "predict_proba": lambda: model.predict_proba(grid)[:, 1],
        "decision_function": lambda: model.decision_function(grid),
    }[method]()
    assert_allclose(display.response.ravel(), expected, rtol=1e-12)
    assert display.ax_.collections
    display.figure_.canvas.draw()


def test_the_boundaries_between_three_classes():
    labels = np.digitize(PLANE[:, 0], [-0.5, 0.5])
    model = fitted(DNNClassifier(**SMALL), PLANE, labels)
    display = DecisionBoundaryDisplay.from_estimator(
        model, PLANE, response_method="predict", grid_resolution=7
    )
    assert_array_equal(display.response.ravel(), model.predict(grid_of(display)))
    display.figure_.canvas.draw()


def test_the_surface_of_a_regression():
    model = fitted(DNNRegressor(**SMALL), PLANE, TARGETS)
    display = DecisionBoundaryDisplay.from_estimator(model, PLANE, grid_resolution=7)
    assert_allclose(display.response.ravel(), model.predict(grid_of(display)), rtol=1e-12)


def test_others():
    RocCurveDisplay.from_estimator(classifier(), X, LABELS).figure_.canvas.draw()
    shown = ConfusionMatrixDisplay.from_estimator(classifier(), X, LABELS)
    assert shown.confusion_matrix.sum() == 90
    PredictionErrorDisplay.from_estimator(regressor(), X, TARGETS).figure_.canvas.draw()
    shown = PartialDependenceDisplay.from_estimator(regressor(), X, [0])
    assert len(shown.pd_results) == 1
