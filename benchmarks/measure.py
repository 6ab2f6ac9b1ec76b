"""What all benchmarks share: taking turns, ratios, the machine in words, stored results."""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import joblib
from threadpoolctl import threadpool_info

from fastdnn._version import VERSION

FOLDER = Path(__file__).parent

# After their last call the threads of OpenBLAS and OpenMP go on spinning, for up to some
# 30 and 200 ms, on processors that the next in turn needs.
_REST_SECONDS = 0.25


def interleaved(
    runs: Mapping[str, Callable[[], object]],
    turns: int,
    *,
    rest: float = _REST_SECONDS,
    warm_up: bool = False,
) -> dict[str, list[float]]:
    """Return the wall seconds of each turn by name; all run once in every turn.

    On a shared machine the clock drifts by tens of percent; the ratio of two runs next to
    each other does not. Each turn starts with another run, so that none always follows
    the same one.

    Parameters
    ----------
    runs : mapping of str to callable
        What is timed, without arguments.
    turns : int
        How often each of them runs.
    rest : float, default=0.25
        Seconds to wait before each run.
    warm_up : bool, default=False
        Whether it then runs once without being timed. After a rest, processors take some
        milliseconds to come to speed and to take a second thread, and memory that a virtual
        machine has given back to its host up to a millisecond a MiB to return: what short
        runs take themselves, and others hardly notice.

    Returns
    -------
    dict of str to list of float
    """
    names = list(runs)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(turns):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(rest)
            if warm_up:
                runs[name]()
            start = time.perf_counter()
            runs[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def repeated(run: Callable[[], object], number: int) -> Callable[[], None]:
    """Return a function that calls `run` `number` times: for runs of microseconds."""

    def loop() -> None:
        for _ in range(number):
            run()

    return loop


def spread(values: Sequence[float], name: str = "ratio") -> dict[str, float]:
    """Return the median of `values` under `name`, with the lowest and the highest."""
    return {name: statistics.median(values), "lowest": min(values), "highest": max(values)}


def times_as_fast(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, float]:
    """Return how many times as fast we are, turn by turn: median, lowest and highest."""
    return spread([a / b for a, b in zip(theirs, ours, strict=True)])


def require_close(values: Mapping[str, float], reference: str, tolerance: float) -> None:
    """Require that all values agree with the one named `reference`.

    Raises
    ------
    AssertionError
        If one differs by more than `tolerance` times the reference, or is not a number.
    """
    expected = values[reference]
    if not all(abs(v - expected) <= tolerance * abs(expected) for v in values.values()):
        raise AssertionError(
            f"the contenders do not agree within {100 * tolerance:g} %, so their times do "
            f"not compare: {dict(values)}"
        )


def matmul_flops(layer_sizes: Sequence[int]) -> int:
    """Return the floating-point operations a row of the matrix products of a step.

    Forward, weight gradients, and deltas of all layers but the first: two operations for
    each weight of each.
    """
    weights = [a * b for a, b in pairwise(layer_sizes)]
    return 2 * (3 * sum(weights) - weights[0])


def environment(*packages: str) -> dict[str, object]:
    """Return machine, versions and BLAS threads; `packages` are named where installed."""
    versions = {"fastdnn": VERSION}
    for name in ("joblib", "numba", "numpy", "scikit-learn", "scipy", *packages):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cpus": joblib.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
        "blas": sorted(
            f"{x['internal_api']} {x['version']} ({x.get('architecture')}), "
            f"{x['num_threads']} thread{'s' if x['num_threads'] > 1 else ''}"
            for x in threadpool_info()
            if x["user_api"] == "blas"
        ),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def add_json_option(parser: argparse.ArgumentParser, name: str) -> None:
    """Give `parser` the option ``--json [FILE]``, by default ``benchmarks/<name>``."""
    parser.add_argument(
        "--json",
        type=Path,
        nargs="?",
        const=FOLDER / name,
        metavar="FILE",
        help=f"store the result, by default in benchmarks/{name}",
    )


def store(path: Path | None, result: object) -> None:
    """Write `result` to `path`, where there is one."""
    if path is not None:
        path.write_text(json.dumps(result, indent=1) + "\n")


def merge(path: Path | None, key: str, result: Any) -> None:
    """Write `result` under `key` into the table stored in `path`, and keep the rest."""
    if path is not None:
        stored = json.loads(path.read_text()) if path.exists() else {}
        store(path, stored | {key: result})
