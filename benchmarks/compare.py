"""Interleaved comparison: the contenders take turns, and ratios are taken turn by turn.

On a shared machine the clock drifts by tens of percent; the ratio of two fits that ran
next to each other does not. ``python -m benchmarks.compare`` prints medians, and with
``--json FILE`` stores them for ``scripts/benchmark_tables.py``.
"""

import argparse
import json
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

from threadpoolctl import threadpool_info

from benchmarks.cases import CASES, Case
from benchmarks.contenders import CONTENDERS
from fastdnn._version import VERSION


def compare(case: Case, turns: int) -> dict[str, list[float]]:
    """Return the seconds of each turn by contender, after all have warmed up.

    Raises
    ------
    AssertionError
        If the contenders do not reach the same loss, within 2 %.
    """
    fits = {who: make(case) for who, make in CONTENDERS.items()}
    losses = {who: fit() for who, fit in fits.items()}
    reference = losses["scikit-learn"]
    if any(abs(loss - reference) > 0.02 * reference for loss in losses.values()):
        raise AssertionError(f"the contenders reach different losses: {losses}")
    seconds: dict[str, list[float]] = {who: [] for who in fits}
    for _ in range(turns):
        for who, fit in fits.items():
            start = time.perf_counter()
            fit()
            seconds[who].append(time.perf_counter() - start)
    return seconds


def summary(case: Case, seconds: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return microseconds a step, and how many times as fast fastdnn is."""
    steps = case.epochs * -(-case.n_samples // case.batch_size)
    result = {}
    for who, turns in seconds.items():
        pairs = zip(turns, seconds["fastdnn"], strict=True)
        ratios = [theirs / ours for theirs, ours in pairs]
        result[who] = {
            "us_per_step": 1e6 * statistics.median(turns) / steps,
            "ratio": statistics.median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
        }
    return result


def environment() -> dict[str, object]:
    """Return machine, versions and thread counts."""
    packages = ["numba", "numpy", "scikit-learn", "scipy"]
    blas = [x for x in threadpool_info() if x["user_api"] == "blas"]
    return {
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "python": platform.python_version(),
        "versions": {"fastdnn": VERSION} | {name: version(name) for name in packages},
        "blas": sorted(
            f"{x['internal_api']} {x['version']} ({x.get('architecture')}), "
            f"{x['num_threads']} threads"
            for x in blas
        ),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    """Compare, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=f"of {list(CASES)}; all by default")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    results = {}
    for name in arguments.cases or CASES:
        results[name] = summary(CASES[name], compare(CASES[name], arguments.turns))
        for who, figures in results[name].items():
            print(
                f"{name:8s} {who:14s} {figures['us_per_step']:9.1f} us a step   "
                f"fastdnn is {figures['ratio']:5.2f} times as fast "
                f"({figures['lowest']:.2f} to {figures['highest']:.2f})",
                flush=True,
            )
    if arguments.json:
        stored = {
            "environment": environment(),
            "turns": arguments.turns,
            "results": results,
        }
        arguments.json.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
