"""Gains, shifts, slopes and the seed of dropout in pickles and in model files."""

import pickle

import numpy as np
import pytest

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.storage.tensors import layers_that_learn, needed_tensors

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {
    "hidden_layer_sizes": (6, 5),
    "activation": ["relu", "prelu"],
    "normalization": "layer",
    "dropout": [0.0, 0.3, 0.2],
    "max_iter": 3,
    "random_state": 0,
}
ATTRIBUTES = ("coefs_", "intercepts_", "norm_gains_", "norm_shifts_", "prelu_slopes_")


def fitted(Estimator=DNNClassifier, **options):
    X = np.random.default_rng(0).standard_normal((250, 4))
    y = (X[:, 0] > 0).astype(float)
    return Estimator(**OPTIONS | options).fit(X, y), X, y


def by_file(model, path):
    model.save(path)
    return fastdnn.load(path)


def by_pickle(model, path):
    return pickle.loads(pickle.dumps(model))


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("stored", [by_file, by_pickle])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_a_stored_model_predicts_and_goes_on_with_the_same_bits(
    Estimator, dtype, stored, tmp_path
):
    model, X, y = fitted(Estimator, dtype=dtype)
    twin = stored(model, tmp_path / "model.safetensors")
    for _ in range(2):
        for name in ATTRIBUTES:
            for mine, theirs in zip(getattr(model, name), getattr(twin, name), strict=True):
                np.testing.assert_array_equal(mine, theirs)
                assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(model.predict(X), twin.predict(X))
        # Dropout draws on with the seed of the first fit, at the step that comes next.
        model.partial_fit(X, y), twin.partial_fit(X, y)


def test_exchanged_gains_are_stored(tmp_path):
    model, X, _ = fitted()
    model.norm_gains_[1] = np.zeros(5)
    for stored in (by_file, by_pickle):
        twin = stored(model, tmp_path / "model.safetensors")
        np.testing.assert_array_equal(twin.norm_gains_[1], np.zeros(5))
        np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))


def test_a_model_without_them_has_none(tmp_path):
    model, *_ = fitted(activation="relu", normalization=None, dropout=0.0)
    for twin in (model, by_file(model, tmp_path / "m.safetensors"), by_pickle(model, None)):
        assert not any(hasattr(twin, name) for name in ATTRIBUTES[2:])
        assert twin._state.seed is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("normalized", (2,)),
        ("normalized", (1, 0)),
        ("normalized", (0, 0)),
        ("normalized", (-1,)),
        ("sloped", (True,)),
        ("sloped", ("one",)),
        ("seed", -1),
        ("seed", "one"),
        ("theta", np.zeros(3)),
    ],
)
def test_damaged_pickles_are_refused(name, value):
    model, *_ = fitted()
    state = model.__getstate__()
    state["_parameters"] = state["_parameters"] | {name: value}
    with pytest.raises(ValueError, match=name):
        DNNClassifier().__setstate__(state)


def test_positions_of_layers_that_a_file_names_are_checked():
    assert layers_that_learn({}, [4, 6, 2]) == ((), ())
    assert layers_that_learn({"normalized": [0], "sloped": []}, [4, 6, 2]) == ((0,), ())
    for layers in ([1], [0, 0], [-1], [10**18]):
        with pytest.raises(ValueError, match="positions of 1 hidden"):
            layers_that_learn({"sloped": layers}, [4, 6, 2])


def test_a_document_needs_a_tensor_for_everything_that_is_learnt():
    document = {
        "class": "DeepNeuralNetwork", "layer_sizes": [4, 6, 2], "dtype": "float32",
        "normalized": [0], "sloped": [0],
    }  # fmt: skip
    shapes = {name: shape for name, (_, shape) in needed_tensors(document).items()}
    assert shapes == {
        "coefs.0": (4, 6), "coefs.1": (6, 2), "intercepts.0": (6,), "intercepts.1": (2,),
        "norm_gains.0": (6,), "norm_shifts.0": (6,), "prelu_slopes.0": (1,),
    }  # fmt: skip
