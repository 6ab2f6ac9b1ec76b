"""Models of every kind for the tests of model files.

    python -m tests.model_files

writes those of the current format version to ``tests/stored``. Files of a version that has
been released are never written again.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas
from scipy import sparse

from fastdnn import DeepNeuralNetwork, DNNClassifier, DNNRegressor

FOLDER = Path(__file__).parent / "stored" / "models_2"


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


def model_of(kind):
    """Return a fitted model and its samples."""
    model, X, y = models()[kind]()
    if y is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
    return model, X, y


def main():
    FOLDER.mkdir(exist_ok=True)
    for kind in models():
        path = FOLDER / f"{kind}.safetensors"
        if path.exists():
            sys.exit(f"{path} is there already; delete it only if no release has it.")
        model_of(kind)[0].save(path)


if __name__ == "__main__":
    main()
