"""The training loop over batches and the forward pass over blocks of rows, for one worker.

Every batch has two phases, each ended by a meeting of all workers:

1. *Row shards*: gather the rows, run them forward, take the loss and its delta, and run
   the deltas backward. A shard touches its own rows of the workspace only.
2. *Blocks of theta*: make one block of one weight gradient from all rows of the batch and
   step that block while it is in cache. Biases are one more such task.

Shards and blocks are cut by `fastdnn._plan` from the workload alone and share no sums, and
what is summed over them is summed in their order. Which worker takes which task therefore
changes no bit of the result.
"""

from fastdnn._jit import entry_point, kernel
from fastdnn.kernels.activations import activation_backward, activation_forward
from fastdnn.kernels.barrier import announce_run, join_run, meet, next_task
from fastdnn.kernels.linear import linear_delta, linear_forward, linear_gradient
from fastdnn.kernels.losses import canonical_loss, output_loss
from fastdnn.kernels.sparse import csr_forward, csr_weight_gradient
from fastdnn.kernels.transpose import transpose_rows
from fastdnn.kernels.updates import update
from fastdnn.kernels.views import matrix, vector
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
    input_rows,
    layer_bias,
    layer_rows,
    layer_transposed,
    layer_weights,
    target_rows,
    weight_rows,
)


@kernel
def _gather_samples(s, data, net, position, first, n_rows):
    """Copy the rows of X that the order names into the workspace."""
    X = input_rows(s, data, net, position, first, n_rows)
    for i in range(n_rows):
        row = data.order[position + first + i]
        for j in range(X.shape[1]):
            X[i, j] = data.X[row, j]


@kernel
def _gather_targets(s, data, net, position, first, n_rows):
    """Copy the targets and weights that the order names into the workspace."""
    Y = target_rows(s, data, net, position, first, n_rows)
    weight = weight_rows(s, data, net, position, first, n_rows)
    for i in range(n_rows):
        row = data.order[position + first + i]
        for j in range(Y.shape[1]):
            Y[i, j] = data.Y[row, j]
        if s.weighted:
            weight[i] = data.weight[row]


@kernel
def _forward(s, data, net, position, first, n_rows, n_activated):
    """Run rows `first`... of the batch at `position` forward.

    The layers from `n_activated` on stop at Z, without activation.
    """
    for l in range(net.layers.shape[0]):
        Z = layer_rows(net, l, Z_START, first, n_rows)
        W, b = layer_weights(net, l), layer_bias(net, l)
        if l > 0:
            linear_forward(layer_rows(net, l - 1, A_START, first, n_rows), W, b, Z)
        elif s.sparse:
            start = position + first
            csr_forward(data.values, data.indices, data.indptr, data.order, start, W, b, Z)
        else:
            if s.gather:
                _gather_samples(s, data, net, position, first, n_rows)
            linear_forward(input_rows(s, data, net, position, first, n_rows), W, b, Z)
        if l < n_activated:
            A = layer_rows(net, l, A_START, first, n_rows)
            activation_forward(net.layers[l, ACTIVATION], Z, A)


@kernel
def _train_shard(s, data, net, position, shard, n_rows):
    """Phase 1 for one shard of the batch at `position`."""
    first = shard * s.shard_rows
    n_rows = min(s.shard_rows, n_rows - first)
    if s.gather:
        _gather_targets(s, data, net, position, first, n_rows)
    Y = target_rows(s, data, net, position, first, n_rows)
    weight = weight_rows(s, data, net, position, first, n_rows)
    db = vector(
        net.work,
        s.db_start + shard * (net.theta.size - s.n_weights),
        net.theta.size - s.n_weights,
    )
    for j in range(db.size):
        db[j] = 0

    last = net.layers.shape[0] - 1
    _forward(s, data, net, position, first, n_rows, last)
    Z = layer_rows(net, last, Z_START, first, n_rows)
    D = layer_rows(net, last, D_START, first, n_rows)
    db = bias_gradient(s, net, last, shard)
    if s.canonical:
        loss = canonical_loss(s.loss, Z, Y, weight, s.loss_cap, D, db)
    else:
        A = layer_rows(net, last, A_START, first, n_rows)
        activation_forward(net.layers[last, ACTIVATION], Z, A)
        loss = output_loss(s.loss, A, Y, weight, D)
        activation_backward(net.layers[last, ACTIVATION], Z, A, D, db)

    for l in range(last - 1, -1, -1):
        D_prev = layer_rows(net, l, D_START, first, n_rows)
        linear_delta(D, layer_weights(net, l + 1), layer_transposed(net, l + 1), D_prev)
        activation_backward(
            net.layers[l, ACTIVATION],
            layer_rows(net, l, Z_START, first, n_rows),
            layer_rows(net, l, A_START, first, n_rows),
            D_prev,
            bias_gradient(s, net, l, shard),
        )
        D = D_prev

    weight_sum = float(n_rows)
    if s.weighted:
        weight_sum = 0.0
        for i in range(n_rows):
            weight_sum += weight[i]
    net.partial[SHARD_LOSS, shard] = loss
    net.partial[SHARD_WEIGHT, shard] = weight_sum


