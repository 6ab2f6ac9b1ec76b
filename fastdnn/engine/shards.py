"""Phase 1 of a batch: rows forward, loss, deltas backward, for some shards of its rows.

Both passes walk the table of operations (`fastdnn.engine.operations`). A shard touches its own
rows of the workspace only. Prediction runs blocks of rows forward with the same kernels.
"""

import numpy as np

from fastdnn.compiler.jit import kernel, loop_kernel
from fastdnn.engine.mailboxes import has_mailboxes, send_gradient
from fastdnn.engine.memory import (
    SHARD_LOSS,
    SHARD_WEIGHT,
    bias_of,
    csr_arrays,
    draw_of,
    input_rows,
    loss_parameters,
    ordered_rows,
    partial_sums,
    product_scratch,
    read_by,
    rows_of,
    shard_gradient,
    tail_gradient,
    target_rows,
    transposed_weights_of,
    weight_gradient,
    weight_rows,
    weights_of,
    work_vector,
)
from fastdnn.engine.operations import (
    ACTIVATE,
    BACKWARD,
    CSR_LINEAR,
    D_IN,
    D_OUT,
    DELTA_HAS_ZEROS,
    DONE_AFTER,
    DONE_BEFORE,
    FLAGS,
    FLOORS,
    FORWARD,
    HAS_ZEROS,
    IN,
    KIND,
    LOSS,
    MASKS,
    OUT,
    TABLE_LINEAR,
    TRANSFORM,
    WANTS_DELTA,
    amount_of,
    is_linear,
    operations,
    product_of,
)
from fastdnn.engine.transforms import TRANSFORM_DELTAS, TRANSFORM_ROWS
from fastdnn.machine.stops import is_told
from fastdnn.machine.views import matrix_at, vector, vector_at
from fastdnn.ops import activations, losses
from fastdnn.ops.sparse import CSR_FORWARD
from fastdnn.products.linear import (
    linear_delta,
    linear_forward,
    linear_gradient,
    rectified_gradient,
)
from fastdnn.products.sums import sum_in_double

_activate, _activate_backward = activations.FORWARD.call, activations.BACKWARD.call
_take_loss, _csr_forward = losses.LOSS.call, CSR_FORWARD.call
_transform_rows, _transform_deltas = TRANSFORM_ROWS.call, TRANSFORM_DELTAS.call


@loop_kernel
def _copy_rows(source, rows, out):
    """Copy the `rows` of `source` into `out`."""
    for i in range(rows.size):
        for j in range(out.shape[1]):
            out[i, j] = source[rows[i], j]


@loop_kernel
def _copy_elements(source, rows, out):
    """Copy the elements of `source` that `rows` names into `out`."""
    for i in range(rows.size):
        out[i] = source[np.uint64(rows[i])]


