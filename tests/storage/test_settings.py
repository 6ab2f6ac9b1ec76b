"""Hyperparameters in files: all values come back, but for code and places of other files."""

import numpy as np
import pytest
from sklearn.model_selection import ShuffleSplit

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor, ModelFileError
from fastdnn.storage.model_file import require_writable
from tests.storage.hostile import change, refuse

VALUES = {
    "activation": ["prelu", ["gelu", "prelu"]],
    "label_smoothing": [0.1],
    "focal_gamma": [0, 1.5],
    "class_weight": [
        *("balanced", {0: 1.0, 1: 2.5}, {"a": 1, "b": 2}, {True: 0.5, False: 2.0}),
        [{0: 1, 1: 2}, {0: 2.0, 1: 1.0}],
    ],
    "huber_delta": [2],
    "quantile": [0.25, [0.1, 0.9]],
    "tweedie_power": [1.25],
    "normalization": ["layer"],
    "dropout": [0.5, [0, 0.25, 0.5]],
    "input_noise": [0.1],
    "solver": ["lion", "radam"],
    "l1": [0.5],
    "weight_decay": [0.0, 0.1],
    "learning_rate": ["one_cycle", "plateau"],
    "learning_rate_warmup": [0.25],
    "learning_rate_factor": [1],
    "learning_rate_steps": [(0.25,), (0.1, 0.2, 0.3)],
    "learning_rate_patience": [3],
    "max_time": [5, 2.5],
    "warm_start": [True, "exact"],
    "checkpoint_seconds": [None, 0],
    "checkpoint_epochs": [4],
    "early_stopping": ["auto", True],
    "scoring": ["loss", ["f1", "accuracy"], {"one": "accuracy", "two": "loss"}],
    "rho": [0.5],
    "clip_norm": [1.0],
    "clip_value": [0.5],
    "max_norm": [2],
    "ema_decay": [0.99],
    "swa_start": [0.75],
    "n_iter_no_change": [np.inf, 3],
}


def pairs():
    for name, values in VALUES.items():
        for value in values:
            yield pytest.param(name, value, id=f"{name}={value!r}")


@pytest.mark.parametrize(("name", "value"), pairs())
def test_a_value_comes_back(name, value, path):
    for Estimator in (DNNClassifier, DNNRegressor):
        model = Estimator(hidden_layer_sizes=(4, 3))
        if name not in model.get_params():
            continue
        model.set_params(**{name: value}).save(path)
        twin = fastdnn.load(path)
        assert twin.get_params() == model.get_params()
        assert type(getattr(twin, name)) is type(value)


@pytest.mark.parametrize("name", ["learning_rate", "scoring", "validation_fraction"])
@pytest.mark.parametrize(
    "value",
    [
        lambda *arguments: 1.0,
        ShuffleSplit(1),
        [(np.arange(3), np.arange(3, 6))],
        {"one": lambda model, X, y: 1.0},
        ["accuracy", len],
    ],
)
def test_code_is_refused_by_name(name, value, path):
    model = DNNRegressor().set_params(**{name: value})
    try:
        model._validate_params()
    except ValueError:
        return  # no value of that parameter
    for write in (model.save, lambda path: require_writable(model, path)):
        with pytest.raises(ModelFileError, match=f"{name}=.* an object of Python.*pickle it"):
            write(path)
    assert not path.exists()


@pytest.mark.parametrize("label", [None, (1, 2), b"a"])
def test_labels_that_json_does_not_have_are_refused(label, path):
    with pytest.raises(ModelFileError, match="class_weight has the label"):
        DNNClassifier(class_weight={label: 1.0}).save(path)


def _class_weight(value, match="class_weight"):
    return ("parameters", "class_weight", value), match


HOSTILE = [
    _class_weight("heavy"),
    _class_weight({"labels": [0], "weights": [1.0, 2.0]}, "1 labels, but 2 weights"),
    _class_weight({"labels": [0, 0], "weights": [1.0, 2.0]}, "a label twice"),
    _class_weight({"labels": [[0]], "weights": [1.0]}),
    _class_weight({"labels": [0], "weights": ["a"]}, "weights"),
    _class_weight({"0": 1.0}, "lacks 'labels'"),
    (
        ("parameters", "checkpoint", "/tmp/elsewhere"),
        "must be one of",
    ),
    (("parameters", "checkpoint", True), "checkpoint"),
    (("parameters", "activation", ["relu", "eval"]), "activation"),
    (("parameters", "activation", ["relu", "relu"]), "activation"),
    (("parameters", "activation", {"name": "f", "value": "os:system"}), "lacks 'derivative'"),
    (("parameters", "dropout", [0.5]), "dropout"),
    (("parameters", "dropout", "much"), "dropout"),
    (("parameters", "dropout", -1.0), "dropout"),
    (("parameters", "learning_rate_steps", [0.5, 0.25]), "learning_rate_steps"),
    (("parameters", "learning_rate_steps", []), "learning_rate_steps"),
    (("parameters", "scoring", [["a"]]), "scoring"),
    (("parameters", "scoring", {"a": 1}), "'a'=1 must be"),
    (("parameters", "warm_start", "exactly"), "warm_start"),
    (("parameters", "early_stopping", 1), "early_stopping"),
    (("parameters", "max_time", 0.0), "max_time"),
    (("parameters", "checkpoint_epochs", 0), "checkpoint_epochs"),
    (("parameters", "weight_decay", -0.5), "weight_decay"),
    (("parameters", "loss", "poisson"), "loss"),
]


@pytest.mark.parametrize(("keys_and_value", "match"), HOSTILE)
def test_what_no_parameter_can_be_is_refused(keys_and_value, match, path):
    refuse(path, change("binary", *keys_and_value), match)
