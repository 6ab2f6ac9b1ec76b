"""The table of losses: which kernels take the loss and its delta, and what they take.

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
from typing import Any, NamedTuple

from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form, matrix, vector_of
from fastdnn.ops import class_losses as of_classes
from fastdnn.ops import several_outputs
from fastdnn.ops import target_losses as of_targets
from fastdnn.ops.loss_parameters import Levels, LossParameter, Value
from fastdnn.ops.loss_rows import row_weight
from fastdnn.ops.targets import (
    TargetCheck,
    take_all,
    take_not_negative,
    take_positive,
    take_probabilities,
)


def _of_outputs(loss: Callable, loss_prime: Callable) -> Callable:
    def loss_gradient(A, Y, w, cap, parameters, D, sums, losses):
        """Write dL/dA into `D`; what is not named in here is for other losses."""
        c = A.dtype.type(parameters[0])
        for i in range(A.shape[0]):
            weight = row_weight(w, i)
            row_loss = A.dtype.type(0)
            for j in range(A.shape[1]):
                row_loss += loss(A[i, j], Y[i, j], c)
                D[i, j] = loss_prime(A[i, j], Y[i, j], c) * weight
            losses[i] = row_loss * weight

    return loss_gradient


#: What takes the loss of some rows: ``(Z, Y, w, cap, parameters, D, sums, losses)``, where Z
#: are outputs for a loss of outputs. Parameters are numbers of float64, one at least.
LOSS = Form(
    "a loss",
    lambda real: (
        *(matrix(real), matrix(real), vector_of(real), types.float64),
        *(vector_of(types.float64), matrix(real), vector_of(real), vector_of(real)),
    ),
)


class Loss(NamedTuple):
    """One row of the table."""

    canonical: dict[str, Addressed]
    """By output activation, the kernel that goes from Z to dL/dZ and adds up its columns."""
    of_outputs: Addressed | None
    """The kernel that goes from A to dL/dA, for any other output activation."""
    check_targets: TargetCheck = take_all
    """Raises ValueError where one-column-an-output targets do not fit, given those and the
    output activation."""
    parameter: LossParameter | Levels | None = None
    """What its kernels are given as `parameters`; None: they take none."""
    positions_with: str | None = None
    """The output activation with which targets may be one column of class positions."""
    is_difference: bool = False
    """Whether the delta of its canonical pairs is ``A - Y``."""
    decides_by_logits: bool = False
    """Whether outputs are no probabilities but scores of classes, the largest one right."""
    of_classes: bool = False
    """Whether targets are classes, or their probabilities, and not numbers of any size."""
    outputs_per_target: int | None = 1
    """How many outputs a target has; None: there is one target, whatever the outputs."""

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

    def n_targets(self, n_outputs: int) -> int:
        """Return how many columns targets have that are no class positions."""
        per_target = self.outputs_per_target
        return 1 if per_target is None else n_outputs // per_target


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


def _of_probabilities(
    name: str, parameter: LossParameter | None = None, is_difference: bool = False
) -> Loss:
    """Make a row of two kernels of `fastdnn.ops.class_losses`."""
    kernels = {
        output: _canonical(getattr(of_classes, f"{output}_{name}"))
        for output in ("sigmoid", "softmax")
    }
    return Loss(
        kernels,
        None,
        take_probabilities(name),
        parameter,
        positions_with="softmax",
        is_difference=is_difference,
        of_classes=True,
    )


def _of_numbers(name: str, parameter: LossParameter | None = None) -> Loss:
    """Make a row of two scalar functions of `fastdnn.ops.target_losses`."""
    functions = getattr(of_targets, name), getattr(of_targets, f"{name}_prime")
    return Loss({}, of_outputs(name, *functions), parameter=parameter)


def _deviance(name: str, check_targets: TargetCheck, **others: Any) -> Loss:
    """Make a row of a deviance of `fastdnn.ops.target_losses`."""
    kernel = _canonical(getattr(of_targets, f"exp_{name}"))
    return Loss({"exp": kernel}, None, check_targets, **others)


#: The losses by name.
LOSSES: dict[str, Loss] = {
    "log_loss": _of_probabilities("log_loss", is_difference=True),
    "smoothed_log_loss": _of_probabilities(
        "smoothed_log_loss", LossParameter("smoothing", 0.1, 0.0, 1.0, may_be_low=True)
    ),
    "focal": _of_probabilities("focal", LossParameter("exponent gamma", 2.0, may_be_low=True)),
    "hinge": Loss(
        {"identity": _canonical(of_classes.hinge)},
        None,
        take_probabilities("hinge"),
        decides_by_logits=True,
        of_classes=True,
    ),
    "hinge_of_classes": Loss(
        {"identity": _canonical(of_classes.hinge_of_classes)},
        None,
        take_probabilities("hinge_of_classes", sums_to_one="identity"),
        positions_with="identity",
        decides_by_logits=True,
        of_classes=True,
    ),
    "poisson": _deviance("poisson", take_not_negative("poisson"), is_difference=True),
    "gamma": _deviance("gamma", take_positive("gamma")),
    "tweedie": _deviance(
        "tweedie",
        take_not_negative("tweedie"),
        parameter=LossParameter("power", 1.5, 1.0, 2.0),
    ),
    "squared_error": _of_numbers("squared_error"),
    "half_squared_error": _of_numbers("half_squared_error"),
    "absolute_error": _of_numbers("absolute_error"),
    "huber": _of_numbers("huber", LossParameter("delta", 1.0)),
    "log_cosh": _of_numbers("log_cosh"),
    "quantile": _of_numbers("quantile", LossParameter("quantile", 0.5, 0.0, 1.0)),
    "quantiles": Loss(
        {"ascending": _canonical(several_outputs.ascending_quantiles)},
        None,
        parameter=Levels(),
        outputs_per_target=None,
    ),
    "gaussian_nll": Loss(
        {"mean_and_variance": _canonical(several_outputs.mean_and_variance_gaussian_nll)},
        None,
        outputs_per_target=2,
    ),
}


def row_of(loss: Any) -> Loss:
    """Return the row of a loss: of a name, or a user's own.

    Parameters
    ----------
    loss : str or fastdnn.Loss
        A name in `LOSSES`, or the object.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    row = getattr(loss, "row", None)
    if not isinstance(row, Loss):
        raise ValueError(
            f"loss={loss!r} is unknown; choose one of {sorted(LOSSES)}, or make a "
            "fastdnn.Loss."
        )
    return row