@kernel
def _gather(s, real, position, first, n_rows):
    """Copy the rows of X that the order names into the workspace."""
    X = matrix_at(real, s.X, 0, s.X_size // s.n_features, s.n_features)
    rows = ordered_rows(s, position + first, n_rows)
    _copy_rows(X, rows, input_rows(s, real, position, first, n_rows))


@kernel
def _gather_targets(s, real, position, first, n_rows):
    """Copy the targets and weights that the order names into the workspace."""
    rows = ordered_rows(s, position + first, n_rows)
    targets = target_rows(s, real, position, first, n_rows)
    if s.n_targets == 1:
        _copy_elements(vector_at(real, s.Y, 0, s.Y_size), rows, vector(targets, 0, n_rows))
    else:
        Y = matrix_at(real, s.Y, 0, s.Y_size // s.n_targets, s.n_targets)
        _copy_rows(Y, rows, targets)
    if s.weighted:
        weight = vector_at(real, s.weight, 0, s.weight_size)
        _copy_elements(weight, rows, work_vector(s, real, s.w_start + first, n_rows))


@kernel
def _csr_linear(s, real, position, o, first, Z, worker):
    values, indices, indptr = csr_arrays(s, real)
    rows = ordered_rows(s, position + first, Z.shape[0])
    W, b = weights_of(s, real, o, worker), bias_of(s, real, o, worker)
    draw, rate = draw_of(s, o, first, worker), amount_of(s, o)
    _csr_forward(
        operations(s)[o, FORWARD],
        (values, indices, indptr, rows, position + first, W, b, Z, draw, rate),
    )


@kernel
def _linear(s, real, position, o, first, Z, is_last, worker):
    """Run rows through a product; as the last operation, it is not made an activation's."""
    row = operations(s)[o]
    n_rows = Z.shape[0]
    X = read_by(s, real, position, o, first, n_rows)
    W, b = weights_of(s, real, o, worker), bias_of(s, real, o, worker)
    floor = type(real)(-np.inf)
    if row[FLAGS] & FLOORS and not is_last:
        floor = type(real)(0)
    how = product_of(s, row[FLAGS] & HAS_ZEROS, 0, s.stop)
    linear_forward(X, W, b, Z, floor, product_scratch(s, real, worker), how)


@kernel
def forward(s, real, position, first, n_rows, n_operations, worker):
    """Run rows `first`... of the batch at `position` through the first operations.

    Once it is told to stop, the rows that it leaves mean nothing.
    """
    if s.gather and operations(s)[0, KIND] != CSR_LINEAR:
        _gather(s, real, position, first, n_rows)
    for o in range(n_operations):
        row = operations(s)[o]
        if row[KIND] == TRANSFORM or row[KIND] == TABLE_LINEAR:
            how = s.transform_rows if row[KIND] == TRANSFORM else row[FORWARD]
            rows = s.record, real, position, o, first, n_rows, worker
            _transform_rows(how, rows)
        elif row[KIND] == ACTIVATE:
            if row[FLAGS] & (DONE_BEFORE | DONE_AFTER) == 0:
                Z = rows_of(s, real, o, IN, first, n_rows)
                _activate(row[FORWARD], (Z, rows_of(s, real, o, OUT, first, n_rows)))
        elif is_linear(row):
            if is_told(s.stop):
                return
            Z = rows_of(s, real, o, OUT, first, n_rows)
            if row[KIND] == CSR_LINEAR:
                _csr_linear(s, real, position, o, first, Z, worker)
            else:
                _linear(s, real, position, o, first, Z, o == n_operations - 1, worker)


@kernel
def _loss(s, real, position, shard, o, first, n_rows, worker):
    """Take the loss of one shard and its delta; begin its gradient."""
    if s.gather:
        _gather_targets(s, real, position, first, n_rows)
    Y = target_rows(s, real, position, first, n_rows)
    weight = weight_rows(s, real, position, first, n_rows)
    tail = shard_gradient(s, real, shard, s.n_weights, s.theta_size - s.n_weights)
    for j in range(tail.size):
        tail[j] = 0
    Z = rows_of(s, real, o, IN, first, n_rows)
    D = rows_of(s, real, o, D_IN, first, n_rows)
    losses = vector(product_scratch(s, real, worker), 0, n_rows)
    sums = tail_gradient(s, real, o, shard)
    _take_loss(
        operations(s)[o, FORWARD],
        (Z, Y, weight, s.loss_cap, loss_parameters(s), D, sums, losses),
    )
    weight_sum = float(n_rows)
    if s.weighted:
        weight_sum = 0.0
        for i in range(n_rows):
            weight_sum += weight[i]
    partial = partial_sums(s)
    partial[shard, SHARD_LOSS] = sum_in_double(losses)
    partial[shard, SHARD_WEIGHT] = weight_sum


@kernel
def _masked_by_output(s, real, position, shard, o, first, n_rows, worker):
    """Make the gradient of the product before activation `o` from the zeros of its output.

    Nothing else reads the delta: if many are zero, they are left out, not written. Returns
    False, and does nothing, if they are not.
    """
    X = read_by(s, real, position, o - 1, first, n_rows)
    A, D = rows_of(s, real, o, OUT, first, n_rows), rows_of(s, real, o, D_OUT, first, n_rows)
    dW, sums = weight_gradient(s, real, o - 1, shard), tail_gradient(s, real, o, shard)
    how = product_of(s, 0, 0, 0)
    return rectified_gradient(X, A, D, dW, sums, product_scratch(s, real, worker), how)


@kernel
def _backward(s, real, position, shard, last, first, n_rows, worker):
    """Run one shard back from operation `last` to the product before it, and its gradient.

    Returns the position of that product in the table.
    """
    o = last
    while not is_linear(operations(s)[o]):
        row = operations(s)[o]
        if row[KIND] == LOSS:
            _loss(s, real, position, shard, o, first, n_rows, worker)
        elif row[KIND] == TRANSFORM:
            deltas = s.record, real, position, shard, o, first, n_rows, worker
            _transform_deltas(s.transform_deltas, deltas)
        elif row[FLAGS] & DONE_AFTER == 0:
            if row[FLAGS] & MASKS and _masked_by_output(
                s, real, position, shard, o, first, n_rows, worker
            ):
                return o - 1
            Z = rows_of(s, real, o, IN, first, n_rows)
            A = rows_of(s, real, o, OUT, first, n_rows)
            D = rows_of(s, real, o, D_OUT, first, n_rows)
            _activate_backward(row[BACKWARD], (Z, A, D, tail_gradient(s, real, o, shard)))
        o -= 1
    if s.gradient_by_shard:
        row = operations(s)[o]
        X = read_by(s, real, position, o, first, n_rows)
        D, dW = rows_of(s, real, o, D_OUT, first, n_rows), weight_gradient(s, real, o, shard)
        how = product_of(s, row[FLAGS] & HAS_ZEROS, row[FLAGS] & DELTA_HAS_ZEROS, s.stop)
        linear_gradient(X, 0, D, dW, product_scratch(s, real, worker), 0, how)
    return o


@kernel
def _delta_before(s, real, o, first, n_rows, worker):
    """Run the deltas of rows back through the product `o`."""
    D = rows_of(s, real, o, D_OUT, first, n_rows)
    D_before = rows_of(s, real, o, D_IN, first, n_rows)
    W, W_transposed = weights_of(s, real, o, worker), transposed_weights_of(s, real, o, worker)
    how = product_of(s, operations(s)[o, FLAGS] & DELTA_HAS_ZEROS, 0, s.stop)
    linear_delta(D, W, W_transposed, D_before, product_scratch(s, real, worker), how)


@kernel
def train_shards(s, real, position, shards, shard_rows, n_rows, worker):
    """Phase 1 for the shards from the first to before the last of the pair `shards`.

    The batch at `position` has `n_rows` rows. Products, which treat every row alone, take
    all the rows at once, so that large weights are read once for all of them. What is
    summed over rows is summed shard by shard: how many go together changes no bit. Once it
    is told to stop, what it leaves means nothing.
    """
    first_shard, last_shard = shards
    first = first_shard * shard_rows
    n_together = min(n_rows, last_shard * shard_rows) - first
    forward(s, real, position, first, n_together, s.n_operations, worker)
    last = s.n_operations - 1
    while last >= 0:
        if is_told(s.stop):
            return
        o = last
        for shard in range(first_shard, last_shard):
            start = shard * shard_rows
            rows = min(shard_rows, n_rows - start)
            o = _backward(s, real, position, shard, last, start, rows, worker)
        last = -1
        if operations(s)[o, FLAGS] & WANTS_DELTA:
            _delta_before(s, real, o, first, n_together, worker)
            last = o - 1
    if has_mailboxes(s):
        for shard in range(first_shard, last_shard):
            send_gradient(s, real, shard, worker)
