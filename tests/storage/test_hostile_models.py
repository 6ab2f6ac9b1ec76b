"""Files that say of a model what cannot be, or hold impossible numbers, are refused."""

import json

import numpy as np
import pytest

import fastdnn
from scripts.corrupt_files import parts_of, sealed, with_document, write_anew
from tests.storage.hostile import GOLDEN, change, refuse


def _parameter(name, value, match=None):
    return "binary", ("parameters", name, value), match or name


def _fitted(kind, name, value, match=None):
    return kind, ("fitted", name, value), match or name


def _history(name, value, match=None):
    return "binary", ("fitted", "history", name, value), match or name


def _optimizer(name, value, match=None):
    return "binary", ("fitted", "optimizer", name, value), match or name


MODELS = [
    ("binary", ("class", "os.system"), "class='os.system' must be one of"),
    ("binary", ("class", ["DNNClassifier"]), "class="),
    ("binary", ("class", None), "class="),
    ("binary", ("class", "DNNRegressor"), "DNNRegressor|loss|parameters"),
    ("network", ("class", "DNNClassifier"), "lacks 'parameters'"),
    ("binary", ("__reduce__", "os.system"), "which is unknown"),
    ("binary", ("parameters", None), "type object"),
    ("binary", ("fitted", []), "type"),
    ("unfitted", ("fitted", {}), "lacks"),
    _parameter("alpha", "0.1"),
    _parameter("alpha", -1.0),
    _parameter("alpha", 10**400),
    _parameter("alpha", None),
    _parameter("alpha", {"float": "inf"}),
    _parameter("batch_size", 2.0),
    _parameter("batch_size", 0),
    _parameter("batch_size", 2**64),
    _parameter("activation", "softmax"),
    _parameter("activation", "RELU"),
    _parameter("solver", "eve"),
    _parameter("hidden_layer_sizes", [4, "5"]),
    _parameter("hidden_layer_sizes", [0]),
    _parameter("hidden_layer_sizes", [[4]]),
    _parameter("hidden_layer_sizes", {"$ref": "#"}),
    _parameter("n_iter_no_change", "nan"),
    _parameter("n_iter_no_change", 1.5),
    _parameter("random_state", 2**32),
    _parameter("random_state", -1),
    _parameter("random_state", {"position": 1}),
    _parameter(
        "random_state",
        {"position": 1, "has_gauss": 0, "cached_gaussian": 0.0},
        "random_state.key' is missing",
    ),
    _parameter("momentum", 2.0),
    _parameter("validation_fraction", 1.0),
    _parameter("shuffle", 1),
    _parameter("verbose", -1),
    _parameter("max_iter", True),
    _parameter("n_threads", 0),
    _parameter("dtype", "float16"),
    _parameter("loss", "poisson", "loss='poisson' must be one of"),
    _parameter("huber_delta", 1.0, "'huber_delta', which is unknown"),
    _parameter("__class__", "DNNClassifier", "which is unknown"),
    ("names", ("parameters", "loss", "log_loss"), "loss"),
    *(
        ("strings_random_state", ("parameters", "random_state", name, value), name)
        for name, value in [
            ("position", 625),
            ("position", -1),
            ("position", 1.0),
            ("has_gauss", 2),
            ("cached_gaussian", "inf"),
            ("more", 1),
        ]
    ),
    _fitted("binary", "layer_sizes", [3, 1], "does not belong|coefs.0"),
    _fitted("binary", "layer_sizes", [3], "2 items or more"),
    _fitted("binary", "layer_sizes", [3, -4, 1]),
    _fitted("binary", "layer_sizes", [3, 4.0, 1]),
    _fitted("binary", "layer_sizes", [3, 2**62, 1], "tensor"),
    _fitted("binary", "layer_sizes", [3, 2**70, 1], "layer_sizes"),
    _fitted("binary", "layer_sizes", 2**62, "layer_sizes"),
    _fitted("binary", "layer_sizes", [1] * 1000, "tensor"),
    _fitted("binary", "layer_sizes", [4, 4, 1], "tensor"),
    _fitted("binary", "layer_sizes", [3, 4, 2], "2 classes do not go with 2 outputs"),
    _fitted("binary", "dtype", "float64", "needs float64"),
    _fitted("binary", "dtype", "object"),
    _fitted("binary", "out_activation", "softmax", "2 classes do not go"),
    _fitted("binary", "out_activation", "exp"),
    _fitted("binary", "multilabel", True, "2 classes do not go with 1 outputs"),
    _fitted("binary", "multilabel", 0),
    _fitted("binary", "classes", None, "type"),
    _fitted("binary", "classes", {"kind": "numbers", "dtype": "object", "count": 2}, "dtype"),
    _fitted("binary", "classes", {"kind": "numbers", "dtype": "int32", "count": 2}, "int32"),
    _fitted("binary", "classes", {"kind": "pickle", "width": 2, "count": 2}, "kind"),
    _fitted("binary", "classes", {"kind": "str", "width": 2**40, "count": 2}, "width"),
    _fitted("binary", "classes", {"kind": "str", "width": 2**29, "count": 2}, "classes"),
    _fitted("binary", "classes", {"kind": "str", "width": 0, "count": 2}, "width"),
    _fitted("binary", "classes", {"kind": "numbers", "dtype": "int64", "count": 0}, "count"),
    _fitted(
        "binary", "classes", {"kind": "numbers", "dtype": "int64", "count": 3}, "3 classes"
    ),
    _fitted("binary", "classes", {"kind": "numbers", "dtype": "int64", "count": 1}, "classes"),
    _fitted("binary", "feature_name_width", 5, "'feature_names' is missing"),
    _fitted("names", "feature_name_width", 2**29, "feature_names"),
    _fitted("names", "feature_name_width", None, "'feature_names' does not belong"),
    _fitted("names", "out_activation", "softmax"),
    _fitted("names", "classes", {"kind": "numbers"}, "unknown"),
    _fitted("sgd_momentum", "optimizer", None, "'optimizer.memory' does not belong"),
    _fitted(
        "lbfgs",
        "optimizer",
        {"name": "adam", "dtype": "float32", "learning_rate": 0.1, "t": 1},
        "'optimizer.memory' is missing",
    ),
    _optimizer("dtype", "float64", "float32.*needs float64"),
    _optimizer("dtype", "int64"),
    _optimizer("name", "gradient"),
    _optimizer("name", "momentum", "optimizer.memory"),
    _optimizer("learning_rate", "inf"),
    _optimizer("learning_rate", -0.1),
    _optimizer("t", -1, "[.]t=-1"),
    _optimizer("t", 2**63, "[.]t="),
    _optimizer("memory", [1], "unknown"),
    _history("n_losses", 4, "loss_curve"),
    _history("n_losses", 2**62, "loss_curve"),
    _history("n_scores", 1, "validation_scores"),
    _history("n_iter", -1),
    _history("t", 1.5, "[.]t="),
    _history("loss", "infinite"),
    _history("loss", None),
    _history("has_best_theta", True, "best_theta"),
    _history("early_stopping", "yes"),
    ("network", ("layer_sizes", [3, 4, 2]), "tensor|activation"),
    ("network", ("layer_sizes", []), "layer_sizes"),
    ("network", ("activations", ["tanh", "softmax"]), "activation"),
    ("network", ("activations", ["tanh", "relu", "eval"]), "activations"),
    ("network", ("activations", []), "activations"),
    ("network", ("loss", "mine"), "loss"),
    ("network", ("loss", "poisson"), "loss"),
    ("network", ("dtype", "float64"), "float64"),
    ("network", ("note", "mine"), "unknown"),
]


