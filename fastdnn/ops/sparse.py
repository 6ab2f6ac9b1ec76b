"""The first layer on a sparse matrix in CSR form: never densified, forward or backward."""

from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form, matrix, vector_of
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.ops.draws import bits, keys_of, keys_of_row
from fastdnn.ops.dropout import factor_of, limit_of
from fastdnn.ops.transforms import DRAW


def _csr_forward(values, indices, indptr, rows, first, W, b, Z, draw, rate):
    """Write into `Z` the given `rows`, or those from `first` on, times `W`, plus `b`.

    What is drawn at random is for others.
    """
    for i in range(Z.shape[0]):
        row = rows[i] if rows.size > 0 else first + i
        for j in range(Z.shape[1]):
            Z[i, j] = b[j]
        for entry in range(indptr[row], indptr[row + 1]):
            value, k = values[entry], indices[entry]
            for j in range(Z.shape[1]):
                Z[i, j] = multiply_add(value, W[k, j], Z[i, j])


def _csr_weight_gradient(
    values, indices, indptr, rows, first_row, D, first, dW, start, stop, draw, rate
):
    """Add the products of rows `start` to `stop` to those of the rows before, in `dW`.

    All of them make the rows `first`... of the product of the transposed rows with `D`.
    """
    n_in = dW.shape[0]
    if start == 0:
        for k in range(n_in):
            for j in range(dW.shape[1]):
                dW[k, j] = 0
    for i in range(start, stop):
        row = rows[i] if rows.size > 0 else first_row + i
        for entry in range(indptr[row], indptr[row + 1]):
            k = indices[entry] - first
            if 0 <= k < n_in:
                value = values[entry]
                for j in range(dW.shape[1]):
                    dW[k, j] = multiply_add(value, D[i, j], dW[k, j])


def _csr_forward_of_some(values, indices, indptr, rows, first, W, b, Z, draw, rate):
    """Do the same with numbers left out, as `fastdnn.ops.dropout` does of dense rows."""
    keys, limit = keys_of(draw), limit_of(rate)
    factor = Z.dtype.type(factor_of(rate))
    for i in range(Z.shape[0]):
        of_row = keys_of_row(keys, draw[3] + i)
        row = rows[i] if rows.size > 0 else first + i
        for j in range(Z.shape[1]):
            Z[i, j] = b[j]
        for entry in range(indptr[row], indptr[row + 1]):
            value, k = values[entry] * factor, indices[entry]
            if bits(of_row, k) >= limit:
                for j in range(Z.shape[1]):
                    Z[i, j] = multiply_add(value, W[k, j], Z[i, j])


def _csr_weight_gradient_of_some(
    values, indices, indptr, rows, first_row, D, first, dW, start, stop, draw, rate
):
    """Do the same with the numbers left out that the forward pass has left out."""
    keys, limit = keys_of(draw), limit_of(rate)
    factor = D.dtype.type(factor_of(rate))
    n_in = dW.shape[0]
    if start == 0:
        for k in range(n_in):
            for j in range(dW.shape[1]):
                dW[k, j] = 0
    for i in range(start, stop):
        of_row = keys_of_row(keys, draw[3] + i)
        row = rows[i] if rows.size > 0 else first_row + i
        for entry in range(indptr[row], indptr[row + 1]):
            k = indices[entry] - first
            if 0 <= k < n_in and bits(of_row, indices[entry]) >= limit:
                value = values[entry] * factor
                for j in range(dW.shape[1]):
                    dW[k, j] = multiply_add(value, D[i, j], dW[k, j])


def _rows_of(real):
    """Return the types of the arrays of a CSR matrix, and of the rows to take."""
    integers = vector_of(types.int32), vector_of(types.int64), vector_of(types.int64)
    return vector_of(real), *integers, types.int64


CSR_FORWARD = Form(
    "sparse rows times weights",
    lambda real: (
        *(*_rows_of(real), matrix(real), vector_of(real), matrix(real)),
        *(DRAW, types.float64),
    ),
)
CSR_GRADIENT = Form(
    "the gradient of sparse rows",
    lambda real: (
        *(*_rows_of(real), matrix(real), types.int64),
        *(matrix(real), types.int64, types.int64, DRAW, types.float64),
    ),
)
#: ``(values, indices, indptr, rows, first, W, b, Z, draw, rate)``, and
#: ``(values, indices, indptr, rows, first_row, D, first, dW, start, stop, draw, rate)``.
csr_forward = Addressed(CSR_FORWARD, _csr_forward, "sparse.forward")
csr_weight_gradient = Addressed(CSR_GRADIENT, _csr_weight_gradient, "sparse.gradient")
#: The same with numbers left out: dropout of a sparse input.
csr_forward_of_some = Addressed(CSR_FORWARD, _csr_forward_of_some, "sparse.forward_of_some")
csr_weight_gradient_of_some = Addressed(
    CSR_GRADIENT, _csr_weight_gradient_of_some, "sparse.gradient_of_some"
)
