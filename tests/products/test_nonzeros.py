"""Products that leave out zeros: equal to those that do not, to the last bit."""

import numba
import numpy as np
import pytest

from fastdnn.machine.processor import vector_lanes
from fastdnn.machine.views import address
from fastdnn.ops.activations import ACTIVATIONS, BACKWARD
from fastdnn.products.linear import SCRATCH_BYTES, rectified_gradient
from fastdnn.products.nonzeros import (
    MOST_VECTORS,
    MULTIPLY_MASKED,
    MULTIPLY_NONZEROS,
    bytes_of_masked_columns,
    mask_part_of_columns,
    multiply_masked,
    multiply_nonzeros,
    parts_to_mask,
    skipping_pays,
)
from fastdnn.products.operands import NOTHING, Left, Output, Right, Shape
from tests.products.calls import delta, forward, gradient, gradient_and_claim, how
from tests.products.guarded import guarded

pytestmark = [pytest.mark.needs_jit, pytest.mark.pairwise]


@numba.njit
def _gradient_behind_relu(X, A, D, dW, db, scratch, how):
    return rectified_gradient(X, A, D, dW, db, scratch, how)


def gradient_behind_relu(X, A, D, dW, db, scratch):
    return _gradient_behind_relu(X, A, D, dW, db, scratch, how(X.dtype))


run_backward = BACKWARD.call
run_nonzeros, run_masked = MULTIPLY_NONZEROS.call, MULTIPLY_MASKED.call


@numba.njit
def backward(address, A, D, db):
    run_backward(address, (A, A, D, db))


@numba.njit
def pays(left, step, n_rows, n_columns, n_inner):
    real, at, is_turned = left.dtype.type(0), address(left, 0), step > 1
    return skipping_pays(real, at, step, n_rows, n_columns, n_inner, is_turned)


@numba.njit
def _product(kernel, a, a_row, a_step, b, bias, c, n_inner, floor, scratch):
    left, right = Left(address(a, 0), a_row, a_step), Right(address(b, 0), b.shape[1])
    out = Output(address(c, 0), address(bias, 0) if bias.size > 0 else 0, NOTHING)
    shape, memory = Shape(c.shape[0], c.shape[1], n_inner), address(scratch, 0)
    run_nonzeros(kernel, (floor, left, left.address, right, out, shape, memory, 0, 0, 0))


def product(a, *others):
    _product(multiply_nonzeros.address(a.dtype), a, *others)


def product_of_masks(a, *others):
    _product_of_masks(multiply_masked.address(a.dtype), a, *others)


@numba.njit
def _product_of_masks(kernel, a, b, c, masks, scratch, claimed):
    real, at = a.dtype.type(0), address(masks, 0)
    for part in range(parts_to_mask(a.shape[1])):
        mask_part_of_columns(real, address(a, 0), a.shape[1], a.shape[0], part, at, 0)
    right, out = (
        Right(address(b, 0), b.shape[1]),
        Output(address(c, 0), NOTHING, address(claimed, 0)),
    )
    shape = Shape(c.shape[0], c.shape[1], a.shape[0])
    run_masked(kernel, (real, at, right, out, shape, address(scratch, 0), 0))


def rectified(rng, shape, dtype, share=0.4):
    """Return a matrix such as ReLU makes, with that share of nonzeros."""
    values = rng.uniform(0.1, 1.0, shape).astype(dtype)
    values[rng.random(shape) >= share] = 0
    return values


def scratch_for(dtype, gradient_size=0):
    """Return the scratch of one worker, and a margin that nothing may be written to."""
    size = SCRATCH_BYTES // np.dtype(dtype).itemsize + gradient_size
    buffer = np.full(size + 64, np.nan, dtype)
    return buffer[:-64], buffer[-64:]


def columns_of(dtype):
    """Return numbers of columns: panels of 6, 7 and 8 vectors, whole and overlapping."""
    lanes = vector_lanes(np.dtype(dtype))
    return [n * lanes - cut for n in (6, 7, 8, 14, 16, 23) for cut in (0, 1, lanes - 1)]


# Steps: fewer than fill a panel, one more than a tile's, two panels, a short last one.
STEPS = [33, 48, 104, 107, 111, 113, 250]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_inner", STEPS)
@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize("n_rows", [28, 129, 263])
def test_what_is_left_out_changes_no_bit(n_rows, is_turned, n_inner, dtype):
    rng = np.random.default_rng(0)
    a = rectified(rng, (n_rows, n_inner), dtype)
    a[1], a[2, :-1], a[3] = 0, 0, 0.5  # nothing, the last step only, and everything
    left = np.ascontiguousarray(a.T) if is_turned else a
    strides = (1, n_rows) if is_turned else (n_inner, 1)
    scratch, margin = scratch_for(dtype)
    for n_columns in columns_of(dtype):
        b = rng.uniform(-1.0, 1.0, (n_inner, n_columns)).astype(dtype)
        bias = rng.uniform(-1.0, 1.0, n_columns).astype(dtype)
        for floor, given in ((-np.inf, bias), (0.0, bias), (-np.inf, bias[:0])):
            c, buffer = guarded(dtype, n_rows, n_columns)
            expected = np.empty_like(c)
            start = given if given.size > 0 else np.zeros_like(bias)
            forward(a, b, start, expected, c.dtype.type(floor), scratch, False)
            product(left, *strides, b, given, c, n_inner, c.dtype.type(floor), scratch)
            np.testing.assert_array_equal(c, expected)
            assert np.isnan(buffer).sum() == buffer.size - c.size
    assert np.isnan(margin).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_inner", STEPS)
