"""One fit on one table in a process of its own: its errors, seconds and memory.

`measure` starts the process. It warms up first, by a fit on a few of the rows, so that neither
imports nor compiled code count: the benchmark of the first fit tells what these take.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks.real_tables import Parts, Table, load, made, split
from benchmarks.resident import added_memory
from benchmarks.table_contenders import CONTENDERS, encoder

_ROOT = Path(__file__).parents[1]
_WARM_UP_ROWS = 500
# Contenders that stop early hold out some rows of each class.
_WARM_UP_ROWS_OF_A_CLASS = 10
# Less may be zero in float32, and would decide the log-loss alone.
_LEAST_PROBABILITY = 1e-7


class Work(NamedTuple):
    """What to fit on what."""

    contender: str
    seed: int
    folder: str | None = None
    """None: a table that is made."""
    table: str = ""
    cap: int = 0
    """Rows to train on, at most; all that there are of a table that is made."""

    def data(self) -> tuple[Table, Parts]:
        """Return the table and its parts."""
        if self.folder is None:
            return made(self.cap)
        table = load(Path(self.folder), self.table)
        return table, split(table, self.seed, self.cap)


def measure(work: Work, limit: float | None) -> dict[str, Any]:
    """Return what a process finds, or ``{"failed": why}`` if it does not come to an end."""
    command = [sys.executable, "-m", "benchmarks.table_fit", json.dumps(work._asdict())]
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryDirectory() as folder:  # some leave files where they are run
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                capture_output=True,
                text=True,
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            return {"failed": f"took longer than {limit:g} s"}
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"failed": lines[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


def run(work: Work) -> dict[str, Any]:
    """Fit in this process, and return what is stored."""
    table, parts = work.data()
    contender = CONTENDERS[work.contender]
    X, y = table.X[parts.train], table.y[parts.train]
    held_out = table.X[parts.validation], table.y[parts.validation]
    few = _some_rows(table, y)
    _fit(work, table, X[few], y[few], (X[few], y[few]), contender.quick or {})
    fitted: list[Any] = []
    seconds: list[float] = []

    def fit() -> None:
        start = time.perf_counter()
        fitted.extend(_fit(work, table, X, y, held_out, {}))
        seconds.append(time.perf_counter() - start)

    memory = added_memory(fit)
    model, encode = fitted
    start = time.perf_counter()
    guess = np.ravel(model.predict(encode.transform(table.X[parts.test])))
    predict_seconds = time.perf_counter() - start
    X_test = encode.transform(table.X[parts.test])
    found = errors(model, X_test, table.y[parts.test], guess, table)
    found |= {"fit_s": seconds[0], "predict_s": predict_seconds}
    return {
        "task": "regression" if table.is_regression else "classification",
        "rows": [len(part) for part in parts],
        "columns": table.X.shape[1],
        "table_bytes": X.nbytes,
        "split": f"{zlib.crc32(np.concatenate(parts)):08x}",
        "inputs": contender.inputs,
        "memory": memory,
        **{name: float(f"{value:.4g}") for name, value in found.items()},
    }


def _some_rows(table: Table, y: np.ndarray) -> np.ndarray:
    """Return the first rows, without classes of which there are very few among them."""
    few = np.arange(min(len(y), _WARM_UP_ROWS))
    if table.is_regression:
        return few
    counts = np.bincount(y[few])
    return few[counts[y[few]] >= _WARM_UP_ROWS_OF_A_CLASS]


def _fit(
    work: Work,
    table: Table,
    X: np.ndarray,
    y: np.ndarray,
    held_out: tuple,
    options: dict[str, Any],
) -> tuple:
    """Return a contender that is fitted, and the encoder of what it is fed."""
    contender = CONTENDERS[work.contender]
    model = contender.make(table.is_regression, work.seed, table.categories)
    model.set_params(**options)
    encode = encoder(contender.inputs, table.categories)
    given = {}
    X = encode.fit_transform(X)
    if contender.validates:
        given = {"X_val": encode.transform(held_out[0]), "y_val": held_out[1]}
    return model.fit(X, y, **given), encode


def errors(
    model: Any, X: Any, y: np.ndarray, guess: np.ndarray, table: Table
) -> dict[str, float]:
    """Return the errors on test rows: nRMSE, or share of wrong rows, log-loss and 1 - AUC."""
    if table.is_regression:
        squares = np.mean((guess - y) ** 2, dtype=float)
        return {"nrmse": float(np.sqrt(squares) / y.std(dtype=float))}
    n_classes = int(table.y.max()) + 1
    P = np.zeros((len(y), n_classes))
    P[:, np.asarray(model.classes_, dtype=int)] = model.predict_proba(X)
    P = np.clip(P, _LEAST_PROBABILITY, None)
    P /= P.sum(axis=1, keepdims=True)
    found = {"error": float(np.mean(guess != y))}
    found["log_loss"] = float(log_loss(y, P, labels=np.arange(n_classes)))
    if n_classes == 2:
        found["1-auc"] = 1.0 - float(roc_auc_score(y, P[:, 1]))
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(run(Work(**json.loads(sys.argv[1])))))
