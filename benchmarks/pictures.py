"""The pictures of the documents: speed-up by case, time against size, error against seconds.

Matplotlib is needed to draw, not to check: a picture holds a digest of the results that it
was drawn from.
"""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.table_summary import means, standings, tables_of, total

FOLDER = Path(__file__).with_name("pictures")

_MARK = re.compile(r"results sha256:([0-9a-f]{64})")

# Okabe and Ito's colours, told apart by the colour-blind too.
_COLOURS = {"scikit-learn": "#0072B2", "numpy": "#E69F00", "pytorch": "#009E73"}
_AXES = {
    "rows": "rows",
    "width": "units a hidden layer",
    "depth": "hidden layers",
    "batch": "rows a batch",
}


def digest(results: Any) -> str:
    """Return the SHA-256 of results, whatever their layout in the file."""
    return hashlib.sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()


def digest_in(picture: Path) -> str | None:
    """Return the digest that a picture was drawn with, or None where there is none."""
    found = _MARK.search(picture.read_text()) if picture.exists() else None
    return found[1] if found else None


def draw(name: str, results: Any) -> None:
    """Draw the picture `name`, a key of `PICTURES`, of the results in its JSON file."""
    # Imported here, since checking the digests does without matplotlib.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {
        "svg.hashsalt": "fastdnn",  # the same results give the same file
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(8, 4), layout="constrained", facecolor="white")
        PICTURES[name](figure, results)
        FOLDER.mkdir(exist_ok=True)
        figure.savefig(
            FOLDER / name,
            metadata={"Date": None, "Description": f"results sha256:{digest(results)}"},
        )


def speed(figure: Any, variants: dict[str, Any]) -> None:
    """Draw bars that start at 1: up where fastdnn is faster, down where it is slower."""
    results = variants["relu float32"]["results"]
    cases = list(results)
    others = [who for who in results[cases[0]] if who != "fastdnn"]
    axes = figure.add_subplot()
    width = 0.8 / len(others)
    for place, who in enumerate(others):
        figures = [results[case][who] for case in cases]
        ratios = [f["ratio"] for f in figures]
        x = [i + (place - (len(others) - 1) / 2) * width for i in range(len(cases))]
        axes.bar(
            x,
            [ratio - 1 for ratio in ratios],
            0.92 * width,
            bottom=1,
            color=_COLOURS.get(who),
            label=f"over {who}",
        )
        below = [r - f["lowest"] for r, f in zip(ratios, figures, strict=True)]
        above = [f["highest"] - r for r, f in zip(ratios, figures, strict=True)]
        axes.errorbar(x, ratios, (below, above), fmt="none", ecolor="0.25", elinewidth=1)
        for position, f in zip(x, figures, strict=True):
            top = max(f["highest"], 1.0)
            axes.annotate(
                f"{f['ratio']:.2g}" if f["ratio"] < 10 else f"{f['ratio']:.0f}",
                (position, top),
                (0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8,
            )
    axes.axhline(1, color="0.25", linewidth=1)
    axes.set_yscale("log")
    highest = max(f["highest"] for case in cases for f in results[case].values())
    axes.set_ylim(top=2 * highest)  # room for the legend
    _plain_ticks(axes.yaxis)
    axes.set_xticks(range(len(cases)), cases)
    axes.set_ylabel("times as fast as the contender")
    axes.grid(axis="y", color="0.9")
    axes.set_title(
        "Training, fastdnn over each contender (above the line: faster)", fontsize=10
    )
    axes.legend(frameon=False, loc="upper right", ncols=len(others))


def scaling(figure: Any, stored: dict[str, Any]) -> None:
    """Draw the time of an operation against rows, width, depth and batch size."""
    panels = stored["panels"]
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (name, points) in zip(every, panels.items(), strict=True):
        x = [point["size"] for point in points]
        y = [point["ps_per_flop"] for point in points]
        spread = [
            [value - point["lowest"] for value, point in zip(y, points, strict=True)],
            [point["highest"] - value for value, point in zip(y, points, strict=True)],
        ]
        axes.errorbar(x, y, spread, marker="o", markersize=4, color="#0072B2", elinewidth=1)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(_AXES.get(name, name))
        axes.grid(color="0.9")
        ticks = x[:: 1 if len(x) < 6 else 2]
        axes.set_xticks(ticks, [_short(size) for size in ticks])
        axes.minorticks_off()
    _plain_ticks(every[0].yaxis)
    every[0].set_ylabel("picoseconds an operation")
    figure.suptitle("Cost of training against size, one thing varied at a time", fontsize=10)


def tables(figure: Any, results: dict[str, Any]) -> None:
    """Draw the error on tables against the seconds of the fits, a point an estimator."""
    seconds, n_tables = means(results, "fit_s"), len(tables_of(results))
    axes = figure.add_subplot()
    ours: dict[bool, list[tuple[float, float]]] = {}
    timed = False
    for who, standing in standings(results).items():
        x, y = total(seconds[who].values(), n_tables), standing.ratio
        about = results["contenders"][who]
        if x is None:
            continue
        timed = True
        if about["members"] is None:
            name, colour = about["title"], "#D55E00"
            face = colour if about["validates"] else "white"
            axes.plot(x, y, "o", color=colour, markerfacecolor=face)
        else:
            name, colour = str(about["members"]), "#0072B2"
            ours.setdefault(about["validates"], []).append((x, y))
        axes.annotate(
            name, (x, y), (4, 3), textcoords="offset points", fontsize=8, color=colour
        )
    if not timed:
        axes.text(0.5, 0.5, "no fit is timed yet", transform=axes.transAxes, ha="center")
        axes.set_axis_off()
        return
    for validates, points in ours.items():
        axes.plot(
            *zip(*points, strict=True),
            "s-",
            color="#0072B2",
            markerfacecolor="#0072B2" if validates else "white",
            label=f"fastdnn{', X_val' if validates else ''}, by members",
        )
    axes.set_xscale("log")
    _plain_ticks(axes.xaxis)
    axes.margins(x=0.15, y=0.1)  # room for the names
    axes.set_xlabel(f"seconds of the fits on {n_tables} tables")
    axes.set_ylabel("error over the lowest")
    axes.grid(color="0.9")
    if ours:
        axes.legend(frameon=False, fontsize=8)
    axes.set_title(
        "Error against seconds, lower left is better (filled: gets validation rows)",
        fontsize=10,
    )


def _plain_ticks(axis: Any) -> None:
    """Label a logarithmic axis by 1, 2, 5, 10, 20 in place of powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _short(size: int) -> str:
    """Return 1048576 as 1M, 4096 as 4k, 128 as it is."""
    for letter, unit in (("M", 2**20), ("k", 2**10)):
        if size >= unit:
            return f"{size / unit:g}{letter}"
    return str(size)


#: How each picture is drawn, by file name; `speed.svg` shows `speed.json`, and so on.
PICTURES: dict[str, Callable[[Any, Any], None]] = {
    "speed.svg": speed,
    "scaling.svg": scaling,
    "tables.svg": tables,
}
