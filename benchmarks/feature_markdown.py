"""The tables of what features and special paths cost and gain, in Markdown.

Needs nothing but the standard library, so that a check runs wherever Python does.
"""

from collections.abc import Callable

from benchmarks.figures import described, duration, machine, stored, table, times


def ablation_table() -> str:
    """Return where each optimisation gains most, by the kind of code."""
    kinds = stored("ablation")
    names = dict.fromkeys(name for results in kinds.values() for name in results["best"])
    rows = [
        [name, *(results["best"].get(name, "not run") for results in kinds.values())]
        for name in names
    ]
    return "\n".join(
        [
            table(["optimisation", *kinds], rows),
            "",
            "Time without it over time with it, where the lower quartile is highest:",
            "median and quartiles.",
            # Shown on a page of its own, which has no other table.
            *(
                f"{kind}: {described(results['environment'])}"
                for kind, results in kinds.items()
            ),
        ]
    )


def _percent(figures: dict[str, float] | None) -> str:
    return "" if figures is None else f"{100.0 * (figures['ratio'] - 1.0):+.0f} %"


def features_table() -> str:
    """Return what each feature adds to a step, here and in PyTorch."""
    results = stored("features")
    cases = list(next(iter(results["results"].values()))["cases"])
    who_else = [who for who in results["turns"] if who != "fastdnn"]
    rows = []
    for name, row in results["results"].items():
        cells = []
        for figures in row["cases"].values():
            theirs = figures.get("pytorch")
            cells.append(_percent(figures["fastdnn"]))
            if who_else:
                cells.append(_percent(theirs) or "none")
                ratio = theirs and theirs["us_per_step"] / figures["fastdnn"]["us_per_step"]
                cells.append(times(ratio) if ratio else "")
        rows.append([f"{row['group']}: {name}", *cells])
    header = ["feature"]
    for case in cases:
        header += [case, *(("PyTorch", "over it") if who_else else ())]
    checkpoints = "; ".join(
        f"{case} " + ", ".join(f"{who} {duration(f['seconds'])}" for who, f in of_case.items())
        for case, of_case in results["checkpoints"].items()
    )
    return "\n".join(
        [
            table(header, rows),
            "",
            "What a step takes more with the feature than with ReLU and Adam (for losses of",
            "regression: than with the squared error), on one thread, in float32; median of",
            f"{results['turns']['fastdnn']} turns. Beside it the same of PyTorch, and how",
            "many times as fast a step with the feature is here.",
            *([f"A checkpoint takes: {checkpoints}."] if checkpoints else []),
            machine(results),
        ]
    )


#: The tables by the name of their markers in the documents.
TABLES: dict[str, Callable[[], str]] = {
    "ablation": ablation_table,
    "features": features_table,
}
