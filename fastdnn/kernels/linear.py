"""The three products of a dense layer; a layer with one unit does without BLAS.

BLAS starts up for every call, and its blocks are cut for wide matrices: for a single
column, the output of a binary or a one-target network, plain loops are faster.
"""

from fastdnn._jit import kernel, loop_kernel
from fastdnn.kernels.blas import (
    matmul,
    matmul_left_transposed,
    matmul_right_transposed,
)


@kernel
def linear_product(A, W, Z):
    """Write ``A @ W`` into `Z`."""
    if Z.shape[1] == 1:
        _matrix_times_column(A, W, Z)
    else:
        matmul(A, W, Z)


@kernel
def linear_delta(D, W, D_prev):
    """Write ``D @ W.T`` into `D_prev`."""
    if D.shape[1] == 1:
        _column_times_row(D, W, D_prev)
    else:
        matmul_right_transposed(D, W, D_prev)


@kernel
def linear_gradient(A, first, D, dW):
    """Write rows `first`... of ``A.T @ D`` into `dW`."""
    if D.shape[1] == 1:
        _transpose_times_column(A, first, D, dW)
    else:
        matmul_left_transposed(A, first, D, dW)


@loop_kernel
def _matrix_times_column(A, W, Z):
    for i in range(A.shape[0]):
        total = A.dtype.type(0)
        for k in range(A.shape[1]):
            total += A[i, k] * W[k, 0]
        Z[i, 0] = total


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
        for k in range(n_in):
            j = first + k
            dW[k, 0] += d0 * A[i, j] + d1 * A[i + 1, j] + (d2 * A[i + 2, j] + d3 * A[i + 3, j])
    for i in range(whole, n_rows):
        for k in range(n_in):
            dW[k, 0] += D[i, 0] * A[i, first + k]
