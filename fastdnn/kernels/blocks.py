"""Phase 2 of a batch: complete the gradient of one block of theta and step that block."""

from fastdnn._jit import kernel, loop_kernel
from fastdnn.kernels.linear import linear_gradient
from fastdnn.kernels.sparse import csr_weight_gradient
from fastdnn.kernels.transpose import transpose_rows
from fastdnn.kernels.updates import update
from fastdnn.kernels.workspace import (
    BLOCK_FIRST,
    BLOCK_LAYER,
    BLOCK_ROWS,
    BLOCK_SQUARES,
    D_START,
    N_OUT,
    W_START,
    block_table,
    csr_arrays,
    layer_input,
    layer_rows,
    layer_table,
    layer_transposed,
    layer_weights,
    optimizer_state,
    ordered_rows,
    parameters,
    partial_sums,
    product_scratch,
    shard_gradient,
    work_matrix,
    work_vector,
)


@kernel
def _sparse_gradient(s, real, position, D, first, dW):
    values, indices, indptr = csr_arrays(s, real)
    rows = ordered_rows(s, position, D.shape[0])
    csr_weight_gradient(values, indices, indptr, rows, position, D, first, dW)


@loop_kernel
def _add_to(total, other):
    for i in range(total.size):
        total[i] += other[i]


@kernel
def _sum_of_shards(s, real, n_shards, start, size, scratch):
    """Return the sum of all shards' gradients of ``theta[start:...]``, in their order.

    It is written to position `scratch` of the workspace; that of one shard is where it was.
    """
    first = shard_gradient(s, real, 0, start, size)
    if n_shards == 1:
        return first
    total = work_vector(s, real, scratch, size)
    for i in range(size):
        total[i] = first[i]
    for shard in range(1, n_shards):
        _add_to(total, shard_gradient(s, real, shard, start, size))
    return total


@kernel
def step_block(s, real, position, task, n_rows, n_shards, t, scale, worker):
    """Phase 2 for one block of weights."""
    block, layers = block_table(s)[task], layer_table(s)
    l, first, n_in = block[BLOCK_LAYER], block[BLOCK_FIRST], block[BLOCK_ROWS]
    n_out = layers[l, N_OUT]
    start, size = layers[l, W_START] + first * n_out, n_in * n_out
    scratch = s.scratch_start + worker * s.scratch_size
    if s.gradient_by_shard:
        grad = _sum_of_shards(s, real, n_shards, start, size, scratch)
    else:
        grad = work_vector(s, real, scratch, size)
        dW = work_matrix(s, real, scratch, n_in, n_out)
        D = layer_rows(s, real, l, D_START, 0, n_rows)
        if l == 0 and s.sparse:
            _sparse_gradient(s, real, position, D, first, dW)
        else:
            A = layer_input(s, real, position, l, 0, n_rows)
            linear_gradient(A, first, D, dW, product_scratch(s, real, worker))
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
    if l > 0 and s.transposed_size == 0:
        W_transposed = layer_transposed(s, real, l, worker)
        transpose_rows(layer_weights(s, real, l), first, n_in, W_transposed)


@kernel
def step_biases(s, real, n_shards, t, scale, worker):
    """Phase 2 for all biases."""
    scratch = s.scratch_start + worker * s.scratch_size
    n_biases = s.theta_size - s.n_weights
    grad = _sum_of_shards(s, real, n_shards, s.n_weights, n_biases, scratch)
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
