"""What the kernels of losses share: weights of rows, caps, column sums."""

from fastdnn.compiler.jit import kernel, loop_kernel
from fastdnn.machine.views import vector
from fastdnn.products.sums import sum_of


@kernel
def row_weight(w, i):
    """Return the weight of row `i`."""
    return w[i] if w.size > 0 else w.dtype.type(1)


@kernel
def capped(loss, cap):
    """Return the loss of one output, at most `cap`; NaN stays NaN."""
    return cap if loss > cap else loss


@loop_kernel
def add_column_sums(D, sums):
    """Add the sum of each column of `D` to `sums`."""
    if D.shape[1] == 1:
        sums[0] += sum_of(vector(D, 0, D.size))
    else:
        # Four rows at a time: a sum in memory waits for what was written for the last row.
        whole = D.shape[0] - D.shape[0] % 4
        for i in range(0, whole, 4):
            for j in range(D.shape[1]):
                sums[j] += (D[i, j] + D[i + 1, j]) + (D[i + 2, j] + D[i + 3, j])
        for i in range(whole, D.shape[0]):
            for j in range(D.shape[1]):
                sums[j] += D[i, j]
