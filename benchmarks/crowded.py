"""A fit right after a BLAS-heavy call, beside the same one after a rest.

    python -m benchmarks.crowded [CASE ...] [--turns N] [--json]

The threads of OpenBLAS go on spinning for tens of milliseconds after a call, on processors
that our workers need: so a fit meets them in a notebook, after a scaler, a PCA or a logistic
regression. In turns are timed: a fit after a rest and one untimed fit; and a fit at once after
products of large matrices (NumPy's BLAS) or a fit of scikit-learn's perceptron (SciPy's).
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.cases import CASES
from benchmarks.measure import add_json_option, environment, spread, store
from fastdnn import DNNClassifier

_CASES = ["small", "digits", "medium"]
_REST_SECONDS = 0.25


def multiply_matrices() -> None:
    """Keep BLAS busy on all of its threads for some milliseconds."""
    A = np.ones((600, 600))
    for _ in range(5):
        A = A @ A / 600.0


def seconds_of(run: Callable[[], object]) -> float:
    """Return the wall seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(name: str, turns: int) -> dict[str, object]:
    """Return milliseconds after a rest, and the ratios of fits after BLAS to them."""
    case = CASES[name]
    X, y = case.data()
    model = DNNClassifier(**case.hyperparameters())
    theirs = MLPClassifier(**case.hyperparameters() | {"max_iter": 2})
    crowds = {"products": multiply_matrices, "scikit-learn": lambda: theirs.fit(X, y)}
    seconds: dict[str, list[float]] = {who: [] for who in ("rest", *crowds)}
    for turn in range(turns + 1):
        for who in seconds:
            time.sleep(_REST_SECONDS)
            if who == "rest":
                model.fit(X, y)
            else:
                crowds[who]()
            taken = seconds_of(lambda: model.fit(X, y))
            if turn > 0:  # the first one warms up
                seconds[who].append(taken)
    rest = statistics.median(seconds["rest"])
    return {
        "milliseconds after a rest": spread([1e3 * t for t in seconds["rest"]], "median"),
        **{
            f"ratio after {who}": spread([t / rest for t in seconds[who]], "median")
            for who in crowds
        },
    }


def main() -> None:
    """Measure the cases and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {list(CASES)}")
    parser.add_argument("--turns", type=int, default=21)
    add_json_option(parser, "crowded.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    results = {}
    for name in arguments.cases or _CASES:
        results[name] = measure(name, arguments.turns)
        for what, spreads in results[name].items():
            numbers = ", ".join(f"{key} {value:.2f}" for key, value in spreads.items())
            print(f"{name:8} {what:26} {numbers}", flush=True)
    store(arguments.json, {"environment": environment(), "cases": results})


if __name__ == "__main__":
    main()
