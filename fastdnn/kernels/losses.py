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


@kernel
def row_weight(w, i):
    """Return the weight of row `i`."""
    return w[i] if w.size > 0 else w.dtype.type(1)


@kernel
def capped(loss, cap):
    """Return the loss of one output, at most `cap`; NaN stays NaN."""
    return cap if loss > cap else loss


@loop_kernel
def sigmoid_log_loss(Z, b, Y, w, cap, D, db):
    """Binary cross-entropy of each output, ``softplus(z) - y z``; writes D, adds to db."""
    one, zero, highest = Z.dtype.type(1), Z.dtype.type(0), Z.dtype.type(cap)
    loss = 0.0
    for i in range(Z.shape[0]):
        weight = row_weight(w, i)
        row_loss = zero
        for j in range(Z.shape[1]):
            z = Z[i, j] + b[j]
            e = elementary.exp(-abs(z))
            probability = (one if z >= zero else e) / (one + e)
            row_loss += capped(max(z, zero) - z * Y[i, j] + elementary.log1p(e), highest)
            d = (probability - Y[i, j]) * weight
            D[i, j] = d
            db[j] += d
        loss += row_loss * weight
    return loss


@loop_kernel
def softmax_log_loss(Z, b, Y, w, cap, D, db):
    """Categorical cross-entropy; writes D, adds to db.

    `Y` holds one class position a row, or a matrix of target probabilities like `Z`.
    """
    n_classes = Z.shape[1]
    by_position = Y.shape[1] == 1 and n_classes > 1
    loss = 0.0
    for i in range(Z.shape[0]):
        weight = row_weight(w, i)
        largest = Z[i, 0] + b[0]
        for j in range(n_classes):
            z = Z[i, j] + b[j]
            D[i, j] = z
            largest = max(largest, z)
        row_loss = Z.dtype.type(0)
        target_sum = Z.dtype.type(1)
        if by_position:
            target = int(Y[i, 0])
            row_loss = largest - D[i, target]
        else:
            target = 0
            target_sum = Z.dtype.type(0)
            for j in range(n_classes):
                row_loss += Y[i, j] * (largest - D[i, j])
                target_sum += Y[i, j]
        total = Z.dtype.type(0)
        for j in range(n_classes):
            e = elementary.exp(D[i, j] - largest)
            D[i, j] = e
            total += e
        loss += capped(row_loss + target_sum * math.log(total), cap) * weight
        scale = weight * target_sum / total
        for j in range(n_classes):
            D[i, j] *= scale
        if by_position:
            D[i, target] -= weight
        else:
            for j in range(n_classes):
                D[i, j] -= weight * Y[i, j]
        for j in range(n_classes):
            db[j] += D[i, j]
    return loss


@loop_kernel
def exp_poisson(Z, b, Y, w, cap, D, db):
    """Half the Poisson deviance with a log link, ``y log(y / a) - y + a`` at a = e^z."""
    zero = Z.dtype.type(0)
    loss = 0.0
    for i in range(Z.shape[0]):
        weight = row_weight(w, i)
        row_loss = zero
        for j in range(Z.shape[1]):
            z, y = Z[i, j] + b[j], Y[i, j]
            a = elementary.exp(z)
            row_loss += a - y
            if y > zero:
                row_loss += y * (type(z)(math.log(y)) - z)
            d = (a - y) * weight
            D[i, j] = d
            db[j] += d
        loss += row_loss * weight
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


#: Kernels ``(Z, b, Y, w, cap, D, db)`` by loss and output activation.
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

#: ``canonical_loss(code, Z, b, Y, w, cap, D, db)`` and ``output_loss(code, A, Y, w, D)``.
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
