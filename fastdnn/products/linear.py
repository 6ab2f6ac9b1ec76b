"""The three products of a dense layer; a single row or column does without matrix tiles.

`scratch` has room for copies of large operands, see `fastdnn.products.matmul`, or is empty.
`how` is a record of `fastdnn.products.operands`: zeros that ReLU has made may be left out, see
`fastdnn.products.nonzeros`, and a product that is told to stop is left as it is. The products
of matrices are kernels of their own, which the record has the addresses of.

For a single column, the output of a binary or a one-target network, and for a single row to
predict, plain loops are faster than tiles of many rows that are a vector wide.
"""

import numpy as np

from fastdnn.compiler.jit import BOUNDS_CHECKED, JIT_ENABLED, kernel, loop_kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.views import address, matrix_at, vector
from fastdnn.products import matmul, nonzeros
from fastdnn.products.matmul import MULTIPLY
from fastdnn.products.nonzeros import MULTIPLY_NONZEROS, skipping_pays
from fastdnn.products.operands import ADJACENT, NOTHING, Left, Output, Right, Shape
from fastdnn.products.sums import sum_of_products
from fastdnn.products.switches import (
    ZEROS_ON_LEFT,
    ZEROS_ON_RIGHT,
)
from fastdnn.products.transpose import transpose_rows

_multiply, _multiply_nonzeros = MULTIPLY.call, MULTIPLY_NONZEROS.call

#: Size of the scratch of any product; a gradient takes as much more as its own size.
SCRATCH_BYTES = max(matmul.SCRATCH_BYTES, nonzeros.SCRATCH_BYTES)


@kernel
def linear_forward(A, W, b, Z, floor, scratch, how):
    """Write ``A @ W + b`` into `Z`, or `floor` where that is lower."""
    if Z.shape[1] == 1:
        _matrix_times_column(A, W, b, Z, floor)
    elif A.shape[0] == 1:
        _row_times_matrix(A, W, b, Z, floor)
    else:
        _matrix_product(A, W, b, Z, floor, scratch, how)


@kernel
def linear_delta(D, W, W_transposed, D_prev, scratch, how):
    """Write ``D @ W.T`` into `D_prev`."""
    if D.shape[1] == 1:
        _column_times_row(D, W, D_prev)
    else:
        no_floor = D.dtype.type(-np.inf)
        nothing = vector(D, 0, 0)
        _matrix_product(D, W_transposed, nothing, D_prev, no_floor, scratch, how)


@kernel
def linear_gradient(A, first, D, dW, scratch, claimed, how):
    """Write rows `first`... of ``A.T @ D`` into `dW`; `claimed` as in `matmul.multiply`."""
    if D.shape[1] == 1:
        _transpose_times_column(A, first, D, dW)
    else:
        _transpose_product(A, first, D, dW, scratch, claimed, how)


@kernel
def rectified_gradient(X, A, D, dW, db, scratch, how):
    """Write ``X.T @ D`` into `dW` and add the column sums of `D` to `db`, behind ReLU.

    `D` counts only where `A`, the output of ReLU, is not zero; it is left as it is. For finite
    numbers the sums are those of a completed `D`; a NaN of `D` counts where `A` is not zero or
    NaN only. Returns False, and does nothing, where that is no faster than to complete `D`
    first, or where there is not scratch enough.
    """
    return _rectified_product(X, A, D, dW, db, scratch, how)


def _room(scratch, n_bytes):  # needs jit
    """Return the address of the scratch, or 0 where it has not room for so many bytes."""
    return address(scratch, 0) if scratch.size * scratch.itemsize >= n_bytes else 0


def _matrix_product(A, W, b, Z, floor, scratch, how):  # needs jit
    """Write ``max(A @ W + b, floor)`` into `Z`; an empty `b` counts as zeros."""
    n_rows, n_in = A.shape
    n_out = W.shape[1]
    if BOUNDS_CHECKED and not (
        W.shape[0] == n_in and Z.shape == (n_rows, n_out) and b.size in (0, n_out)
    ):
        raise IndexError("a matrix product reaches outside its matrices")
    left, right = address(A, 0), address(W, 0)
    rows, shape = Left(left, n_in, ADJACENT), Shape(n_rows, n_out, n_in)
    out = Output(address(Z, 0), address(b, 0) if b.size > 0 else 0, NOTHING)
    memory = _room(scratch, SCRATCH_BYTES)
    may_skip = how.flags & ZEROS_ON_LEFT and memory != 0
    if may_skip and skipping_pays(floor, left, 1, n_rows, n_out, n_in, False):
        b = Right(right, n_out)
        _multiply_nonzeros(
            how.nonzeros,
            (floor, rows, left, b, out, shape, memory, 0, how.flags, how.stop),
        )
    else:
        _multiply(how.dense, (floor, rows, right, out, shape, memory, how.flags, how.stop))


@np.errstate(invalid="ignore", over="ignore")  # as silent as compiled code
def _matrix_product_by_numpy(A, W, b, Z, floor, scratch, how):
    Z[:] = A @ W
    if b.size > 0:
        Z += b
    Z[floor >= Z] = floor  # not where Z is NaN


