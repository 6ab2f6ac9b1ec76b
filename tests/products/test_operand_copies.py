"""Copies of operands: all that was asked for, in its place, and nothing beside it."""

import numba
import numpy as np
import pytest

from fastdnn.machine.profile import PROFILE
from fastdnn.machine.views import address
from fastdnn.products.operand_copies import columns_conflict, copy_columns, copy_left

pytestmark = pytest.mark.needs_jit


@numba.njit
def copy_to_rows(a, first, n_rows, out):
    at = address(a, first)
    copy_columns(a.dtype.type(0), at, a.shape[1], n_rows, a.shape[0], address(out, 0))


@numba.njit
def copy_to_tiles(a, first, n_rows, out):
    at = address(a, first)
    copy_left(a.dtype.type(0), at, a.shape[1], address(out, 0), n_rows, a.shape[0])


@numba.njit
def conflict(step_bytes, n_steps):
    return columns_conflict(step_bytes, n_steps)


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_steps", [8, 9, 33, 112])
@pytest.mark.parametrize("n_rows", [8, 13, 16])
def test_columns_become_rows(n_rows, n_steps, dtype):
    a = np.random.default_rng(0).standard_normal((n_steps, n_rows + 5)).astype(dtype)
    copies = np.full((n_rows + 1, n_steps), 7, dtype)
    copy_to_rows(a, 3, n_rows, copies)
    np.testing.assert_array_equal(copies[:-1], a[:, 3 : 3 + n_rows].T)
    assert (copies[-1] == 7).all()


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_steps", [1, 130])
@pytest.mark.parametrize("n_tiles", [0, 1, 4, 9])
@pytest.mark.parametrize("n_left", [0, 1, 3])
def test_columns_become_tiles(n_left, n_tiles, n_steps, dtype):
    height = PROFILE.tile_rows
    n_rows = n_tiles * height + n_left
    a = np.random.default_rng(0).standard_normal((n_steps, n_rows + 5)).astype(dtype)
    copies = np.full((n_tiles + 2, n_steps, height), 7, dtype)
    copy_to_tiles(a, 3, n_rows, copies)
    for i in range(n_rows):
        np.testing.assert_array_equal(copies[i // height, :, i % height], a[:, 3 + i])
    assert (copies[n_tiles, :, n_left:] == 7).all()
    assert (copies[-1] == 7).all()


def test_columns_conflict_where_they_share_few_sets_of_the_cache():
    assert conflict(4096, 17)
    assert conflict(2048, 64)
    assert not conflict(400, 100)  # cut across all sets
    assert not conflict(2048, 8)
