"""The training loop over batches and the forward pass over blocks of rows, for one worker.

Every batch has two phases, each ended by a meeting of all workers:

1. *Row shards*: gather the rows, run them forward, take the loss and its delta, and run
   the deltas backward. A shard touches its own rows of the workspace only.
2. *Blocks of theta*: complete the gradient of one block of weights and step that block
   while it is in cache. Biases are one more such task.

Weight gradients are made in one of two ways, whichever moves less between processors.
Small networks: every shard makes those of its own rows, which are still in its cache, and
phase 2 adds up the shards. Large ones: phase 2 makes each block from all rows at once.

Shards and blocks are cut by `fastdnn._plan` from the workload alone and share no sums, and
what is summed over them is summed in their order. Which worker takes which task therefore
changes no bit of the result.
"""

import numpy as np

from fastdnn._jit import entry_point, kernel, loop_kernel
from fastdnn.kernels.activations import activation_backward, activation_forward
from fastdnn.kernels.barrier import announce_run, join_run, meet, next_task
from fastdnn.kernels.linear import linear_delta, linear_forward, linear_gradient
from fastdnn.kernels.losses import canonical_loss, output_loss
from fastdnn.kernels.sparse import csr_forward, csr_weight_gradient
from fastdnn.kernels.transpose import transpose_rows
from fastdnn.kernels.updates import update
from fastdnn.kernels.views import matrix_at, require_within, vector_at
from fastdnn.kernels.workspace import (
    A_START,
    ACTIVATION,
    BLOCK_FIRST,
    BLOCK_LAYER,
    BLOCK_ROWS,
    BLOCK_SQUARES,
    D_START,
    N_IN,
    N_OUT,
    SHARD_LOSS,
    SHARD_WEIGHT,
    W_START,
    Z_START,
    bias_gradient,
    block_table,
    input_rows,
    layer_bias,
    layer_input,
    layer_rows,
    layer_table,
    layer_transposed,
    layer_weights,
    optimizer_state,
    parameters,
    partial_sums,
    settings_at,
    shard_gradient,
    target_rows,
    team_counters,
    weight_gradient,
    weight_rows,
    work_matrix,
    work_vector,
)


@loop_kernel
def _copy_rows(source, rows, out):
    """Copy the `rows` of `source` into `out`."""
    for i in range(rows.size):
        for j in range(out.shape[1]):
            out[i, j] = source[rows[i], j]


@kernel
def _ordered_rows(s, first, n_rows):
    """View the rows of X at positions `first`... of the order, if there is one."""
    if s.order_size == 0:
        return vector_at(np.int64(0), s.order, 0, 0)
    require_within(first, n_rows, s.order_size)
    return vector_at(np.int64(0), s.order, first, n_rows)


