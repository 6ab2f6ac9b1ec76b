"""Tables in ONNX: encoders put out the same numbers, estimators predict the same."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.pipeline import make_pipeline

import fastdnn.onnx
from fastdnn import DNNClassifier
from fastdnn.tables import TableEncoder, TabularDNNClassifier, TabularDNNRegressor
from tests.onnx.sessions import converted_outputs, require_close, require_same, session_of

N_ROWS = 200


def table(seed=0):
    """Return columns of all kinds that ONNX can have."""
    rng = np.random.default_rng(seed)
    present = rng.random(N_ROWS) > 0.2
    return pd.DataFrame(
        {
            "size": rng.normal(size=N_ROWS),
            "colour": rng.choice(["red", None, "green", "blue"], N_ROWS),
            "age": np.where(present, rng.exponential(size=N_ROWS), np.nan),
            "constant": 1.0,
            "street": [f"street {i}" for i in rng.integers(0, 120, N_ROWS)],
            "count": rng.integers(0, 9, N_ROWS),
            "flag": rng.random(N_ROWS) > 0.5,
            "code": pd.Categorical(np.where(present, rng.integers(0, 5, N_ROWS), np.nan)),
            "zone": pd.Categorical(rng.integers(0, 120, N_ROWS)),
            "share": pd.Categorical(rng.integers(0, 9, N_ROWS) / 7.0),
        }
    )


def target(frame):
    return frame["size"] + frame["count"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sparse_output", [False, True])
@pytest.mark.parametrize("numeric_encoding", ["quantile", "tree", "linear"])
def test_encoders_put_out_the_same_numbers(numeric_encoding, sparse_output, dtype):
    frame = table()
    encoder = TableEncoder(
        numeric_encoding=numeric_encoding, sparse_output=sparse_output, dtype=dtype
    ).fit(frame, target(frame))
    assert len(encoder.dropped_) == 1
    other = table(1)  # with other levels, and beyond the range
    other.loc[:1, "colour"], other.loc[:1, "street"] = "black", "street 999"
    other.loc[2, ["size", "age"]] = [1e200, -1e200]
    other["code"] = other["code"].cat.add_categories([99.0])
    other.loc[3, "code"] = 99.0
    for given in (frame, other):
        expected = encoder.transform(given)
        expected = expected.toarray() if sparse_output else expected
        found = converted_outputs(encoder, given)["variable"]
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_encoders_of_arrays():
    columns = table()[["size", "age", "count", "constant"]]
    for array in (columns.to_numpy(), columns.to_numpy(np.float32)):
        encoder = TableEncoder(categorical_features=[2]).fit(array)
        require_close(converted_outputs(encoder, array)["variable"], encoder.transform(array))


def test_whole_numbers_that_float64_has_gaps_between():
    from skl2onnx.common.data_types import Int64TensorType

    array = (2**60 + np.arange(40).reshape(-1, 1) % 3).astype(np.int64)
    encoder = TableEncoder(categorical_features=[0]).fit(array)
    assert encoder.n_features_out_ == 4
    inputs = [("X", Int64TensorType([None, 1]))]
    found = converted_outputs(encoder, array, initial_types=inputs)["variable"]
    require_close(found, encoder.transform(array))


def test_categories_without_a_common_level():
    rng = np.random.default_rng(0)
    numbers = rng.permutation(N_ROWS).astype(float)
    frame = pd.DataFrame({"id": pd.Categorical(numbers), "size": rng.normal(size=N_ROWS)})
    texts = frame.assign(id=[f"id {number}" for number in numbers])
    for given in (frame, texts):
        encoder = TableEncoder(numeric_encoding="linear").fit(given)
        assert list(encoder.get_feature_names_out()) == ["id_infrequent", "size"]
        require_close(converted_outputs(encoder, given)["variable"], encoder.transform(given))


def test_encoders_of_strings_in_one_array():
    from skl2onnx.common.data_types import StringTensorType

    rng = np.random.default_rng(0)
    array = np.column_stack([rng.choice(list(letters), N_ROWS) for letters in ("ab", "cde")])
    encoder = TableEncoder().fit(array)
    inputs = [("X", StringTensorType([None, 2]))]
    session = session_of(fastdnn.onnx.to_onnx(encoder, array, initial_types=inputs))
    (found,) = session.run(None, {"X": array.astype(object)})
    require_close(found, encoder.transform(array))


SHORT = {
    "n_members": 2,
    "max_epochs": 4,
    "hidden_layer_sizes": (8,),
    "random_state": 0,
}


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("activation", ["relu", "silu", "gelu", "mish", "tanh", "leaky_relu"])
def test_classifiers(activation):
    frame = table()
    y = np.where(frame["size"] > 0, "large", np.where(frame["size"] > -1, "medium", "small"))
    model = TabularDNNClassifier(activation=activation, **SHORT).fit(frame, y)
    require_same(converted_outputs(model, frame), model, frame)
    other = table(1)
    require_same(converted_outputs(model, other), model, other)


@pytest.mark.slow_without_jit
def test_regressors():
    frame = table()
    y = target(frame)
    model = TabularDNNRegressor(**SHORT).fit(frame, y)
    other = table(1)
    other.loc[0, "size"] = 1e9  # held within the range of y
    require_same(converted_outputs(model, other), model, other)
    model = TabularDNNRegressor(**SHORT).fit(frame, np.column_stack([y, 100 * y]))
    require_same(converted_outputs(model, frame), model, frame)


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("n_columns", [2, 130])  # of which there are compact tables, or not
def test_numbers_that_lie_close_to_each_other(n_columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, n_columns))
    X[: N_ROWS // 2] = 1.0 + rng.integers(0, 50, (N_ROWS // 2, n_columns)) * 1e-6
    model = TabularDNNRegressor(**SHORT).fit(X, X[:, 0])
    require_same(converted_outputs(model, X), model, X)


@pytest.mark.slow_without_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_encoders_before_networks(dtype):
    frame = table()
    network = DNNClassifier((5,), max_iter=3, random_state=0)
    model = make_pipeline(TableEncoder(dtype=dtype), network).fit(frame, frame["flag"])
    require_same(converted_outputs(model, frame), model, frame)


def test_frames_of_other_libraries():
    frame = table()[["size", "colour", "count"]]
    encoder = TableEncoder().fit(frame)
    other = pl.DataFrame(frame.to_dict("list"), strict=False)
    require_close(converted_outputs(encoder, other)["variable"], encoder.transform(other))


def test_columns_without_names():
    frame = table()[["size", "count"]].set_axis([7, 3], axis="columns")
    encoder = TableEncoder().fit(frame)
    require_close(converted_outputs(encoder, frame)["variable"], encoder.transform(frame))


def test_dates_are_refused():
    frame = table()[["size"]]
    frame["day"] = pd.date_range("2020-01-01", periods=N_ROWS, freq="D")
    encoder = TableEncoder().fit(frame)
    with pytest.raises(ValueError, match="'day' has dates"):
        fastdnn.onnx.to_onnx(encoder, frame)
    with pytest.raises(ValueError, match="'day' has dates"):
        fastdnn.onnx.to_onnx(encoder, frame.assign(day=0.0))


def test_inputs_that_do_not_fit_the_table():
    frame = table()[["size", "colour", "code"]]
    encoder = TableEncoder().fit(frame)
    with pytest.raises(ValueError, match="have 2 columns, but the table of the fit had 3"):
        fastdnn.onnx.to_onnx(encoder, frame[["size", "colour"]])
    texts = frame.assign(size=frame["size"].astype(str))
    with pytest.raises(ValueError, match="'size' has strings, but held numbers in fit"):
        fastdnn.onnx.to_onnx(encoder, texts)
    texts = frame.assign(code=frame["code"].astype(str))
    with pytest.raises(ValueError, match=r"input of strings cannot have the level \d.0"):
        fastdnn.onnx.to_onnx(encoder, texts)
    numbers = frame.assign(colour=0.0)
    with pytest.raises(ValueError, match="input of numbers cannot have the level '"):
        fastdnn.onnx.to_onnx(encoder, numbers)


def test_empty_strings_are_missing_ones_or_a_level():
    frame = pd.DataFrame({"colour": ["red", "", "green", ""] * 20, "size": np.arange(80.0)})
    encoder = TableEncoder().fit(frame)
    require_close(converted_outputs(encoder, frame)["variable"], encoder.transform(frame))
    frame.loc[:7, "colour"] = None
    encoder = TableEncoder().fit(frame)
    assert "colour_missing" in encoder.get_feature_names_out()
    with pytest.raises(ValueError, match="missing strings and with empty ones"):
        fastdnn.onnx.to_onnx(encoder, frame)


def test_names_that_onnx_does_not_have():
    names = ["a b", "a_b", "a-b", "2", "ö", "a+"]
    array = np.random.default_rng(0).normal(size=(N_ROWS, len(names)))
    frame = pd.DataFrame(array, columns=names)
    encoder = TableEncoder().fit(frame)
    require_close(converted_outputs(encoder, frame)["variable"], encoder.transform(frame))
