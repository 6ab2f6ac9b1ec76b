"""How near training steps come to the machine's own matrix products, and what threads add.

    python -m benchmarks.matmul_share [CASE ...] [--json]

For every case, on one thread: the rate at which training steps do the operations of their
matrix products alone, as a share of the rate of SciPy's ``sgemm`` on large square matrices,
which runs next to each fit. Gathering, bias, activation, loss, optimiser, shuffling and the
Python of each epoch count as time but not as operations; what a fit costs once, such as the
conversion of X, is left out by the difference of a long and a short fit. Multiplications by
the zeros that ReLU makes count as operations, whether they are done or left out. Then the
speed of two threads over one, of whole fits and of steps.
"""

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
from scipy.linalg.blas import sgemm
from threadpoolctl import threadpool_limits

from benchmarks.cases import CASES, Case
from benchmarks.contenders import Fit, estimator_fit
from benchmarks.measure import (
    add_json_option,
    environment,
    interleaved,
    matmul_flops,
    spread,
    store,
    times_as_fast,
)
from fastdnn import DNNClassifier

_SIZES = (1024, 1536, 2048, 3072)


def sgemm_on_one_thread(size: int) -> Callable[[], None]:
    """Return a product of two square matrices that allocates nothing."""
    generator = np.random.default_rng(0)
    A, B = (
        np.asfortranarray(generator.standard_normal((size, size), np.float32)) for _ in "AB"
    )
    C = np.empty_like(A)

    def product() -> None:
        with threadpool_limits(1):
            sgemm(1.0, A, B, beta=0.0, c=C, overwrite_c=True)

    return product


def best_size(sizes: tuple[int, ...] = _SIZES) -> tuple[int, dict[int, float]]:
    """Return the size whose products run fastest, and GFLOP/s of each."""
    rates = {}
    for size in sizes:
        product = sgemm_on_one_thread(size)
        product()
        seconds = interleaved({"sgemm": product}, 5, rest=0.0)["sgemm"]
        rates[size] = 2e-9 * size**3 / statistics.median(seconds)
    return max(rates, key=rates.__getitem__), rates


#: The long fits do so many times the epochs of the short ones.
_LONG = 4


def fits_on(case: Case, n_threads: int) -> dict[str, Fit]:
    """Return a short and a long fit of `DNNClassifier` in float32 on so many threads."""
    fits = {}
    for name, epochs in (("short", case.epochs), ("long", _LONG * case.epochs)):
        settings = case.hyperparameters() | {"max_iter": epochs, "n_threads": n_threads}
        fits[f"{name} {n_threads}"] = estimator_fit(DNNClassifier(**settings), case)
    return fits


def measure(case: Case, size: int, turns: int, thread_counts: list[int]) -> dict[str, Any]:
    """Return the share of one thread's steps, and the speed of two threads over one."""
    runs: dict[str, Callable[[], object]] = {"sgemm": sgemm_on_one_thread(size)}
    for n_threads in thread_counts:
        runs |= fits_on(case, n_threads)
    for run in runs.values():
        run()
    seconds = interleaved(runs, turns)
    steps = {
        n: [
            (long - short) / ((_LONG - 1) * case.steps())
            for long, short in zip(seconds[f"long {n}"], seconds[f"short {n}"], strict=True)
        ]
        for n in thread_counts
    }
    flops = matmul_flops(case.layer_sizes()) * case.n_samples * case.epochs / case.steps()
    sgemm_rates = [2e-9 * size**3 / t for t in seconds["sgemm"]]
    step_rates = [1e-9 * flops / t for t in steps[1]]
    shares = [rate / peak for rate, peak in zip(step_rates, sgemm_rates, strict=True)]
    result: dict[str, Any] = {
        "sgemm_gflops": statistics.median(sgemm_rates),
        "fit_gflops": statistics.median(step_rates),
        "us_per_step": 1e6 * statistics.median(steps[1]),
    } | spread(shares, "share")
    if 2 in thread_counts:
        result["two_threads"] = times_as_fast(steps[1], steps[2])
        result["two_threads_fit"] = times_as_fast(seconds["short 1"], seconds["short 2"])
    return result


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=f"of {list(CASES)}; all by default")
    parser.add_argument("--turns", type=int, default=9)
    add_json_option(parser, "matmul.json")
    arguments = parser.parse_args()
    size, rates = best_size()
    print("sgemm on one thread: " + ", ".join(f"{n} {r:.1f}" for n, r in rates.items()))
    two = joblib.cpu_count() > 1
    if not two:
        print("This process has one CPU: two threads are not timed.")
    results = {}
    for name in arguments.cases or CASES:
        counts = [1, 2] if two else [1]
        figures = results[name] = measure(CASES[name], size, arguments.turns, counts)
        line = (
            f"{name:8s} {figures['fit_gflops']:6.1f} of {figures['sgemm_gflops']:.1f} GFLOP/s "
            f"{100 * figures['share']:4.1f} % ({100 * figures['lowest']:.1f} to "
            f"{100 * figures['highest']:.1f})"
        )
        if two:
            speedup, whole = figures["two_threads"], figures["two_threads_fit"]
            line += (
                f"   two threads {speedup['ratio']:.2f} times one "
                f"({speedup['lowest']:.2f} to {speedup['highest']:.2f}), "
                f"of whole fits {whole['ratio']:.2f}"
            )
        print(line, flush=True)
    stored = {
        "environment": environment(),
        "turns": arguments.turns,
        "sgemm_size": size,
        "results": results,
    }
    store(arguments.json, stored)


if __name__ == "__main__":
    main()