@kernel
def _step_block(s, data, net, position, task, n_rows, t, scale, worker):
    """Phase 2 for one block of weights."""
    l = net.blocks[task, BLOCK_LAYER]
    first, n_in = net.blocks[task, BLOCK_FIRST], net.blocks[task, BLOCK_ROWS]
    n_out = net.layers[l, N_OUT]
    scratch = s.scratch_start + worker * s.scratch_size
    dW = matrix(net.work, scratch, n_in, n_out)
    D = layer_rows(net, l, D_START, 0, n_rows)
    if l > 0:
        linear_gradient(layer_rows(net, l - 1, A_START, 0, n_rows), first, D, dW)
    elif s.sparse:
        csr_weight_gradient(
            data.values, data.indices, data.indptr, data.order, position, D, first, dW
        )
    else:
        X = input_rows(s, data, net, position, 0, n_rows)
        linear_gradient(X, first, D, dW)
    grad = vector(net.work, scratch, n_in * n_out)
    start = net.layers[l, W_START] + first * n_out
    net.partial[BLOCK_SQUARES, task] = update(
        s.optimizer,
        s,
        t,
        net.theta,
        net.state,
        start,
        grad,
        scale,
        scale * s.alpha,
    )
    if l > 0:
        transpose_rows(layer_weights(net, l), first, n_in, layer_transposed(net, l))


@kernel
def _step_biases(s, net, n_shards, t, scale):
    """Phase 2 for all biases: sum their gradients over the shards, in order, and step."""
    n_biases = net.theta.size - s.n_weights
    grad = vector(net.work, s.db_start, n_biases)
    for shard in range(1, n_shards):
        other = vector(net.work, s.db_start + shard * n_biases, n_biases)
        for j in range(n_biases):
            grad[j] += other[j]
    update(s.optimizer, s, t, net.theta, net.state, s.n_weights, grad, scale, 0.0)


@kernel
def _run(s, data, net, worker):
    """Train on the samples ``s.first`` to ``s.last`` of the order, as one of the team."""
    n_workers = s.n_workers
    t = s.t
    layer = 1 + next_task(net.team)
    while layer < net.layers.shape[0]:
        n_in = net.layers[layer, N_IN]
        transpose_rows(layer_weights(net, layer), 0, n_in, layer_transposed(net, layer))
        layer = 1 + next_task(net.team)
    if not meet(net.team, n_workers):
        return
    for position in range(s.first, s.last, s.batch_size):
        n_rows = min(s.batch_size, s.last - position)
        n_shards = (n_rows + s.shard_rows - 1) // s.shard_rows
        t += 1
        shard = next_task(net.team)
        while shard < n_shards:
            _train_shard(s, data, net, position, shard, n_rows)
            shard = next_task(net.team)
        if not meet(net.team, n_workers):
            return

        loss = 0.0
        weight_sum = 0.0
        for shard in range(n_shards):
            loss += net.partial[SHARD_LOSS, shard]
            weight_sum += net.partial[SHARD_WEIGHT, shard]
        count = n_rows
        if s.total_weight > 0.0:
            weight_sum, count = s.total_weight, 1
        scale = 1.0 / weight_sum
        if worker == 0:
            penalty = 0.5 * s.alpha * s.weight_squares
            s.loss_sum += (loss * s.loss_scale + penalty) * scale * count

        n_blocks = net.blocks.shape[0]
        task = next_task(net.team)
        while task <= n_blocks:
            if task < n_blocks:
                _step_block(s, data, net, position, task, n_rows, t, scale, worker)
            else:
                _step_biases(s, net, n_shards, t, scale)
            task = next_task(net.team)
        if not meet(net.team, n_workers):
            return

        if worker == 0:
            squares = 0.0
            for task in range(n_blocks):
                squares += net.partial[BLOCK_SQUARES, task]
            s.weight_squares = squares
    if worker == 0:
        s.t = t


@entry_point
def train(s, data, net, worker, n_joined):
    """Run as worker 0 of a team, or join its runs as another one of its workers.

    All are given the same arguments but their number and, except for worker 0, how many
    runs they have joined. Worker 0 begins a run and returns at its end; the others return
    when for a while no further run has begun. All return how many they have joined.
    """
    if worker == 0:
        announce_run(net.team)
        _run(s, data, net, worker)
        return n_joined + 1
    while join_run(net.team, n_joined):
        _run(s, data, net, worker)
        n_joined += 1
    return n_joined


@entry_point
def predict(s, data, net, out, worker):
    """Write the output activations of the rows of X into `out`, as one of a team.

    Rows are taken in blocks of ``s.shard_rows``, whose activations stay in cache. The
    workspace of `net` holds one block and belongs to this worker.
    """
    n_layers = net.layers.shape[0]
    n_rows, n_outputs = out.shape
    n_blocks = (n_rows + s.shard_rows - 1) // s.shard_rows
    block = next_task(net.team)
    while block < n_blocks:
        first = block * s.shard_rows
        rows = min(s.shard_rows, n_rows - first)
        _forward(s, data, net, first, 0, rows, n_layers)
        A = layer_rows(net, n_layers - 1, A_START, 0, rows)
        for i in range(rows):
            for j in range(n_outputs):
                out[first + i, j] = A[i, j]
        block = next_task(net.team)
