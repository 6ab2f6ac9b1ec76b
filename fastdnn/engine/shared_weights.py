"""The step of members: networks that share the weights of their hidden layers.

Each shard of a batch is a member's, who trains on rows of his own by weights of his own: a
copy of the shared ones, in the first layer with a scale of his own for each input, in the last
one his own altogether, as are biases. So a member is a plain network, and the first phase of a
batch is that of any. The second makes the gradient of what is shared from the rows of all, and
writes what it becomes to everybody. (Gorishniy et al., TabM: Advancing Tabular Deep Learning
with Parameter-Efficient Ensembling, 2025, of which this is the form that they call "mini".)

A member's parameters and state lie where those of a worker with copies of his own do
(`fastdnn.engine.mailboxes`), whose number is the member's. Found by address, in the place of a
layer's step.
"""

from fastdnn.compiler.addressed import Addressed
from fastdnn.compiler.jit import kernel
from fastdnn.engine.layer_steps import STEP_OF_LAYER, scaled_constants, step_factors
from fastdnn.engine.memory import (
    BLOCK_FIRST,
    BLOCK_OPERATION,
    BLOCK_ROWS,
    BLOCK_SIZE,
    BLOCK_START,
    block_table,
    optimizer_state,
    product_scratch,
    read_by,
    rows_of,
    shard_gradient,
    work_matrix,
    work_vector,
    worker_parameters,
)
from fastdnn.engine.operations import (
    BACKWARD,
    D_OUT,
    DELTA_HAS_ZEROS,
    FLAGS,
    HAS_ZEROS,
    KIND,
    N_IN,
    SHARED,
    TABLE_LINEAR,
    operations,
    product_of,
)
from fastdnn.engine.record import record_at
from fastdnn.engine.table_rows import TABLE_GRADIENT
from fastdnn.machine.vectors import add_multiple, clear, copy, write_multiple
from fastdnn.machine.views import vector, vector_at
from fastdnn.ops.optimizers import UPDATE
from fastdnn.products.linear import linear_gradient
from fastdnn.products.sums import sum_of_products

_update, _table_gradient = UPDATE.call, TABLE_GRADIENT.call


