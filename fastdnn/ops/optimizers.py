"""The table of optimisers, and the fused passes over blocks of theta.

A pass completes the gradient, which comes as two parts, scales it, adds the L2 term, lets
theta decay and steps: one read and one write of theta (``scripts/docs/engine/step.md``). The
steps are in `fastdnn.ops.steps`.

To add one: write its step and its constants, and add a row to `OPTIMIZERS`.
"""

from collections.abc import Callable
from typing import NamedTuple

from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form, vector_of
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.views import vector
from fastdnn.ops import steps
from fastdnn.products.sums import sum_of_squares

#: Numbers of an optimiser at most, and the positions of two that all of them have.
MOST_NUMBERS, LEARNING_RATE, WEIGHT_DECAY = 8, 0, 1


def _fused_pass(n_slots: int, step: Callable) -> Callable:
    # `n_slots` is a constant of the closure: numba drops the branches not taken.
    def update(constants, theta, state, start, grad, rest, scale, decay, keep):
        real = theta.dtype.type
        c0, c1, c2, c3, c4, c5 = constants
        c = (real(c0), real(c1), real(c2), real(c3), real(c4), real(c5))
        scale, decay, keep = real(scale), real(decay), real(keep)
        w = vector(theta, start, grad.size)
        first = vector(state, start, grad.size if n_slots > 0 else 0)
        second = vector(state, theta.size + start, grad.size if n_slots > 1 else 0)
        third = vector(state, 2 * theta.size + start, grad.size if n_slots > 2 else 0)
        has_rest = rest.size > 0  # LLVM makes two loops of the one below
        for i in range(grad.size):
            g = grad[i] + rest[i] if has_rest else grad[i]
            g = multiply_add(g, scale, w[i] * decay)
            kept = w[i] * keep
            if n_slots == 0:
                new = step(kept, g, c)
            elif n_slots == 1:
                new, first[i] = step(kept, g, first[i], c)
            elif n_slots == 2:
                new, first[i], second[i] = step(kept, g, first[i], second[i], c)
            else:
                new, first[i], second[i], third[i] = step(
                    kept, g, first[i], second[i], third[i], c
                )
            w[i] = new
        return sum_of_squares(w) if decay != 0 else 0.0

    return update


def store_gradient(constants, theta, state, start, grad, rest, scale, decay, keep):
    """Add the gradient to the state instead of stepping: for solvers outside the engine."""
    real = theta.dtype.type
    scale, decay = real(scale), real(decay)
    w = vector(theta, start, grad.size)
    total = vector(state, start, grad.size)
    has_rest = rest.size > 0
    for i in range(grad.size):
        g = grad[i] + rest[i] if has_rest else grad[i]
        total[i] += multiply_add(g, scale, w[i] * decay)
    return sum_of_squares(w) if decay != 0 else 0.0


_CONSTANTS = types.containers.UniTuple(types.float64, 6)
#: What a step is made of: ``(numbers, t)``, and the update of a block of theta.
STEP_CONSTANTS = Form(
    "an optimiser's constants",
    lambda real: (vector_of(types.float64), types.int64),
    _CONSTANTS,
)
UPDATE = Form(
    "an optimiser's update",
    lambda real: (
        *(_CONSTANTS, vector_of(real), vector_of(real), types.int64),
        *(vector_of(real), vector_of(real), types.float64, types.float64, types.float64),
    ),
    types.float64,
)


class Optimizer(NamedTuple):
    """One row of the table."""

    numbers: tuple[str, ...]
    """Names of its hyperparameters, the learning rate and the weight decay first."""
    n_slots: int
    """How many vectors as long as theta it remembers."""
    constants: Addressed
    """Kernel ``(numbers, t)``: returns the six constants of step `t`, in float64."""
    update: Addressed
    """Kernel ``(constants, theta, state, start, grad, rest, scale, decay, keep)``.

    Steps theta[start:...], times `keep`, by ``(grad + rest) * scale + theta * decay``, where
    an empty `rest` counts as zeros. Returns the sum of squares of the result, or 0 without
    decay: then there is no penalty. `keep` is what decoupled weight decay leaves of theta.
    """
    squares: tuple[int, ...] = ()
    """Slots that hold what is never below 0: squares of gradients, or their sizes."""


def _row(
    name: str, numbers: tuple[str, ...], n_slots: int, constants: Callable, update: Callable
) -> Optimizer:
    return Optimizer(
        ("learning_rate", "weight_decay", *numbers),
        n_slots,
        Addressed(STEP_CONSTANTS, constants, f"optimizers.{name}.constants"),
        Addressed(UPDATE, update, f"optimizers.{name}.update"),
    )


def _stepping(
    name: str,
    numbers: tuple[str, ...],
    slots: str,
    constants: Callable,
    step: Callable,
) -> Optimizer:
    """Make a row of a step; a slot is named "m", or "v" if it is never below 0."""
    row = _row(name, numbers, len(slots), constants, _fused_pass(len(slots), step))
    return row._replace(squares=tuple(i for i, slot in enumerate(slots) if slot == "v"))


_OF_ADAM = ("beta_1", "beta_2", "epsilon")
_ADAM = _stepping("adam", _OF_ADAM, "mv", steps.adam_constants, steps.adam_step)
_CONSTANTS_OF_ADAMW = Addressed(
    STEP_CONSTANTS, steps.adamw_constants, "optimizers.adamw.constants"
)
#: The optimisers by name. "gradient" stores what the others step by.
OPTIMIZERS: dict[str, Optimizer] = {
    "gradient": _row("gradient", (), 1, steps.sgd_constants, store_gradient),
    "sgd": _stepping("sgd", (), "", steps.sgd_constants, steps.sgd_step),
    "momentum": _stepping(
        "momentum", ("momentum",), "m", steps.momentum_constants, steps.momentum_step
    ),
    "nesterov": _stepping(
        "nesterov", ("momentum",), "m", steps.momentum_constants, steps.nesterov_step
    ),
    "adam": _ADAM,
    "adamw": _ADAM._replace(constants=_CONSTANTS_OF_ADAMW),  # the same step
    "amsgrad": _stepping(
        "amsgrad", _OF_ADAM, "mvv", steps.adamw_constants, steps.amsgrad_step
    ),
    "nadam": _stepping("nadam", _OF_ADAM, "mv", steps.nadam_constants, steps.nadam_step),
    "radam": _stepping("radam", _OF_ADAM, "mv", steps.radam_constants, steps.radam_step),
    "adamax": _stepping("adamax", _OF_ADAM, "mv", steps.adamax_constants, steps.adamax_step),
    "adagrad": _stepping(
        "adagrad", ("epsilon",), "v", steps.momentum_constants, steps.adagrad_step
    ),
    "adadelta": _stepping(
        "adadelta", ("rho", "epsilon"), "vv", steps.rho_constants, steps.adadelta_step
    ),
    "rmsprop": _stepping(
        "rmsprop", ("rho", "epsilon"), "v", steps.rho_constants, steps.rmsprop_step
    ),
    "lion": _stepping(
        "lion", ("beta_1", "beta_2"), "m", steps.lion_constants, steps.lion_step
    ),
}