@kernel
def _gather(s, real, position, first, n_rows):
    """Copy the rows of X that the order names into the workspace."""
    X = matrix_at(real, s.X, 0, s.X_size // s.n_features, s.n_features)
    rows = _ordered_rows(s, position + first, n_rows)
    _copy_rows(X, rows, input_rows(s, real, position, first, n_rows))


@kernel
def _gather_targets(s, real, position, first, n_rows):
    """Copy the targets and weights that the order names into the workspace."""
    Y = matrix_at(real, s.Y, 0, s.Y_size // s.n_targets, s.n_targets)
    rows = _ordered_rows(s, position + first, n_rows)
    _copy_rows(Y, rows, target_rows(s, real, position, first, n_rows))
    if s.weighted:
        weight = matrix_at(real, s.weight, 0, s.weight_size, 1)
        _copy_rows(weight, rows, work_matrix(s, real, s.w_start + first, n_rows, 1))


@kernel
def _sparse_forward(s, real, first, Z):
    csr_forward(
        vector_at(real, s.values, 0, s.values_size),
        vector_at(np.int32(0), s.indices, 0, s.indices_size),
        vector_at(np.int64(0), s.indptr, 0, s.indptr_size),
        _ordered_rows(s, first, Z.shape[0]),
        first,
        layer_weights(s, real, 0),
        layer_bias(s, real, 0),
        Z,
    )


@kernel
def _sparse_gradient(s, real, position, D, first, dW):
    csr_weight_gradient(
        vector_at(real, s.values, 0, s.values_size),
        vector_at(np.int32(0), s.indices, 0, s.indices_size),
        vector_at(np.int64(0), s.indptr, 0, s.indptr_size),
        _ordered_rows(s, position, D.shape[0]),
        position,
        D,
        first,
        dW,
    )


@kernel
def _forward(s, real, position, first, n_rows, n_activated):
    """Run rows `first`... of the batch at `position` forward.

    The layers from `n_activated` on stop at Z, without activation.
    """
    layers = layer_table(s)
    A = input_rows(s, real, position, first, 0 if s.sparse else n_rows)
    for l in range(s.n_layers):
        Z = layer_rows(s, real, l, Z_START, first, n_rows)
        if l == 0 and s.sparse:
            _sparse_forward(s, real, position + first, Z)
        else:
            if l == 0 and s.gather:
                _gather(s, real, position, first, n_rows)
            linear_forward(A, layer_weights(s, real, l), layer_bias(s, real, l), Z)
        A = layer_rows(s, real, l, A_START, first, n_rows)
        if l < n_activated:
            activation_forward(layers[l, ACTIVATION], Z, A)


@kernel
def _make_weight_gradient(s, real, position, shard, l, first, D):
    """Write the gradient of a layer's weights over the rows of one shard, if it is wanted."""
    if s.gradient_by_shard:
        A = layer_input(s, real, position, l, first, D.shape[0])
        linear_gradient(A, 0, D, weight_gradient(s, real, l, shard))


@kernel
def _train_shard(s, real, position, shard, n_rows):
    """Phase 1 for one shard of the batch at `position`."""
    first = shard * s.shard_rows
    n_rows = min(s.shard_rows, n_rows - first)
    if s.gather:
        _gather_targets(s, real, position, first, n_rows)
    Y = target_rows(s, real, position, first, n_rows)
    weight = weight_rows(s, real, position, first, n_rows)
    db = shard_gradient(s, real, shard, s.n_weights, s.theta_size - s.n_weights)
    for j in range(db.size):
        db[j] = 0

    layers = layer_table(s)
    last = s.n_layers - 1
    _forward(s, real, position, first, n_rows, last)
    Z = layer_rows(s, real, last, Z_START, first, n_rows)
    D = layer_rows(s, real, last, D_START, first, n_rows)
    db = bias_gradient(s, real, last, shard)
    if s.canonical:
        loss = canonical_loss(s.loss, Z, Y, weight, s.loss_cap, D, db)
    else:
        A = layer_rows(s, real, last, A_START, first, n_rows)
        activation_forward(layers[last, ACTIVATION], Z, A)
        loss = output_loss(s.loss, A, Y, weight, D)
        activation_backward(layers[last, ACTIVATION], Z, A, D, db)

    _make_weight_gradient(s, real, position, shard, last, first, D)
    for l in range(last - 1, -1, -1):
        D_prev = layer_rows(s, real, l, D_START, first, n_rows)
        W, W_transposed = layer_weights(s, real, l + 1), layer_transposed(s, real, l + 1)
        linear_delta(D, W, W_transposed, D_prev)
        activation_backward(
            layers[l, ACTIVATION],
            layer_rows(s, real, l, Z_START, first, n_rows),
            layer_rows(s, real, l, A_START, first, n_rows),
            D_prev,
            bias_gradient(s, real, l, shard),
        )
        D = D_prev
        _make_weight_gradient(s, real, position, shard, l, first, D)

    weight_sum = float(n_rows)
    if s.weighted:
        weight_sum = 0.0
        for i in range(n_rows):
            weight_sum += weight[i]
    partial = partial_sums(s)
    partial[SHARD_LOSS, shard] = loss
    partial[SHARD_WEIGHT, shard] = weight_sum


@loop_kernel
def _add_to(total, other):
    for i in range(total.size):
        total[i] += other[i]


@kernel
def _add_up_shards(s, real, n_shards, start, total):
    """Write the sum of all shards' gradients of ``theta[start:...]``, in their order."""
    first = shard_gradient(s, real, 0, start, total.size)
    for i in range(total.size):
        total[i] = first[i]
    for shard in range(1, n_shards):
        _add_to(total, shard_gradient(s, real, shard, start, total.size))


@kernel
def _step_block(s, real, position, task, n_rows, n_shards, t, scale, worker):
    """Phase 2 for one block of weights."""
    block, layers = block_table(s)[task], layer_table(s)
    l, first, n_in = block[BLOCK_LAYER], block[BLOCK_FIRST], block[BLOCK_ROWS]
    n_out = layers[l, N_OUT]
    start, size = layers[l, W_START] + first * n_out, n_in * n_out
    scratch = s.scratch_start + worker * s.scratch_size
    grad = work_vector(s, real, scratch, size)
    if s.gradient_by_shard:
        _add_up_shards(s, real, n_shards, start, grad)
    else:
        dW = work_matrix(s, real, scratch, n_in, n_out)
        D = layer_rows(s, real, l, D_START, 0, n_rows)
        if l == 0 and s.sparse:
            _sparse_gradient(s, real, position, D, first, dW)
        else:
            A = layer_input(s, real, position, l, 0, n_rows)
            linear_gradient(A, first, D, dW)
    partial_sums(s)[BLOCK_SQUARES, task] = update(
        s.optimizer,
        s,
        t,
        parameters(s, real),
        optimizer_state(s, real),
        start,
        grad,
        scale,
        scale * s.alpha,
    )
    if l > 0:
        transpose_rows(layer_weights(s, real, l), first, n_in, layer_transposed(s, real, l))


@kernel
def _step_biases(s, real, n_shards, t, scale, worker):
    """Phase 2 for all biases."""
    scratch = s.scratch_start + worker * s.scratch_size
    grad = work_vector(s, real, scratch, s.theta_size - s.n_weights)
    _add_up_shards(s, real, n_shards, s.n_weights, grad)
    update(
        s.optimizer,
        s,
        t,
        parameters(s, real),
        optimizer_state(s, real),
        s.n_weights,
        grad,
        scale,
        0.0,
    )


@kernel
def _run(s, real, worker):
    """Train on the samples ``s.first`` to ``s.last`` of the order, as one of the team."""
    team, partial = team_counters(s), partial_sums(s)
    n_workers, n_blocks = s.n_workers, s.n_blocks
    t = s.t
    layer = 1 + next_task(team, worker, n_workers, s.n_layers - 1)
    while layer < s.n_layers:
        W, W_transposed = layer_weights(s, real, layer), layer_transposed(s, real, layer)
        transpose_rows(W, 0, layer_table(s)[layer, N_IN], W_transposed)
        layer = 1 + next_task(team, worker, n_workers, s.n_layers - 1)
    if not meet(team, n_workers):
        return
    for position in range(s.first, s.last, s.batch_size):
        n_rows = min(s.batch_size, s.last - position)
        n_shards = (n_rows + s.shard_rows - 1) // s.shard_rows
        t += 1
        shard = next_task(team, worker, n_workers, n_shards)
        while shard < n_shards:
            _train_shard(s, real, position, shard, n_rows)
            shard = next_task(team, worker, n_workers, n_shards)
        if not meet(team, n_workers):
            return

        loss = 0.0
        weight_sum = 0.0
        for shard in range(n_shards):
            loss += partial[SHARD_LOSS, shard]
            weight_sum += partial[SHARD_WEIGHT, shard]
        count = n_rows
        if s.total_weight > 0.0:
            weight_sum, count = s.total_weight, 1
        scale = 1.0 / weight_sum
        if worker == 0:
            penalty = 0.5 * s.alpha * s.weight_squares
            s.loss_sum += (loss * s.loss_scale + penalty) * scale * count

        task = next_task(team, worker, n_workers, n_blocks + 1)
        while task <= n_blocks:
            if task < n_blocks:
                _step_block(s, real, position, task, n_rows, n_shards, t, scale, worker)
            else:
                _step_biases(s, real, n_shards, t, scale, worker)
            task = next_task(team, worker, n_workers, n_blocks + 1)
        if not meet(team, n_workers):
            return

        if worker == 0:
            squares = 0.0
            for task in range(n_blocks):
                squares += partial[BLOCK_SQUARES, task]
            s.weight_squares = squares
    if worker == 0:
        s.t = t


@entry_point
def train(settings, real, worker, n_joined):
    """Run as worker 0 of a team, or join its runs as another one of its workers.

    All are given the address of the same record, any number of the computing type, their
    own number and, except for worker 0, how many runs they have joined. Worker 0 begins a
    run and returns at its end; the others return when for a while no further run has begun,
    and then return how many they have joined.
    """
    s = settings_at(settings)
    team = team_counters(s)
    if worker == 0:
        if s.n_workers == 1:  # the others, if there are any, sit this run out
            _run(s, real, worker)
            return n_joined
        announce_run(team)
        _run(s, real, worker)
        return n_joined
    while join_run(team, n_joined):
        _run(s, real, worker)
        n_joined += 1
    return n_joined


@entry_point
def predict(settings, real, out):
    """Write the output activations of the rows of X into `out`, as one of a team.

    Rows are taken in blocks of ``s.shard_rows``, whose activations stay in cache. The
    workspace that the record at `settings` points to holds one block and belongs to this
    worker; the queue of tasks is common to all.
    """
    s = settings_at(settings)
    team = team_counters(s)
    n_rows, n_outputs = out.shape
    n_blocks = (n_rows + s.shard_rows - 1) // s.shard_rows
    block = next_task(team, 0, 1, n_blocks)
    while block < n_blocks:
        first = block * s.shard_rows
        rows = min(s.shard_rows, n_rows - first)
        _forward(s, real, first, 0, rows, s.n_layers)
        A = layer_rows(s, real, s.n_layers - 1, A_START, 0, rows)
        for i in range(rows):
            for j in range(n_outputs):
                out[first + i, j] = A[i, j]
        block = next_task(team, 0, 1, n_blocks)
