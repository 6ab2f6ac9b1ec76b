"""Curves of losses and scores: what is drawn is what was recorded."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor, LossCurveDisplay
from tests.displays.fits import (
    LABELS,
    SMALL,
    TARGETS,
    X,
    classifier,
    fitted,
    pixels_of,
    regressor,
)
from tests.processes import run_python


def curves_of(display):
    return {line.get_label(): line.get_ydata() for line in display.lines_}


def assert_shows(display, **expected):
    """Require curves of these names, which have underscores for spaces."""
    curves = curves_of(display)
    assert list(curves) == [name.replace("_", " ") for name in expected]
    for line, column in zip(display.lines_, expected.values(), strict=True):
        assert_array_equal(line.get_ydata(), column)
        assert_array_equal(line.get_xdata(), range(1, len(column) + 1))


def test_losses_of_training_and_validation():
    model = classifier()
    display = LossCurveDisplay.from_estimator(model)
    assert_shows(
        display,
        training_loss=model.loss_curve_,
        validation_loss=model.validation_loss_curve_,
    )
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_ylabel() == "loss"
    assert display.figure_ is display.ax_.figure
    assert display.score_ax_ is None
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["training loss", "validation loss", "best epoch"]
    solid, dashed = display.lines_
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert solid.get_color() == dashed.get_color()


def test_the_best_epoch_is_that_of_the_score():
    model = classifier()
    best = int(np.argmax(model.validation_scores_))
    display = LossCurveDisplay.from_estimator(model)
    assert display.best_epochs_ == [best + 1]
    [mark] = display.best_lines_
    assert mark.get_xdata()[0] == best + 1
    assert mark.get_ydata()[0] == model.validation_loss_curve_[best]
    assert not LossCurveDisplay.from_estimator(model, mark_best=False).best_lines_


def test_without_scores_it_is_that_of_the_lowest_validation_loss():
    history = {"loss": [3.0, 2.0, 1.0], "validation_loss": [float("nan"), 2.0, 2.5]}
    display = LossCurveDisplay.from_history(history)
    assert display.best_epochs_ == [2]
    only_loss = LossCurveDisplay.from_history({"loss": [3.0, 2.0]})
    assert only_loss.best_epochs_ == [None]
    assert not only_loss.best_lines_
    nothing = LossCurveDisplay.from_history({"loss": [1.0], "validation_loss": [np.nan]})
    assert nothing.best_epochs_ == [None]


def test_without_validation_there_is_one_curve():
    model = classifier(early_stopping=False)
    assert_shows(LossCurveDisplay.from_estimator(model), training_loss=model.loss_curve_)


def test_scores_alone_and_at_the_right_side():
    model = classifier()
    scores, losses = model.validation_scores_, model.validation_loss_curve_
    display = LossCurveDisplay.from_estimator(model, quantity="score")
    assert_shows(display, validation_score=scores)
    assert display.ax_.get_ylabel() == "score"
    both = LossCurveDisplay.from_estimator(model, quantity="both")
    assert_shows(
        both, training_loss=model.loss_curve_, validation_loss=losses, validation_score=scores
    )
    assert both.score_ax_.get_ylabel() == "score"
    assert [line.axes for line in both.lines_] == [both.ax_, both.ax_, both.score_ax_]
    assert [mark.axes for mark in both.best_lines_] == [both.ax_, both.score_ax_]


def test_several_scores_and_any_column():
    scoring = ["accuracy", "neg_log_loss"]
    model = DNNClassifier(**SMALL, early_stopping=True, scoring=scoring)
    model = fitted(model, X, LABELS)
    display = LossCurveDisplay.from_estimator(model, quantity="score")
    table = model.history_
    names = ("validation_score", "validation_accuracy", "validation_neg_log_loss")
    assert {"validation_accuracy", "validation_neg_log_loss"} <= set(table)
    assert_shows(display, **{name: table[name] for name in names if name in table})
    rates = LossCurveDisplay.from_estimator(model, quantity="learning_rate")
    assert_shows(rates, learning_rate=table["learning_rate"])
    assert rates.ax_.get_ylabel() == "learning_rate"


def test_several_estimators_have_a_colour_each():
    models = {"rectified": classifier(), "smooth": classifier(activation="tanh")}
    display = LossCurveDisplay.from_estimators(models, log_scale=True)
    assert list(curves_of(display)) == [
        *("rectified: training loss", "rectified: validation loss"),
        *("smooth: training loss", "smooth: validation loss"),
    ]
    colours = [line.get_color() for line in display.lines_]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert display.ax_.get_yscale() == "log"
    assert len(display.best_epochs_) == 2
    listed = LossCurveDisplay.from_estimators([*models.values(), regressor()])
    names = [name.split(":")[0] for name in curves_of(listed)]
    classes = ["DNNClassifier 1", "DNNClassifier 2", "DNNRegressor"]
    assert names == [name for name in classes for _ in range(2)]
    named = LossCurveDisplay.from_estimators(list(models.values()), names=["a", "b"])
    assert [name[0] for name in curves_of(named)] == ["a", "a", "b", "b"]


def test_it_can_be_drawn_again_on_axes_that_are_there(pyplot):
    figure, (left, right) = pyplot.subplots(1, 2)
    display = LossCurveDisplay.from_estimator(classifier(), ax=left, name="mine")
    first = curves_of(display)
    assert display.ax_ is left
    assert display.plot(right, linewidth=5.0) is display
    assert display.ax_ is right
    assert display.figure_ is figure
    assert [line.get_linewidth() for line in display.lines_] == [5.0, 5.0]
    for name, column in curves_of(display).items():
        assert_array_equal(column, first[name])
        assert name.startswith("mine: ")
    assert len(left.lines) == len(right.lines) == 3


def test_pixels_have_the_colours_of_the_lines():
    display = LossCurveDisplay.from_history({"loss": [2.0, 1.0]}, color="lime", linewidth=9)
    pixels = pixels_of(display.figure_)
    lime = np.array([255 * part for part in to_rgb("lime")], np.uint8)
    assert (pixels == lime).all(axis=2).sum() > 1000
    assert not (pixels == [255, 0, 255]).all(axis=2).any()


def test_inside_pipelines_searches_and_transformed_targets():
    plain = classifier()
    pipeline = make_pipeline(StandardScaler(), DNNClassifier(**SMALL, early_stopping=True))
    search = GridSearchCV(pipeline, {"dnnclassifier__alpha": [1e-4]}, cv=2)
    search = fitted(search, X, LABELS)
    inner = search.best_estimator_[-1]
    display = LossCurveDisplay.from_estimator(search)
    assert_array_equal(display.lines_[0].get_ydata(), inner.loss_curve_)
    assert inner.loss_curve_ != plain.loss_curve_
    target = fitted(TransformedTargetRegressor(DNNRegressor(**SMALL)), X, TARGETS)
    display = LossCurveDisplay.from_estimator(target)
    assert_array_equal(display.lines_[0].get_ydata(), target.regressor_.loss_curve_)


def test_of_scikit_learns_perceptron():
    model = MLPClassifier((5,), max_iter=6, early_stopping=True, random_state=0)
    model = fitted(model, X, LABELS == "yes")
    display = LossCurveDisplay.from_estimator(model, quantity="both")
    assert_shows(
        display, training_loss=model.loss_curve_, validation_score=model.validation_scores_
    )
    assert display.best_epochs_ == [int(np.argmax(model.validation_scores_)) + 1]


def test_iterations_of_lbfgs():
    model = regressor(solver="lbfgs")
    display = LossCurveDisplay.from_estimator(model)
    table = model.history_
    assert_shows(
        display, training_loss=table["loss"], validation_loss=table["validation_loss"]
    )


def test_a_data_frame_is_a_history():
    table = regressor().history_
    display = LossCurveDisplay.from_history(pd.DataFrame(table))
    assert_shows(
        display, training_loss=table["loss"], validation_loss=table["validation_loss"]
    )


def test_members_are_drawn_one_by_one():
    model = fitted(DNNRegressor(**SMALL, n_members=3), X, TARGETS)
    with pytest.raises(ValueError, match="Give its estimators_ to LossCurveDisplay"):
        LossCurveDisplay.from_estimator(model)
    display = LossCurveDisplay.from_estimators(model.estimators_)
    assert list(curves_of(display)) == [f"DNNRegressor {k}: training loss" for k in (1, 2, 3)]
    for line, member in zip(display.lines_, model.estimators_, strict=True):
        assert_array_equal(line.get_ydata(), member.loss_curve_)


# -- what is refused ------------------------------------------------------------------------


def test_what_has_no_history_is_refused():
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(DNNClassifier())
    other = LogisticRegression().fit(X, LABELS)
    with pytest.raises(ValueError, match="LogisticRegression has neither history_ nor"):
        LossCurveDisplay.from_estimator(other)
    for history in ({"error": [1.0]}, [1.0], None):
        with pytest.raises(ValueError, match="must have columns, one of them 'loss'"):
            LossCurveDisplay.from_history(history)
    with pytest.raises(ValueError, match="equally long"):
        LossCurveDisplay.from_history({"loss": [1.0], "validation_loss": [1.0, 2.0]})
    with pytest.raises(ValueError, match="is empty"):
        LossCurveDisplay.from_estimators([])
    with pytest.raises(ValueError, match="names has 2 names, but there are 1"):
        LossCurveDisplay.from_estimators([classifier()], names=["a", "b"])


@pytest.mark.parametrize("quantity", ["score", "both"])
def test_scores_that_were_not_recorded(quantity, pyplot):
    with pytest.raises(ValueError, match="no scores were recorded"):
        LossCurveDisplay.from_estimator(classifier(early_stopping=False), quantity=quantity)
    assert not pyplot.get_fignums()


def test_a_quantity_that_is_not_there():
    with pytest.raises(ValueError, match=r"quantity='accuracy' must be .*'learning_rate'"):
        LossCurveDisplay.from_estimator(classifier(), quantity="accuracy")


WITHOUT = """
import sys
sys.modules["matplotlib"] = None
import fastdnn
try:
    fastdnn.LossCurveDisplay.from_history({"loss": [1.0]})
except ImportError as error:
    print(error)
"""


def test_without_matplotlib_it_says_what_to_install():
    result = run_python(WITHOUT)
    assert "LossCurveDisplay.plot needs matplotlib" in result.stdout
    assert 'pip install "fastdnn[plot]"' in result.stdout
