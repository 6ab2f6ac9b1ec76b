"""The table of losses: how targets are checked, and which kernels take the loss and its delta.

Two kinds of kernels. A *canonical* pair of output activation and loss goes from the
pre-activation to the delta in one step, ``A - Y`` for most, and takes its logarithms from Z:
no division by a probability, finite at any Z (`fastdnn.ops.class_losses`, deviances in
`fastdnn.ops.target_losses`). Every other loss is a scalar function of output and target beside
its derivative, combined with the activation's own backward kernel.

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
from fastdnn.ops import class_losses as of_classes
from fastdnn.ops import target_losses as of_targets
from fastdnn.ops.loss_rows import row_weight

# What the sum of probabilities that were written down with few digits may be off by.
_ROUNDED_SUM = 1e-2


def _of_outputs(loss: Callable, loss_prime: Callable) -> Callable:
    def loss_gradient(A, Y, w, cap, parameter, D, sums, losses):
        """Write dL/dA into `D`; what is not named in here is for other losses."""
        c = A.dtype.type(parameter)
        for i in range(A.shape[0]):
            weight = row_weight(w, i)
            row_loss = A.dtype.type(0)
            for j in range(A.shape[1]):
                row_loss += loss(A[i, j], Y[i, j], c)
                D[i, j] = loss_prime(A[i, j], Y[i, j], c) * weight
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


def _take_not_negative(loss: str) -> Callable[[np.ndarray, str], None]:
    def check(Y: np.ndarray, output_activation: str) -> None:
        if Y.min() < 0.0:
            raise ValueError(f"Y must not be negative for {loss=}, got {Y.min():g}.")

    return check


def _take_positive(Y: np.ndarray, output_activation: str) -> None:
    if Y.min() <= 0.0:
        raise ValueError(f"Y must be positive for loss='gamma', got {Y.min():g}.")


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


def _canonical(kernel: Callable) -> Addressed:
    return Addressed(LOSS, kernel, f"losses.{kernel.__name__}")


def of_outputs(name: str | None, loss: Callable, loss_prime: Callable) -> Addressed:
    """Make a kernel of two scalar functions, the loss of an output and its derivative.

    Parameters
    ----------
    name : str or None
        What the compiled code is kept by, see `fastdnn.compiler.addressed.Addressed`.
    loss, loss_prime : callable
        Compiled by numba, of an output, its target and the parameter of the loss.
    """
    return Addressed(LOSS, _of_outputs(loss, loss_prime), name and f"losses.{name}")


def _of_classes(of_labels: Callable, of_positions: Callable, parameter: float = 0.0) -> Loss:
    """Make a row of kernels of probabilities."""
    kernels = {"sigmoid": _canonical(of_labels), "softmax": _canonical(of_positions)}
    return Loss(kernels, None, _take_probabilities, parameter, takes_positions=True)


def _of_numbers(name: str, parameter: float = 0.0) -> Loss:
    """Make a row of two scalar functions of `fastdnn.ops.target_losses`."""
    functions = getattr(of_targets, name), getattr(of_targets, f"{name}_prime")
    return Loss({}, of_outputs(name, *functions), parameter=parameter)


#: The losses by name.
LOSSES: dict[str, Loss] = {
    "log_loss": _of_classes(of_classes.sigmoid_log_loss, of_classes.softmax_log_loss),
    "smoothed_log_loss": _of_classes(
        of_classes.smoothed_sigmoid_log_loss, of_classes.smoothed_softmax_log_loss, 0.1
    ),
    "focal": _of_classes(of_classes.sigmoid_focal_loss, of_classes.softmax_focal_loss, 2.0),
    "hinge": Loss({"identity": _canonical(of_classes.hinge)}, None, _take_probabilities),
    "hinge_of_classes": Loss({"identity": _canonical(of_classes.hinge_of_classes)}, None),
    "poisson": Loss(
        {"exp": _canonical(of_targets.exp_poisson)}, None, _take_not_negative("poisson")
    ),
    "gamma": Loss({"exp": _canonical(of_targets.exp_gamma)}, None, _take_positive),
    "tweedie": Loss(
        {"exp": _canonical(of_targets.exp_tweedie)}, None, _take_not_negative("tweedie"), 1.5
    ),
    "squared_error": _of_numbers("squared_error"),
    "half_squared_error": _of_numbers("half_squared_error"),
    "absolute_error": _of_numbers("absolute_error"),
    "huber": _of_numbers("huber", 1.0),
    "log_cosh": _of_numbers("log_cosh"),
    "quantile": _of_numbers("quantile", 0.5),
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