@pytest.mark.parametrize("n_rows", [28, 128, 129, 263, 393])
def test_masks_of_a_whole_matrix_give_the_same_product(n_rows, n_inner, dtype):
    rng = np.random.default_rng(0)
    a = rectified(rng, (n_inner, n_rows), dtype)
    a[:, 1], a[:-1, 2], a[:, 3] = 0, 0, 0.5
    size = bytes_of_masked_columns(n_rows, n_inner, np.dtype(dtype)) // a.itemsize
    masks = np.full(size + 64, np.nan, dtype)
    scratch, margin = scratch_for(dtype)
    for n_columns in columns_of(dtype):
        b = rng.uniform(-1.0, 1.0, (n_inner, n_columns)).astype(dtype)
        (c, buffer), (claimed, around) = (guarded(dtype, n_rows, n_columns) for _ in range(2))
        claimed[:] = np.arange(claimed.size).reshape(claimed.shape)
        before, expected = around.copy(), np.empty_like(c)
        gradient(a, 0, b, expected, scratch, False, False)
        product_of_masks(a, b, c, masks, scratch, claimed)
        np.testing.assert_array_equal(c, expected)
        assert np.isnan(buffer).sum() == buffer.size - c.size
        np.testing.assert_array_equal(around, before)
    assert np.isnan(margin).all()
    assert np.isnan(masks[size:]).all()