def require_pair(loss: Any, output_activation: Any, n_outputs: int = 1) -> None:
    """Raise unless a loss is defined for an output activation and so many outputs.

    Raises
    ------
    ValueError
        If it is not, or if there is no such loss.
    """
    row = row_of(loss)
    if row.of_outputs is None and output_activation not in row.canonical:
        raise ValueError(
            f"loss={loss!r} needs output_activation to be one of "
            f"{list(row.canonical)}, got {output_activation!r}."
        )
    if n_outputs % (row.outputs_per_target or 1):
        raise ValueError(
            f"loss={loss!r} needs {row.outputs_per_target} outputs for each target, but the "
            f"network has {n_outputs}."
        )


def parameters_of(loss: Any, value: Value, n_outputs: int = 1) -> tuple[float, ...]:
    """Return what the kernels of a loss are given as `parameters`.

    Parameters
    ----------
    loss : str or fastdnn.Loss
        Which one.
    value : float, sequence of float, or None
        That of the network; None for the loss's own.
    n_outputs : int, default=1
        Of the network.

    Raises
    ------
    ValueError
        If the loss cannot have that value, or takes none.
    """
    parameter = row_of(loss).parameter
    if parameter is not None:
        return parameter.numbers(str(loss), value, n_outputs)
    if value is not None:
        raise ValueError(
            f"loss_parameter={value!r} must be None for {loss=}, which has no parameter."
        )
    return (0.0,)
