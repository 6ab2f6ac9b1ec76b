"""Each optimiser's step for one parameter, and the fused passes over blocks of theta.

A pass completes the gradient, which comes as two parts, scales it, adds the L2 term and steps:
one read and one write of theta (``scripts/docs/engine/step.md``).

To add one: write its step and its constants, and add a row to `OPTIMIZERS`.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form, vector_of
from fastdnn.compiler.jit import kernel
from fastdnn.machine.arithmetic import integer_power, multiply_add
from fastdnn.machine.views import vector
from fastdnn.products.sums import sum_of_squares

#: Numbers of an optimiser at most; the first one is the learning rate.
MOST_NUMBERS = 8

# Constants are a 6-tuple, so that they live in registers; a step has them in theta's dtype.


def sgd_constants(numbers, t):
    return numbers[0], 0.0, 0.0, 0.0, 0.0, 0.0


def momentum_constants(numbers, t):
    return numbers[0], numbers[1], 0.0, 0.0, 0.0, 0.0


@kernel
def sgd_step(w, g, c):
    return multiply_add(-c[0], g, w)


@kernel
def momentum_step(w, g, v, c):
    v = multiply_add(c[1], v, -(c[0] * g))
    return w + v, v


@kernel
def nesterov_step(w, g, v, c):
    step = c[0] * g
    v = multiply_add(c[1], v, -step)
    return w + multiply_add(c[1], v, -step), v


def adam_constants(numbers, t):
    learning_rate, beta_1, beta_2, epsilon = numbers[0], numbers[1], numbers[2], numbers[3]
    beta_1_to_t, beta_2_to_t = integer_power(beta_1, t), integer_power(beta_2, t)
    correction = math.sqrt(1.0 - beta_2_to_t) / (1.0 - beta_1_to_t)
    # 1 - beta is taken in float64: the float32 next to 0.999 is off by 1e-5 of it.
    return learning_rate * correction, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon


@kernel
def adam_step(w, g, m, v, c):
    m = multiply_add(c[1], m, c[2] * g)
    v = multiply_add(c[3], v, c[4] * (g * g))
    return w - c[0] * m / (type(w)(math.sqrt(v)) + c[5]), m, v


def _fused_pass(n_slots: int, step: Callable) -> Callable:
    # `n_slots` is a constant of the closure: numba drops the branches not taken.
    def update(constants, theta, state, start, grad, rest, scale, decay):
        real = theta.dtype.type
        c0, c1, c2, c3, c4, c5 = constants
        c = (real(c0), real(c1), real(c2), real(c3), real(c4), real(c5))
        scale, decay = real(scale), real(decay)
        w = vector(theta, start, grad.size)
        first = vector(state, start, grad.size if n_slots > 0 else 0)
        second = vector(state, theta.size + start, grad.size if n_slots > 1 else 0)
        has_rest = rest.size > 0  # LLVM makes two loops of the one below
        for i in range(grad.size):
            g = grad[i] + rest[i] if has_rest else grad[i]
            g = multiply_add(g, scale, w[i] * decay)
            if n_slots == 0:
                new = step(w[i], g, c)
            elif n_slots == 1:
                new, first[i] = step(w[i], g, first[i], c)
            else:
                new, first[i], second[i] = step(w[i], g, first[i], second[i], c)
            w[i] = new
        return sum_of_squares(w) if decay != 0 else 0.0

    return update


def store_gradient(constants, theta, state, start, grad, rest, scale, decay):
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
        *(vector_of(real), vector_of(real), types.float64, types.float64),
    ),
    types.float64,
)


class Optimizer(NamedTuple):
    """One row of the table."""

    numbers: tuple[str, ...]
    """Names of its hyperparameters, the learning rate first."""
    n_slots: int
    """How many vectors as long as theta it remembers."""
    constants: Addressed
    """Kernel ``(numbers, t)``: returns the six constants of step `t`, in float64."""
    update: Addressed
    """Kernel ``(constants, theta, state, start, grad, rest, scale, decay)``: steps
    theta[start:...] by ``(grad + rest) * scale + theta * decay``, where an empty `rest` counts
    as zeros, and returns the sum of squares of the result, or 0 without decay: then
    there is no penalty."""


def _row(
    name: str, numbers: tuple[str, ...], n_slots: int, constants: Callable, update: Callable
) -> Optimizer:
    return Optimizer(
        ("learning_rate", *numbers),
        n_slots,
        Addressed(STEP_CONSTANTS, constants, f"optimizers.{name}.constants"),
        Addressed(UPDATE, update, f"optimizers.{name}.update"),
    )


_OF_ADAM = ("beta_1", "beta_2", "epsilon")
#: The optimisers by name. "gradient" stores what the others step by.
OPTIMIZERS: dict[str, Optimizer] = {
    "gradient": _row("gradient", (), 1, sgd_constants, store_gradient),
    "sgd": _row("sgd", (), 0, sgd_constants, _fused_pass(0, sgd_step)),
    "momentum": _row(
        "momentum", ("momentum",), 1, momentum_constants, _fused_pass(1, momentum_step)
    ),
    "nesterov": _row(
        "nesterov", ("momentum",), 1, momentum_constants, _fused_pass(1, nesterov_step)
    ),
    "adam": _row("adam", _OF_ADAM, 2, adam_constants, _fused_pass(2, adam_step)),
}
