"""Samples become the inputs of a converted model."""

import numpy as np
import pandas as pd
import pytest

from fastdnn.onnx import inputs_of


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int16, np.int64),
        (np.uint8, np.int64),
        (np.bool_, np.bool_),
    ],
)
def test_arrays_are_one_input(given, expected):
    inputs = inputs_of(np.ones((2, 3), given))
    assert list(inputs) == ["X"]
    assert inputs["X"].dtype == expected
    assert inputs["X"].tolist() == [[1, 1, 1]] * 2


def test_columns_are_inputs():
    frame = pd.DataFrame(
        {
            "number": [1, 2],
            "missing": [None, 0.5],
            "text": ["a", None],
            "code": pd.Categorical([7, None]),
            "flag": [True, False],
        }
    )
    inputs = inputs_of(frame)
    assert list(inputs) == list(frame.columns)
    assert all(array.shape == (2, 1) for array in inputs.values())
    assert inputs["number"].ravel().tolist() == [1.0, 2.0]
    assert inputs["flag"].ravel().tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(inputs["missing"].ravel(), [np.nan, 0.5])
    np.testing.assert_array_equal(inputs["code"].ravel(), [7.0, np.nan])
    assert inputs["text"].ravel().tolist() == ["a", ""]


def test_lists_of_mixed_columns():
    inputs = inputs_of([[1, "a"], [2, "b"]])
    assert inputs["x0"].ravel().tolist() == [1.0, 2.0]
    assert inputs["x1"].ravel().tolist() == ["a", "b"]


def test_whole_numbers_that_float64_has_gaps_between():
    codes = [2**60, 2**60 + 1]
    frame = pd.DataFrame({"code": pd.Categorical(codes)})
    assert inputs_of(frame)["code"].dtype == np.int64
    assert inputs_of(frame)["code"].ravel().tolist() == codes
    frame = pd.DataFrame({"code": pd.Categorical(pd.array([*codes, None], dtype="Int64"))})
    with pytest.raises(ValueError, match="'code' of X has whole numbers beside missing"):
        inputs_of(frame)


def test_columns_of_two_types_are_refused():
    with pytest.raises(ValueError, match="'x0' of X has strings among others"):
        inputs_of([["a"], [1]])
