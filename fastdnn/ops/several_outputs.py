"""Outputs that mean something together, and the losses that go with them.

Activations of rows, forward ``(Z, A)`` and backward ``(Z, A, D, sums)``, see
`fastdnn.ops.activations`; canonical losses, which go from Z to the delta in one step, see
`fastdnn.ops.losses`. There D holds the outputs before it holds their delta.
"""

from fastdnn.compiler.jit import loop_kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.ops import elementary
from fastdnn.ops.loss_rows import row_weight
from fastdnn.ops.target_losses import quantile, quantile_prime

#: What is added to a variance: below it the logarithm would follow single samples, and 1 / v^2
#: leave float32. PyTorch's GaussianNLLLoss has the same bound.
SMALLEST_VARIANCE = 1e-6


@loop_kernel
def ascending_forward(Z, A):
    """Write ``z_0`` and what ``softplus(z_j)`` adds to the column before; none is lower."""
    for i in range(Z.shape[0]):
        a = Z[i, 0]
        A[i, 0] = a
        for j in range(1, Z.shape[1]):
            a += elementary.softplus(Z[i, j])
            A[i, j] = a


@loop_kernel
def ascending_backward(Z, A, D, sums):
    """Turn `D` = dL/dA into dL/dZ: what later columns add up counts for each before."""
    for i in range(Z.shape[0]):
        later = D.dtype.type(0)
        for back in range(1, Z.shape[1]):
            j = Z.shape[1] - back
            later += D[i, j]
            d = later * elementary.sigmoid(Z[i, j])
            D[i, j] = d
            sums[j] += d
        d = later + D[i, 0]
        D[i, 0] = d
        sums[0] += d


def ascending_quantiles(Z, Y, w, cap, levels, D, sums, losses):
    """Pinball losses of one target at several levels, whose quantiles do not cross."""
    real = Z.dtype.type
    ascending_forward(Z, D)
    for i in range(Z.shape[0]):
        weight, row_loss, y = row_weight(w, i), real(0), Y[i, 0]
        for j in range(Z.shape[1]):
            a, level = D[i, j], real(levels[j])
            row_loss += quantile(a, y, level)
            D[i, j] = quantile_prime(a, y, level) * weight
        losses[i] = row_loss * weight
    ascending_backward(Z, Z, D, sums)


@loop_kernel
def mean_and_variance_forward(Z, A):
    """Write means, as they are, and after them the variance of each, by softplus."""
    real = Z.dtype.type
    n_means = Z.shape[1] - Z.shape[1] // 2
    for i in range(Z.shape[0]):
        for j in range(n_means):
            A[i, j] = Z[i, j]
        for j in range(n_means, Z.shape[1]):
            A[i, j] = elementary.softplus(Z[i, j]) + real(SMALLEST_VARIANCE)


@loop_kernel
def mean_and_variance_backward(Z, A, D, sums):
    """Turn `D` = dL/dA into dL/dZ."""
    n_means = Z.shape[1] - Z.shape[1] // 2
    for i in range(Z.shape[0]):
        for j in range(n_means):
            sums[j] += D[i, j]
        for j in range(n_means, Z.shape[1]):
            d = D[i, j] * elementary.sigmoid(Z[i, j])
            D[i, j] = d
            sums[j] += d


def mean_and_variance_gaussian_nll(Z, Y, w, cap, parameters, D, sums, losses):
    """Negative log-likelihood of normal distributions, ``(log v + (m - y)^2 / v) / 2``.

    Nix and Weigend (1994), without the constant ``log(2 pi) / 2``, as PyTorch has it.
    """
    real = Z.dtype.type
    zero, one, half = real(0), real(1), real(0.5)
    n_means = Z.shape[1] // 2
    mean_and_variance_forward(Z, D)
    for i in range(Z.shape[0]):
        weight, row_loss = row_weight(w, i), zero
        for j in range(n_means):
            variance, difference = D[i, n_means + j], D[i, j] - Y[i, j]
            scaled = difference / variance
            row_loss += half * multiply_add(difference, scaled, elementary.log(variance))
            D[i, j] = weight * scaled
            D[i, n_means + j] = weight * half * (one / variance - scaled * scaled)
        losses[i] = row_loss * weight
    mean_and_variance_backward(Z, Z, D, sums)


def n_targets_of(output_activation: str, n_outputs: int) -> int:
    """Return how many targets a sample has, of a network with such outputs."""
    if output_activation == "ascending":
        return 1
    return n_outputs // 2 if output_activation == "mean_and_variance" else n_outputs
