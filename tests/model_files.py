"""Models of every kind for the tests of model files.

    python -m tests.model_files

writes those of the current format version to ``tests/stored``, and beside those of table
estimators what they predict. Files of a version that has been released are never written
again.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas
from scipy import sparse

from fastdnn import DeepNeuralNetwork, DNNClassifier, DNNRegressor
from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor

FOLDER = Path(__file__).parent / "stored" / "models_2"
TABLES = Path(__file__).parent / "stored" / "tables_2"


def wave():
    """Return features that no random number has made."""
    i = np.arange(60.0)
    return np.column_stack([np.sin(i), np.cos(2.0 * i), np.sin(3.0 * i + 1.0)])


def _network():
    network = DeepNeuralNetwork([3, 4, 5, 2], ["tanh", "relu"], "softmax", dtype="float32")
    network.initialize_parameters("glorot_uniform", random_state=1)
    return network


def _long_network():
    hidden = ["leaky_relu", "elu", "selu", "gelu", "mish", "softplus", "hardswish"]
    network = DeepNeuralNetwork([3, *[4] * len(hidden), 2], hidden, "identity", "huber")
    network.initialize_parameters("lecun", random_state=1)
    return network


def _labels(*names, dtype=None):
    return np.array(names, dtype=dtype)[np.arange(60) % len(names)]


def models():
    """Return a function for each kind of model: it makes the model and its samples."""
    X = wave()
    small = dict(hidden_layer_sizes=(4,), max_iter=3, batch_size=20, random_state=0)
    flags = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 0.5]).astype(int)
    return {
        "binary": lambda: (DNNClassifier(**small), X, _labels(-3, 5)),
        "binary_bool": lambda: (DNNClassifier(**small), X, _labels(False, True)),
        "strings_early_stopping": lambda: (
            DNNClassifier(**small, early_stopping=True, validation_fraction=0.2),
            X,
            _labels("blau", "grün", "红"),
        ),
        "strings_random_state": lambda: (
            DNNClassifier(**small | dict(random_state=np.random.RandomState(5))),
            X,
            _labels("a", "bb", ""),
        ),
        "bytes_float64": lambda: (
            DNNClassifier(**small, dtype="float64", activation="tanh"),
            X,
            _labels(b"no", b"yes"),
        ),
        "multilabel_no_hidden_layer": lambda: (
            DNNClassifier(**small | dict(hidden_layer_sizes=())),
            X,
            flags,
        ),
        "sparse": lambda: (
            DNNClassifier(**small | dict(hidden_layer_sizes=[4, 3]), activation="logistic"),
            sparse.csr_array(X * (X > 0)),
            _labels(1.5, 0.5, 2.5) * 2,
        ),
        "sgd_momentum": lambda: (
            DNNClassifier(
                **small, solver="sgd", learning_rate="invscaling", nesterovs_momentum=False
            ),
            X,
            _labels(7, 8, 9, dtype=np.int8),
        ),
        "sgd_nesterov": lambda: (
            DNNRegressor(**small, solver="sgd", n_iter_no_change=np.inf),
            X,
            X[:, 0] * 2.0,
        ),
        "lbfgs": lambda: (
            DNNRegressor(**small | dict(solver="lbfgs", activation="identity")),
            X,
            X[:, 1],
        ),
        "poisson_two_targets_float64": lambda: (
            DNNRegressor(**small, loss="poisson", dtype="float64", activation="silu"),
            X,
            np.abs(X[:, :2]),
        ),
        "names": lambda: (
            DNNRegressor(**small),
            pandas.DataFrame(X, columns=["länge", "b", "c d"]),
            X[:, 2],
        ),
        "exact_early_stopping": lambda: (
            DNNClassifier(
                **small | dict(early_stopping=True, validation_fraction=0.2, dropout=0.2),
                warm_start="exact",
                scoring=["accuracy", "loss"],
            ),
            X,
            _labels("a", "b"),
        ),
        "exact_in_float64": lambda: (
            DNNRegressor(**small | dict(batch_size="auto", swa_start=0.3), warm_start="exact"),
            X,
            X[:, 1],
        ),
        "hinge_moving_average": lambda: (
            DNNClassifier(
                **small,
                loss="hinge",
                class_weight={"a": 1, "b": 2.0, "c": 0.5},
                ema_decay=0.9,
                solver="amsgrad",
            ),
            X,
            _labels("a", "b", "c"),
        ),
        "quantiles_of_normalized_layers": lambda: (
            DNNRegressor(
                **small | dict(hidden_layer_sizes=(4, 3), activation=["prelu", "gelu"]),
                loss="quantile",
                quantile=[0.1, 0.5, 0.9],
                normalization="layer",
                learning_rate="steps",
                learning_rate_steps=(0.4,),
            ),
            X,
            X[:, 0],
        ),
        "gaussian_two_targets": lambda: (
            DNNRegressor(**small, loss="gaussian_nll", solver="adagrad", max_norm=2.0),
            X,
            X[:, :2],
        ),
        "unfitted": lambda: (DNNRegressor(alpha=0.5, hidden_layer_sizes=7), None, None),
        "network": lambda: (_network(), None, None),
        "network_of_all_activations": lambda: (_long_network(), None, None),
    }


def table(n_rows=80):
    """Return a table with columns of all kinds, missing values and rare levels."""
    i = np.arange(n_rows)
    kinds = np.array(["klein", "groß", "红", None, ""], dtype=object)
    flags = np.array([True, False, None], dtype=object)
    return pandas.DataFrame(
        {
            "size": np.sin(i),
            "age": np.where(i % 7 == 3, np.nan, np.exp(np.cos(2.0 * i))),
            "größe": kinds[i % 5],
            "city": pandas.Categorical([f"c{k}" for k in i * i % 31]),
            "when": pandas.Timestamp("2020-01-01") + pandas.to_timedelta(i * 37, unit="h"),
            "good": pandas.array(flags[i % 3], dtype="boolean"),
            "nothing": np.nan,
        }
    )


def unseen_rows():
    """Return a table of other rows, some of whose levels no model has seen."""
    rows = table(100)[70:].reset_index(drop=True)
    cities = rows["city"].astype(object)
    cities[:2] = ["other", None]
    return rows.assign(city=cities, size=rows["size"] * 3.0)


def table_models():
    """Return a function for each kind of table model: it makes the model and its samples."""
    X = table()
    number = X["size"].to_numpy() + X["age"].fillna(0.0).to_numpy()
    small = dict(n_members=2, hidden_layer_sizes=(4,), max_epochs=4, random_state=0)
    return {
        "three_classes": lambda: (
            TabularDNNClassifier(**small),
            X,
            np.array(["a", "bb", "红"])[np.digitize(number, [0.5, 1.5])],
        ),
        "two_classes_by_folds": lambda: (
            TabularDNNClassifier(**small, bagging="folds", class_weight="balanced"),
            X,
            number > 1.0,
        ),
        "regression_with_shared_weights": lambda: (
            TabularDNNRegressor(**small | dict(n_members=3), shared_weights=True),
            X,
            number * 1e3,
        ),
        "two_targets_of_an_array": lambda: (
            TabularDNNRegressor(**small, numeric_encoding="linear"),
            X[["size", "age"]].to_numpy(),
            np.column_stack([number, -number]),
        ),
    }


def predictions_of(kind, model):
    """Return what a model says of unseen rows, as lists."""
    rows = unseen_rows()
    if kind == "two_targets_of_an_array":
        rows = rows[["size", "age"]].to_numpy()
    of_members = model.predict_members(rows)
    one = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    return {"members": np.asarray(of_members).tolist(), "mean": one(rows).tolist()}


def model_of(kind):
    """Return a fitted model and its samples."""
    model, X, y = (models() | table_models())[kind]()
    if y is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
    return model, X, y


def main():
    for folder, kinds in ((FOLDER, models()), (TABLES, table_models())):
        folder.mkdir(exist_ok=True)
        for kind in kinds:
            path = folder / f"{kind}.safetensors"
            if path.exists():
                print(f"{path} is there already; delete it only if no release has it.")
                continue
            model = model_of(kind)[0]
            model.save(path)
            if folder == TABLES:
                text = json.dumps(predictions_of(kind, model))
                path.with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
