"""How good a model is on rows that it has not seen: in words, numbers and a picture."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics

# Classes in the picture and in the table at most.
_MOST_CLASSES = 20


class Report(NamedTuple):
    """What is said of a model."""

    numbers: dict[str, float]
    """Each measure by its name."""
    y: np.ndarray
    predicted: np.ndarray
    classes: np.ndarray | None

    @property
    def text(self) -> str:
        """The measures as a table."""
        width = max(map(len, self.numbers))
        return "\n".join(f"{name:{width}}  {v:.4g}" for name, v in self.numbers.items())


def report_on(model: Any, X: Any, y: np.ndarray, y_train: np.ndarray) -> Report:
    """Measure a model on rows that were not trained on.

    Parameters
    ----------
    model : TabularDNNClassifier or TabularDNNRegressor
        Fitted.
    X : DataFrame
        The rows.
    y : ndarray of shape (n_samples,)
        Their targets.
    y_train : ndarray
        The targets that were trained on, which the simplest guess is made of.
    """
    if not hasattr(model, "classes_"):
        predicted = model.predict(X)
        error = np.abs(y - predicted)
        numbers = {
            "R2": metrics.r2_score(y, predicted) if len(y) > 1 else np.nan,
            "mean absolute error": error.mean(),
            "root of the mean squared error": np.sqrt(np.mean(np.square(error))),
            "mean absolute error of the median": np.abs(y - np.median(y_train)).mean(),
        }
        return Report({k: float(v) for k, v in numbers.items()}, y, predicted, None)
    P, classes = model.predict_proba(X), model.classes_
    predicted = classes[P.argmax(axis=1)]
    known = np.isin(y, classes)
    frequent = classes[np.argmax([(y_train == c).sum() for c in classes])]
    recalls = [(predicted[y == c] == c).mean() for c in np.unique(y)]
    numbers = {
        "accuracy": (y == predicted).mean(),
        "accuracy of the most frequent class": (y == frequent).mean(),
        "balanced accuracy": np.mean(recalls),
    }
    if known.any():
        numbers["log-loss"] = metrics.log_loss(y[known], P[known], labels=classes)
    if len(classes) == 2 and len(np.unique(y[known])) == 2:
        is_second = y[known] == classes[1]
        numbers["area under the ROC curve"] = metrics.roc_auc_score(is_second, P[known, 1])
    return Report({k: float(v) for k, v in numbers.items()}, y, predicted, classes)


def written(report: Report, path: Path, data: Path, target: str, model: Any) -> list[Path]:
    """Write a report as Markdown, with a picture beside it; return what was written."""
    picture = path.with_suffix(".png")
    has_picture = _drawn(report, picture, target)
    rows = "\n".join(f"| {name} | {v:.4g} |" for name, v in report.numbers.items())
    dropped = model.encoder_.dropped_
    parts = [
        f"# {target}",
        f"A {type(model).__name__} of {data.name}, measured on {len(report.y)} rows that it "
        "was not trained on.",
        f"| measure | value |\n|---|---|\n{rows}",
    ]
    if report.classes is not None and len(report.classes) <= _MOST_CLASSES:
        parts.append(_of_classes(report))
    if has_picture:
        parts.append(f"![Predictions]({picture.name})")
    if dropped:
        lines = "\n".join(f"- `{name}`: {why}" for name, why in dropped.items())
        parts.append(f"Columns that tell nothing and are left out:\n\n{lines}")
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return [path, picture] if has_picture else [path]


def _of_classes(report: Report) -> str:
    lines = ["| class | rows | found | of those predicted, right |", "|---|---|---|---|"]
    for c in report.classes if report.classes is not None else ():
        are, said = report.y == c, report.predicted == c
        found = f"{(said & are).sum() / are.sum():.1%}" if are.any() else "-"
        right = f"{(said & are).sum() / said.sum():.1%}" if said.any() else "-"
        lines.append(f"| {c} | {are.sum()} | {found} | {right} |")
    return "\n".join(lines)


def _drawn(report: Report, path: Path, target: str) -> bool:
    """Draw what was predicted over what was right; False without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    target = _plain(target)
    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if report.classes is None:
        ends = [min(report.y.min(), report.predicted.min())]
        ends.append(max(report.y.max(), report.predicted.max()))
        axes.plot(ends, ends, color="0.6", linewidth=1)
        axes.scatter(report.y, report.predicted, s=8, alpha=0.5, linewidths=0)
        axes.set(xlabel=target, ylabel=f"{target}, predicted")
    else:
        _draw_confusion(axes, report, target)
    figure.savefig(path, dpi=120)
    return True


def _plain(text: str) -> str:
    """Return a text that matplotlib takes for no formula."""
    return text.replace("$", r"\$")


def _draw_confusion(axes: Any, report: Report, target: str) -> None:
    labels, counts = np.unique(report.y, return_counts=True)
    most = set(labels[np.argsort(-counts, kind="stable")][:_MOST_CLASSES].tolist())
    shown = [c for c in labels.tolist() if c in most]
    pairs = [
        [((report.y == row) & (report.predicted == column)).sum() for column in shown]
        for row in shown
    ]
    table = np.array(pairs, dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1.0)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for i, j in np.ndindex(table.shape):
        colour = "white" if shares[i, j] > 0.5 else "black"
        axes.text(j, i, f"{table[i, j]:.0f}", ha="center", va="center", color=colour)
    names = [_plain(str(c)) for c in shown]
    axes.set_xticks(range(len(shown)), names, rotation=45 if len(shown) > 5 else 0)
    axes.set_yticks(range(len(shown)), names)
    axes.set(xlabel=f"{target}, predicted", ylabel=target)
