"""Means, ranks and ratios of the fits on tables that `benchmarks.tables` has stored.

Needs nothing but the standard library, so that a check runs wherever Python does.
"""

import math
from collections.abc import Iterable
from statistics import fmean
from typing import Any, NamedTuple

Results = dict[str, Any]

#: Added to both errors of a ratio: none against one wrong row of 40 must not decide a mean.
SHIFT = 0.01
#: The estimator of ours that the others are ranked beside.
MAIN = "fastdnn_val_4"


class Standing(NamedTuple):
    """How a contender does on all tables."""

    rank: float
    """Mean over the tables."""
    ratio: float
    """Geometric mean of (error + SHIFT) / (lowest error + SHIFT)."""
    wins: int
    """Tables on which nobody has a lower error."""


def tables_of(results: Results) -> dict[str, dict[str, Any]]:
    """Return a record of each table by its name: size and task are the same in all."""
    records = sorted(results["records"], key=lambda record: record["table"])
    return {record["table"]: record for record in records if "failed" not in record}


def means(results: Results, *metrics: str) -> dict[str, dict[str, float]]:
    """Return the means over the seeds by contender and table, of the metric that there is.

    Of a contender that has not run every seed of a table there is none.
    """
    found: dict[tuple[str, str], dict[int, float]] = {}
    seeds: dict[str, set[int]] = {}
    for record in results["records"]:
        seeds.setdefault(record["table"], set()).add(record["seed"])
        values = [record[name] for name in metrics if record.get(name) is not None]
        if values:
            key = record["contender"], record["table"]
            found.setdefault(key, {})[record["seed"]] = values[0]
    table: dict[str, dict[str, float]] = {name: {} for name in results["contenders"]}
    for (contender, name), by_seed in sorted(found.items()):
        if set(by_seed) == seeds[name]:
            table[contender][name] = fmean(by_seed.values())
    return table


def failures(results: Results) -> set[tuple[str, str]]:
    """Return contenders and tables of fits that did not come to an end."""
    records = results["records"]
    return {(r["contender"], r["table"]) for r in records if "failed" in r}


def standings(results: Results) -> dict[str, Standing]:
    """Return how those do who ran on every table, each beside the same others.

    The others are those of other libraries, and `MAIN`. Another estimator of ours is ranked
    in the place of `MAIN`, as ours would take the best places from each other.
    """
    tables = tables_of(results)
    errors = means(results, "error", "nrmse")
    complete = {who: e for who, e in errors.items() if tables and set(e) == set(tables)}
    ours = {who for who in complete if results["contenders"][who]["members"] is not None}
    others = [who for who in complete if who not in ours]
    found = {}
    for who in complete:
        field = [*others, who if who in ours else MAIN]
        field = [name for name in field if name in complete]
        found[who] = _standing(who, [{f: complete[f][name] for f in field} for name in tables])
    return found


def _standing(who: str, by_table: list[dict[str, float]]) -> Standing:
    ranks, logs, wins = [], [], 0
    for errors in by_table:
        mine, lowest = errors[who], min(errors.values())
        better = sum(error < mine for error in errors.values())
        equal = sum(error == mine for error in errors.values())
        ranks.append(better + 0.5 * (equal + 1))
        logs.append(math.log((mine + SHIFT) / (lowest + SHIFT)))
        wins += better == 0
    return Standing(fmean(ranks), math.exp(fmean(logs)), wins)


def total(values: Iterable[float], n_tables: int) -> float | None:
    """Return the sum of a figure over all tables, or None where one of them lacks it."""
    values = list(values)
    return sum(values) if values and len(values) == n_tables else None
