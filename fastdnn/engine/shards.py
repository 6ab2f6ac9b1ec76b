"""Phase 1 of a batch: rows forward, loss, deltas backward, for some shards of its rows.

A shard touches its own rows of the workspace only. Prediction runs blocks of rows forward
with the same kernels.
"""

import numpy as np

from fastdnn.compiler.jit import kernel, loop_kernel
from fastdnn.engine.exchange import exchanges, send_gradient
from fastdnn.engine.workspace import (
    A_START,
    ACTIVATION,
    D_START,
    SHARD_LOSS,
    SHARD_WEIGHT,
    Z_START,
    bias_gradient,
    csr_arrays,
    input_rows,
    is_rectified,
    layer_bias,
    layer_input,
    layer_rows,
    layer_table,
    layer_transposed,
    layer_weights,
    ordered_rows,
    partial_sums,
    product_flags,
    product_scratch,
    shard_gradient,
    target_rows,
    weight_gradient,
    weight_rows,
    work_vector,
)
from fastdnn.machine.stops import is_told
from fastdnn.machine.views import matrix_at, vector, vector_at
from fastdnn.ops.activations import activation_backward, activation_forward
from fastdnn.ops.losses import canonical_loss, output_loss
from fastdnn.ops.sparse import csr_forward
from fastdnn.products.linear import (
    linear_delta,
    linear_forward,
    linear_gradient,
    rectified_gradient,
)
from fastdnn.products.sums import sum_in_double
from fastdnn.products.switches import NO_MASKS_BY_OUTPUTS, ZEROS_ON_RIGHT


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
def _sparse_forward(s, real, first, Z, worker):
    values, indices, indptr = csr_arrays(s, real)
    rows = ordered_rows(s, first, Z.shape[0])
    W, b = layer_weights(s, real, 0, worker), layer_bias(s, real, 0, worker)
    csr_forward(values, indices, indptr, rows, first, W, b, Z)


@kernel
def forward(s, real, position, first, n_rows, n_activated, worker):
    """Run rows `first`... of the batch at `position` forward.

    The layers from `n_activated` on stop at Z, without activation. ReLU, whose Z and A are
    the same memory, is part of the product: one pass less over what that has just written.
    Once it is told to stop, the rows that it leaves mean nothing.
    """
    layers, scratch = layer_table(s), product_scratch(s, real, worker)
    A = input_rows(s, real, position, first, 0 if s.sparse else n_rows)
    for l in range(s.n_layers):
        if is_told(s.stop):
            return
        Z = layer_rows(s, real, l, Z_START, first, n_rows)
        activation = layers[l, ACTIVATION]
        is_activated = l >= n_activated
        if l == 0 and s.sparse:
            _sparse_forward(s, real, position + first, Z, worker)
        else:
            if l == 0 and s.gather:
                _gather(s, real, position, first, n_rows)
            floor = type(real)(-np.inf)
            if is_rectified(s, l) and not is_activated:
                floor, is_activated = type(real)(0), True
            W, b = layer_weights(s, real, l, worker), layer_bias(s, real, l, worker)
            flags = product_flags(s, l - 1, -1, s.stop)
            linear_forward(A, W, b, Z, floor, scratch, flags)
        A = layer_rows(s, real, l, A_START, first, n_rows)
        if not is_activated:
            activation_forward(activation, Z, A)


@kernel
def _make_weight_gradient(s, real, position, shard, l, first, D, worker):
    """Write the gradient of a layer's weights over the rows of one shard, if it is wanted."""
    if s.gradient_by_shard:
        A = layer_input(s, real, position, l, first, D.shape[0])
        dW = weight_gradient(s, real, l, shard)
        flags = product_flags(s, l - 1, l, s.stop)
        linear_gradient(A, 0, D, dW, product_scratch(s, real, worker), 0, flags)