def _transpose_product(A, first, D, dW, scratch, claimed, how):  # needs jit
    """Write rows `first`... of ``A.T @ D`` into `dW`."""
    n_rows, n_in = A.shape
    n_of_dW, n_out = dW.shape
    if BOUNDS_CHECKED and not (first + n_of_dW <= n_in and D.shape == (n_rows, n_out)):
        raise IndexError("a weight gradient reaches outside its matrices")
    real = D.dtype.type(-np.inf)
    left, right = address(A, first), address(D, 0)
    shape, out = Shape(n_of_dW, n_out, n_rows), Output(address(dW, 0), NOTHING, claimed)
    columns = Left(left, ADJACENT, n_in)
    memory = _room(scratch, SCRATCH_BYTES)
    may_skip = memory != 0 and how.flags & ZEROS_ON_LEFT
    if may_skip and skipping_pays(real, left, n_in, n_of_dW, n_out, n_rows, False):
        b = Right(right, n_out)
        _multiply_nonzeros(
            how.nonzeros,
            (real, columns, left, b, out, shape, memory, 0, how.flags, how.stop),
        )
        return
    has_room = _room(scratch, SCRATCH_BYTES + dW.size * dW.itemsize) != 0
    may_skip = has_room and how.flags & ZEROS_ON_RIGHT
    if may_skip and skipping_pays(real, right, n_out, n_out, n_of_dW, n_rows, True):
        # The zeros have to be on the left: the product is that of the transposes.
        turned = memory + SCRATCH_BYTES
        columns, rows = Left(right, ADJACENT, n_out), Right(left, n_in)
        shape, out = Shape(n_out, n_of_dW, n_rows), Output(turned, NOTHING, claimed)
        _multiply_nonzeros(
            how.nonzeros,
            (real, columns, right, rows, out, shape, memory, 0, how.flags, how.stop),
        )
        transpose_rows(matrix_at(real, turned, 0, n_out, n_of_dW), 0, n_out, dW)
        return
    _multiply(how.dense, (real, columns, right, out, shape, memory, how.flags, how.stop))


def _rectified_product(X, A, D, dW, db, scratch, how):  # needs jit
    n_rows, n_in = X.shape
    n_out = D.shape[1]
    if BOUNDS_CHECKED and not (
        A.shape == D.shape
        and D.shape[0] == n_rows
        and dW.shape == (n_in, n_out)
        and db.size == n_out
    ):
        raise IndexError("a weight gradient reaches outside its matrices")
    real, memory = D.dtype.type(-np.inf), _room(scratch, SCRATCH_BYTES + dW.size * dW.itemsize)
    left, masked_by = address(D, 0), address(A, 0)
    if memory == 0 or not skipping_pays(real, masked_by, n_out, n_out, n_in, n_rows, True):
        return False
    turned = memory + SCRATCH_BYTES
    columns, rows = Left(left, ADJACENT, n_out), Right(address(X, 0), n_in)
    shape, out = Shape(n_out, n_in, n_rows), Output(turned, NOTHING, NOTHING)
    totals = address(db, 0)
    _multiply_nonzeros(
        how.nonzeros,
        (real, columns, masked_by, rows, out, shape, memory, totals, how.flags, NOTHING),
    )
    transpose_rows(matrix_at(real, turned, 0, n_out, n_in), 0, n_out, dW)
    return True


def _rectified_product_by_numpy(X, A, D, dW, db, scratch, how):
    return False  # NumPy skips no zeros


@np.errstate(invalid="ignore", over="ignore")
def _transpose_product_by_numpy(A, first, D, dW, scratch, claimed, how):
    dW[:] = A[:, first : first + dW.shape[0]].T @ D


if JIT_ENABLED:  # needs jit
    _room = kernel(_room)
    _matrix_product, _transpose_product = kernel(_matrix_product), kernel(_transpose_product)
    _rectified_product = kernel(_rectified_product)
else:
    _rectified_product = _rectified_product_by_numpy
    _matrix_product, _transpose_product = _matrix_product_by_numpy, _transpose_product_by_numpy


@loop_kernel
def _matrix_times_column(A, W, b, Z, floor):
    n_in = A.shape[1]
    for i in range(A.shape[0]):
        total = sum_of_products(vector(A, i * n_in, n_in), vector(W, 0, n_in)) + b[0]
        Z[i, 0] = max(total, floor)  # NaN stays


@kernel
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
            z = multiply_add(a0, W[k, j], Z[0, j])
            z = multiply_add(a1, W[k + 1, j], z)
            z = multiply_add(a2, W[k + 2, j], z)
            Z[0, j] = multiply_add(a3, W[k + 3, j], z)
    for k in range(whole, n_in):
        for j in range(n_out):
            Z[0, j] = multiply_add(A[0, k], W[k, j], Z[0, j])
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
            total = multiply_add(d0, a0[k], dW[k, 0])
            total = multiply_add(d1, a1[k], total)
            total = multiply_add(d2, a2[k], total)
            dW[k, 0] = multiply_add(d3, a3[k], total)
    for i in range(whole, n_rows):
        row = _row_from(A, i, first, n_in)
        for k in range(n_in):
            dW[k, 0] = multiply_add(D[i, 0], row[k], dW[k, 0])


@kernel
def _row_from(A, i, first, length):
    """View row `i` of `A` from the column `first` on, which is not negative."""
    return vector(A, i * A.shape[1] + first, length)
