"""Files of every release load: what is loaded is what plain Python and NumPy read in them."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastdnn
from fastdnn import DNNRegressor
from tests.model_files import models, wave


def parsed(path):
    """Return what a file says of its model, and its tensors, by plain Python."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    types = {"F32": "<f4", "F64": "<f8", "U32": "<u4", "U8": "u1", "I64": "<i8", "I8": "i1"}
    types |= {"BOOL": "?"}
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            raw = data[8 + length + begin : 8 + length + end]
            tensors[name] = np.frombuffer(raw, types[entry["dtype"]]).reshape(entry["shape"])
    return json.loads(header["__metadata__"]["model"]), tensors


def forward(tensors, hidden, output, X):
    """Return the outputs of a network in plain NumPy and float64."""
    functions = {
        "identity": lambda Z: Z,
        "relu": lambda Z: np.maximum(Z, 0.0),
        "tanh": np.tanh,
        "logistic": lambda Z: 1.0 / (1.0 + np.exp(-Z)),
        "silu": lambda Z: Z / (1.0 + np.exp(-Z)),
        "exp": np.exp,
        "softmax": lambda Z: np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True),
    }
    A = np.asarray(X, dtype=float)
    n_layers = sum(name.startswith("coefs.") for name in tensors)
    for l in range(n_layers):
        W, b = tensors[f"coefs.{l}"], tensors[f"intercepts.{l}"]
        name = output if l == n_layers - 1 else hidden[l] if hidden is not None else "relu"
        A = functions[name](A @ W.astype(float) + b.astype(float))
    return A


FOLDER = Path(__file__).parent.parent / "stored" / "models_1"
GOLDEN = sorted(FOLDER.glob("*.safetensors"))


def test_there_is_a_file_of_each_kind():
    later = {
        *("network_of_all_activations", "exact_early_stopping", "exact_in_float64"),
        *("hinge_moving_average", "quantiles_of_normalized_layers", "gaussian_two_targets"),
    }
    assert {file.stem for file in GOLDEN} == set(models()) - later


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_files_of_format_version_1_load(file):
    document, tensors = parsed(file)
    model = fastdnn.load(file)
    assert type(model).__name__ == document["class"]
    X = wave()
    if file.stem == "unfitted":
        assert (model.alpha, model.hidden_layer_sizes) == (0.5, 7)
        assert not hasattr(model, "coefs_")
        return
    if file.stem == "network":
        expected = forward(tensors, ["tanh", "relu"], "softmax", X)
        assert_allclose(model.predict_proba(X), expected, rtol=1e-4)
        return
    if file.stem == "sparse":
        X = X * (X > 0)
    activation = document["parameters"]["activation"]
    fitted = document["fitted"]
    outputs = forward(tensors, [activation] * 9, fitted["out_activation"], X)
    rtol = 1e-9 if fitted["dtype"] == "float64" else 1e-4
    if file.stem == "names":
        pandas = pytest.importorskip("pandas")
        X = pandas.DataFrame(X, columns=["länge", "b", "c d"])
    if isinstance(model, DNNRegressor):
        predicted = model.predict(X).reshape(outputs.shape)
        assert_allclose(predicted, outputs, rtol=rtol, atol=1e-6)
    else:
        if outputs.shape[1] == 1:
            outputs = np.hstack([1.0 - outputs, outputs])
        assert_allclose(model.predict_proba(X), outputs, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "classes"),
    [
        ("binary", np.array([-3, 5])),
        ("binary_bool", np.array([False, True])),
        ("strings_early_stopping", np.array(["blau", "grün", "红"])),
        ("strings_random_state", np.array(["", "a", "bb"])),
        ("bytes_float64", np.array([b"no", b"yes"])),
        ("sparse", np.array([1.0, 3.0, 5.0])),
        ("sgd_momentum", np.array([7, 8, 9], dtype=np.int8)),
    ],
)
def test_classes_of_files_of_format_version_1(kind, classes):
    model = fastdnn.load(FOLDER / f"{kind}.safetensors")
    assert model.classes_.dtype == classes.dtype
    assert_array_equal(model.classes_, classes)
    assert set(model.predict(wave())) <= set(classes)


def test_training_goes_on_from_files_of_format_version_1():
    X = wave()
    model = fastdnn.load(FOLDER / "binary.safetensors")
    steps, losses = model._state.optimizer.t, list(model.loss_curve_)
    assert (steps, len(losses), model.t_) == (9, 3, 180)
    model.partial_fit(X, np.where(np.arange(60) % 2, 5, -3))
    assert model._state.optimizer.t == steps + 3
    assert model.loss_curve_[:-1] == losses
    assert model.loss_curve_[-1] < losses[0] + 0.1
    stopped = fastdnn.load(FOLDER / "strings_early_stopping.safetensors")
    assert len(stopped.validation_scores_) == 3
    assert stopped.best_validation_score_ == max(stopped.validation_scores_)
    drawn = fastdnn.load(FOLDER / "strings_random_state.safetensors").random_state
    fresh = np.random.RandomState(5)
    fresh.random_sample()  # makes the words that the fit has drawn some of
    key, position = drawn.get_state()[1:3]
    assert_array_equal(key, fresh.get_state()[1])
    assert 100 < position < 624
    assert list(fastdnn.load(FOLDER / "names.safetensors").feature_names_in_) == [
        "länge",
        "b",
        "c d",
    ]