@kernel
def _gradient(s, real, task, first, n_rows, start, worker):
    """Make the gradient of one block from some rows of the batch, at `start`."""
    block = block_table(s)[task]
    o, first_input, n_inputs = block[BLOCK_OPERATION], block[BLOCK_FIRST], block[BLOCK_ROWS]
    row = operations(s)[o]
    dW = work_matrix(s, real, start, n_inputs, block[BLOCK_SIZE] // n_inputs)
    if row[KIND] == TABLE_LINEAR:
        of_block = s.record, real, o, first_input, n_inputs, first, n_rows, start, worker
        _table_gradient(row[BACKWARD], of_block)
    else:
        # Rows are gathered: where the batch begins does not matter.
        X, D = read_by(s, real, 0, o, first, n_rows), rows_of(s, real, o, D_OUT, first, n_rows)
        how = product_of(s, row[FLAGS] & HAS_ZEROS, row[FLAGS] & DELTA_HAS_ZEROS, 0)
        linear_gradient(X, first_input, D, dW, product_scratch(s, real, worker), 0, how)


@kernel
def _step_own(s, real, task, worker, constants, factors):
    """Step a block of which every member has numbers of his own."""
    block = block_table(s)[task]
    start, size, n_rows = block[BLOCK_START], block[BLOCK_SIZE], s.shard_rows
    scratch = s.scratch_start + worker * s.scratch_size
    nothing = work_vector(s, real, scratch, 0)
    for member in range(s.n_members):
        if task == s.n_blocks:
            gradient = shard_gradient(s, real, member, start, size)
        else:
            _gradient(s, real, task, member * n_rows, n_rows, scratch, worker)
            gradient = work_vector(s, real, scratch, size)
        theta, state = worker_parameters(s, real, member), optimizer_state(s, real, member)
        _update(s.update, (constants, theta, state, start, gradient, nothing, *factors))


@kernel
def _tell(s, real, start, size):
    """Copy a block that was stepped to all members."""
    stepped = vector(worker_parameters(s, real, 0), start, size)
    for member in range(1, s.n_members):
        copy(stepped, vector(worker_parameters(s, real, member), start, size))


@kernel
def _step_shared(s, real, task, worker, constants, factors):
    """Step a block of weights that all members have."""
    block = block_table(s)[task]
    start, size = block[BLOCK_START], block[BLOCK_SIZE]
    scratch = s.scratch_start + worker * s.scratch_size
    _gradient(s, real, task, 0, s.n_members * s.shard_rows, scratch, worker)
    gradient, nothing = work_vector(s, real, scratch, size), work_vector(s, real, scratch, 0)
    theta, state = worker_parameters(s, real, 0), optimizer_state(s, real, 0)
    _update(s.update, (constants, theta, state, start, gradient, nothing, *factors))
    _tell(s, real, start, size)


@kernel
def _scales_of(s, real, member):
    """View a member's scales of inputs, their gradient, and the optimiser's state of them."""
    n_in, size = operations(s)[s.scaled_operation, N_IN], s.scales_size // s.n_members
    first = member * size
    return (
        vector_at(real, s.scales, first, n_in),
        vector_at(real, s.scales, first + n_in, n_in),
        vector_at(real, s.scales, first + 2 * n_in, size - 2 * n_in),
    )


@kernel
def _step_scaled(s, real, task, worker, constants, own_constants, factors):
    """Step a block of weights that all members have, and each one's scales of its rows."""
    block = block_table(s)[task]
    start, size = block[BLOCK_START], block[BLOCK_SIZE]
    first, n_inputs, rows = block[BLOCK_FIRST], block[BLOCK_ROWS], s.shard_rows
    n_out, position = size // n_inputs, s.scratch_start + worker * s.scratch_size
    total = work_vector(s, real, position, size)
    made = work_vector(s, real, position + size, size)
    nothing = work_vector(s, real, position, 0)
    W = vector_at(real, s.unscaled, 0, s.theta_size)
    clear(total)
    for member in range(s.n_members):
        _gradient(s, real, task, member * rows, rows, position + size, worker)
        scales, of_scales, _ = _scales_of(s, real, member)
        for i in range(n_inputs):
            g, w = vector(made, i * n_out, n_out), vector(W, start + i * n_out, n_out)
            of_scales[first + i] = sum_of_products(g, w)
            add_multiple(scales[first + i], g, vector(total, i * n_out, n_out))
    scale = factors[0]
    for member in range(s.n_members):
        scales, of_scales, state = _scales_of(s, real, member)
        gradient = vector(of_scales, first, n_inputs)
        step = own_constants, scales, state, first, gradient, nothing, scale, 0.0, 1.0
        _update(s.update, step)
    state = optimizer_state(s, real, 0)
    _update(s.update, (constants, W, state, start, total, nothing, *factors))
    for member in range(s.n_members):
        theta, scales = worker_parameters(s, real, member), _scales_of(s, real, member)[0]
        for i in range(n_inputs):
            w = vector(W, start + i * n_out, n_out)
            write_multiple(scales[first + i], w, vector(theta, start + i * n_out, n_out))


def _step_of_members(record, real, task, worker, first, rest, constants, factors):
    """Step one block, of which all members have the weights, or each one his own."""
    s = record_at(record)
    of_layers = step_factors(s)
    if task == s.n_blocks:
        own = scaled_constants(constants, of_layers[s.n_operations])
        _step_own(s, real, task, worker, own, factors)
        return 0.0
    o = block_table(s)[task, BLOCK_OPERATION]
    own = scaled_constants(constants, of_layers[o])
    if operations(s)[o, FLAGS] & SHARED == 0:
        _step_own(s, real, task, worker, own, factors)
    elif o == s.scaled_operation:
        of_scales = scaled_constants(constants, of_layers[of_layers.size - 1])
        _step_scaled(s, real, task, worker, own, of_scales, factors)
    else:
        _step_shared(s, real, task, worker, own, factors)
    return 0.0


step_of_members = Addressed(STEP_OF_LAYER, _step_of_members, "shared_weights.step")
