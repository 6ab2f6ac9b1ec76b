"""Fits and predictions whose every bit is stored in `tests/stored/bits.json`.

Their inputs are whole numbers and fractions of powers of two, so that nothing but fastdnn's
own code, and NumPy's random states, stands between the source and the bits.

`python -m tests.bits` writes the file anew: do that only where a change is meant to change
results, and say so.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

from fastdnn import DNNClassifier, DNNRegressor

FILE = Path(__file__).parent / "stored" / "bits.json"

_ROWS = 701

# Every case is a fit: the number of features and what is predicted ("2" to "12" classes,
# "labels", or a regressor's "1" or "3 targets" or "counts"), then hyperparameters. Among
# them are networks whose workers exchange weights and others, one output and tiles of nine
# and ten, zeros that are skipped and are not, and widths that no vector divides.
_SGD = {"solver": "sgd", "learning_rate_init": 0.05}
_PLAIN = _SGD | {"momentum": 0.0}
_MOMENTUM = _SGD | {"nesterovs_momentum": False, "learning_rate": "invscaling"}
_STOPPING = {"early_stopping": True, "max_iter": 5, "n_iter_no_change": 2}
_CASES: dict[str, tuple[int, str, dict[str, Any]]] = {
    "two classes": (30, "2", {}),
    "ten classes": (64, "10", {}),
    "nine classes": (17, "9", {"hidden_layer_sizes": (50,)}),
    "twelve classes": (100, "12", {"hidden_layer_sizes": (100,)}),
    "three classes of wide layers": (130, "3", {"hidden_layer_sizes": (257, 129)}),
    "gradients by blocks": (300, "10", {"hidden_layer_sizes": (200,), "batch_size": 64}),
    "odd widths": (37, "5", {"hidden_layer_sizes": (13, 7, 3), "batch_size": 77}),
    "a unit of each": (1, "2", {"hidden_layer_sizes": (1, 1)}),
    "small batches": (20, "10", {"batch_size": 8, "max_iter": 1}),
    "batches of all": (40, "3", {"batch_size": _ROWS}),
    "labels": (33, "labels", {"hidden_layer_sizes": (40,)}),
    "weighted labels": (33, "labels", {"weighted": True}),
    "weighted classes": (64, "10", {"weighted": True}),
    "two weighted classes": (64, "2", {"weighted": True, "batch_size": 100}),
    "tanh": (64, "10", {"activation": "tanh"}),
    "logistic": (50, "2", {"activation": "logistic", "hidden_layer_sizes": (64, 32)}),
    "identity": (50, "3", {"activation": "identity"}),
    "silu": (50, "10", {"activation": "silu"}),
    "wide tanh": (200, "2", {"activation": "tanh", "hidden_layer_sizes": (300,)}),
    "plain descent": (64, "10", _PLAIN),
    "momentum": (64, "3", _MOMENTUM),
    "nesterov": (50, "2", _SGD | {"activation": "tanh"}),
    "without penalty": (64, "10", {"alpha": 0.0}),
    "strong penalty": (64, "10", {"alpha": 10.0, "hidden_layer_sizes": (33,)}),
    "strong penalty of many weights": (100, "10", {"alpha": 1000.0, "batch_size": 64}),
    "another power": (64, "3", _MOMENTUM | {"power_t": 0.3}),
    "sparse": (90, "10", {"sparse": True}),
    "sparse and weighted": (90, "2", {"sparse": True, "weighted": True}),
    "early stopping": (64, "10", _STOPPING),
    "sparse early stopping": (64, "2", _STOPPING | {"sparse": True}),
    "in order": (64, "10", {"shuffle": False}),
    "one target": (29, "1 target", {}),
    "three targets": (64, "3 targets", {"activation": "silu"}),
    "weighted targets": (64, "1 target", {"weighted": True, "activation": "logistic"}),
    "counts": (45, "counts", {"loss": "poisson", "learning_rate_init": 1e-4}),
    "early stopping of a regression": (29, "1 target", _STOPPING | _SGD),
    "weighted early stopping": (64, "3", _STOPPING | {"weighted": True}),
    "weighted early stopping of a regression": (
        29,
        "3 targets",
        _STOPPING | {"weighted": True, "validation_fraction": 0.5},
    ),
}
#: The names of all cases, each in both precisions.
NAMES = [f"{name}, {dtype}" for name in _CASES for dtype in ("float32", "float64")]


def _problem(n_features: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return features, in 256ths, and what is to be predicted from them."""
    generator = np.random.RandomState(n_features)
    X = generator.randint(-512, 513, (_ROWS, n_features)) / 256.0
    scores = (X[:, : 5 if n_features > 5 else 1] * 4.0).round().sum(axis=1).astype(int)
    number, *unit = kind.split()
    if kind == "labels":
        return X, (scores[:, None] % [2, 3, 5] == 0).astype(int)
    if kind == "counts":
        return X, scores % 7
    if unit:
        return X, np.stack([scores / 8.0, X[:, 0], X[:, -1]], axis=1)[:, : int(number)]
    return X, scores % int(number)


def fit(name: str, n_threads: int | None = 1) -> dict[str, Any]:
    """Return what a case stores: a digest of all results, and two numbers that sum them up."""
    case, dtype = name.rsplit(", ", 1)
    n_features, kind, given = _CASES[case]
    X, y = _problem(n_features, kind)
    options = {"max_iter": 3, "random_state": 0} | given
    weight = None
    if options.pop("weighted", False):
        weight = np.arange(_ROWS) % 4 / 4.0 + 0.25
    if options.pop("sparse", False):
        X = scipy.sparse.csr_matrix(np.where(abs(X) > 1.5, X, 0.0))
    is_regression = "target" in kind or kind == "counts"
    Estimator = DNNRegressor if is_regression else DNNClassifier
    model = Estimator(dtype=dtype, n_threads=n_threads, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y.ravel() if y.shape[-1:] == (1,) else y, sample_weight=weight)
    predict = model.predict if is_regression else model.predict_proba
    few = X[:3].toarray() if scipy.sparse.issparse(X) else X[:3]
    results = [*model.coefs_, *model.intercepts_, predict(X), predict(few[:1]), predict(few)]
    results.append(np.array(model.loss_curve_))
    results.append(np.array(getattr(model, "validation_scores_", None) or []))
    if not is_regression:
        results += [np.array(model.predict_log_proba(X)), model.predict(X)]
    digest = hashlib.sha256()
    for result in results:
        little = np.ascontiguousarray(result).astype(result.dtype.newbyteorder("<"))
        digest.update(f"{little.dtype}{little.shape}".encode())
        digest.update(little.tobytes())
    return {
        "digest": digest.hexdigest()[:32],
        "loss": float(model.loss_curve_[-1]),
        "prediction": float(np.mean(predict(X).astype(np.float64) ** 2)),
    }


if __name__ == "__main__":
    stored = {name: fit(name) for name in NAMES}
    FILE.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{FILE}: {len(stored)} cases\n")
