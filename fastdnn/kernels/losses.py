"""Each loss beside its output delta, and the tables of output-layer kernels.

Two kinds. A *canonical* pair of output activation and loss goes from the pre-activation
to the delta in one step, ``A - Y``, and takes its logarithms from Z: no division by a
probability, finite at any Z. Every other loss is a scalar function of output and target
beside its derivative, combined with the activation's own backward kernel.

Kernels return the sum of the losses over the rows, each times its weight. `w` holds one
weight a row or, for unweighted rows, nothing. A log-loss above `cap` is reported as `cap`;
deltas do not know of it.
"""

import math
from collections.abc import Callable
from typing import Any

from fastdnn._jit import kernel, loop_kernel, select
from fastdnn.kernels import elementary
from fastdnn.kernels.rows import multiply_by, subtract_largest, sum_of
from fastdnn.kernels.views import vector


@kernel
def row_weight(w, i):
    """Return the weight of row `i`."""
    return w[i] if w.size > 0 else w.dtype.type(1)


@kernel
def capped(loss, cap):
    """Return the loss of one output, at most `cap`; NaN stays NaN."""
    return cap if loss > cap else loss


@loop_kernel
def sigmoid_log_loss(Z, Y, w, cap, D, db):
    """Binary cross-entropy of each output, ``softplus(z) - y z``; writes D, adds to db."""
    zero, one, highest = Z.dtype.type(0), Z.dtype.type(1), Z.dtype.type(cap)
    z, y, d = vector(Z, 0, Z.size), vector(Y, 0, Y.size), vector(D, 0, D.size)
    n_outputs = Z.shape[1]
    loss = 0.0
    if w.size == 0 or n_outputs == 1:  # all elements in one loop: a row is short
        total = zero
        for i in range(z.size):
            weight = w[i] if w.size > 0 else one
            e = elementary.exp(-abs(z[i]))
            probability = (one if z[i] >= zero else e) / (one + e)
            element = max(z[i], zero) - z[i] * y[i] + elementary.log1p(e)
            total += capped(element, highest) * weight
            d[i] = (probability - y[i]) * weight
        loss = float(total)
    else:
        for i in range(Z.shape[0]):
            row_loss = zero
            for j in range(n_outputs):
                z_ij = Z[i, j]
                e = elementary.exp(-abs(z_ij))
                probability = (one if z_ij >= zero else e) / (one + e)
                element = max(z_ij, zero) - z_ij * Y[i, j] + elementary.log1p(e)
                row_loss += capped(element, highest)
                D[i, j] = (probability - Y[i, j]) * w[i]
            loss += row_loss * w[i]
    add_column_sums(D, db)
    return loss


@loop_kernel
def add_column_sums(D, db):
    """Add the sum of each column of `D` to `db`."""
    if D.shape[1] == 1:
        total = D.dtype.type(0)
        d = vector(D, 0, D.size)
        for i in range(d.size):
            total += d[i]
        db[0] += total
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
def softmax_log_loss(Z, Y, w, cap, D, db):
    """Categorical cross-entropy; writes D, adds to db; `Z` is scratch afterwards.

    `Y` holds one class position a row, or a matrix of target probabilities like `Z`.
    """
    n_rows, n_classes = Z.shape
    z, d = vector(Z, 0, Z.size), vector(D, 0, D.size)
    for i in range(n_rows):
        subtract_largest(vector(Z, i * n_classes, n_classes))
    for i in range(z.size):  # all rows at once: one row is shorter than a vector
        d[i] = elementary.exp(z[i])
    loss = 0.0
    if Y.shape[1] == 1 and n_classes > 1:
        for i in range(n_rows):
            weight, target = row_weight(w, i), i * n_classes + int(Y[i, 0])
            row = vector(D, i * n_classes, n_classes)
            target_z, total = z[target], sum_of(row)
            multiply_by(weight / total, row)
            d[target] -= weight
            # Both logarithm and sum are left for a loop of whole vectors. Row i of Z is no
            # longer needed, and with two classes or more it does not begin before 2 i.
            z[2 * i], z[2 * i + 1] = total, target_z
        highest = Z.dtype.type(cap)
        for i in range(n_rows):
            row_loss = elementary.log(z[2 * i]) - z[2 * i + 1]
            loss += capped(row_loss, highest) * row_weight(w, i)
    else:
        for i in range(n_rows):
            weight = row_weight(w, i)
            row_loss, target_sum = Z.dtype.type(0), Z.dtype.type(0)
            for j in range(n_classes):
                row_loss -= Y[i, j] * Z[i, j]
                target_sum += Y[i, j]
            row = vector(D, i * n_classes, n_classes)
            total = sum_of(row)
            loss += capped(row_loss + target_sum * math.log(total), cap) * weight
            multiply_by(weight * target_sum / total, row)
            for j in range(n_classes):
                row[j] -= weight * Y[i, j]
    add_column_sums(D, db)
    return loss


@loop_kernel
def exp_poisson(Z, Y, w, cap, D, db):
    """Half the Poisson deviance with a log link, ``y log(y / a) - y + a`` at a = e^z."""
    zero = Z.dtype.type(0)
    loss = 0.0
    for i in range(Z.shape[0]):
        weight = row_weight(w, i)
        row_loss = zero
        for j in range(Z.shape[1]):
            z, y = Z[i, j], Y[i, j]
            a = elementary.exp(z)
            row_loss += a - y
            if y > zero:
                row_loss += y * (type(z)(math.log(y)) - z)
            D[i, j] = (a - y) * weight
        loss += row_loss * weight
    add_column_sums(D, db)
    return loss


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
    def loss_gradient(A, Y, w, D):
        """Write dL/dA into `D`."""
        total = 0.0
        for i in range(A.shape[0]):
            weight = row_weight(w, i)
            row_loss = A.dtype.type(0)
            for j in range(A.shape[1]):
                row_loss += loss(A[i, j], Y[i, j])
                D[i, j] = loss_prime(A[i, j], Y[i, j]) * weight
            total += row_loss * weight
        return total

    return loop_kernel(loss_gradient)


#: Kernels ``(Z, Y, w, cap, D, db)`` by loss and output activation.
CANONICAL_LOSSES: dict[tuple[str, str], Any] = {
    ("log_loss", "sigmoid"): sigmoid_log_loss,
    ("log_loss", "softmax"): softmax_log_loss,
    ("poisson", "exp"): exp_poisson,
}

#: Kernels ``(A, Y, w, D)`` by loss, for any output activation.
OUTPUT_LOSSES: dict[str, Any] = {
    "squared_error": _of_output(squared_error, squared_error_prime),
    "half_squared_error": _of_output(half_squared_error, half_squared_error_prime),
    "absolute_error": _of_output(absolute_error, absolute_error_prime),
}

#: ``canonical_loss(code, Z, Y, w, cap, D, db)`` and ``output_loss(code, A, Y, w, D)``.
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
