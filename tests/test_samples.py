"""Which rows the engine takes as they are."""

import numpy as np
import pytest

from fastdnn._samples import FEW_NUMBERS, is_ready


@pytest.mark.parametrize("n_rows", [1, FEW_NUMBERS])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_rows_are_ready_however_large(n_rows, dtype):
    X = np.zeros((n_rows, 3), dtype)
    assert is_ready(X, np.dtype(dtype), 3)
    X[0, 1] = np.finfo(dtype).max  # its square is infinite
    assert is_ready(X, np.dtype(dtype), 3)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_rows", [1, FEW_NUMBERS])
def test_rows_with_other_numbers_are_not(n_rows, number):
    X = np.zeros((n_rows, 3), np.float32)
    X[-1, 2] = number
    assert not is_ready(X, X.dtype, 3)


@pytest.mark.parametrize(
    "X",
    [
        [[1.0, 2.0, 3.0]],
        np.zeros((2, 3)),
        np.zeros(3, np.float32),
        np.zeros((2, 4), np.float32),
        np.zeros((0, 3), np.float32),
        np.zeros((3, 2), np.float32).T,
    ],
    ids=["list", "dtype", "vector", "columns", "empty", "order"],
)
def test_what_needs_conversion_or_a_message_is_not_ready(X):
    assert not is_ready(X, np.dtype(np.float32), 3)
