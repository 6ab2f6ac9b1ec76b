"""Each loss beside its output delta, and the tables of output-layer kernels.

Two kinds. A *canonical* pair of output activation and loss goes from the pre-activation
to the delta in one step, ``A - Y``, and takes its logarithms from Z: no division by a
probability, finite at any Z. Every other loss is a scalar function of output and target
beside its derivative, combined with the activation's own backward kernel.

Kernels write the loss of every row, times its weight, into `losses`. `w` holds one weight a
row or, for unweighted rows, nothing. A log-loss above `cap` is reported as `cap`; deltas do
not know of it. The pre-activations `Z` are scratch afterwards.
"""

from collections.abc import Callable
from typing import Any

from fastdnn.compiler.jit import kernel, loop_kernel, select
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.views import vector
from fastdnn.ops import elementary
from fastdnn.ops.softmax_rows import multiply_by, subtract_largest
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
def sigmoid_log_loss(Z, Y, w, cap, D, db, losses):
    """Binary cross-entropy of each output, ``softplus(z) - y z``; writes D, adds to db."""
    zero, one, highest = Z.dtype.type(0), Z.dtype.type(1), Z.dtype.type(cap)
    z, y, d = vector(Z, 0, Z.size), vector(Y, 0, Y.size), vector(D, 0, D.size)
    n_rows, n_outputs = Z.shape
    for i in range(z.size):  # all elements in one loop: a row is short
        e = elementary.exp(-abs(z[i]))
        probability = (one if z[i] >= zero else e) / (one + e)
        element = multiply_add(-z[i], y[i], max(z[i], zero)) + elementary.log1p(e)
        z[i] = capped(element, highest)
        d[i] = probability - y[i]
    for i in range(n_rows):
        losses[i] = sum_of(vector(Z, i * n_outputs, n_outputs)) if n_outputs > 1 else z[i]
    if w.size > 0:
        for i in range(n_rows):
            losses[i] *= w[i]
            for j in range(n_outputs):
                D[i, j] *= w[i]
    add_column_sums(D, db)


@loop_kernel
def add_column_sums(D, db):
    """Add the sum of each column of `D` to `db`."""
    if D.shape[1] == 1:
        db[0] += sum_of(vector(D, 0, D.size))
    else:
        # Four rows at a time: a sum in memory waits for what was written for the last row.
        whole = D.shape[0] - D.shape[0] % 4
        for i in range(0, whole, 4):
            for j in range(D.shape[1]):
                db[j] += (D[i, j] + D[i + 1, j]) + (D[i + 2, j] + D[i + 3, j])
        for i in range(whole, D.shape[0]):
            for j in range(D.shape[1]):
                db[j] += D[i, j]


@loop_kernel
def softmax_log_loss(Z, Y, w, cap, D, db, losses):
    """Categorical cross-entropy; writes D, adds to db.

    `Y` holds one class position a row, or a matrix of target probabilities like `Z`.
    """
    n_rows, n_classes = Z.shape
    z, d = vector(Z, 0, Z.size), vector(D, 0, D.size)
    for i in range(n_rows):
        subtract_largest(vector(Z, i * n_classes, n_classes))
    for i in range(z.size):  # all rows at once: one row is shorter than a vector
        d[i] = elementary.exp(z[i])
    if Y.shape[1] == 1 and n_classes > 1:
        for i in range(n_rows):
            weight, target = row_weight(w, i), i * n_classes + int(Y[i, 0])
            row = vector(D, i * n_classes, n_classes)
            target_z, total = z[target], sum_of(row)
            multiply_by(weight / total, row)
            d[target] -= weight
            # The logarithm is left for a loop of whole vectors. Row i of Z is no longer
            # needed, and it does not begin before i.
            losses[i], z[i] = total, target_z
        highest = Z.dtype.type(cap)
        for i in range(n_rows):
            row_loss = elementary.log(losses[i]) - z[i]
            losses[i] = capped(row_loss, highest) * row_weight(w, i)
    else:
        for i in range(n_rows):
            weight = row_weight(w, i)
            row_loss, target_sum = Z.dtype.type(0), Z.dtype.type(0)
            for j in range(n_classes):
                row_loss = multiply_add(-Y[i, j], Z[i, j], row_loss)
                target_sum += Y[i, j]
            row = vector(D, i * n_classes, n_classes)
            total = sum_of(row)
            row_loss = multiply_add(target_sum, elementary.log(total), row_loss)
            losses[i] = capped(row_loss, Z.dtype.type(cap)) * weight
            multiply_by(weight * target_sum / total, row)
            for j in range(n_classes):
                row[j] = multiply_add(-weight, Y[i, j], row[j])
    add_column_sums(D, db)


