"""Estimators in ONNX predict what they predict here, alone and inside of others."""

import numpy as np
import pytest
import skl2onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastdnn.onnx
from fastdnn import DNNClassifier, DNNRegressor, Loss
from fastdnn.estimators.hidden_layers import kernel_name
from fastdnn.estimators.regression_losses import OUTPUTS as REGRESSOR_OUTPUTS
from fastdnn.models.declarations import ACTIVATION_NAMES
from fastdnn.onnx.activations import ACTIVATIONS, OUTPUTS
from fastdnn.ops.activations import row_of
from fastdnn.tables import TableEncoder, TabularDNNClassifier
from tests import own
from tests.onnx.sessions import (
    converted_outputs,
    require_close,
    require_same,
    session_of,
)

N_ROWS, N_FEATURES = 40, 4
TARGETS = {
    "two": [0, 1],
    "three": [3, 1, 7],
    "texts": ["red", "green", "blue"],
    "two texts": ["yes", "no"],
    "bools": [False, True],
    "floats": [1.0, 2.0],
    "one": [5],
    "labels": None,
}
LOSSES = (
    *("squared_error", "absolute_error", "huber", "log_cosh", "quantile", "quantiles"),
    *("poisson", "gamma", "tweedie", "gaussian_nll"),
    *(own.DEVIANCE, Loss(own.square, own.square_prime, output="softplus")),
)
#: Of few steps, which are enough for numbers that differ.
SHORT = {"hidden_layer_sizes": (5,), "max_iter": 8, "random_state": 0}
converges_or_not = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@st.composite
def hidden_layers(draw):
    """Draw the parameters of the hidden layers."""
    dtype = draw(st.sampled_from(["float32", "float64"]))
    normalization = draw(st.sampled_from([None, "layer"]))
    # The difference of two or three numbers that are almost equal is all but rounding, and
    # normalisation makes it large.
    fewest = 6 if normalization and dtype == "float32" else 1
    sizes = tuple(draw(st.lists(st.integers(fewest, 9), max_size=3)))
    names = st.sampled_from(ACTIVATION_NAMES)
    one_for_each = st.lists(names, min_size=len(sizes), max_size=len(sizes))
    return {
        "hidden_layer_sizes": sizes,
        "activation": draw(names | one_for_each if sizes else names),
        "normalization": normalization,
        "dtype": dtype,
        "random_state": draw(st.integers(0, 2**31 - 1)),
    }


def samples(seed, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(N_ROWS, N_FEATURES)).astype(dtype)


def drawn(model, X, y):
    """Draw a network, and change what is not drawn at first."""
    model.initialize(X, y)
    rng = np.random.default_rng(model.random_state)
    for name in ("norm_gains_", "norm_shifts_", "prelu_slopes_"):
        for learnt in getattr(model, name, ()):
            learnt += rng.uniform(-0.5, 0.5, learnt.shape)
    return model


def test_there_is_a_formula_for_every_activation():
    learning = {name for name in ACTIVATION_NAMES if row_of(kernel_name(name)).learns}
    assert learning == {"prelu"}
    others = {kernel_name(name) for name in ACTIVATION_NAMES} - learning
    assert others <= set(ACTIVATIONS)
    assert set(REGRESSOR_OUTPUTS) == set(OUTPUTS)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    hidden_layers(),
    st.sampled_from(["log_loss", "focal", "hinge", own.CROSS_ENTROPY]),
    st.sampled_from(list(TARGETS)),
    st.sampled_from([np.float32, np.float64, np.int64]),
)
def test_classifiers(layers, loss, targets, dtype):
    X = samples(layers["random_state"])
    X = (4 * X).astype(dtype) if dtype is np.int64 else X.astype(dtype)
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, (N_ROWS, 3))
    if TARGETS[targets] is not None:
        y = np.resize(TARGETS[targets], N_ROWS)
    model = drawn(DNNClassifier(loss=loss, **layers), X, y)
    outputs = converted_outputs(model, X)
    if targets == "one":
        assert outputs["label"].tolist() == [5] * N_ROWS
        return
    require_same(outputs, model, X)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    hidden_layers(),
    st.sampled_from(LOSSES),
    st.integers(1, 3),
    st.sampled_from([np.float32, np.float64]),
)
def test_regressors(layers, loss, n_targets, dtype):
    X = samples(layers["random_state"], dtype)
    y = np.abs(np.random.default_rng(1).normal(size=(N_ROWS, n_targets))) + 0.1
    y = y[:, 0] if n_targets == 1 else y
    quantile = 0.3
    if loss == "quantiles":
        loss, quantile, y = "quantile", [0.1, 0.2, 0.5, 0.9], y.reshape(N_ROWS, -1)[:, 0]
    model = drawn(DNNRegressor(loss=loss, quantile=quantile, **layers), X, y)
    require_same(converted_outputs(model, X), model, X)


