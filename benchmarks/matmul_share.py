"""How near whole fits come to the machine's own matrix products, and what threads add.

    python -m benchmarks.matmul_share [CASE ...] [--json]

For every case, on one thread: the rate at which a whole fit does the operations of its
matrix products alone (bias, activation, loss, optimiser, shuffling and Python count as
time but not as operations), as a share of the rate of SciPy's ``sgemm`` on large square
matrices, which runs next to each fit. Then the speed of two threads over one.
"""

import argparse
import statistics
from collections.abc import Callable

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


def fit_on(case: Case, n_threads: int) -> Fit:
    """Return a fit of `DNNClassifier` in float32 on so many threads."""
    return estimator_fit(DNNClassifier(**case.hyperparameters(), n_threads=n_threads), case)


def share(case: Case, size: int, turns: int) -> dict[str, float]:
    """Return GFLOP/s of ``sgemm`` and of a fit's products on one thread, and the share."""
    runs = {"sgemm": sgemm_on_one_thread(size), "fit": fit_on(case, 1)}
    for run in runs.values():
        run()
    seconds = interleaved(runs, turns)
    flops = matmul_flops(case.layer_sizes()) * case.n_samples * case.epochs
    sgemm_rates = [2e-9 * size**3 / t for t in seconds["sgemm"]]
    fit_rates = [1e-9 * flops / t for t in seconds["fit"]]
    shares = [fit / peak for fit, peak in zip(fit_rates, sgemm_rates, strict=True)]
    return {
        "sgemm_gflops": statistics.median(sgemm_rates),
        "fit_gflops": statistics.median(fit_rates),
        "us_per_step": 1e6 * statistics.median(seconds["fit"]) / case.steps(),
    } | spread(shares, "share")


def threads_speedup(case: Case, turns: int) -> dict[str, float]:
    """Return how many times as fast two threads are as one."""
    fits = {"one": fit_on(case, 1), "two": fit_on(case, 2)}
    for fit in fits.values():
        fit()
    seconds = interleaved(fits, turns)
    return times_as_fast(seconds["one"], seconds["two"])


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
        figures = results[name] = share(CASES[name], size, arguments.turns)
        line = (
            f"{name:8s} {figures['fit_gflops']:6.1f} of {figures['sgemm_gflops']:.1f} GFLOP/s "
            f"{100 * figures['share']:4.1f} % ({100 * figures['lowest']:.1f} to "
            f"{100 * figures['highest']:.1f})"
        )
        if two:
            speedup = figures["two_threads"] = threads_speedup(CASES[name], arguments.turns)
            line += (
                f"   two threads {speedup['ratio']:.2f} times one "
                f"({speedup['lowest']:.2f} to {speedup['highest']:.2f})"
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
