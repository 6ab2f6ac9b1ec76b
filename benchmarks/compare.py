"""Interleaved comparison: the contenders take turns, and ratios are taken turn by turn.

On a shared machine the clock drifts by tens of percent; the ratio of two fits that ran
next to each other does not. ``python -m benchmarks.compare`` prints the medians.
"""

import argparse
import statistics
import time

from threadpoolctl import threadpool_info

from benchmarks.cases import CASES, Case
from benchmarks.contenders import CONTENDERS


def compare(case: Case, turns: int) -> dict[str, list[float]]:
    """Return the seconds of each turn by contender, after all have warmed up."""
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


def main() -> None:
    """Print microseconds a step and speed-ups."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), choices=[*CASES, []])
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    for library in threadpool_info():
        print(library["internal_api"], library["num_threads"], library["filepath"])
    for name in arguments.cases:
        case = CASES[name]
        steps = case.epochs * -(-case.n_samples // case.batch_size)
        seconds = compare(case, arguments.turns)
        for who, turns in seconds.items():
            ratios = [
                theirs / ours for theirs, ours in zip(turns, seconds["fastdnn"], strict=True)
            ]
            step = 1e6 * statistics.median(turns) / steps
            print(
                f"{name:8s} {who:14s} {step:9.1f} us a step   "
                f"fastdnn is {statistics.median(ratios):5.2f} times as fast "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
