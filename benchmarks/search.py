"""A halving search that keeps its networks beside scikit-learn's, which begins anew.

    python -m benchmarks.search [--json] [--turns N] [--candidates N] [--epochs N]

Candidates in five folds of the digits: `HalvingDNNSearchCV`, and `HalvingRandomSearchCV` with
epochs as its resource over `DNNClassifier` and over `MLPClassifier`, both by threads and by
processes. All draw the same candidates and refit the best one. That our search has the scores
of scikit-learn's over our estimator is made sure of before anything is timed. A quarter of the
samples is kept for the score of what was chosen.
"""

import argparse
import functools
import os
import statistics
import warnings
from typing import Any

import numpy as np
from joblib import parallel_config
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes the next there
from sklearn.model_selection import HalvingRandomSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import (
    add_json_option,
    environment,
    interleaved,
    store,
    times_as_fast,
)
from fastdnn import DNNClassifier
from fastdnn.search import HalvingDNNSearchCV

_DRAWS = {
    "hidden_layer_sizes": [(50,), (100,), (100, 50)],
    "activation": ["relu", "tanh"],
    "batch_size": [100, 200],
    "alpha": loguniform(1e-5, 1e-1),
    "learning_rate_init": loguniform(1e-4, 3e-2),
}
_OURS = "HalvingDNNSearchCV"
_THEIRS = {
    "HalvingRandomSearchCV, DNNClassifier": DNNClassifier,
    "HalvingRandomSearchCV, MLPClassifier": MLPClassifier,
}
_BACKENDS = ["threading", "loky"]
_JOBS, _FOLDS, _FIRST_RUNG = 2, 5, 2


def search(who: str, backend: str, data: list[np.ndarray], options: dict[str, Any]) -> Any:
    """Search, and return the search with the test score of what it has chosen."""
    X, X_test, y, y_test = data
    estimator = _THEIRS.get(who, DNNClassifier)(n_iter_no_change=10_000, random_state=0)
    given = {"cv": _FOLDS, "n_jobs": _JOBS, "random_state": 0, "min_resources": _FIRST_RUNG}
    with warnings.catch_warnings(), parallel_config(backend=backend):
        warnings.simplefilter("ignore", ConvergenceWarning)
        if who == _OURS:
            found: Any = HalvingDNNSearchCV(estimator, _DRAWS, **given | options)
        else:
            given["resource"] = "max_iter"
            found = HalvingRandomSearchCV(estimator, _DRAWS, **given | options)
        found.fit(X, y)
    return found, float(found.best_estimator_.score(X_test, y_test))


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--candidates", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=60)
    add_json_option(parser, "search.json")
    arguments = parser.parse_args()
    # Worker processes do not inherit the filters of this one.
    os.environ["PYTHONWARNINGS"] = "ignore"
    X, y = load_digits(return_X_y=True)
    data = train_test_split(StandardScaler().fit_transform(X), y, random_state=0, stratify=y)
    options = {"n_candidates": arguments.candidates, "max_resources": arguments.epochs}
    runs = {(_OURS, "threading"): functools.partial(search, _OURS, "threading", data, options)}
    for who in _THEIRS:
        for backend in _BACKENDS:
            runs[who, backend] = functools.partial(search, who, backend, data, options)
    found = {key: run() for key, run in runs.items()}  # warms up
    scores = {key: test_score for key, (_, test_score) in found.items()}
    ours, theirs = (
        found[who, "threading"][0].cv_results_["mean_test_score"]
        for who in (_OURS, *_THEIRS)[:2]
    )
    if not np.array_equal(ours, theirs):
        raise AssertionError(f"the searches have other scores: {ours} and {theirs}")
    rungs = found[_OURS, "threading"][0]
    n_test, share = len(data[3]), scores[_OURS, "threading"]
    seconds = interleaved(runs, arguments.turns)
    results: dict[str, Any] = {}
    for who in (_OURS, *_THEIRS):
        backends = [backend for other, backend in runs if other == who]
        medians = {b: statistics.median(seconds[who, b]) for b in backends}
        best = min(medians, key=medians.__getitem__)
        ratio = times_as_fast(seconds[who, best], seconds[_OURS, "threading"])
        results[who] = {
            "seconds": medians,
            "best": best,
            "test_score": scores[who, best],
            **ratio,
        }
        print(
            f"{who}: {medians}, score {scores[who, best]:.4f}, {ratio['ratio']:.2f} x our time"
        )
    store(
        arguments.json,
        {
            "environment": environment(),
            "turns": arguments.turns,
            "jobs": _JOBS,
            "folds": _FOLDS,
            "epochs": rungs.n_resources_,
            "candidates": rungs.n_candidates_,
            "standard_error": float(np.sqrt(share * (1.0 - share) / n_test)),
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
