"""Files without code: what is loaded is what was saved, now and from every release."""

import copy
import json
import os
import stat
import struct
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastdnn
from fastdnn import DeepNeuralNetwork, DNNClassifier, DNNRegressor, ModelFileError
from fastdnn.ops.activations import ACTIVATIONS
from fastdnn.ops.losses import LOSSES
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.storage import encoding, schema
from tests.model_files import FOLDER, SCHEMA, model_of, models, schema_text, wave

KINDS = list(models())
ESTIMATORS = [kind for kind in KINDS if kind not in ("network", "unfitted")]


@pytest.fixture(scope="module")
def fitted():
    """Return a function for a fitted model and its samples; each is fitted once."""
    made = {}

    def of_kind(kind):
        if kind not in made:
            made[kind] = model_of(kind)
        model, X, y = made[kind]
        model = copy.deepcopy(model)
        if kind == "sparse":  # the one whose sizes are a list, for which a tuple comes back
            model.hidden_layer_sizes = tuple(model.hidden_layer_sizes)
        return model, X, y

    return of_kind


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


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
    if kind in ("lbfgs", "strings_early_stopping", "bytes_float64"):
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
    state = model._optimizer_state
    assert full - path.stat().st_size >= state.memory.nbytes
    twin = fastdnn.load(path)
    assert_array_equal(twin.predict(X), model.predict(X))
    assert twin._optimizer_state is None
    model._optimizer_state = None
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
    assert twin._optimizer_state is None  # its memory was that of another network
    twin.partial_fit(X, twin.predict(X))


@pytest.mark.parametrize(
    "dtype",
    [
        "?",
        "i1",
        "i2",
        "i4",
        "i8",
        "u1",
        "u2",
        "u4",
        "u8",
        "f2",
        "f4",
        "f8",
        ">i4",
        "U3",
        "S2",
        "O",
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
    model._optimizer_state = model._optimizer_state.astype(np.float64)
    model._optimizer_state.memory += 1e-12
    model.save(path)
    assert_equal(model, fastdnn.load(path))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_saved_is_of_one_moment(fitted, path, monkeypatch):
    model, X, _ = fitted("binary")
    expected = model.predict_proba(X)
    encode = encoding.checked_parameters

    def refitted_meanwhile(*args):
        model.set_params(hidden_layer_sizes=(9,)).fit(X[:, :2], np.arange(60) % 3)
        return encode(*args)

    monkeypatch.setattr(encoding, "checked_parameters", refitted_meanwhile)
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


# -- files ---------------------------------------------------------------------------------


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


@pytest.mark.parametrize("as_path", [str, os.fspath, lambda path: path])
def test_paths_of_every_kind(as_path, fitted, path):
    fitted("unfitted")[0].save(as_path(path))
    assert fastdnn.load(as_path(path)).alpha == 0.5


@pytest.mark.parametrize("wrong", [3, None, b"model", ["model"]])
def test_what_is_no_path_is_refused(wrong, fitted):
    with pytest.raises(TypeError, match=r"path=.* must be a str or a PathLike"):
        fitted("unfitted")[0].save(wrong)
    with pytest.raises(TypeError, match=r"path=.* must be a str or a PathLike"):
        fastdnn.load(wrong)


def test_a_file_is_replaced_as_a_whole_or_not_at_all(fitted, path, monkeypatch):
    fitted("unfitted")[0].save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ModelFileError, match=r"model\.safetensors.*No space left"):
        fitted("network")[0].save(path)
    assert path.read_bytes() == before
    assert [other.name for other in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_those_of_a_new_file_or_of_the_old_one(fitted, path):
    model = fitted("unfitted")[0]
    mask = os.umask(0o027)
    try:
        model.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        model.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(mask)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_stays_a_link(fitted, path):
    (path.parent / "real").write_bytes(b"")
    path.symlink_to("real")
    fitted("unfitted")[0].save(path)
    assert path.is_symlink()
    assert fastdnn.load(path.parent / "real").alpha == 0.5


@pytest.mark.skipif(os.name != "posix", reason="files of POSIX")
def test_only_regular_files_are_replaced(fitted, path):
    os.mkfifo(path)
    for other in (path, path.parent, "/dev/null"):
        with pytest.raises(ModelFileError, match="not a regular file"):
            fitted("unfitted")[0].save(other)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_folder_that_is_missing_is_named(fitted, path):
    with pytest.raises(ModelFileError, match=r"missing.*No such file"):
        fitted("unfitted")[0].save(path.parent / "missing" / "model")


# -- what a file cannot hold ---------------------------------------------------------------


class Mine(DNNClassifier):
    pass


def _set(name, value):
    return lambda model: setattr(model, name, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("random_state", np.random), "random_state"),
        (
            _set("random_state", np.random.RandomState(np.random.PCG64(0))),
            "PCG64.*Set random_state to an int",
        ),
        (_set("activation", abs), "activation"),
        (_set("activation", "swish"), "activation.* must be a str among .*swish"),
        (_set("alpha", "a lot"), "alpha.*a lot"),
        (_set("alpha", np.nan), "alpha"),
        (_set("alpha", 10**400), "alpha"),
        (_set("tol", -1.0), "tol"),
        (_set("max_iter", 2.5), r"max_iter.*2\.5"),
        (_set("n_iter_no_change", -np.inf), "n_iter_no_change"),
        (_set("hidden_layer_sizes", (3, "4")), "hidden_layer_sizes"),
        (_set("hidden_layer_sizes", (3, 0)), "hidden_layer_sizes"),
        (_set("note", "mine"), r"\['note'\].*delattr\(model, 'note'\)"),
        (_set("classes_", np.array([1, 2], dtype=object)), "classes_.*not strings"),
        (_set("classes_", np.array(["a", "b\0"], dtype=object)), "classes_.*NUL"),
        (_set("classes_", np.array([1, 2], dtype="M8[D]")), "dtype"),
        (_set("classes_", np.array([1, 2], dtype="G")), "dtype"),
        (_set("classes_", np.array([2, 1])), "ascending"),
        (_set("classes_", np.array([1.0, np.nan])), "NaN"),
        (_set("classes_", np.array([1, 2, 3])), "3 classes"),
        (_set("classes_", [1, 2]), "classes_"),
        (_set("coefs_", [np.zeros((3, 4)), np.full((4, 1), np.nan)]), "coefs_.*NaN"),
        (_set("coefs_", [np.zeros((3, 4)), np.zeros((5, 1))]), "coefs_"),
        (_set("feature_names_in_", np.array([1, 2, 3])), "feature_names_in_"),
        (_set("feature_names_in_", np.array(["a"], dtype=object)), "feature_names"),
        (_set("n_layers_", 7), "n_layers_"),
        (lambda model: model._parameters.theta.fill(np.inf), "NaN or infinity"),
        (lambda model: model._optimizer_state.memory.fill(np.nan), "NaN or infinity"),
        (lambda model: model._optimizer_state.memory.fill(-1.0), "second moment"),
    ],
)
def test_what_a_file_cannot_hold_is_named(change, message, fitted, path):
    model, _, _ = fitted("binary")
    change(model)
    with pytest.raises(ModelFileError, match=message):
        model.save(path)
    assert not path.exists()


