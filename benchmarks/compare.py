"""Interleaved comparison of whole fits: the contenders take turns, ratios turn by turn.

    python -m benchmarks.compare [CASE ...] [--all] [--json]

Prints medians of one variant (``--activation``, ``--dtype``, ``--one-thread``) or of
``--all`` that the documents show, and with ``--json`` stores each under its name for
``scripts/benchmark_tables.py``. All contenders have the same hyperparameters, epochs, data
and float64 input, and have reached the same loss before any is timed; each timed run comes
right after the same one untimed. scikit-learn computes in float64 throughout; ``--dtype``
is that of the others.
"""

import argparse
import statistics
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.cases import CASES, Case
from benchmarks.contenders import CONTENDERS, why_missing
from benchmarks.measure import (
    add_json_option,
    environment,
    interleaved,
    merge,
    require_close,
    times_as_fast,
)


class Variant(NamedTuple):
    """What the contenders of one comparison have in common besides the case."""

    activation: str = "relu"
    dtype: str = "float32"
    one_thread: bool = False

    @property
    def name(self) -> str:
        """The key that results are stored under."""
        return f"{self.activation} {self.dtype}" + " one thread" * self.one_thread


#: What ``--all`` runs and the documents show.
VARIANTS = [
    Variant(),
    Variant(activation="tanh"),
    Variant(activation="logistic"),
    Variant(dtype="float64"),
    Variant(activation="tanh", dtype="float64"),
    Variant(one_thread=True),
]


def compare(case: Case, variant: Variant, turns: int) -> dict[str, dict[str, float]]:
    """Return microseconds a step by contender, and how many times as fast fastdnn is.

    Raises
    ------
    AssertionError
        If the contenders do not reach scikit-learn's loss, within 2 %.
    """
    fits = {
        who: make(case, *variant)
        for who, make in CONTENDERS.items()
        if why_missing(who) is None
    }
    with _threads(variant):
        losses = {who: fit() for who, fit in fits.items()}
        require_close(losses, "scikit-learn", 0.02)
        seconds = interleaved(fits, turns, warm_up=True)
    result = {}
    for who, fit in fits.items():
        microseconds = 1e6 * statistics.median(seconds[who]) / case.steps()
        result[who] = {"us_per_step": microseconds, "loss": losses[who]}
        result[who] |= times_as_fast(seconds[who], seconds["fastdnn"])
        if hasattr(fit, "n_threads"):
            result[who]["threads"] = fit.n_threads
    return result


def _threads(variant: Variant) -> AbstractContextManager:
    """Hold every library that is loaded to one thread, if the variant says so."""
    if not variant.one_thread:
        return nullcontext()
    limits = threadpool_limits(1)
    several = [x["filepath"] for x in threadpool_info() if x["num_threads"] != 1]
    if several:
        raise RuntimeError(f"these libraries do not keep to one thread: {several}")
    return limits


def run(variant: Variant, names: list[str], turns: int) -> dict[str, object]:
    """Compare in every case, print, and return what is stored."""
    print(f"-- {variant.name}", flush=True)
    results = {}
    for name in names:
        results[name] = compare(CASES[name], variant, turns)
        for who, figures in results[name].items():
            threads = f"   threads: {figures['threads']}" if "threads" in figures else ""
            print(
                f"{name:8s} {who:14s} {figures['us_per_step']:9.1f} us a step   "
                f"fastdnn is {figures['ratio']:5.2f} times as fast "
                f"({figures['lowest']:.2f} to {figures['highest']:.2f}){threads}",
                flush=True,
            )
    means = {
        who: statistics.geometric_mean(results[name][who]["ratio"] for name in names)
        for who in results[names[0]]
        if who != "fastdnn"
    }
    for who, mean in means.items():
        print(f"geometric mean over {who}: {mean:.2f}", flush=True)
    with _threads(variant):
        machine = environment("torch")
    return {
        "environment": machine,
        "turns": turns,
        "geometric_mean": means,
        "results": results,
    }


def main() -> None:
    """Compare, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=f"of {list(CASES)}; all by default")
    parser.add_argument("--activation", choices=["relu", "tanh", "logistic"], default="relu")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--one-thread", action="store_true", help="all on one thread")
    parser.add_argument("--all", action="store_true", help="all variants of the documents")
    parser.add_argument("--turns", type=int, default=7)
    add_json_option(parser, "speed.json")
    arguments = parser.parse_args()
    names = arguments.cases or list(CASES)
    if not set(names) <= set(CASES):
        parser.error(f"cases are {list(CASES)}, not {names}")
    for who in CONTENDERS:
        if reason := why_missing(who):
            print(reason)
    one = Variant(arguments.activation, arguments.dtype, arguments.one_thread)
    for variant in VARIANTS if arguments.all else [one]:
        merge(arguments.json, variant.name, run(variant, names, arguments.turns))


if __name__ == "__main__":
    main()
