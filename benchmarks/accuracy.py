"""Test scores in float32 beside scikit-learn's, over seeds, on real data sets.

``python -m benchmarks.accuracy`` trains both with default settings on data that
scikit-learn ships, for 20 seeds each: the seed draws the split, the initial parameters
and the order of samples. It writes ``benchmarks/accuracy.json``, and exits with an error
if a mean differs by more than one standard error of the difference of two means,
``sqrt(var_1 / n + var_2 / n)``. ``--data FOLDER`` adds tables stored as ``NAME.npz`` with
``X``, ``y`` and ``task``.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor

RESULTS = Path(__file__).with_name("accuracy.json")

SHIPPED: dict[str, Callable] = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}


def load(name: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return X, y and whether y is to be regressed; regression targets standardised."""
    if name in SHIPPED:
        X, y = SHIPPED[name](return_X_y=True)
        regression = name == "diabetes"
    else:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as table:
            X, y = table["X"].astype(np.float64), table["y"]
            regression = str(table["task"]) == "regression"
    if regression:
        y = (y - y.mean()) / y.std()
    return X, y, regression


def scores(name: str, folder: Path | None, n_seeds: int) -> dict[str, list[float]]:
    """Return the test scores of both, seed by seed."""
    X, y, regression = load(name, folder)
    pair = (DNNRegressor, MLPRegressor) if regression else (DNNClassifier, MLPClassifier)
    found: dict[str, list[float]] = {"fastdnn": [], "scikit-learn": []}
    for seed in range(n_seeds):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, random_state=seed, stratify=None if regression else y
        )
        for who, Estimator in zip(found, pair, strict=True):
            model = make_pipeline(
                SimpleImputer(), StandardScaler(), Estimator(random_state=seed)
            )
            model.fit(X_train, y_train)
            found[who].append(float(model.score(X_test, y_test)))
    return found


def main() -> None:
    """Run, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("names", nargs="*", help="tables in the folder")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    table, agree = {}, True
    for name in arguments.names or SHIPPED:
        start = time.perf_counter()
        found = scores(name, arguments.data, arguments.seeds)
        ours, theirs = (np.array(found[who]) for who in ("fastdnn", "scikit-learn"))
        error = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / len(ours))
        difference = ours.mean() - theirs.mean()
        agree &= bool(abs(difference) <= error)
        table[name] = {
            "fastdnn": ours.mean(),
            "scikit-learn": theirs.mean(),
            "difference": difference,
            "standard_error": error,
            "seeds": len(ours),
        }
        print(
            f"{name:14s} fastdnn {ours.mean():.4f}  scikit-learn {theirs.mean():.4f}  "
            f"difference {difference:+.5f}  standard error {error:.5f}  "
            f"({time.perf_counter() - start:.0f} s)"
        )
    if not arguments.names:
        RESULTS.write_text(json.dumps(table, indent=1) + "\n")
    if not agree:
        sys.exit("A mean differs by more than one standard error.")


if __name__ == "__main__":
    main()
