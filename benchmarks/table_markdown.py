"""The tables of figures on tables, in Markdown, from what `benchmarks.tables` has stored.

Needs nothing but the standard library, so that a check runs wherever Python does.
"""

from collections.abc import Callable

from benchmarks.figures import described, digits, stored, table
from benchmarks.table_summary import (
    Results,
    failures,
    means,
    standings,
    tables_of,
    total,
)

# Of ours by default.
_MEMBERS = 4
_NOT_RUN, _NOT_TIMED = "not run", "not timed"


def standing_table() -> str:
    """Return ranks, ratios, seconds and memory by contender."""
    return standing_of(stored("tables"))


def short_table() -> str:
    """Return the standing of all others and of our defaults, for a first look."""
    results = stored("tables")
    by_contender, tables = standings(results), tables_of(results)
    seconds, rows = means(results, "fit_s"), []
    for who in sorted(by_contender, key=lambda who: by_contender[who].rank):
        about, standing = results["contenders"][who], by_contender[who]
        if about["members"] not in (None, _MEMBERS):
            continue
        sum_of_tables = total(seconds[who].values(), len(tables))
        rows.append(
            [
                about["title"],
                f"{standing.rank:.2f}",
                f"{standing.ratio:.3f}",
                str(standing.wins),
                _NOT_TIMED if sum_of_tables is None else f"{digits(sum_of_tables)} s",
            ]
        )
    header = ["estimator", "mean rank", "error over lowest", "lowest on", "all fits"]
    return f"{table(header, rows)}\n\n{_about(results)}"


def standing_of(results: Results) -> str:
    """Return the same of results that are not stored."""
    tables, by_contender = tables_of(results), standings(results)
    seconds = [means(results, name) for name in ("fit_s", "predict_s")]
    memory = means(results, "memory")
    order = sorted(by_contender, key=lambda who: by_contender[who].rank)
    rows = []
    for who in [*order, *(who for who in results["contenders"] if who not in by_contender)]:
        row = [results["contenders"][who]["title"], "yes" if _validates(results, who) else ""]
        if who not in by_contender:
            rows.append([*row, *[_NOT_RUN] * 6])
            continue
        standing = by_contender[who]
        row += [f"{standing.rank:.2f}", f"{standing.ratio:.3f}", str(standing.wins)]
        for figures in seconds:
            sum_of_tables = total(figures[who].values(), len(tables))
            row.append(_NOT_TIMED if sum_of_tables is None else digits(sum_of_tables))
        row.append(_megabytes(max(memory[who].values(), default=None)))
        rows.append(row)
    header = ["estimator", "validation rows", "mean rank", "error over lowest", "lowest on"]
    header += ["fit, s", "predict, s", "most memory, MB"]
    return "\n".join(
        [
            table(header, rows),
            "",
            _about(results),
            *(described(environment) for environment in results["environments"]),
        ]
    )


def _about(results: Results) -> str:
    tables = ", ".join(tables_of(results))
    seeds = ", ".join(map(str, sorted({record["seed"] for record in results["records"]})))
    return f"Tables: {tables}; seeds {seeds}; at most {results['cap']} rows to train on."


def errors_table() -> str:
    """Return the share of wrong rows, or the root mean square over the deviation."""
    results = stored("tables")
    return _by_table(results, means(results, "error", "nrmse"), "{:.4f}")


def auc_table() -> str:
    """Return 1 - AUC where there are two classes."""
    results = stored("tables")
    return _by_table(results, means(results, "1-auc"), "{:.4f}")


def log_loss_table() -> str:
    """Return the log-loss where there are classes."""
    results = stored("tables")
    return _by_table(results, means(results, "log_loss"), "{:.4f}")


def seconds_table() -> str:
    """Return the seconds of a fit."""
    results = stored("tables")
    return _by_table(results, means(results, "fit_s"), "{:.3g}", _NOT_TIMED)


def large_table() -> str:
    """Return seconds and memory of fits on one large table."""
    results = stored("tables")
    rows = []
    for who, about in results["contenders"].items():
        f = results["large"].get(who)
        if f is None:
            continue
        cells = ["failed"] * 4
        if "failed" not in f:
            added = f["memory"]
            ratio = "unknown" if added is None else f"{added / f['table_bytes']:.2f}"
            cells = [str(f["rows"][0]), f"{digits(f['fit_s'])} s", _megabytes(added), ratio]
            cells.append(f"{f['error']:.4f}")
        rows.append([about["title"], *cells])
    if not rows:
        rows = [["fastdnn", *[_NOT_RUN] * 5]]
    header = ["estimator", "rows", "fit", "memory added, MB", "over the table", "error"]
    return table(header, rows)


def _by_table(
    results: Results,
    figures: dict[str, dict[str, float]],
    style: str,
    missing: str = _NOT_RUN,
) -> str:
    """Return a row a contender and a column a table; the lowest figure is bold."""
    tables = tables_of(results)
    shown = [name for name in tables if any(name in f for f in figures.values())]
    lowest = {name: min(f[name] for f in figures.values() if name in f) for name in shown}
    failed = failures(results)
    rows = []
    for who, about in results["contenders"].items():
        cells = []
        for name in shown:
            if name in figures[who]:
                text = style.format(figures[who][name])
                cells.append(f"**{text}**" if figures[who][name] == lowest[name] else text)
            else:
                cells.append("failed" if (who, name) in failed else missing)
        rows.append([about["title"], *cells])
    names = {
        name: f"{name}, {tables[name]['rows'][0]} x {tables[name]['columns']}"
        for name in shown
    }
    if not shown:
        return f"Fits: {missing}."
    return table(["estimator", *names.values()], rows)


def _validates(results: Results, who: str) -> bool:
    return results["contenders"][who]["validates"]


def _megabytes(n_bytes: float | None) -> str:
    return "unknown" if n_bytes is None else digits(1e-6 * n_bytes)


#: The tables by the name of their markers in the documents.
TABLES: dict[str, Callable[[], str]] = {
    "tables": standing_table,
    "tables_short": short_table,
    "tables_error": errors_table,
    "tables_auc": auc_table,
    "tables_log_loss": log_loss_table,
    "tables_seconds": seconds_table,
    "tables_large": large_table,
}