@loop_kernel
def exp_poisson(Z, Y, w, cap, D, db, losses):
    """Half the Poisson deviance with a log link, ``y log(y / a) - y + a`` at a = e^z."""
    zero = Z.dtype.type(0)
    for i in range(Z.shape[0]):
        weight = row_weight(w, i)
        row_loss = zero
        for j in range(Z.shape[1]):
            z, y = Z[i, j], Y[i, j]
            a = elementary.exp(z)
            row_loss += a - y
            if y > zero:
                row_loss = multiply_add(y, elementary.log(y) - z, row_loss)
            D[i, j] = (a - y) * weight
        losses[i] = row_loss * weight
    add_column_sums(D, db)


@kernel
def squared_error(a, y):
    return (a - y) * (a - y)


@kernel
def squared_error_prime(a, y):
    return type(a)(2) * (a - y)


@kernel
def half_squared_error(a, y):
    return (a - y) * (a - y) * type(a)(0.5)


@kernel
def half_squared_error_prime(a, y):
    return a - y


@kernel
def absolute_error(a, y):
    return abs(a - y)


@kernel
def absolute_error_prime(a, y):
    # The subgradient at a = y is 0. NaN falls through to the last branch and stays NaN.
    if a > y:
        return type(a)(1)
    if a < y:
        return type(a)(-1)
    return a - y


def _of_output(loss: Callable, loss_prime: Callable) -> Any:
    def loss_gradient(A, Y, w, D, losses):
        """Write dL/dA into `D`."""
        for i in range(A.shape[0]):
            weight = row_weight(w, i)
            row_loss = A.dtype.type(0)
            for j in range(A.shape[1]):
                row_loss += loss(A[i, j], Y[i, j])
                D[i, j] = loss_prime(A[i, j], Y[i, j]) * weight
            losses[i] = row_loss * weight

    return loop_kernel(loss_gradient)


#: Kernels ``(Z, Y, w, cap, D, db, losses)`` by loss and output activation.
CANONICAL_LOSSES: dict[tuple[str, str], Any] = {
    ("log_loss", "sigmoid"): sigmoid_log_loss,
    ("log_loss", "softmax"): softmax_log_loss,
    ("poisson", "exp"): exp_poisson,
}

#: Kernels ``(A, Y, w, D, losses)`` by loss, for any output activation.
OUTPUT_LOSSES: dict[str, Any] = {
    "squared_error": _of_output(squared_error, squared_error_prime),
    "half_squared_error": _of_output(half_squared_error, half_squared_error_prime),
    "absolute_error": _of_output(absolute_error, absolute_error_prime),
}

#: ``canonical_loss(code, Z, Y, w, cap, D, db, losses)`` and
#: ``output_loss(code, A, Y, w, D, losses)``.
canonical_loss = select(list(CANONICAL_LOSSES.values()))
output_loss = select(list(OUTPUT_LOSSES.values()))


def loss_code(loss: str, output_activation: str) -> tuple[bool, int]:
    """Return whether the pair is canonical, and its position in that table.

    Raises
    ------
    ValueError
        If the loss is unknown or is not defined for the output activation.
    """
    pair = (loss, output_activation)
    if pair in CANONICAL_LOSSES:
        return True, list(CANONICAL_LOSSES).index(pair)
    if loss in OUTPUT_LOSSES:
        return False, list(OUTPUT_LOSSES).index(loss)
    known = sorted({name for name, _ in CANONICAL_LOSSES} | set(OUTPUT_LOSSES))
    if loss not in known:
        raise ValueError(f"loss={loss!r} is unknown; choose one of {known}.")
    outputs = [output for name, output in CANONICAL_LOSSES if name == loss]
    raise ValueError(
        f"loss={loss!r} needs output_activation to be one of {outputs}, "
        f"got {output_activation!r}."
    )
