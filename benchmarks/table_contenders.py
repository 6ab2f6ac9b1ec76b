"""Who competes on tables: how each is made, and what it is fed."""

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple

import joblib
import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor

Inputs = Literal["float64", "float32", "raw", "frame", "filled frame"]


class Contender(NamedTuple):
    """An estimator with its defaults, but for what is said here."""

    title: str
    make: Callable[[bool, int, np.ndarray], Any]
    """Of whether it is regression, the seed, and which columns are categories."""
    inputs: Inputs
    """float64 and float32: imputed, scaled and one-hot. raw: the table as it is. frame: with
    categories as such. filled frame: with medians in the place of missing numbers."""
    validates: bool = False
    """Whether its `fit` gets the validation rows; the others do without them."""
    package: str | None = None
    """What has to be installed."""
    members: int | None = None
    """Of ours; None of the others."""
    quick: dict[str, Any] | None = None
    """Parameters for the fit that warms up, where it would take long."""


def _scikit_learn(Classifier: type, Regressor: type, **options: Any) -> Callable:
    def make(is_regression: bool, seed: int, categories: np.ndarray) -> Any:
        model = Regressor() if is_regression else Classifier()
        given = options | {"random_state": seed, "categorical_features": categories}
        model.set_params(**{k: v for k, v in given.items() if k in model.get_params()})
        if not is_regression:
            return model
        return TransformedTargetRegressor(model, transformer=StandardScaler())

    return make


def _lightgbm(is_regression: bool, seed: int, categories: np.ndarray) -> Any:
    lightgbm = importlib.import_module("lightgbm")
    Estimator = lightgbm.LGBMRegressor if is_regression else lightgbm.LGBMClassifier
    columns = np.flatnonzero(categories).tolist()
    return Estimator(random_state=seed, categorical_feature=columns, verbosity=-1)


def _catboost(is_regression: bool, seed: int, categories: np.ndarray) -> Any:
    catboost = importlib.import_module("catboost")
    Estimator = catboost.CatBoostRegressor if is_regression else catboost.CatBoostClassifier
    return Estimator(
        random_seed=seed,
        cat_features=np.flatnonzero(categories).tolist(),
        verbose=False,
        allow_writing_files=False,
    )


def _pytabkit(name: str) -> Callable:
    def make(is_regression: bool, seed: int, categories: np.ndarray) -> Any:
        kind = "Regressor" if is_regression else "Classifier"
        models = importlib.import_module("pytabkit")
        Estimator = getattr(models, f"{name}_{kind}")
        # By itself it would leave out the second thread of each core.
        return Estimator(device="cpu", random_state=seed, n_threads=joblib.cpu_count())

    return make


def _by_pytabkit(title: str, name: str) -> Contender:
    quick = {"n_epochs": 2}
    return Contender(title, _pytabkit(name), "filled frame", True, "pytabkit", quick=quick)


def _fastdnn(n_members: int) -> Callable:
    def make(is_regression: bool, seed: int, categories: np.ndarray) -> Any:
        Estimator = TabularDNNRegressor if is_regression else TabularDNNClassifier
        return Estimator(
            n_members=n_members, categorical_features=categories, random_state=seed
        )

    return make


def _ours(n_members: int, validates: bool) -> Contender:
    members = f"{n_members} member{'s' if n_members > 1 else ''}"
    title = f"fastdnn, {members}{', X_val' if validates else ''}"
    return Contender(title, _fastdnn(n_members), "raw", validates, members=n_members)


_MEMBERS = 1, 4, 8

#: In the order of the tables; the libraries with an OpenMP of their own come late, as the
#: last imported is slowest where one process imports several.
CONTENDERS: dict[str, Contender] = {
    "linear": Contender(
        "linear", _scikit_learn(LogisticRegression, Ridge, max_iter=1000), "float64"
    ),
    "mlp": Contender("MLP", _scikit_learn(MLPClassifier, MLPRegressor), "float64"),
    "mlp_es": Contender(
        "MLP, early stopping",
        _scikit_learn(
            MLPClassifier,
            MLPRegressor,
            early_stopping=True,
            max_iter=200,
            hidden_layer_sizes=(256, 256),
        ),
        "float32",
    ),
    "hgb": Contender(
        "HistGradientBoosting",
        _scikit_learn(HistGradientBoostingClassifier, HistGradientBoostingRegressor),
        "raw",
    ),
    **{f"fastdnn_{k}": _ours(k, validates=False) for k in _MEMBERS},
    **{f"fastdnn_val_{k}": _ours(k, validates=True) for k in _MEMBERS},
    "lightgbm": Contender("LightGBM", _lightgbm, "raw", package="lightgbm"),
    "catboost": Contender("CatBoost", _catboost, "frame", package="catboost"),
    "realmlp": _by_pytabkit("RealMLP-TD-S", "RealMLP_TD_S"),
    "tabm": _by_pytabkit("TabM", "TabM_D"),
}


def why_missing(name: str) -> str | None:
    """Return why a contender cannot take part, or None if it can."""
    package = CONTENDERS[name].package
    if package is None or find_spec(package) is not None:
        return None
    return (
        f"{CONTENDERS[name].title} is left out: {package} is not installed; "
        'pip install ".[bench-tables]" brings it.'
    )


def encoder(inputs: Inputs, categories: np.ndarray) -> Any:
    """Return a transformer from a raw table to what a contender is fed."""
    numbers, columns = np.flatnonzero(~categories), np.flatnonzero(categories)
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    if inputs == "raw":
        return FunctionTransformer()
    if inputs == "frame":
        return FunctionTransformer(_frame, kw_args={"categories": categories})
    if inputs == "filled frame":
        filled = ColumnTransformer(
            [("numbers", fill, numbers), ("categories", "passthrough", columns)]
        )
        # The columns have another order then.
        frame = FunctionTransformer(_frame, kw_args={"categories": np.sort(categories)})
        return make_pipeline(filled, frame)
    one_hot = OneHotEncoder(handle_unknown="ignore", min_frequency=10, sparse_output=False)
    scaled = make_pipeline(fill, StandardScaler())
    return make_pipeline(
        FunctionTransformer(np.float64),
        ColumnTransformer([("numbers", scaled, numbers), ("categories", one_hot, columns)]),
        FunctionTransformer(getattr(np, inputs)),
    )


def _frame(X: np.ndarray, categories: np.ndarray) -> Any:
    """Return a data frame with categories as strings; missing is one of them."""
    import pandas as pd

    columns = {
        f"column {j}": _levels(X[:, j]) if categories[j] else X[:, j]
        for j in range(X.shape[1])
    }
    return pd.DataFrame(columns)


def _levels(codes: np.ndarray) -> np.ndarray:
    words = ["missing" if code != code else f"level {code:.0f}" for code in codes.tolist()]
    return np.array(words, dtype=object)
