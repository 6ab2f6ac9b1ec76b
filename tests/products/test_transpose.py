"""The transpose of weights, whole and block by block."""

import numba
import numpy as np
import pytest

from fastdnn.products.transpose import TILE, transpose_rows


@numba.njit
def transpose(W, first, n_rows, W_transposed):
    transpose_rows(W, first, n_rows, W_transposed)


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_out", [1, 3, TILE, TILE + 1, 3 * TILE, 50])
@pytest.mark.parametrize("n_in", [1, 5, TILE, 2 * TILE + 3])
def test_transpose_writes_the_columns_of_its_block_only(n_in, n_out, dtype):
    W = np.random.default_rng(0).standard_normal((n_in, n_out)).astype(dtype)
    for first, last in [(0, n_in), (0, n_in // 2), (n_in // 2, n_in)]:
        W_transposed = np.full((n_out, n_in), np.nan, dtype)
        transpose(W, first, last - first, W_transposed)
        np.testing.assert_array_equal(W_transposed[:, first:last], W[first:last].T)
        assert np.isnan(W_transposed).sum() == (n_in - (last - first)) * n_out