def test_what_a_file_cannot_hold_of_a_network_is_named(fitted, path):
    network, _, _ = fitted("network")
    network.W1[0, 0] = np.inf
    with pytest.raises(ModelFileError, match=r"coefs\.0 has NaN or infinity"):
        network.save(path)
    network.W1 = np.zeros((3, 4))
    network.note = "mine"
    with pytest.raises(ModelFileError, match=r"delattr\(model, 'note'\)"):
        network.save(path)


def test_a_class_of_ones_own_is_refused(path):
    with pytest.raises(ModelFileError, match="Mine is a class of your own"):
        Mine().save(path)


def test_a_network_of_too_many_layers_is_refused(path):
    with pytest.raises(ModelFileError, match="too many layers"):
        DeepNeuralNetwork([1] * 40_000).save(path)


# -- the schema is that of the code --------------------------------------------------------


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_the_schema_knows_every_parameter(Estimator):
    described = schema.SCHEMAS[Estimator.__name__]["properties"]["parameters"]["properties"]
    # A new parameter needs a new version of the format, which this test is then about.
    assert set(described) == set(Estimator().get_params())
    for name, constraints in Estimator._parameter_constraints.items():
        for constraint in constraints:
            for option in getattr(constraint, "options", ()):
                option = "inf" if option == np.inf else option
                values = str(described[name])
                assert repr(option) in values, (name, option)


def test_the_schema_of_the_documents_is_that_of_the_code():
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()


def test_the_schema_knows_every_activation_loss_and_optimiser():
    network = schema.SCHEMAS["DeepNeuralNetwork"]["properties"]
    assert set(network["activations"]["items"]["enum"]) == set(ACTIVATIONS)
    losses = set(LOSSES)
    assert set(network["loss"]["enum"]) == losses
    fitted = schema.SCHEMAS["DNNRegressor"]["properties"]["fitted"]["anyOf"][1]
    names = fitted["properties"]["optimizer"]["anyOf"][1]["properties"]["name"]["enum"]
    assert set(names) == set(OPTIMIZERS) - {"gradient"}  # which remembers nothing


# -- files of every release ----------------------------------------------------------------


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


GOLDEN = sorted(FOLDER.glob("*.safetensors"))


def test_there_is_a_file_of_each_kind():
    assert {file.stem for file in GOLDEN} == set(KINDS)


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
    steps, losses = model._optimizer_state.t, list(model.loss_curve_)
    assert (steps, len(losses), model.t_) == (9, 3, 180)
    model.partial_fit(X, np.where(np.arange(60) % 2, 5, -3))
    assert model._optimizer_state.t == steps + 3
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
