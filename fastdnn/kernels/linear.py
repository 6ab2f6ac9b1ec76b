"""The three products of a dense layer; a single row or column does without matrix tiles.

`scratch` has room for copies of large operands, see `fastdnn.kernels.matmul`, or is empty.

For a single column, the output of a binary or a one-target network, and for a single row to
predict, plain loops are faster than tiles of many rows that are a vector wide.
"""

import numpy as np

from fastdnn._jit import BOUNDS_CHECKED, JIT_ENABLED, kernel, loop_kernel, strict_kernel
from fastdnn.kernels.matmul import SCRATCH_BYTES, multiply
from fastdnn.kernels.views import address, vector


@kernel
def linear_forward(A, W, b, Z, floor, scratch):
    """Write ``A @ W + b`` into `Z`, or `floor` where that is lower."""
    if Z.shape[1] == 1:
        _matrix_times_column(A, W, b, Z, floor)
    elif A.shape[0] == 1:
        _row_times_matrix(A, W, b, Z, floor)
    else:
        _matrix_product(A, W, b, Z, floor, scratch)


@kernel
def linear_delta(D, W, W_transposed, D_prev, scratch):
    """Write ``D @ W.T`` into `D_prev`."""
    if D.shape[1] == 1:
        _column_times_row(D, W, D_prev)
    else:
        no_floor = D.dtype.type(-np.inf)
        _matrix_product(D, W_transposed, vector(D, 0, 0), D_prev, no_floor, scratch)


@kernel
def linear_gradient(A, first, D, dW, scratch, claimed):
    """Write rows `first`... of ``A.T @ D`` into `dW`; `claimed` as in `matmul.multiply`."""
    if D.shape[1] == 1:
        _transpose_times_column(A, first, D, dW)
    else:
        _transpose_product(A, first, D, dW, scratch, claimed)


def _scratch_address(scratch):  # needs jit
    """Return the address of the scratch, or 0 where it is too small."""
    return address(scratch, 0) if scratch.size * scratch.itemsize >= SCRATCH_BYTES else 0


def _matrix_product(A, W, b, Z, floor, scratch):  # needs jit
    """Write ``max(A @ W + b, floor)`` into `Z`; an empty `b` counts as zeros."""
    n_rows, n_in = A.shape
    n_out = W.shape[1]
    if BOUNDS_CHECKED and not (
        W.shape[0] == n_in and Z.shape == (n_rows, n_out) and b.size in (0, n_out)
    ):
        raise IndexError("a matrix product reaches outside its matrices")
    multiply(
        floor,
        address(A, 0),
        (n_in, 1),
        address(W, 0),
        address(b, 0) if b.size > 0 else 0,
        address(Z, 0),
        n_rows,
        n_out,
        n_in,
        _scratch_address(scratch),
        0,
    )


@np.errstate(invalid="ignore", over="ignore")  # as silent as compiled code
def _matrix_product_by_numpy(A, W, b, Z, floor, scratch):
    Z[:] = A @ W
    if b.size > 0:
        Z += b
    Z[floor >= Z] = floor  # not where Z is NaN


def _transpose_product(A, first, D, dW, scratch, claimed):  # needs jit
    """Write rows `first`... of ``A.T @ D`` into `dW`."""
    n_rows, n_in = A.shape
    if BOUNDS_CHECKED and not (
        first + dW.shape[0] <= n_in and D.shape == (n_rows, dW.shape[1])
    ):
        raise IndexError("a weight gradient reaches outside its matrices")
    multiply(
        D.dtype.type(-np.inf),
        address(A, first),
        (1, n_in),
        address(D, 0),
        0,
        address(dW, 0),
        dW.shape[0],
        dW.shape[1],
        n_rows,
        _scratch_address(scratch),
        claimed,
    )


@np.errstate(invalid="ignore", over="ignore")
def _transpose_product_by_numpy(A, first, D, dW, scratch, claimed):
    dW[:] = A[:, first : first + dW.shape[0]].T @ D


if JIT_ENABLED:  # needs jit
    _scratch_address = kernel(_scratch_address)
    _matrix_product, _transpose_product = kernel(_matrix_product), kernel(_transpose_product)
else:
    _matrix_product, _transpose_product = _matrix_product_by_numpy, _transpose_product_by_numpy


@loop_kernel
def _matrix_times_column(A, W, b, Z, floor):
    for i in range(A.shape[0]):
        total = b[0]
        for k in range(A.shape[1]):
            total += A[i, k] * W[k, 0]
        Z[i, 0] = max(total, floor)  # NaN stays


@strict_kernel
def _row_times_matrix(A, W, b, Z, floor):
    # The sums of the tiles, in the same order: a row alone gives the same bits. But W,
    # which a single row reads only once, is read as it lies.
    n_in, n_out = W.shape
    for j in range(n_out):
        Z[0, j] = b[j]
    whole = n_in - n_in % 4
    for k in range(0, whole, 4):
        a0, a1, a2, a3 = A[0, k], A[0, k + 1], A[0, k + 2], A[0, k + 3]
        for j in range(n_out):
            z = Z[0, j] + a0 * W[k, j]
            z = z + a1 * W[k + 1, j]
            z = z + a2 * W[k + 2, j]
            Z[0, j] = z + a3 * W[k + 3, j]
    for k in range(whole, n_in):
        for j in range(n_out):
            Z[0, j] += A[0, k] * W[k, j]
    for j in range(n_out):
        Z[0, j] = max(Z[0, j], floor)


@loop_kernel
def _column_times_row(D, W, D_prev):
    for i in range(D_prev.shape[0]):
        d = D[i, 0]
        for k in range(D_prev.shape[1]):
            D_prev[i, k] = d * W[k, 0]


@loop_kernel
def _transpose_times_column(A, first, D, dW):
    n_rows, n_in = A.shape[0], dW.shape[0]
    for k in range(n_in):
        dW[k, 0] = 0
    # Four rows at a time: a quarter of the reads and writes of dW.
    whole = n_rows - n_rows % 4
    for i in range(0, whole, 4):
        d0, d1, d2, d3 = D[i, 0], D[i + 1, 0], D[i + 2, 0], D[i + 3, 0]
        a0, a1 = _row_from(A, i, first, n_in), _row_from(A, i + 1, first, n_in)
        a2, a3 = _row_from(A, i + 2, first, n_in), _row_from(A, i + 3, first, n_in)
        for k in range(n_in):
            dW[k, 0] += d0 * a0[k] + d1 * a1[k] + (d2 * a2[k] + d3 * a3[k])
    for i in range(whole, n_rows):
        row = _row_from(A, i, first, n_in)
        for k in range(n_in):
            dW[k, 0] += D[i, 0] * row[k]


@kernel
def _row_from(A, i, first, length):
    """View row `i` of `A` from the column `first` on, which is not negative."""
    return vector(A, i * A.shape[1] + first, length)