# -- inside of others -----------------------------------------------------------------------

IRIS, SPECIES = load_iris(return_X_y=True)
LABELS = {
    "three": SPECIES,
    "texts": np.array(["setosa", "versicolor", "virginica"])[SPECIES],
    "two": (SPECIES > 1).astype(int),
    "two texts": np.where(SPECIES > 1, "yes", "no"),
}
CLASSIFIERS = {
    "pipeline": lambda: make_pipeline(StandardScaler(), DNNClassifier(**SHORT)),
    "calibrated": lambda: CalibratedClassifierCV(DNNClassifier(**SHORT), cv=2),
    "calibrated scores": lambda: CalibratedClassifierCV(
        DNNClassifier(loss="hinge", **SHORT), cv=2
    ),
    "stacked": lambda: StackingClassifier(
        [("dnn", DNNClassifier(**SHORT)), ("linear", LogisticRegression(max_iter=500))],
        DNNClassifier(**SHORT),
        cv=2,
    ),
    "searched": lambda: GridSearchCV(DNNClassifier(**SHORT), {"alpha": [0.1]}, cv=2),
}


@pytest.mark.slow_without_jit
@converges_or_not
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_inside_of_others(name, labels, dtype):
    X, y = IRIS.astype(dtype), LABELS[labels]
    model = CLASSIFIERS[name]().fit(X, y)
    require_same(converted_outputs(model, X), model, X)


@pytest.mark.slow_without_jit
@converges_or_not
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_regressors_inside_of_others(dtype):
    X, y = IRIS[:, :3].astype(dtype), IRIS[:, 3]
    network = DNNRegressor(**SHORT)
    for model in (
        make_pipeline(StandardScaler(), network),
        StackingRegressor([("dnn", network), ("linear", Ridge())], network, cv=2),
    ):
        largest = X.max() if dtype == np.float32 else 1.0
        require_same(converted_outputs(model.fit(X, y), X), model, X, largest)


@pytest.mark.slow_without_jit
@converges_or_not
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
@pytest.mark.parametrize("labels", ["three", "two texts", "labels"])
def test_classifiers_of_several_networks(labels, loss, dtype):
    X = IRIS.astype(dtype)
    y = np.eye(3, dtype=int)[SPECIES] if labels == "labels" else LABELS[labels]
    model = DNNClassifier(loss=loss, n_members=3, **SHORT).fit(X, y)
    require_same(converted_outputs(model, X), model, X)
    options = {id(model): {"zipmap": False, "raw_scores": True}}
    found = converted_outputs(model, X, options=options)["probabilities"]
    expected = model.decision_function(X)
    if expected.ndim == 1:
        expected = np.column_stack([-expected, expected])
    require_close(found, expected)


@pytest.mark.slow_without_jit
@converges_or_not
@pytest.mark.parametrize("loss", ["squared_error", "poisson", "gaussian_nll", "quantile"])
def test_regressors_of_several_networks(loss):
    options = {"loss": loss, "n_members": 3, "quantile": [0.1, 0.5]}
    model = DNNRegressor(**options, **SHORT).fit(IRIS[:, :3], IRIS[:, 3])
    require_same(converted_outputs(model, IRIS[:, :3]), model, IRIS[:, :3])


def test_a_network_that_was_computed_in_double_precision():
    model = DNNRegressor(hidden_layer_sizes=(3,), solver="lbfgs", max_iter=5, random_state=0)
    X = samples(0)
    model.fit(X, X[:, 0])
    require_same(converted_outputs(model, X), model, X)


def test_columns_that_are_inputs_by_themselves():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(samples(0), columns=list("abcd"))
    model = drawn(DNNClassifier((3,), random_state=0), frame, np.resize([0, 1], N_ROWS))
    require_same(converted_outputs(model, frame), model, frame)


# -- options --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.bool_])
def test_skl2onnx_itself(dtype):
    X = (3 * samples(0)).astype(dtype)
    model = drawn(DNNClassifier((3,), random_state=0), X, np.resize([0, 1, 2], N_ROWS))
    fastdnn.onnx.register()
    converted = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
    label, probabilities = session_of(converted).run(None, {"X": X})
    require_same({"label": label, "probabilities": probabilities}, model, X)


