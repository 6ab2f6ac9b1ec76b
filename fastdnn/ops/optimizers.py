"""Each optimiser's step for one parameter, and the fused passes over blocks of theta.

An optimiser is a row of `OPTIMIZERS`: how many numbers it remembers for each parameter, a
function that turns the settings into the constants of this step, and the step itself. The
pass around it completes the gradient, scales it, adds the L2 term and steps: one read and one
write of theta. The gradient comes as two parts, because their sum is free here: an Adam step
waits for its root and its quotient. The squares of the new weights, which the loss of the next
batch needs, are summed afterwards, while they are in cache: in the loop that steps, the order
of that sum would be the compiler's.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from fastdnn.compiler.jit import kernel, loop_kernel, select
from fastdnn.machine.arithmetic import integer_power, multiply_add
from fastdnn.machine.views import vector
from fastdnn.products.sums import sum_of_squares

# Constants are a 6-tuple, so that they live in registers; a step has them in theta's dtype.


@kernel
def sgd_constants(s, t):
    return s.learning_rate, s.momentum, 0.0, 0.0, 0.0, 0.0


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


@kernel
def adam_constants(s, t):
    beta_1_to_t, beta_2_to_t = integer_power(s.beta_1, t), integer_power(s.beta_2, t)
    correction = math.sqrt(1.0 - beta_2_to_t) / (1.0 - beta_1_to_t)
    # 1 - beta is taken in float64: the float32 next to 0.999 is off by 1e-5 of it.
    rate = s.learning_rate * correction
    return rate, s.beta_1, 1.0 - s.beta_1, s.beta_2, 1.0 - s.beta_2, s.epsilon


@kernel
def adam_step(w, g, m, v, c):
    m = multiply_add(c[1], m, c[2] * g)
    v = multiply_add(c[3], v, c[4] * (g * g))
    return w - c[0] * m / (type(w)(math.sqrt(v)) + c[5]), m, v


def _fused_pass(n_slots: int, step: Callable) -> Any:
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

    return loop_kernel(update)


@loop_kernel
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


class Optimizer(NamedTuple):
    """One row of the table."""

    n_slots: int
    """How many vectors as long as theta the optimiser remembers."""
    constants: Any
    """Kernel ``(s, t)``: returns the six constants of step `t`, in float64."""
    update: Any
    """Kernel ``(constants, theta, state, start, grad, rest, scale, decay)``: steps
    theta[start:...] by ``(grad + rest) * scale + theta * decay``, where an empty `rest` counts
    as zeros, and returns the sum of squares of the result, or 0 without decay: then
    there is no penalty."""


def _optimizer(n_slots: int, constants: Callable, step: Callable) -> Optimizer:
    return Optimizer(n_slots, constants, _fused_pass(n_slots, step))


#: The optimisers by name; the position of a row is its code in compiled code.
OPTIMIZERS: dict[str, Optimizer] = {
    "gradient": Optimizer(1, sgd_constants, store_gradient),
    "sgd": _optimizer(0, sgd_constants, sgd_step),
    "momentum": _optimizer(1, sgd_constants, momentum_step),
    "nesterov": _optimizer(1, sgd_constants, nesterov_step),
    "adam": _optimizer(2, adam_constants, adam_step),
}

OPTIMIZER_CODES = {name: code for code, name in enumerate(OPTIMIZERS)}

#: ``step_constants(code, s, t)``, once a batch: they take as long as a small block.
step_constants = select([row.constants for row in OPTIMIZERS.values()])
#: ``update(code, constants, theta, state, start, grad, rest, scale, decay)``.
update = select([row.update for row in OPTIMIZERS.values()])
