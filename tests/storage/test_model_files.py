"""Files without code: what is loaded is what was saved, now and from every release."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastdnn
from fastdnn import DNNClassifier
from fastdnn.storage import document
from fastdnn.training.history import History
from tests.model_files import models, wave

KINDS = list(models())
ESTIMATORS = [kind for kind in KINDS if not kind.startswith(("network", "unfitted"))]


def assert_equal(one, other, name="model"):
    """Assert that two objects are of the same types and values, with all that they hold."""
    assert type(one) is type(other), name
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, name
        assert_array_equal(one, other, err_msg=name)
    elif isinstance(one, np.random.RandomState):
        assert_equal(one.get_state(), other.get_state(), name)
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one:
            assert_equal(one[key], other[key], f"{name}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), name
        for position, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            assert_equal(mine, theirs, f"{name}[{position}]")
    elif hasattr(one, "__dict__") and type(one).__module__.startswith("fastdnn"):
        mine, theirs = vars(one).copy(), vars(other).copy()
        mine.pop("_predictor", None), theirs.pop("_predictor", None)
        if isinstance(one, History):  # a file does not say what time epochs took
            for history, values in ((one, mine), (other, theirs)):
                values["epochs"] = history.table()
                del values["epochs"]["seconds"]
        assert_equal(mine, theirs, name)
    else:
        assert one == other or (one != one and other != other), name


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_kept(kind, fitted, path):
    model, X, _ = fitted(kind)
    model.save(path)
    twin = fastdnn.load(path)
    assert_equal(model, twin)
    if X is not None:
        assert_array_equal(twin.predict(X), model.predict(X))
    if kind == "network":
        assert_array_equal(twin.predict_proba(wave()), model.predict_proba(wave()))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_training_goes_on_with_the_same_bits(kind, fitted, path):
    model, X, y = fitted(kind)
    model.save(path)
    twin = fastdnn.load(path)
    if kind.startswith("exact"):
        for each in (model, twin):
            each.set_params(max_iter=6).fit(X, y)
    elif kind in ("lbfgs", "strings_early_stopping", "bytes_float64"):
        # scikit-learn, which checks labels before training goes on, does not take bytes.
        y = np.arange(60) % 2 if kind == "bytes_float64" else y
        warm = kind != "bytes_float64"
        for each in (model, twin):
            each.set_params(warm_start=warm).fit(X, y)
    else:
        for each in (model, twin):
            each.partial_fit(X, y)
    assert_equal(model, twin)


@pytest.mark.parametrize("kind", ["binary", "sgd_nesterov", "poisson_two_targets_float64"])
def test_a_compact_file_predicts_the_same_and_trains_anew(kind, fitted, path):
    model, X, y = fitted(kind)
    model.save(path)
    full = path.stat().st_size
    model.save(path, compact=True)
    state = model._state.optimizer
    assert full - path.stat().st_size >= state.memory.nbytes
    twin = fastdnn.load(path)
    assert_array_equal(twin.predict(X), model.predict(X))
    assert twin._state.optimizer is None
    model._state.optimizer = None
    assert_equal(model, twin)
    assert_equal(model.partial_fit(X, y), twin.partial_fit(X, y))


def test_the_same_model_gives_the_same_bytes(fitted, path, tmp_path):
    model, _, _ = fitted("strings_random_state")
    model.save(path)
    fastdnn.load(path).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_matrices_of_other_sizes_are_saved(fitted, path):
    model, X, _ = fitted("binary")
    model.coefs_ = [model.coefs_[0][:, :2], model.coefs_[1][:2]]
    model.intercepts_[0] = model.intercepts_[0][:2]
    expected = model.predict_proba(X)
    model.save(path)
    twin = fastdnn.load(path)
    assert [W.shape for W in twin.coefs_] == [(3, 2), (2, 1)]
    assert_array_equal(twin.predict_proba(X), expected)
    assert twin._state.optimizer is None  # its memory was that of another network
    twin.partial_fit(X, twin.predict(X))


@pytest.mark.parametrize(
    "dtype",
    [
        *("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"),
        *(">i4", "U3", "S2", "O"),
    ],
)
def test_classes_of_every_type_are_kept(dtype, fitted, path):
    model, X, _ = fitted("binary")
    model.classes_ = np.array(["a", "b"] if dtype == "O" else [0, 1]).astype(dtype)
    model.save(path)
    twin = fastdnn.load(path)
    assert twin.classes_.dtype == np.dtype(dtype).newbyteorder("=")
    assert_array_equal(twin.predict(X), model.predict(X))


@pytest.mark.parametrize("kind", ["binary", "sgd_nesterov"])
def test_a_state_of_higher_precision_stays_one(kind, fitted, path):
    model, _, _ = fitted(kind)
    model._state.optimizer = model._state.optimizer.astype(np.float64)
    model._state.optimizer.memory += 1e-12
    model.save(path)
    assert_equal(model, fastdnn.load(path))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_saved_is_of_one_moment(fitted, path, monkeypatch):
    model, X, _ = fitted("binary")
    expected = model.predict_proba(X)
    encode = document.checked_parameters

    def refitted_meanwhile(*args):
        model.set_params(hidden_layer_sizes=(9,)).fit(X[:, :2], np.arange(60) % 3)
        return encode(*args)

    monkeypatch.setattr(document, "checked_parameters", refitted_meanwhile)
    model.save(path)
    assert_array_equal(fastdnn.load(path).predict_proba(X), expected)


def test_loading_takes_little_more_memory_than_the_file_has(path):
    model = DNNClassifier((300,), max_iter=1, random_state=0)
    X = np.ones((20, 300))
    model.partial_fit(X, np.arange(20), classes=np.arange(20)).save(path)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        twin = fastdnn.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * size + 200_000
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("kind", KINDS)
def test_the_library_of_the_format_reads_them(kind, fitted, path):
    safetensors = pytest.importorskip("safetensors")
    numpy_of = pytest.importorskip("safetensors.numpy")
    model, _, _ = fitted(kind)
    model.save(path)
    tensors = numpy_of.load_file(path)
    for l, W in enumerate(getattr(model, "coefs_", [])):
        assert tensors[f"coefs.{l}"].dtype == W.dtype
        assert_array_equal(tensors[f"coefs.{l}"], W)
        assert_array_equal(tensors[f"intercepts.{l}"], model.intercepts_[l])
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata()["format"] == "fastdnn"
