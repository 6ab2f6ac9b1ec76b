"""Masks: a bit for every step of a row, set where the row is not zero."""

import numba
import numpy as np
import pytest

from fastdnn.machine.views import address
from fastdnn.products.masks import MASK_BYTES, MOST_STEPS, mask_columns, mask_rows

pytestmark = pytest.mark.needs_jit


@numba.njit
def make_masks_of_rows(a, first, n_steps, masks):
    at = address(a, first)
    mask_rows(a.dtype.type(0), at, a.shape[1], a.shape[0], n_steps, address(masks, 0))


@numba.njit
def make_masks_of_columns(a, first, n_rows, masks):
    at = address(a, first)
    mask_columns(a.dtype.type(0), at, a.shape[1], n_rows, a.shape[0], address(masks, 0))


def values(rng, shape, dtype):
    """Return numbers of which some are zero, of both signs, and some are hard to tell."""
    choices = np.array([0, 0, 0, -0.0, 1.5, -2.0, np.nan, np.inf, np.finfo(dtype).tiny])
    return rng.choice(choices, shape).astype(dtype)


def expected_words(rows):
    """Return the masks as NumPy packs them, in whole words."""
    n_steps = rows.shape[1]
    bits = np.zeros((len(rows), -(-n_steps // 64) * 64), np.uint8)
    bits[:, :n_steps] = rows != 0
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def made(masks, n_rows, n_steps):
    """Return the words that have steps; the rest of the masks, and what follows, is as was."""
    n_words = -(-n_steps // 64)
    assert (masks[:n_rows, n_words:] == 7).all()
    assert (masks[n_rows:] == 7).all()
    return masks[:n_rows, :n_words]


def no_masks(n_rows):
    return np.full((n_rows + 1, MASK_BYTES // 8), 7, np.uint64)


STEPS = [8, 9, 31, 32, 33, 63, 64, 65, 96, 103, 112, MOST_STEPS]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_steps", STEPS)
def test_rows_in_one_piece(n_steps, dtype):
    rng = np.random.default_rng(n_steps)
    a, masks = values(rng, (21, n_steps + 3), dtype), no_masks(21)
    make_masks_of_rows(a[:-1], 2, n_steps, masks)
    expected = expected_words(a[:-1, 2 : 2 + n_steps])
    np.testing.assert_array_equal(made(masks, 20, n_steps), expected)


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_steps", STEPS)
@pytest.mark.parametrize("n_rows", [8, 13, 16])
def test_rows_that_lie_as_columns(n_rows, n_steps, dtype):
    rng = np.random.default_rng(n_steps)
    a, masks = values(rng, (n_steps, n_rows + 5), dtype), no_masks(n_rows)
    make_masks_of_columns(a, 3, n_rows, masks)
    columns = a[:, 3 : 3 + n_rows].T
    np.testing.assert_array_equal(made(masks, n_rows, n_steps), expected_words(columns))
