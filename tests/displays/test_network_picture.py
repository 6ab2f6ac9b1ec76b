"""Pictures of networks: dots, lines and texts are those of the weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor, NetworkDisplay
from tests.displays.fits import LABELS, SMALL, TARGETS, X, classifier, fitted, pixels_of


def texts_of(display):
    return [text.get_text() for text in display.text_]


def test_layers_units_and_norms():
    model = classifier()
    display = NetworkDisplay.from_estimator(model)
    assert display.layer_sizes == [4, 5, 3, 1]
    norms = [np.sqrt((W.astype(float) ** 2).sum()) for W in model.coefs_]
    assert_allclose(display.weight_norms, norms, rtol=1e-12)
    assert [len(units.get_offsets()) for units in display.units_] == [4, 5, 3, 1]
    assert [len(lines.get_segments()) for lines in display.lines_] == [20, 15, 3]
    assert texts_of(display) == [
        *("input\n4 units", "relu\n5 units", "relu\n3 units", "logistic\n1 unit"),
        *(f"norm {norm:.3g}" for norm in norms),
    ]
    assert display.figure_ is display.ax_.figure


def test_lines_go_from_unit_to_unit_and_are_as_wide_as_weights_are_large():
    W = np.array([[1.0, -0.5, 0.0], [0.25, 2.0, -2.0]])
    display = NetworkDisplay([W], ["identity"]).plot()
    inputs, outputs = (units.get_offsets() for units in display.units_)
    [lines] = display.lines_
    for segment, (i, j) in zip(lines.get_segments(), np.ndindex(2, 3), strict=True):
        assert_array_equal(segment, [inputs[i], outputs[j]])
    order = np.argsort(np.abs(W).ravel(), kind="stable")
    assert (np.diff(np.asarray(lines.get_linewidths())[order]) >= 0).all()
    red, _, blue, opacity = lines.get_colors().T
    assert_array_equal(blue > red, W.ravel() >= 0)
    assert (np.diff(opacity[order]) >= 0).all()
    assert opacity.max() == 1.0
    # The first unit is at the top, and layers go from left to right.
    assert (np.diff(inputs[:, 1]) < 0).all()
    assert set(inputs[:, 0]) == {0.0}
    assert set(outputs[:, 0]) == {1.0}


@pytest.mark.parametrize("max_units", [2, 5, 12])
def test_of_large_layers_the_first_and_last_units_are_shown(max_units):
    W = np.arange(1.0, 101.0).reshape(50, 2)
    display = NetworkDisplay([W], ["identity"]).plot(max_units=max_units)
    inputs, _ = display.units_
    y = inputs.get_offsets()[:, 1]
    assert len(y) == max_units
    n_first = -(-max_units // 2)
    gaps = -np.diff(y)
    assert np.argmax(gaps) == n_first - 1
    assert (y.max(), y.min()) == (0.5, -0.5)
    widths = np.reshape(display.lines_[0].get_linewidths(), (max_units, 2))
    shown = W[[*range(n_first), *range(50 - (max_units - n_first), 50)]]
    assert_allclose(widths, 0.1 + 1.9 * shown / 100.0, rtol=1e-12)
    assert "\N{VERTICAL ELLIPSIS}" in [text.get_text() for text in display.ax_.texts]
    assert display.weight_norms == [pytest.approx(np.sqrt((W**2).sum()))]


def test_each_layer_has_its_activation():
    options = SMALL | {"activation": ["tanh", "gelu"]}
    model = fitted(DNNRegressor(**options), X, TARGETS)
    display = NetworkDisplay.from_estimator(model)
    assert display.activations == ["tanh", "gelu", "identity"]


def test_a_network_without_hidden_layers_and_of_zeros():
    model = fitted(DNNClassifier((), max_iter=2), X, LABELS)
    assert NetworkDisplay.from_estimator(model).layer_sizes == [4, 1]
    display = NetworkDisplay([np.zeros((2, 2))], ["identity"]).plot()
    assert np.isfinite(display.lines_[0].get_linewidths()).all()


def test_later_fits_do_not_change_the_picture():
    model = fitted(DNNClassifier(**SMALL), X, LABELS)
    display = NetworkDisplay.from_estimator(model)
    before = [W.copy() for W in display.coefs]
    model.coefs_[0][:] = 0.0
    assert_array_equal(display.coefs[0], before[0])


def test_inside_a_pipeline_and_of_scikit_learns_perceptron():
    model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(6,), max_iter=3))
    display = NetworkDisplay.from_estimator(fitted(model, X, TARGETS))
    assert display.layer_sizes == [4, 6, 1]
    assert texts_of(display)[:3] == ["input\n4 units", "relu\n6 units", "identity\n1 unit"]


def test_it_can_be_drawn_again_on_axes_that_are_there(pyplot):
    _, (left, right) = pyplot.subplots(1, 2)
    display = NetworkDisplay.from_estimator(classifier(), ax=left)
    assert display.ax_ is left
    assert display.plot(right) is display
    assert display.ax_ is right
    assert len(left.collections) == len(right.collections) == 4 + 3


def test_pixels_have_both_colours():
    W = np.array([[1.0, -1.0]])
    pixels = pixels_of(NetworkDisplay([W], ["identity"]).plot().figure_).astype(int)
    red, _, blue = np.moveaxis(pixels, 2, 0)
    assert (blue - red > 80).sum() > 100
    assert (red - blue > 80).sum() > 100


def test_what_is_no_network_is_refused():
    with pytest.raises(NotFittedError):
        NetworkDisplay.from_estimator(DNNClassifier())
    with pytest.raises(ValueError, match="Ridge has no coefs_"):
        NetworkDisplay.from_estimator(Ridge().fit(X, TARGETS))
    for max_units in (1, 2.5, True, None):
        with pytest.raises(ValueError, match="max_units="):
            NetworkDisplay.from_estimator(classifier(), max_units=max_units)
