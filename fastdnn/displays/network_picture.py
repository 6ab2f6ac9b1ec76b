"""`NetworkDisplay`: layers, units and weights of a network."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastdnn.displays.drawing import axes_for, module
from fastdnn.displays.histories import innermost

# Height of a column of units, from the middle of the lowest to the middle of the highest.
_HEIGHT = 1.0
# The strongest weight of a layer is drawn with this width, in points.
_WIDEST = 2.0


class NetworkDisplay:
    """The layers of a network: units as dots, weights as lines, and their norms.

    Make one by `from_estimator`, which draws it as well; `plot` draws it again. Of large
    layers the first and the last units are shown. A line is as wide and as opaque as its
    weight is large beside the others of its layer; positive weights are blue, negative red.

    Parameters
    ----------
    coefs : list of ndarray of shape (n_in, n_out)
        Weights between the layers.
    activations : list of str
        Of each layer but the input.

    Attributes
    ----------
    layer_sizes : list of int
        Units of each layer, with input and output.
    weight_norms : list of float
        The Frobenius norm of the weights between two layers: the root of the sum of their
        squares.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure.
    units_ : list of matplotlib PathCollection
        The dots of each layer.
    lines_ : list of matplotlib LineCollection
        The lines between two layers.
    text_ : list of matplotlib Text
        What stands below each layer, and then the norms above.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn import NetworkDisplay
    >>> coefs = [np.full((2, 8), 0.5), np.ones((8, 1))]
    >>> display = NetworkDisplay(coefs, ["relu", "logistic"]).plot()
    >>> display.layer_sizes, display.weight_norms[0]
    ([2, 8, 1], 2.0)
    """

    def __init__(self, coefs: list[np.ndarray], activations: list[str]) -> None:
        self.coefs, self.activations = coefs, activations
        self.layer_sizes = [len(coefs[0]), *(W.shape[1] for W in coefs)]
        self.weight_norms = [float(np.linalg.norm(W.astype(np.float64))) for W in coefs]

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, max_units: int = 12) -> Self:
        """Draw the network of an estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted `DNNClassifier` or `DNNRegressor`, or scikit-learn's perceptrons; or a
            pipeline, a search or a `TransformedTargetRegressor` around one.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.
        max_units : int, default=12
            As of `plot`.

        Returns
        -------
        NetworkDisplay
            That is drawn.

        Raises
        ------
        ValueError
            If the estimator is no network.
        """
        check_is_fitted(estimator)
        inner = innermost(estimator)
        if not hasattr(inner, "coefs_"):
            raise ValueError(
                f"{type(inner).__name__} has no coefs_. Give a fitted DNNClassifier, "
                "DNNRegressor or MLP of scikit-learn, or a pipeline or search with one at its "
                "end."
            )
        coefs = [np.array(W) for W in inner.coefs_]
        hidden = inner.activation
        if isinstance(hidden, str) or not hasattr(hidden, "__len__"):
            hidden = [hidden] * (len(coefs) - 1)
        names = [getattr(activation, "name", str(activation)) for activation in hidden]
        return cls(coefs, [*names, inner.out_activation_]).plot(ax, max_units=max_units)

    def plot(self, ax: Any = None, *, max_units: int = 12) -> Self:
        """Draw the network.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.
        max_units : int, default=12
            Units of a layer that are shown at most.

        Returns
        -------
        NetworkDisplay
            This display.

        Raises
        ------
        ValueError
            If `max_units` is no integer of at least 2.
        """
        is_count = isinstance(max_units, Integral) and not isinstance(max_units, bool)
        if not is_count or max_units < 2:
            raise ValueError(f"max_units={max_units!r} must be an integer of at least 2.")
        caller = f"{type(self).__name__}.plot"
        ax = axes_for(ax, caller)
        self.ax_, self.figure_ = ax, ax.figure
        shown = [_shown(size, int(max_units)) for size in self.layer_sizes]
        heights = [_heights(units) for units in shown]
        self.lines_ = [
            self._draw_weights(layer, shown, heights, module("collections", caller))
            for layer in range(len(self.coefs))
        ]
        self.units_ = [
            ax.scatter(np.full(len(y), layer), y, s=60, color="white", edgecolor="black")
            for layer, y in enumerate(heights)
        ]
        for units in self.units_:
            units.set_zorder(2)
        self.text_ = self._write(shown)
        ax.set_xlim(-0.5, len(self.layer_sizes) - 0.5)
        ax.set_ylim(-0.85 * _HEIGHT, 0.7 * _HEIGHT)
        ax.set_axis_off()
        return self

    def _draw_weights(
        self, layer: int, shown: list[np.ndarray], heights: list[np.ndarray], collections: Any
    ) -> Any:
        W = self.coefs[layer][np.ix_(shown[layer], shown[layer + 1])].astype(np.float64)
        largest = float(np.abs(self.coefs[layer]).max()) or 1.0
        strength = (np.abs(W) / largest).ravel()
        segments = [
            [(layer, low), (layer + 1, high)]
            for low in heights[layer]
            for high in heights[layer + 1]
        ]
        colors = np.where(W.ravel()[:, None] >= 0, [[0.12, 0.47, 0.71]], [[0.84, 0.15, 0.16]])
        lines = collections.LineCollection(
            segments,
            colors=np.hstack([colors, 0.05 + 0.95 * strength[:, None]]),
            linewidths=0.1 + (_WIDEST - 0.1) * strength,
            zorder=1,
        )
        return self.ax_.add_collection(lines)

    def _write(self, shown: list[np.ndarray]) -> list[Any]:
        """Write what the layers are, where units are left out, and the norms."""
        names, written = ["input", *self.activations], []
        middle = {"ha": "center", "va": "center"}
        for layer, (name, size) in enumerate(zip(names, self.layer_sizes, strict=True)):
            text = f"{name}\n{size} unit{'s' * (size != 1)}"
            written.append(self.ax_.text(layer, -0.7 * _HEIGHT, text, **middle))
            if len(shown[layer]) < size:
                self.ax_.text(layer, 0.0, "\N{VERTICAL ELLIPSIS}", **middle)
        for layer, norm in enumerate(self.weight_norms):
            text = f"norm {norm:.3g}"
            written.append(self.ax_.text(layer + 0.5, 0.62 * _HEIGHT, text, **middle))
        return written


def _shown(size: int, max_units: int) -> np.ndarray:
    """Return which units are shown: all, or the first and the last."""
    if size <= max_units:
        return np.arange(size)
    first = (max_units + 1) // 2
    return np.r_[np.arange(first), np.arange(size - (max_units - first), size)]


def _heights(units: np.ndarray) -> np.ndarray:
    """Return where units are drawn, from the top down, with a gap where some are left out."""
    if len(units) == 1:
        return np.zeros(1)
    # Two units that do not follow each other lie further apart.
    places = np.r_[0.0, np.cumsum(np.where(np.diff(units) > 1, 2.5, 1.0))]
    return _HEIGHT * (0.5 - places / places[-1])
