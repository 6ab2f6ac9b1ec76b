"""Each loss beside its delta; and the table of losses.

Two kinds of kernels. A *canonical* pair of output activation and loss goes from the
pre-activation to the delta in one step, ``A - Y``, and takes its logarithms from Z: no
division by a probability, finite at any Z. Every other loss is a scalar function of output and
target beside its derivative, combined with the activation's own backward kernel.

Kernels write the loss of every row, times its weight, into `losses`. `w` holds one weight a
row or, for unweighted rows, nothing. A log-loss above `cap` is reported as `cap`; deltas do
not know of it. The pre-activations `Z` are scratch afterwards.

To add one: write its kernel, or the scalar function and its prime, and add a row to `LOSSES`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form, matrix, vector_of
from fastdnn.compiler.jit import kernel, loop_kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.views import vector
from fastdnn.ops import elementary
from fastdnn.ops.softmax_rows import multiply_by, subtract_largest
from fastdnn.products.sums import sum_of

# What the sum of probabilities that were written down with few digits may be off by.
_ROUNDED_SUM = 1e-2


@kernel
def row_weight(w, i):
    """Return the weight of row `i`."""
    return w[i] if w.size > 0 else w.dtype.type(1)


@kernel
def capped(loss, cap):
    """Return the loss of one output, at most `cap`; NaN stays NaN."""
    return cap if loss > cap else loss


def sigmoid_log_loss(Z, Y, w, cap, parameter, D, sums, losses):
    """Binary cross-entropy of each output, ``softplus(z) - y z``; writes D, adds to sums."""
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
    add_column_sums(D, sums)


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


def softmax_log_loss(Z, Y, w, cap, parameter, D, sums, losses):
    """Categorical cross-entropy; writes D, adds to sums.

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
    add_column_sums(D, sums)


def exp_poisson(Z, Y, w, cap, parameter, D, sums, losses):
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
    add_column_sums(D, sums)


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


def _of_outputs(loss: Callable, loss_prime: Callable) -> Callable:
    def loss_gradient(A, Y, w, cap, parameter, D, sums, losses):
        """Write dL/dA into `D`; what is not named in here is for other losses."""
        for i in range(A.shape[0]):
            weight = row_weight(w, i)
            row_loss = A.dtype.type(0)
            for j in range(A.shape[1]):
                row_loss += loss(A[i, j], Y[i, j])
                D[i, j] = loss_prime(A[i, j], Y[i, j]) * weight
            losses[i] = row_loss * weight

    return loss_gradient


def _take_probabilities(Y: np.ndarray, output_activation: str) -> None:
    if Y.min() < 0.0 or Y.max() > 1.0:
        raise ValueError(
            "Y must lie between 0 and 1 for loss='log_loss', got values from "
            f"{Y.min():g} to {Y.max():g}."
        )
    if output_activation == "softmax":
        sums = Y.sum(axis=1)
        if (np.abs(sums - 1.0) > _ROUNDED_SUM).any():
            row = int(np.argmax(np.abs(sums - 1.0)))
            raise ValueError(
                "Each row of Y must sum to 1 for a softmax output with loss='log_loss', but "
                f"row {row} sums to {sums[row]:g}."
            )


def _take_counts(Y: np.ndarray, output_activation: str) -> None:
    if Y.min() < 0.0:
        raise ValueError(f"Y must not be negative for loss='poisson', got {Y.min():g}.")


def _take_all(Y: np.ndarray, output_activation: str) -> None:
    pass


#: What takes the loss of some rows: ``(Z, Y, w, cap, parameter, D, sums, losses)``, where Z
#: are outputs for a loss of outputs.
LOSS = Form(
    "a loss",
    lambda real: (
        *(matrix(real), matrix(real), vector_of(real), types.float64, types.float64),
        *(matrix(real), vector_of(real), vector_of(real)),
    ),
)


class Loss(NamedTuple):
    """One row of the table."""

    canonical: dict[str, Addressed]
    """By output activation, the kernel that goes from Z to dL/dZ and adds up its columns."""
    of_outputs: Addressed | None
    """The kernel that goes from A to dL/dA, for any other output activation."""
    check_targets: Callable[[np.ndarray, str], None] = _take_all
    """Raises ValueError where one-column-an-output targets do not fit, given those and the
    output activation."""
    parameter: float = 0.0
    """What its kernels are given as `parameter`, unless the network has another one."""
    takes_positions: bool = False
    """Whether targets may be one column of class positions, with softmax."""

    def kernel(self, output_activation: str) -> tuple[Addressed, bool]:
        """Return the kernel for an output activation, and whether it is canonical.

        Raises
        ------
        KeyError
            If there is none: `require_pair` says it better.
        """
        if self.of_outputs is not None and output_activation not in self.canonical:
            return self.of_outputs, False
        return self.canonical[output_activation], True


def _canonical(name: str, kernel: Callable) -> Addressed:
    return Addressed(LOSS, kernel, f"losses.{name}")


def of_outputs(name: str | None, loss: Callable, loss_prime: Callable) -> Addressed:
    """Make a kernel of two scalar functions, the loss of an output and its derivative.

    Parameters
    ----------
    name : str or None
        What the compiled code is kept by, see `fastdnn.compiler.addressed.Addressed`.
    loss, loss_prime : callable
        Compiled by numba, of an output and its target.
    """
    return Addressed(LOSS, _of_outputs(loss, loss_prime), name and f"losses.{name}")


#: The losses by name.
LOSSES: dict[str, Loss] = {
    "log_loss": Loss(
        {
            "sigmoid": _canonical("sigmoid_log_loss", sigmoid_log_loss),
            "softmax": _canonical("softmax_log_loss", softmax_log_loss),
        },
        None,
        _take_probabilities,
        takes_positions=True,
    ),
    "poisson": Loss({"exp": _canonical("exp_poisson", exp_poisson)}, None, _take_counts),
    "squared_error": Loss({}, of_outputs("squared_error", squared_error, squared_error_prime)),
    "half_squared_error": Loss(
        {}, of_outputs("half_squared_error", half_squared_error, half_squared_error_prime)
    ),
    "absolute_error": Loss(
        {}, of_outputs("absolute_error", absolute_error, absolute_error_prime)
    ),
}


def require_pair(loss: str, output_activation: str) -> None:
    """Raise unless a loss is defined for an output activation.

    Raises
    ------
    ValueError
        If it is not, or if there is no such loss.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss={loss!r} is unknown; choose one of {sorted(LOSSES)}.")
    row = LOSSES[loss]
    if row.of_outputs is None and output_activation not in row.canonical:
        raise ValueError(
            f"loss={loss!r} needs output_activation to be one of "
            f"{list(row.canonical)}, got {output_activation!r}."
        )
