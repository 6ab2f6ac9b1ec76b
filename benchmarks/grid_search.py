"""A grid search on two workers beside scikit-learn's, each with its best joblib backend.

    python -m benchmarks.grid_search [--json]

Twelve candidates in three folds on the digits, 30 epochs each. Ours and theirs run with
threads and with processes in turn; the faster backend of one is compared with the faster
of the other. Further searches, which are not timed, count runnable threads against CPUs,
and look for compilation: new files in the cache folder, and cache misses of the compiled
entry points in this process and in joblib's worker processes.
"""

import argparse
import functools
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from joblib import Parallel, delayed, parallel_config
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import (
    add_json_option,
    environment,
    interleaved,
    store,
    times_as_fast,
)
from benchmarks.runnable import RunnableThreads
from fastdnn import DNNClassifier

_GRID = {
    "hidden_layer_sizes": [(50,), (100,), (100, 50)],
    "alpha": [1e-4, 1e-2],
    "learning_rate_init": [1e-3, 3e-3],
}
_ESTIMATORS = {"fastdnn": DNNClassifier, "scikit-learn": MLPClassifier}
_BACKENDS = ["threading", "loky"]
_JOBS = 2


def search(Estimator: type, backend: str, X: np.ndarray, y: np.ndarray, epochs: int) -> float:
    """Search the grid and return the best mean score."""
    model = Estimator(max_iter=epochs, n_iter_no_change=10_000, random_state=0)
    with warnings.catch_warnings(), parallel_config(backend=backend):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GridSearchCV(model, _GRID, cv=3, n_jobs=_JOBS).fit(X, y).best_score_


def compiled_here() -> dict[str, Any]:
    """Return how often this process compiled and loaded code, and its cache folders."""
    misses, hits, folders = 0, 0, set()
    for name, module in list(sys.modules.items()):
        if not name.startswith("fastdnn"):
            continue
        for value in list(vars(module).values()):
            if hasattr(value, "py_func") and hasattr(value, "stats"):
                misses += sum(value.stats.cache_misses.values())
                hits += sum(value.stats.cache_hits.values())
                folders |= {value.stats.cache_path} - {None}
    counts = {"process": os.getpid(), "misses": misses, "hits": hits}
    return counts | {"folders": sorted(folders)}


def compiled_in_workers() -> dict[str, int]:
    """Return the sums of `compiled_here` over the worker processes that joblib keeps."""

    def report() -> dict[str, Any]:
        time.sleep(0.1)  # so that every worker takes a report
        return compiled_here()

    with parallel_config(backend="loky"):
        reports = Parallel(n_jobs=_JOBS)(delayed(report)() for _ in range(4 * _JOBS))
    of_each = {report["process"]: report for report in reports}.values()
    return {
        "workers": len(of_each),
        "misses_in_workers": sum(report["misses"] for report in of_each),
        "hits_in_workers": sum(report["hits"] for report in of_each),
    }


def cached_files() -> int:
    """Return the number of files in the folders that compiled code is cached in."""
    folders = [Path(folder) for folder in compiled_here()["folders"]]
    return sum(sum(1 for _ in folder.iterdir()) for folder in folders if folder.is_dir())


def runnable_threads(run: Callable[[], object]) -> dict[str, float]:
    """Return median, 95th percentile and maximum of the runnable threads during `run`."""
    with RunnableThreads() as threads:
        run()
    counts = np.array(threads.counts)
    return {
        "median": float(np.median(counts)),
        "percentile_95": float(np.percentile(counts, 95)),
        "maximum": int(counts.max()),
        "samples": len(counts),
        "share_above_cpus": float((counts > joblib.cpu_count()).mean()),
    }


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    add_json_option(parser, "grid_search.json")
    arguments = parser.parse_args()
    # Worker processes do not inherit the filters of this one.
    os.environ["PYTHONWARNINGS"] = "ignore"
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    runs = {
        (who, backend): functools.partial(search, Estimator, backend, X, y, arguments.epochs)
        for who, Estimator in _ESTIMATORS.items()
        for backend in _BACKENDS
    }
    scores = {key: run() for key, run in runs.items()}  # warms up
    if max(scores.values()) - min(scores.values()) > 0.01:
        raise AssertionError(f"the searches do not find equally good networks: {scores}")
    misses, files = compiled_here()["misses"], cached_files()
    seconds = interleaved(runs, arguments.turns)
    medians = {key: statistics.median(turns) for key, turns in seconds.items()}
    best = {
        who: min(_BACKENDS, key=lambda backend, who=who: medians[who, backend])
        for who in _ESTIMATORS
    }
    ratio = times_as_fast(*(seconds[who, best[who]] for who in ("scikit-learn", "fastdnn")))
    results: dict[str, dict] = {who: {} for who in _ESTIMATORS}
    for (who, backend), run in runs.items():
        threads = runnable_threads(run) if sys.platform == "linux" else None
        results[who][backend] = {"seconds": medians[who, backend], "threads": threads}
        print(f"{who:12s} {backend:9s} {medians[who, backend]:6.2f} s  runnable: {threads}")
    compiled = {
        "new_files": cached_files() - files,
        "misses": compiled_here()["misses"] - misses,
    } | compiled_in_workers()
    print(
        f"fastdnn with {best['fastdnn']} is {ratio['ratio']:.2f} times as fast as "
        f"scikit-learn with {best['scikit-learn']} "
        f"({ratio['lowest']:.2f} to {ratio['highest']:.2f})"
    )
    print(f"Compiled after the warm-up: {compiled}")
    stored = {
        "environment": environment(),
        "turns": arguments.turns,
        "jobs": _JOBS,
        "best": best,
        "results": results,
        "compiled": compiled,
    } | ratio
    store(arguments.json, stored)
    if compiled["new_files"] or compiled["misses"] or compiled["misses_in_workers"]:
        sys.exit("Workers compiled code that was in the cache.")


if __name__ == "__main__":
    main()
