"""The first layer on a sparse matrix in CSR form: never densified, forward or backward."""

from fastdnn.compiler.jit import loop_kernel
from fastdnn.machine.arithmetic import multiply_add


@loop_kernel
def csr_forward(values, indices, indptr, rows, first, W, b, Z):
    """Write into `Z` the given `rows`, or those from `first` on, times `W`, plus `b`."""
    for i in range(Z.shape[0]):
        row = rows[i] if rows.size > 0 else first + i
        for j in range(Z.shape[1]):
            Z[i, j] = b[j]
        for entry in range(indptr[row], indptr[row + 1]):
            value, k = values[entry], indices[entry]
            for j in range(Z.shape[1]):
                Z[i, j] = multiply_add(value, W[k, j], Z[i, j])


@loop_kernel
def csr_weight_gradient(values, indices, indptr, rows, first_row, D, first, dW, start, stop):
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
