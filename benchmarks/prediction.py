"""Prediction beside scikit-learn's: many rows at once, and one row at a time.

    python -m benchmarks.prediction [CASE ...] [--json]

A fitted ``MLPClassifier`` and its copy by ``DNNClassifier.from_sklearn`` take turns at
``predict_proba`` of float64 rows, after their probabilities have been compared. Then the
microseconds of ``DeepNeuralNetwork.predict_proba`` for one row, with the same layers.
"""

import argparse
import statistics
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.cases import CASES, Case
from benchmarks.measure import (
    add_json_option,
    environment,
    interleaved,
    repeated,
    store,
    times_as_fast,
)
from fastdnn import DeepNeuralNetwork, DNNClassifier

_CASES = ["digits", "wide"]
_DTYPES = ["float32", "float64"]


def fitted(case: Case) -> MLPClassifier:
    """Return scikit-learn's network after one epoch: how good it is takes no time."""
    settings = case.hyperparameters() | {"max_iter": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MLPClassifier(**settings).fit(*case.data())


def estimators(case: Case, n_rows: int, turns: int, loops: int) -> dict[str, dict]:
    """Return times and ratios of the estimators, for `n_rows` rows and for one.

    Raises
    ------
    AssertionError
        If the probabilities differ by more than 0.001.
    """
    theirs = fitted(case)
    ours = DNNClassifier.from_sklearn(theirs)
    X = np.random.default_rng(0).standard_normal((n_rows, case.n_features))
    head = X[:1000]
    np.testing.assert_allclose(
        ours.predict_proba(head), theirs.predict_proba(head), rtol=0, atol=1e-3
    )
    result = {}
    for what, rows, n_calls in (("many", X, 1), ("one", X[:1], loops)):
        runs = {
            who: repeated(lambda model=model, rows=rows: model.predict_proba(rows), n_calls)
            for who, model in (("fastdnn", ours), ("scikit-learn", theirs))
        }
        seconds = interleaved(runs, turns, warm_up=True)
        result[what] = {"rows": len(rows)} | {
            who: statistics.median(seconds[who]) / n_calls for who in runs
        }
        result[what] |= times_as_fast(seconds["scikit-learn"], seconds["fastdnn"])
    return result


def one_row(case: Case, dtype: str, turns: int, loops: int) -> float:
    """Return the seconds of one row through `DeepNeuralNetwork`."""
    output = "softmax" if case.layer_sizes()[-1] > 1 else "sigmoid"
    network = DeepNeuralNetwork(case.layer_sizes(), output_activation=output, dtype=dtype)
    network.initialize_parameters("xavier", random_state=0)
    row = np.random.default_rng(0).standard_normal((1, case.n_features)).astype(dtype)
    run = repeated(lambda: network.predict_proba(row), loops)
    run()
    seconds = interleaved({"row": run}, turns)["row"]
    return statistics.median(seconds) / loops


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=f"of {list(CASES)}; {_CASES} by default")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--loops", type=int, default=1000, help="calls a turn with one row")
    parser.add_argument("--turns", type=int, default=7)
    add_json_option(parser, "prediction.json")
    arguments = parser.parse_args()
    turns, loops = arguments.turns, arguments.loops
    results = {}
    for name in arguments.cases or _CASES:
        result = estimators(CASES[name], arguments.rows, turns, loops)
        result["layers"] = CASES[name].layer_sizes()
        result["network"] = {t: one_row(CASES[name], t, turns, loops) for t in _DTYPES}
        results[name] = result
        for what, unit in (("many", 1e3), ("one", 1e6)):
            figures = result[what]
            print(
                f"{name:8s} {figures['rows']:6d} rows: "
                f"fastdnn {unit * figures['fastdnn']:.1f}, "
                f"scikit-learn {unit * figures['scikit-learn']:.1f} "
                f"{'ms' if unit == 1e3 else 'us'}: {figures['ratio']:.2f} times as fast "
                f"({figures['lowest']:.2f} to {figures['highest']:.2f})"
            )
        for dtype, seconds in result["network"].items():
            print(f"{name:8s} DeepNeuralNetwork {dtype}: {1e6 * seconds:.1f} us a row")
    stored = {"environment": environment(), "turns": turns, "results": results}
    store(arguments.json, stored)


if __name__ == "__main__":
    main()
