"""The products of a dense layer, with one unit and with several, against NumPy."""

import numpy as np
import pytest

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.machine.profile import PROFILE
from fastdnn.products.linear import SCRATCH_BYTES
from tests.products.calls import delta, forward, gradient, gradient_and_claim
from tests.products.guarded import guarded

pytestmark = pytest.mark.pairwise


def scratch_for(dtype):
    """Return the scratch of one worker."""
    return np.full(SCRATCH_BYTES // np.dtype(dtype).itemsize, np.nan, dtype)


def no_scratch(dtype):
    return np.zeros(0, dtype)


def no_floor(dtype):
    return np.dtype(dtype).type(-np.inf)


def operands(n_rows, n_in, n_out, dtype):
    """Return A, W, b and D with entries below 1, and the same in float64."""
    rng = np.random.default_rng(0)
    shapes = (n_rows, n_in), (n_in, n_out), n_out, (n_rows, n_out)
    arrays = [rng.uniform(-1.0, 1.0, shape).astype(dtype) for shape in shapes]
    return arrays, [array.astype(np.float64) for array in arrays]


def assert_written(out, buffer, exact, n_terms):
    """Compare with the product in float64: each of its terms is below 1."""
    atol = (n_terms + 1) * np.finfo(out.dtype).eps
    np.testing.assert_allclose(out, exact, rtol=0.0, atol=atol)
    assert np.isnan(buffer).sum() == buffer.size - out.size


# More inner steps than there are between two visits to the output: at most 128 of a transposed
# left operand, at most 512, with vectors of 16 bytes, of one that lies row after row.
MANY_ROWS, MANY_UNITS = 131, 515

# Below and above the rows of a tile, the lanes of a vector, a vector and a half, and three
# vectors, for all processors: tiles of 4 or 8 rows, vectors of 2 to 16 numbers.
ROWS = [1, 3, 8, 9]
UNITS = [1, 2, 5, 10, 12, 16, 17, 24, 25, 48, 50, 66, 113]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_out", UNITS)
@pytest.mark.parametrize("n_in", [1, 7, 16, MANY_UNITS])
@pytest.mark.parametrize("n_rows", ROWS)
def test_forward_equals_numpy(n_rows, n_in, n_out, dtype):
    (A, W, b, _), (A64, W64, b64, _) = operands(n_rows, n_in, n_out, dtype)
    Z, buffer = guarded(dtype, n_rows, n_out)
    forward(A, W, b, Z, no_floor(dtype), no_scratch(dtype))
    assert_written(Z, buffer, A64 @ W64 + b64, n_in)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_out", [1, 7, 16])
@pytest.mark.parametrize("n_in", UNITS)
@pytest.mark.parametrize("n_rows", ROWS)
def test_delta_equals_numpy(n_rows, n_in, n_out, dtype):
    (_, W, _, D), (_, W64, _, D64) = operands(n_rows, n_in, n_out, dtype)
    D_prev, buffer = guarded(dtype, n_rows, n_in)
    delta(D, W, np.ascontiguousarray(W.T), D_prev, no_scratch(dtype))
    assert_written(D_prev, buffer, D64 @ W64.T, n_out)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_out", UNITS)
@pytest.mark.parametrize("n_in", [1, 7, 20])
@pytest.mark.parametrize("n_rows", [*ROWS, MANY_ROWS])
def test_gradient_of_blocks_equals_numpy(n_rows, n_in, n_out, dtype):
    (A, _, _, D), (A64, _, _, D64) = operands(n_rows, n_in, n_out, dtype)
    for first, last in [(0, n_in), (n_in // 2, n_in)]:
        dW, buffer = guarded(dtype, last - first, n_out)
        gradient(A, first, D, dW, no_scratch(dtype))
        assert_written(dW, buffer, A64[:, first:last].T @ D64, n_rows)


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(9, 7, 5), (130, 64, 70), (40, 33, 530)], ids=str)
def test_what_a_product_claims_keeps_its_values(sizes, dtype):
    n_rows, n_in, n_out = sizes
    (A, _, _, D), _ = operands(n_rows, n_in, n_out, dtype)
    expected, got = np.empty((n_in, n_out), dtype), np.empty((n_in, n_out), dtype)
    claimed, buffer = guarded(dtype, n_in, n_out)
    claimed[:] = np.arange(claimed.size).reshape(claimed.shape)
    before = buffer.copy()
    gradient(A, 0, D, expected, scratch_for(dtype))
    gradient_and_claim(A, 0, D, got, scratch_for(dtype), claimed)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(buffer, before)


# Right operands whose rows are long enough to be copied, the shorter ones on some processors
# and if there are many: whole panels, one and two vectors left over, a last vector that
# overlaps the one before.
LONG = [96, 100, 128, 512, 544, 1000, 1025]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_long", LONG)
@pytest.mark.parametrize("n_inner", [1, 128, MANY_UNITS])
@pytest.mark.parametrize("n_rows", [31, 32, 45])
def test_copies_change_no_bit(n_rows, n_inner, n_long, dtype):
    (A, W, b, _), (A64, W64, b64, _) = operands(n_rows, n_inner, n_long, dtype)
    D_prev = np.empty((n_rows, n_long), dtype)
    results = []
    for scratch in (no_scratch(dtype), scratch_for(dtype)):
        Z, buffer = guarded(dtype, n_rows, n_long)
        forward(A, W, b, Z, no_floor(dtype), scratch)
        assert_written(Z, buffer, A64 @ W64 + b64, n_inner)
        delta(A, np.ascontiguousarray(W.T), W, D_prev, scratch)
        results.append((Z.copy(), D_prev.copy()))
    for plain, copied in zip(*results, strict=True):
        np.testing.assert_array_equal(plain, copied)


@pytest.mark.needs_jit
@pytest.mark.skipif(
    not PROFILE.copies_conflicting_panels,
    reason="tall tiles leave the cache time",
)
@pytest.mark.parametrize(
    ("n_inner", "row_bytes", "is_copied"),
    [
        (128, 96 * 4, False),  # rows begin in 32 of 64 sets
        (128, 128 * 4, True),  # in 8 of them
        (56, 128 * 4, False),  # less than the cache
        (104, 102 * 4, False),  # across lines
        (105, 102 * 4, True),
        (80, 102 * 4, False),  # less than the cache
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_push_each_other_out_of_the_cache_are_copied(
    n_inner, row_bytes, is_copied, dtype
):
    n_out = row_bytes // np.dtype(dtype).itemsize
    (A, W, b, _), _ = operands(32, n_inner, n_out, dtype)
    scratch = scratch_for(dtype)
    forward(A, W, b, np.empty((32, n_out), dtype), no_floor(dtype), scratch)
    assert np.isfinite(scratch).any() == is_copied


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_out", [70, 530])  # the longer rows are copied as panels as well
@pytest.mark.parametrize("n_in", [512, 1024])  # rows of 4 KiB, and twice or half of that
@pytest.mark.parametrize("n_rows", [1, 100, MANY_ROWS, 300])
def test_copies_of_a_transposed_operand_change_no_bit(n_rows, n_in, n_out, dtype):
    (A, _, _, D), (A64, _, _, D64) = operands(n_rows, n_in, n_out, dtype)
    results, margin = [], 64
    with_margin = np.full(scratch_for(dtype).size + margin, np.nan, dtype)
    for scratch in (no_scratch(dtype), with_margin[:-margin]):
        dW, buffer = guarded(dtype, n_in - 3, n_out)
        gradient(A, 3, D, dW, scratch)
        assert_written(dW, buffer, A64[:, 3:].T @ D64, n_rows)
        results.append(dW)
    np.testing.assert_array_equal(results[0], results[1])
    assert np.isnan(with_margin[-margin:]).all()
    # Copied where the rows of A are a multiple of 4 KiB or many, or those of D are long.
    is_copied = A.strides[0] % 4096 == 0 or n_rows > 128 or D.strides[0] >= 2048
    assert np.isfinite(with_margin).any() == (is_copied and JIT_ENABLED)


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_out", [9, 10])
@pytest.mark.parametrize("n_in", [1, 5, 100, 700])
@pytest.mark.parametrize("n_rows", [2, 7, 8, 9, 104])
def test_nine_and_ten_columns_have_the_bits_of_whole_vectors(n_rows, n_in, n_out, dtype):
    (A, W, b, D), _ = operands(n_rows, n_in, 16, dtype)
    wide, wide_gradient = np.empty((n_rows, 16), dtype), np.empty((n_in, 16), dtype)
    forward(A, W, b, wide, no_floor(dtype), scratch_for(dtype))
    gradient(A, 0, D, wide_gradient, scratch_for(dtype))
    W, b, D = W[:, :n_out].copy(), b[:n_out].copy(), D[:, :n_out].copy()
    (Z, buffer), (dW, other) = guarded(dtype, n_rows, n_out), guarded(dtype, n_in, n_out)
    forward(A, W, b, Z, no_floor(dtype), scratch_for(dtype))
    gradient(A, 0, D, dW, scratch_for(dtype))
    np.testing.assert_array_equal(Z, wide[:, :n_out])
    np.testing.assert_array_equal(dW, wide_gradient[:, :n_out])
    assert np.isnan(buffer).sum() == buffer.size - Z.size
    assert np.isnan(other).sum() == other.size - dW.size


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_out", [1, 5, 10, 17, 50, 113])
@pytest.mark.parametrize("n_in", [7, MANY_UNITS])
@pytest.mark.parametrize("n_rows", ROWS)
def test_floor_is_applied_to_complete_sums(n_rows, n_in, n_out, dtype):
    (A, W, b, _), _ = operands(n_rows, n_in, n_out, dtype)
    Z = np.empty((n_rows, n_out), dtype)
    forward(A, W, b, Z, no_floor(dtype), no_scratch(dtype))
    lowest = Z.dtype.type(Z.mean() + 0.1)
    with_floor = np.empty_like(Z)
    forward(A, W, b, with_floor, lowest, no_scratch(dtype))
    np.testing.assert_array_equal(with_floor, np.maximum(Z, lowest))
    assert (Z < lowest).any()
    assert Z.size == 1 or (Z > lowest).any()


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n_in", "n_out"), [(30, 40), (7, 3), (30, 9), (30, 10), (MANY_UNITS, 113)]
)
def test_a_row_does_not_depend_on_the_others(n_in, n_out, dtype):
    (A, W, b, _), _ = operands(21, n_in, n_out, dtype)
    together, alone = np.empty((21, n_out), dtype), np.empty((1, n_out), dtype)
    floor, scratch = no_floor(dtype), scratch_for(dtype)
    forward(A, W, b, together, floor, scratch)
    for i in range(21):
        forward(A[i : i + 1], W, b, alone, floor, scratch)
        np.testing.assert_array_equal(alone[0], together[i])


def test_nan_and_infinity_stay_in_their_row():
    (A, W, b, _), _ = operands(9, 5, 20, np.float32)
    A[3, 2], A[7, 0] = np.nan, np.inf
    Z = np.empty((9, 20), np.float32)
    forward(A, W, b, Z, np.float32(-np.inf), no_scratch(np.float32))
    assert np.isnan(Z[3]).all()
    assert np.isinf(Z[7]).all()
    assert np.isfinite(np.delete(Z, [3, 7], axis=0)).all()


@pytest.mark.parametrize("n_out", [1, 3, 10, 20])
@pytest.mark.parametrize("n_rows", [1, 9])
def test_floor_keeps_nan(n_rows, n_out):
    (A, W, b, _), _ = operands(n_rows, 5, n_out, np.float32)
    A[0, 2] = np.nan
    Z = np.empty((n_rows, n_out), np.float32)
    forward(A, W, b, Z, np.float32(0), no_scratch(np.float32))
    assert np.isnan(Z[0]).all()
    assert (Z[1:] >= 0).all()