@pytest.mark.parametrize(("kind", "keys_and_value", "match"), MODELS)
def test_a_model_is_refused(kind, keys_and_value, match, path):
    refuse(path, change(kind, *keys_and_value), match)


def test_every_name_of_a_document_is_needed_and_no_other(path):
    for kind, content in GOLDEN.items():
        document = json.loads(json.loads(parts_of(content)[0])["__metadata__"]["model"])
        places = [
            (),
            ("parameters",),
            ("fitted",),
            ("fitted", "history"),
            ("fitted", "optimizer"),
        ]
        for keys in places:
            part = document
            for key in keys:
                part = part.get(key) if part else None
            for name in part or ():

                def remove(header, document, keys=keys, name=name):
                    for key in keys:
                        document = document[key]
                    del document[name]

                refuse(path, with_document(content, remove), "lacks|class=")
            if part:
                refuse(path, change(kind, *keys, "more", 1), "unknown")


def with_numbers(kind, name, position, value):
    """Return a sealed file in which one number of a tensor is another."""
    header, payload = parts_of(GOLDEN[kind])
    tensor = json.loads(header)[name]
    types = {"F32": "<f4", "F64": "<f8", "U32": "<u4", "I64": "<i8", "BOOL": "u1", "U8": "u1"}
    begin, end = tensor["data_offsets"]
    numbers = np.frombuffer(payload[begin:end], types[tensor["dtype"]]).copy()
    numbers[position] = value
    return sealed(header, payload[:begin] + numbers.tobytes() + payload[end:])


NUMBERS = [
    ("binary", "coefs.0", 3, np.nan, "coefs.0 has NaN"),
    ("binary", "coefs.1", 0, np.inf, "coefs.1 has NaN"),
    ("bytes_float64", "intercepts.0", 0, -np.inf, "intercepts.0 has NaN"),
    ("binary", "optimizer.memory", 1, np.nan, "optimizer.memory has NaN"),
    ("binary", "optimizer.memory", -1, -1.0, "second moment below zero"),
    ("sgd_momentum", "optimizer.memory", 0, np.inf, "optimizer.memory has NaN"),
    ("binary", "classes", 0, 5, "ascending"),
    ("binary", "classes", 1, -4, "ascending"),
    ("sparse", "classes", 1, np.nan, "classes has NaN"),
    ("sparse", "classes", 2, 0.0, "ascending"),
    ("binary_bool", "classes", 1, 2, "truth values"),
    ("binary_bool", "classes", 1, 0, "ascending"),
    ("strings_early_stopping", "classes", 0, 0x110000, "characters that do not exist"),
    ("strings_early_stopping", "classes", 0, 2**32 - 1, "characters that do not exist"),
    ("strings_early_stopping", "classes", 0, ord("z"), "ascending"),
    ("bytes_float64", "classes", 0, ord("z"), "ascending"),
    ("names", "feature_names", 0, 0x110000, "characters that do not exist"),
    ("strings_random_state", "random_state.key", slice(None), 0, "all zeros"),
    ("network", "coefs.0", 0, np.nan, "coefs.0 has NaN"),
]


@pytest.mark.parametrize(("kind", "name", "position", "value", "match"), NUMBERS)
def test_numbers_are_refused(kind, name, position, value, match, path):
    refuse(path, with_numbers(kind, name, position, value), match)


def test_other_numbers_are_another_model(path):
    write_anew(path, with_numbers("binary", "coefs.0", 3, 0.25))
    assert fastdnn.load(path).coefs_[0].ravel()[3] == 0.25
