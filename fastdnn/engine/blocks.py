"""Phase 2 of a batch: complete the gradient of one block of theta and step that block.

It may have further stages, between which all workers meet: where the norm of the whole
gradient is limited, gradients are completed before blocks are stepped; and where norms of
columns are, blocks are scaled after all of them have been stepped. What is done there is in
`fastdnn.engine.step_options`.
"""

from fastdnn.compiler.jit import kernel
from fastdnn.engine.delta_masks import masked_gradient
from fastdnn.engine.layer_steps import STEP_OF_LAYER
from fastdnn.engine.mailboxes import (
    has_mailboxes,
    is_sent,
    send_weights,
    state_of_block,
    take_gradient,
)
from fastdnn.engine.memory import (
    BLOCK_FIRST,
    BLOCK_OPERATION,
    BLOCK_ROWS,
    BLOCK_SIZE,
    BLOCK_SQUARES,
    BLOCK_START,
    block_table,
    csr_arrays,
    draw_of,
    ordered_rows,
    partial_sums,
    product_scratch,
    read_by,
    rows_of,
    shard_gradient,
    transposed_weights_of,
    weights_of,
    work_matrix,
    work_vector,
    worker_parameters,
)
from fastdnn.engine.operations import (
    BACKWARD,
    CSR_LINEAR,
    D_OUT,
    DELTA_HAS_ZEROS,
    FLAGS,
    HAS_ZEROS,
    KIND,
    TABLE_LINEAR,
    WANTS_DELTA,
    amount_of,
    operations,
    product_of,
)
from fastdnn.engine.step_options import (
    COMPLETE,
    COMPLETING,
    FINISH,
    STEPPING,
    completed_gradient,
)
from fastdnn.engine.table_rows import TABLE_GRADIENT, TABLE_SUMS
from fastdnn.machine.stops import is_told
from fastdnn.machine.vectors import add, write_sum
from fastdnn.machine.views import address, vector
from fastdnn.ops.optimizers import UPDATE
from fastdnn.ops.sparse import CSR_GRADIENT
from fastdnn.products.linear import linear_gradient
from fastdnn.products.nonzeros import has_panels
from fastdnn.products.switches import NO_CLAIMS
from fastdnn.products.transpose import transpose_rows

_update, _csr_weight_gradient = UPDATE.call, CSR_GRADIENT.call
_step_of_layer = STEP_OF_LAYER.call
_table_gradient, _table_sums = TABLE_GRADIENT.call, TABLE_SUMS.call
_complete, _finish = COMPLETE.call, FINISH.call

# Rows of a sparse batch from one look at what may tell to stop to the next.
_ROWS_AT_ONCE = 4096


@kernel
def _sparse_gradient(s, real, o, position, D, first, dW, worker):
    values, indices, indptr = csr_arrays(s, real)
    n_rows = D.shape[0]
    rows = ordered_rows(s, position, n_rows)
    draw, rate = draw_of(s, o, 0, worker), amount_of(s, o)
    for start in range(0, n_rows, _ROWS_AT_ONCE):
        if is_told(s.stop_in_step):
            return
        stop = min(start + _ROWS_AT_ONCE, n_rows)
        _csr_weight_gradient(
            operations(s)[o, BACKWARD],
            (values, indices, indptr, rows, position, D, first, dW, start, stop, draw, rate),
        )


@kernel
def _part_of_gradient(s, real, task, shard, scratch):
    """View a shard's gradient of one block, brought to `scratch` if it was sent."""
    start, size = block_table(s)[task, BLOCK_START], block_table(s)[task, BLOCK_SIZE]
    if not is_sent(s, shard, task):
        return shard_gradient(s, real, shard, start, size)
    part = work_vector(s, real, scratch, size)
    take_gradient(s, real, shard, task, part)
    return part


@kernel
def _parts_of_gradient(s, real, task, n_shards, scratch):
    """Return two parts of the gradient of one block, whose sum the update makes.

    They are the sum of all shards but the last, in their order, and the last one; or a single
    shard and nothing. What has to be added up or was sent is written to position `scratch` of
    the workspace, which has room for three parts if there are shards that were sent.
    """
    size = block_table(s)[task, BLOCK_SIZE]
    first = _part_of_gradient(s, real, task, 0, scratch + size)
    if n_shards == 1:
        return first, work_vector(s, real, scratch, 0)
    second = _part_of_gradient(s, real, task, 1, scratch + 2 * size)
    if n_shards == 2:
        return first, second
    total = work_vector(s, real, scratch, size)
    write_sum(first, second, total)
    for shard in range(2, n_shards - 1):
        add(_part_of_gradient(s, real, task, shard, scratch + size), total)
    return total, _part_of_gradient(s, real, task, n_shards - 1, scratch + size)


