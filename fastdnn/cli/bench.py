"""Train and predict on this machine for a minute, beside scikit-learn."""

import argparse
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

NAME = "bench"

# Of each kind of measurement at least.
_FEWEST_TURNS = 3


class Case(NamedTuple):
    """What both do."""

    name: str
    n_rows: int
    n_features: int
    hidden: tuple[int, ...]
    n_epochs: int


_CASES = (
    Case("1 800 rows, 64 columns, 100 units", 1_800, 64, (100,), 20),
    Case("10 000 rows, 20 columns, 64 + 64 units", 10_000, 20, (64, 64), 5),
    Case("5 000 rows, 200 columns, 256 units", 5_000, 200, (256,), 5),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="about so long (default: 60)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of fastdnn")


def run(given: argparse.Namespace) -> None:
    """Print a table: seconds of both, medians of turns by turns, and their ratio."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{'training':42} {'fastdnn':>10} {'sklearn':>10} {'ratio':>7}")
    share = max(0.0, given.seconds) / (len(_CASES) + 1)
    for case in _CASES:
        models, (X, y) = _models(case, given.threads), _samples(case)
        _print(case.name, _medians([partial(model.fit, X, y) for model in models], share))
    print("predicting")
    for rows in (X, X[:1]):
        turns = [partial(model.predict, rows) for model in models]
        _print(f"{len(rows)} row{'s' * (len(rows) > 1)}", _medians(turns, share / 2.0))
    print("Same hyperparameters and epochs; ours in float32. More: benchmarks in the sources.")


def _models(case: Case, n_threads: int | None) -> tuple[Any, Any]:
    from sklearn.neural_network import MLPClassifier

    from fastdnn.estimators.classifier import DNNClassifier

    options: dict[str, Any] = {
        "hidden_layer_sizes": case.hidden,
        "max_iter": case.n_epochs,
        "n_iter_no_change": case.n_epochs + 1,
        "random_state": 0,
    }
    return DNNClassifier(**options, n_threads=n_threads), MLPClassifier(**options)


def _samples(case: Case) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(case.n_rows, case.n_features))
    return X, (X @ rng.normal(size=(case.n_features, 10))).argmax(axis=1)


def _medians(turns: Sequence[Callable[[], object]], seconds: float) -> list[float]:
    """Return the median seconds of each, which take turns, after one that does not count."""
    times: list[list[float]] = [[] for _ in turns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that end after some epochs
        for turn in turns:
            turn()
        end = time.perf_counter() + seconds
        while len(times[0]) < _FEWEST_TURNS or time.perf_counter() < end:
            for of_one, turn in zip(times, turns, strict=True):
                start = time.perf_counter()
                turn()
                of_one.append(time.perf_counter() - start)
    return [statistics.median(of_one) for of_one in times]


def _print(name: str, medians: list[float]) -> None:
    ours, theirs = medians
    print(
        f"{name:42} {_shown(ours):>10} {_shown(theirs):>10} {theirs / ours:6.1f}x", flush=True
    )


def _shown(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1.0 else f"{seconds:.2f} s"
