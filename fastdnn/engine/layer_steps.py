"""Steps that differ between layers, and a learnt scale of each input; compiled where used.

A layer's step size is that of the optimiser times a factor of its own, and so is that of the
tail of theta. The first layer's weights may be a product, ``V = diag(scales) W``, of which
both factors are learnt, each by steps of its own size. Training and prediction only know V,
which is in theta: of its gradient G the chain rule makes that of W, ``diag(scales) G``, and
that of the scale of row j, ``G[j] @ W[j]``. So nothing but the step is different, and what is
trained is a plain network.
"""

import numpy as np
from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form, vector_of
from fastdnn.compiler.jit import kernel, loop_kernel
from fastdnn.engine.mailboxes import state_of_block
from fastdnn.engine.memory import (
    BLOCK_FIRST,
    BLOCK_OPERATION,
    BLOCK_ROWS,
    BLOCK_SIZE,
    BLOCK_START,
    block_table,
    worker_parameters,
)
from fastdnn.engine.operations import N_IN, operations
from fastdnn.engine.record import record_at
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.vectors import write_multiple
from fastdnn.machine.views import vector, vector_at
from fastdnn.ops.optimizers import UPDATE
from fastdnn.products.sums import sum_of_products, sum_of_squares

_update = UPDATE.call


@kernel
def step_factors(s):
    """View the factors of the step size: of every operation, the tail, and the scales."""
    return vector_at(np.float64(0), s.step_factors, 0, s.step_factors_size)


@kernel
def scaled_constants(constants, factor):
    """Return an optimiser's constants for another step size, which is the first of them."""
    return (
        *(constants[0] * factor, constants[1], constants[2]),
        *(constants[3], constants[4], constants[5]),
    )


@loop_kernel
def _complete(first, rest, w, scale, decay):
    """Write the gradient of one row into `first`."""
    has_rest = rest.size > 0
    for j in range(first.size):
        g = first[j] + rest[j] if has_rest else first[j]
        first[j] = multiply_add(g, scale, w[j] * decay)


@kernel
def _step_product(s, real, task, worker, first, rest, constants, factors):
    """Step both factors of one block of the first layer's weights."""
    block = block_table(s)[task]
    o, start, size = block[BLOCK_OPERATION], block[BLOCK_START], block[BLOCK_SIZE]
    first_row, n_rows, n_in = block[BLOCK_FIRST], block[BLOCK_ROWS], operations(s)[o, N_IN]
    n_out, n_steps = size // n_rows, step_factors(s).size
    as_real = type(real)
    scale, decay, keep = factors
    W = vector_at(real, s.unscaled, 0, s.theta_size)
    scales = vector_at(real, s.scales, 0, n_in)
    of_scales = vector_at(real, s.scales, n_in, n_in)
    state = vector_at(real, s.scales, 2 * n_in, s.scales_size - 2 * n_in)
    for i in range(n_rows):
        w = vector(W, start + i * n_out, n_out)
        g = vector(first, i * n_out, n_out)
        r = vector(rest, i * n_out if rest.size > 0 else 0, n_out if rest.size > 0 else 0)
        _complete(g, r, w, as_real(scale), as_real(0))
        of_scales[first_row + i] = sum_of_products(g, w)
        write_multiple(scales[first_row + i], g, g)
        _complete(g, vector(rest, 0, 0), w, as_real(1), as_real(decay))
    gradient = vector(of_scales, first_row, n_rows)
    nothing = vector(rest, 0, 0)
    own = scaled_constants(constants, step_factors(s)[n_steps - 1])
    _update(s.update, (own, scales, state, first_row, gradient, nothing, 1.0, 0.0, 1.0))
    own, of_block = (
        scaled_constants(constants, step_factors(s)[o]),
        state_of_block(s, real, task),
    )
    _update(s.update, (own, W, of_block, start, first, nothing, 1.0, 0.0, keep))
    theta = worker_parameters(s, real, worker)
    for i in range(n_rows):
        w, v = vector(W, start + i * n_out, n_out), vector(theta, start + i * n_out, n_out)
        write_multiple(scales[first_row + i], w, v)
    return sum_of_squares(vector(W, start, size)) if decay != 0 else 0.0


def _step_of_layer(record, real, task, worker, first, rest, constants, factors):
    """Step one block as an optimiser does, by the step size of its layer.

    `first` and `rest` are the parts of its gradient, of which the former is scratch
    afterwards; `factors` are the update's. Returns what the update does.
    """
    s = record_at(record)
    block = block_table(s)[task]
    o, start = block[BLOCK_OPERATION], block[BLOCK_START]
    if s.scales_size > 0 and task < s.n_blocks and o == s.scaled_operation:
        return _step_product(s, real, task, worker, first, rest, constants, factors)
    which = o if task < s.n_blocks else s.n_operations
    own = scaled_constants(constants, step_factors(s)[which])
    scale, decay, keep = factors
    theta, state = worker_parameters(s, real, worker), state_of_block(s, real, task)
    return _update(s.update, (own, theta, state, start, first, rest, scale, decay, keep))


#: What steps a block: ``(record, real, task, worker, first, rest, constants, factors)``.
STEP_OF_LAYER = Form(
    "a layer's step",
    lambda real: (
        *(types.int64, real, types.int64, types.int64, vector_of(real), vector_of(real)),
        types.containers.UniTuple(types.float64, 6),
        types.containers.UniTuple(types.float64, 3),
    ),
    types.float64,
)
step_of_layer = Addressed(STEP_OF_LAYER, _step_of_layer, "layer_steps.step")