@kernel
def _step(s, real, task, gradient, constants, factors, worker):
    """Step one block by both parts of its gradient and tell the other workers.

    `factors` are the update's: of the gradient, of the L2 term, and what is kept of theta.
    Returns the sum of the squares of the stepped block.
    """
    start = block_table(s)[task, BLOCK_START]
    theta, state = worker_parameters(s, real, worker), state_of_block(s, real, task)
    first, second = gradient
    scale, decay, keep = factors
    if s.step_of_layer != 0:
        of_layer = s.record, real, task, worker, first, second, constants, factors
        squares = _step_of_layer(s.step_of_layer, of_layer)
    else:
        arguments = constants, theta, state, start, first, second, scale, decay, keep
        squares = _update(s.update, arguments)
    if has_mailboxes(s):
        send_weights(s, real, task, worker)
    return squares


@kernel
def _gradient(s, real, position, task, n_rows, n_shards, are_masked, worker):
    """Return both parts of the gradient of one block, made from the batch or the shards."""
    block = block_table(s)[task]
    o, first, n_in = block[BLOCK_OPERATION], block[BLOCK_FIRST], block[BLOCK_ROWS]
    size, scratch = block[BLOCK_SIZE], s.scratch_start + worker * s.scratch_size
    if s.n_members > 0:  # made where members are stepped
        return work_vector(s, real, scratch, 0), work_vector(s, real, scratch, 0)
    if s.gradient_by_shard or task == s.n_blocks:
        return _parts_of_gradient(s, real, task, n_shards, scratch)
    row = operations(s)[o]
    dW = work_matrix(s, real, scratch, n_in, size // n_in)
    D = rows_of(s, real, o, D_OUT, 0, n_rows)
    if row[KIND] == CSR_LINEAR:
        _sparse_gradient(s, real, o, position, D, first, dW, worker)
    elif row[KIND] == TABLE_LINEAR:
        of_block = s.record, real, o, first, n_in, 0, n_rows, scratch, worker
        _table_gradient(row[BACKWARD], of_block)
    else:
        X = read_by(s, real, position, o, 0, n_rows)
        product_memory, claimed = product_scratch(s, real, worker), 0
        # Workers of a team have all read the weights.
        if s.n_workers > 1 and s.switched_off & NO_CLAIMS == 0:
            claimed = address(worker_parameters(s, real, worker), block[BLOCK_START])
        if o == 0 and are_masked and has_panels(real, n_in):
            masked_gradient(s, real, X, first, dW, claimed, worker)
        else:
            how = product_of(
                s, row[FLAGS] & HAS_ZEROS, row[FLAGS] & DELTA_HAS_ZEROS, s.stop_in_step
            )
            linear_gradient(X, first, D, dW, product_memory, claimed, how)
    return work_vector(s, real, scratch, size), work_vector(s, real, scratch, 0)


@kernel
def step_block(
    s, real, position, task, n_rows, n_shards, constants, factors, are_masked, stage, worker
):
    """Phase 2, or one stage of it, for one block: of weights, or the tail of theta.

    `constants` are those of the optimiser, `factors` the update's: of the gradient, of the L2
    term, and what is kept of theta. `are_masked` says that the first layer's deltas are. Once
    it is told to stop, what it leaves in the block means nothing.
    """
    if is_told(s.stop_in_step):
        return
    if stage <= STEPPING:
        if stage == s.first_stage:
            gradient = _gradient(s, real, position, task, n_rows, n_shards, are_masked, worker)
        else:
            first = completed_gradient(s, real, task)
            gradient = first, vector(first, 0, 0)
        scale, decay, keep = factors
        if task == s.n_blocks:  # the tail does not decay
            decay, keep = 0.0, 1.0
        if s.complete != 0 and stage == s.first_stage:
            first, rest = gradient
            _complete(s.complete, (s.record, real, task, worker, first, rest, scale))
            gradient, scale, decay = (first, vector(first, 0, 0)), 1.0, 0.0
        if stage == COMPLETING:
            return
        squares = _step(s, real, task, gradient, constants, (scale, decay, keep), worker)
        partial_sums(s)[task, BLOCK_SQUARES] = squares
    if s.finish != 0:
        _finish(s.finish, (s.record, real, task, worker, stage))
    if stage == s.last_stage and task < s.n_blocks and s.transposed_size == 0:
        block = block_table(s)[task]
        o = block[BLOCK_OPERATION]
        if operations(s)[o, FLAGS] & WANTS_DELTA:
            W_transposed = transposed_weights_of(s, real, o, worker)
            W = weights_of(s, real, o, worker)
            transpose_rows(W, block[BLOCK_FIRST], block[BLOCK_ROWS], W_transposed)
        elif operations(s)[o, KIND] == TABLE_LINEAR:
            rows = block[BLOCK_FIRST], block[BLOCK_ROWS]
            _table_sums(s.table_sums, (s.record, real, o, rows[0], rows[1], worker))