LAYERS = [(104, 64, 100), (64, 128, 128), (200, 300, 260), (40, 96, 33)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_layers_with_zeros_equal_numpy(layer, dtype):
    n_rows, n_in, n_out = layer
    rng = np.random.default_rng(0)
    A, D = rectified(rng, (n_rows, n_in), dtype), -rectified(rng, (n_rows, n_out), dtype)
    W, b = rng.uniform(-1, 1, (n_in, n_out)).astype(dtype), np.ones(n_out, dtype)
    scratch, margin = scratch_for(dtype, n_in * n_out)
    exact = [x.astype(np.float64) for x in (A, W, D)]

    def assert_close(out, exact, n_terms):
        atol = (n_terms + 1) * np.finfo(dtype).eps
        np.testing.assert_allclose(out, exact, rtol=0.0, atol=atol)

    Z, D_prev = np.empty((n_rows, n_out), dtype), np.empty((n_rows, n_in), dtype)
    forward(A, W, b, Z, Z.dtype.type(0), scratch, True)
    assert_close(Z, np.maximum(exact[0] @ exact[1] + 1, 0), n_in)
    delta(D, W, np.ascontiguousarray(W.T), D_prev, scratch, True)
    assert_close(D_prev, exact[2] @ exact[1].T, n_out)
    for first in (0, 24):
        for zeros in ((True, False), (False, True), (True, True)):
            dW, buffer = guarded(dtype, n_in - first, n_out)
            gradient(A, first, D, dW, scratch, *zeros)
            assert_close(dW, exact[0][:, first:].T @ exact[2], n_rows)
            assert np.isnan(buffer).sum() == buffer.size - dW.size
    assert np.isnan(margin).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("zeros", [(True, False), (False, True)], ids=["in A", "in D"])
def test_a_gradient_with_zeros_is_the_same_and_keeps_what_it_claims(zeros, dtype):
    n_rows, n_in, n_out = 120, 128, 128
    rng = np.random.default_rng(0)
    A, D = rectified(rng, (n_rows, n_in), dtype), rectified(rng, (n_rows, n_out), dtype)
    expected, got = np.empty((n_in, n_out), dtype), np.empty((n_in, n_out), dtype)
    claimed, buffer = guarded(dtype, n_in, n_out)
    claimed[:] = np.arange(claimed.size).reshape(claimed.shape)
    before = buffer.copy()
    scratch, _ = scratch_for(dtype, n_in * n_out)
    gradient(A, 0, D, expected, scratch, False, False)
    gradient_and_claim(A, 0, D, got, scratch, claimed, *zeros)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(buffer, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_skipping_pays_for_many_zeros_and_wide_rows_only(dtype):
    rng = np.random.default_rng(0)
    wide = MOST_VECTORS * vector_lanes(np.dtype(dtype))
    few = rectified(rng, (104, 128), dtype, 0.35)
    assert pays(few, 1, 104, wide, 128)
    assert pays(few, 128, 128, wide, 104)  # the same matrix transposed
    assert not pays(few, 1, 104, wide // 2, 128)
    assert not pays(few, 1, 8, wide, 128)
    assert not pays(few, 1, 104, wide, 16)
    assert not pays(np.ones_like(few), 1, 104, wide, 128)
    assert not pays(rectified(rng, few.shape, dtype, 0.8), 1, 104, wide, 128)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_nan_is_not_left_out(share):
    rng = np.random.default_rng(0)
    A = rectified(rng, (64, 128), np.float32, share)
    W, b = np.ones((128, 128), np.float32), np.zeros(128, np.float32)
    A[3, 70], Z = np.nan, np.empty((64, 128), np.float32)
    forward(A, W, b, Z, np.float32(0), scratch_for(np.float32)[0], True)
    assert np.isnan(Z[3]).all()
    assert np.isfinite(np.delete(Z, 3, axis=0)).all()


# Rows, vectors of features, units: one panel and several, two words of a mask and two panels
# of steps; columns whose steps share few sets of the cache, and are copied.
LAYERS_BEHIND = [(100, 8, 100), (64, 7, 128), (130, 20, 300), (100, 8, 256), (104, 14, 1024)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", LAYERS_BEHIND, ids=str)
def test_deltas_behind_relu_are_not_needed_for_their_gradients(layer, dtype):
    n_rows, n_vectors, n_out = layer
    n_in = n_vectors * vector_lanes(np.dtype(dtype)) - 1
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_in)).astype(dtype)
    A = rectified(rng, (n_rows, n_out), dtype, 0.2)
    dA = rng.standard_normal((n_rows, n_out)).astype(dtype)
    scratch, margin = scratch_for(dtype, n_in * n_out)
    db = rng.standard_normal(n_out).astype(dtype)
    D, expected_db, expected = dA.copy(), db.copy(), np.empty((n_in, n_out), dtype)
    backward(ACTIVATIONS["relu"].backward.address(A.dtype), A, D, expected_db)
    gradient(X, 0, D, expected, scratch, False, False)

    before = dA.copy()
    dW, buffer = guarded(dtype, n_in, n_out)
    assert gradient_behind_relu(X, A, dA, dW, db, scratch)
    np.testing.assert_array_equal(dW, expected)
    np.testing.assert_array_equal(db, expected_db)
    np.testing.assert_array_equal(dA, before)
    assert np.isnan(buffer).sum() == buffer.size - dW.size
    assert np.isnan(margin).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_in", "share"), [(64, 1.0), (3, 0.4)], ids=["no zeros", "narrow"])
def test_deltas_behind_relu_are_completed_where_that_is_faster(n_in, share, dtype):
    rng = np.random.default_rng(0)
    X, A = np.ones((100, n_in), dtype), rectified(rng, (100, 100), dtype, share)
    D, db, dW = np.ones_like(A), np.zeros(100, dtype), np.zeros((n_in, 100), dtype)
    scratch, _ = scratch_for(dtype, dW.size)
    assert not gradient_behind_relu(X, A, D, dW, db, scratch)
    assert not db.any()
    assert not dW.any()


def test_nan_counts_where_relu_is_not_zero():
    rng = np.random.default_rng(0)
    n_in = 8 * vector_lanes(np.dtype(np.float32))
    X, A = np.ones((100, n_in), np.float32), rectified(rng, (100, 100), np.float32)
    D, db, dW = np.ones_like(A), np.zeros(100, np.float32), np.zeros((n_in, 100), np.float32)
    A[3, 5], A[4, 6], A[5, 7] = np.nan, 0, 0.5
    D[4, 6] = D[5, 7] = np.nan
    A[:, 5] = np.where(np.isnan(A[:, 5]), A[:, 5], 0)
    D[3, 5] = np.nan  # as behind a NaN of A it is
    assert gradient_behind_relu(X, A, D, dW, db, scratch_for(np.float32, dW.size)[0])
    expected = np.zeros(100, bool)
    expected[[5, 7]] = True
    np.testing.assert_array_equal(np.isnan(db), expected)
    np.testing.assert_array_equal(np.isnan(dW), np.broadcast_to(expected, dW.shape))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("left_out", [1, 3, 7])
def test_a_block_of_a_gradient_may_end_before_the_last_column(left_out, dtype):
    # As many features as a panel is wide: rows of X are read where they lie, but for blocks.
    n_in = 8 * vector_lanes(np.dtype(dtype))
    rng = np.random.default_rng(0)
    A = rng.standard_normal((100, n_in)).astype(dtype)
    D = rectified(rng, (100, 100), dtype)
    dW, buffer = guarded(dtype, n_in - left_out, 100)
    expected, scratch = np.empty_like(dW), scratch_for(dtype, n_in * 100)[0]
    gradient(A, left_out, D, expected, scratch, False, False)
    gradient(A, left_out, D, dW, scratch, False, True)
    np.testing.assert_array_equal(dW, expected)
    assert np.isnan(buffer).sum() == buffer.size - dW.size
