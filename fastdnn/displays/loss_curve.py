"""`LossCurveDisplay`: losses and scores over the epochs."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from fastdnn.displays.drawing import axes_for, module
from fastdnn.displays.histories import Table, best_epoch, history_of, names_for, table_of

_LOSSES = {"loss": "training loss", "validation_loss": "validation loss"}
# Of the columns of one estimator, which have one colour: training is drawn through.
_STYLES = ("-", "--", ":", "-.")


class LossCurveDisplay:
    """Losses and scores of one or several fits over their epochs.

    Make one by `from_estimator`, `from_estimators` or `from_history`, which draw it as well;
    `plot` draws it again.

    Parameters
    ----------
    histories : list of dict of str to list
        Columns of numbers of each fit, with 'epoch' and 'loss'.
    names : list of str
        Of the fits.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn on.
    score_ax_ : matplotlib Axes or None
        The axis of scores at the right side, where losses are at the left.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves: those of the first fit, then those of the next.
    best_lines_ : list of matplotlib Line2D
        Marks of the epochs that validation found best.
    best_epochs_ : list of (int or None)
        These epochs, of each fit, counted as in ``history_["epoch"]``.

    Examples
    --------
    >>> from fastdnn import LossCurveDisplay
    >>> history = {"loss": [0.9, 0.5, 0.4], "validation_loss": [0.9, 0.6, 0.7]}
    >>> display = LossCurveDisplay.from_history(history)
    >>> display.best_epochs_
    [2]
    """

    def __init__(self, histories: list[Table], names: list[str]) -> None:
        self.histories, self.names = histories, names

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **options: Any
    ) -> Self:
        """Draw the fit of an estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted `DNNClassifier` or `DNNRegressor`, or scikit-learn's perceptrons; or a
            pipeline, a search or a `TransformedTargetRegressor` around one.
        name : str, default=None
            Of the fit, for the legend; None for none.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.
        **options
            Of `plot`.

        Returns
        -------
        LossCurveDisplay
            That is drawn.

        Raises
        ------
        ValueError
            If the estimator has recorded no losses.
        """
        names = [""] if name is None else [name]
        return cls([history_of(estimator)], names).plot(ax, **options)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any] | Sequence[Any],
        *,
        names: Sequence[str] | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the fits of several estimators, to compare them.

        Parameters
        ----------
        estimators : dict of str to estimator, or list of estimators
            Fitted, as of `from_estimator`.
        names : list of str, default=None
            For the legend; None for the keys, or the classes.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.
        **options
            Of `plot`.

        Returns
        -------
        LossCurveDisplay
            That is drawn.

        Raises
        ------
        ValueError
            If one has recorded no losses, or there is not a name for each.
        """
        found, known = names_for(estimators, names)
        return cls([history_of(estimator) for estimator in found], known).plot(ax, **options)

    @classmethod
    def from_history(
        cls, history: Any, *, name: str | None = None, ax: Any = None, **options: Any
    ) -> Self:
        """Draw what was recorded of a fit.

        Parameters
        ----------
        history : dict of str to list, or DataFrame
            As ``history_``: at least a column 'loss'.
        name : str, default=None
            Of the fit, for the legend; None for none.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.
        **options
            Of `plot`.

        Returns
        -------
        LossCurveDisplay
            That is drawn.

        Raises
        ------
        ValueError
            If it has no losses.
        """
        return cls([table_of(history)], ["" if name is None else name]).plot(ax, **options)

    def plot(
        self,
        ax: Any = None,
        *,
        quantity: str = "loss",
        log_scale: bool = False,
        mark_best: bool = True,
        **line_kw: Any,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.
        quantity : str, default='loss'
            'loss' draws the losses of training and validation, 'score' the scores of
            validation, 'both' the scores at the right side. Others are names of columns, such
            as 'learning_rate'.
        log_scale : bool, default=False
            Whether the axis of losses is logarithmic.
        mark_best : bool, default=True
            Whether to mark the epoch that validation found best: that of the best score, or
            else of the lowest validation loss.
        **line_kw
            Arguments of `matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        LossCurveDisplay
            This display.

        Raises
        ------
        ValueError
            If no fit has what is to be drawn.
        """
        caller = f"{type(self).__name__}.plot"
        left, right = self._columns(quantity)
        ax = axes_for(ax, caller)
        self.ax_, self.figure_, self.score_ax_ = ax, ax.figure, None
        if right:
            self.score_ax_ = ax.twinx()
        self.lines_: list[Any] = []
        self.best_lines_: list[Any] = []
        self.best_epochs_: list[int | None] = []
        for table, name in zip(self.histories, self.names, strict=True):
            self._draw(table, name, left, right, mark_best, line_kw)
        ticker = module("ticker", caller)
        ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        ax.set_xlabel("epoch")
        ax.set_ylabel({"loss": "loss", "both": "loss"}.get(quantity, quantity))
        if self.score_ax_ is not None:
            self.score_ax_.set_ylabel("score")
        if log_scale:
            ax.set_yscale("log")
        above = ax if self.score_ax_ is None else self.score_ax_  # what is drawn last
        above.legend(handles=[*self.lines_, *self.best_lines_[:1]])
        return self

    def _columns(self, quantity: str) -> tuple[list[str], list[str]]:
        """Return which columns are drawn at the left side, and which at the right."""
        there = list(dict.fromkeys(name for table in self.histories for name in table))
        losses = [name for name in _LOSSES if name in there]
        scores = [
            name
            for name in there
            if name.startswith("validation_") and name != "validation_loss"
        ]
        known = {"loss": (losses, []), "score": (scores, []), "both": (losses, scores)}
        if quantity not in known and quantity not in there:
            raise ValueError(
                f"quantity={quantity!r} must be 'loss', 'score', 'both' or one of {there}."
            )
        left, right = known.get(quantity, ([quantity], []))
        if not left or (quantity == "both" and not right):
            raise ValueError(
                f"quantity={quantity!r}: no scores were recorded. Give fit samples to "
                "validate on, or set early_stopping=True; or draw 'loss'."
            )
        return left, right

    def _draw(
        self,
        table: Table,
        name: str,
        left: list[str],
        right: list[str],
        mark_best: bool,
        line_kw: dict,
    ) -> None:
        """Draw one fit: in one colour, where it is one of several."""
        common: dict[str, Any] = {}
        best = best_epoch(table)
        self.best_epochs_.append(None if best is None else int(table["epoch"][best]))
        columns = [column for column in (*left, *right) if column in table]
        for column, style in zip(columns, _styles(columns), strict=True):
            axis: Any = self.score_ax_ if column in right else self.ax_
            label = _LOSSES.get(column, column.replace("_", " "))
            label = f"{name}: {label}" if name else label
            options = {"label": label, "linestyle": style} | common | line_kw
            [line] = axis.plot(table["epoch"], table[column], **options)
            self.lines_.append(line)
            common = {"color": line.get_color()}
            if mark_best and best is not None and column.startswith("validation_"):
                at = [table["epoch"][best]], [table[column][best]]
                [mark] = axis.plot(
                    *at, "o", color=line.get_color(), label="best epoch", zorder=3
                )
                self.best_lines_.append(mark)


def _styles(columns: list[str]) -> list[str]:
    """Return a style for each column: a solid line for the first, then others in turn."""
    return [_STYLES[k % len(_STYLES)] for k in range(len(columns))]