def test_scores_in_the_place_of_probabilities():
    X, y = samples(0), np.resize([0, 1, 2], N_ROWS)
    model = drawn(DNNClassifier((3,), random_state=0), X, y)
    options = {id(model): {"zipmap": False, "raw_scores": True}}
    outputs = converted_outputs(model, X, options=options)
    require_close(outputs["probabilities"], model.decision_function(X))
    model = drawn(DNNClassifier((3,), random_state=0), X, y > 0)
    options = {id(model): {"zipmap": False, "raw_scores": True}}
    scores = converted_outputs(model, X, options=options)["probabilities"]
    require_close(scores, np.column_stack([-1.0, 1.0]) * model.decision_function(X)[:, None])


def test_dictionaries_of_probabilities():
    X = samples(0, np.float32)
    model = drawn(DNNClassifier((3,), random_state=0), X, np.resize(["no", "yes"], N_ROWS))
    options = {id(model): {"zipmap": True}}
    found = converted_outputs(model, X, options=options)["output_probability"]
    expected = model.predict_proba(X)
    assert set(found[0]) == {"no", "yes"}
    require_close(np.array([row["yes"] for row in found], np.float32), expected[:, 1])


def test_positions_in_the_place_of_labels():
    X, y = samples(0), np.resize(["no", "yes"], N_ROWS)
    model = drawn(DNNClassifier((3,), random_state=0), X, y)
    options = {id(model): {"zipmap": False, "nocl": True}}
    labels = converted_outputs(model, X, options=options)["label"]
    assert (model.classes_[labels] == model.predict(X)).all()


@pytest.mark.parametrize("opset", [13, 15, 18, 21])
def test_earlier_operators(opset):
    X, y = samples(0), np.resize([0, 1, 2], N_ROWS)
    layers = {"hidden_layer_sizes": (4, 3), "normalization": "layer", "activation": "gelu"}
    model = drawn(DNNClassifier(**layers, random_state=0), X, y)
    require_same(converted_outputs(model, X, target_opset=opset), model, X)


# -- what is refused ------------------------------------------------------------------------


def test_operators_that_are_too_early():
    X = samples(0)
    model = drawn(DNNRegressor(hidden_layer_sizes=(3,), random_state=0), X, X[:, 0])
    with pytest.raises(ValueError, match="target_opset=12 is too early"):
        fastdnn.onnx.to_onnx(model, X, target_opset=12)


@pytest.mark.parametrize(
    "model",
    [DNNClassifier(), DNNRegressor(), TableEncoder(), TabularDNNClassifier()],
    ids=lambda model: type(model).__name__,
)
def test_models_that_are_not_fitted(model):
    with pytest.raises(NotFittedError, match=f"This {type(model).__name__} instance"):
        fastdnn.onnx.to_onnx(model, samples(0))


def test_sparse_samples():
    X = np.where(samples(0) > 0.5, 1.0, 0.0)
    model = drawn(DNNClassifier((3,), random_state=0), X, np.resize([0, 1, 2], N_ROWS))
    for matrix in (sparse.csr_matrix(X), sparse.csr_array(X)):
        require_same(converted_outputs(model, matrix), model, matrix)


def test_own_activations():
    X = samples(0)
    for activation in (own.SWISH, ["relu", own.SWISH]):
        model = drawn(
            DNNRegressor(hidden_layer_sizes=(3, 2), activation=activation, random_state=0),
            X,
            X[:, 0],
        )
        with pytest.raises(ValueError, match=r"activation=.*swish.* of your own"):
            fastdnn.onnx.to_onnx(model, X)


@pytest.mark.parametrize("labels", [[b"no", b"yes"], [0.5, 1.5]])
def test_labels_that_onnx_has_no_type_for(labels):
    X = samples(0)
    model = drawn(DNNClassifier((3,), random_state=0), X, np.resize([0, 1], N_ROWS))
    model.classes_ = np.array(labels)
    with pytest.raises(ValueError, match=r"Classes .* cannot be converted"):
        fastdnn.onnx.to_onnx(model, X)


def test_strings_for_numbers():
    from skl2onnx.common.data_types import StringTensorType

    X = samples(0)
    model = drawn(DNNRegressor(hidden_layer_sizes=(3,), random_state=0), X, X[:, 0])
    inputs = [("X", StringTensorType([None, N_FEATURES]))]
    with pytest.raises(ValueError, match=r"Input 'X' has strings, but DNNRegressor takes"):
        fastdnn.onnx.to_onnx(model, X, initial_types=inputs)