@kernel
def _output_delta(s, real, position, shard, first, n_rows, worker):
    """Take the loss of one shard, whose Z is there, and its delta; begin its gradient."""
    if s.gather:
        _gather_targets(s, real, position, first, n_rows)
    Y = target_rows(s, real, position, first, n_rows)
    weight = weight_rows(s, real, position, first, n_rows)
    db = shard_gradient(s, real, shard, s.n_weights, s.theta_size - s.n_weights)
    for j in range(db.size):
        db[j] = 0

    last = s.n_layers - 1
    activation = layer_table(s)[last, ACTIVATION]
    Z = layer_rows(s, real, last, Z_START, first, n_rows)
    D = layer_rows(s, real, last, D_START, first, n_rows)
    db = bias_gradient(s, real, last, shard)
    losses = vector(product_scratch(s, real, worker), 0, n_rows)
    if s.canonical:
        canonical_loss(s.loss, Z, Y, weight, s.loss_cap, D, db, losses)
    else:
        A = layer_rows(s, real, last, A_START, first, n_rows)
        activation_forward(activation, Z, A)
        output_loss(s.loss, A, Y, weight, D, losses)
        activation_backward(activation, Z, A, D, db)
    partial = partial_sums(s)
    partial[shard, SHARD_LOSS] = sum_in_double(losses)
    _make_weight_gradient(s, real, position, shard, last, first, D, worker)

    weight_sum = float(n_rows)
    if s.weighted:
        weight_sum = 0.0
        for i in range(n_rows):
            weight_sum += weight[i]
    partial[shard, SHARD_WEIGHT] = weight_sum


@kernel
def _hidden_delta(s, real, position, shard, l, first, n_rows, worker):
    """Make the gradients of layer `l` in one shard from its ``dA``, which lies in `D`.

    The delta is completed there where something else reads it.
    """
    D = layer_rows(s, real, l, D_START, first, n_rows)
    A = layer_rows(s, real, l, A_START, first, n_rows)
    db = bias_gradient(s, real, l, shard)
    may_mask = s.switched_off & NO_MASKS_BY_OUTPUTS == 0
    may_mask = may_mask and l == 0 and s.gradient_by_shard != 0
    if may_mask and product_flags(s, -1, 0, 0) & ZEROS_ON_RIGHT:
        # Nothing else reads this delta. If many are zero, they are left out, not written.
        X = layer_input(s, real, position, 0, first, n_rows)
        dW = weight_gradient(s, real, 0, shard)
        if rectified_gradient(X, A, D, dW, db, product_scratch(s, real, worker)):
            return
    Z = layer_rows(s, real, l, Z_START, first, n_rows)
    activation_backward(layer_table(s)[l, ACTIVATION], Z, A, D, db)
    _make_weight_gradient(s, real, position, shard, l, first, D, worker)


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
    last = s.n_layers - 1
    forward(s, real, position, first, n_together, last, worker)
    if is_told(s.stop):
        return
    for shard in range(first_shard, last_shard):
        start = shard * shard_rows
        rows = min(shard_rows, n_rows - start)
        _output_delta(s, real, position, shard, start, rows, worker)
    for l in range(last - 1, -1, -1):
        if is_told(s.stop):
            return
        D = layer_rows(s, real, l + 1, D_START, first, n_together)
        D_prev = layer_rows(s, real, l, D_START, first, n_together)
        W = layer_weights(s, real, l + 1, worker)
        W_transposed = layer_transposed(s, real, l + 1, worker)
        scratch = product_scratch(s, real, worker)
        flags = product_flags(s, l + 1, -1, s.stop)
        linear_delta(D, W, W_transposed, D_prev, scratch, flags)
        for shard in range(first_shard, last_shard):
            start = shard * shard_rows
            rows = min(shard_rows, n_rows - start)
            _hidden_delta(s, real, position, shard, l, start, rows, worker)
    if exchanges(s):
        for shard in range(first_shard, last_shard):
            send_gradient(s, real, shard, worker)
