"""Calls of the rows of the loss table, and what they are called with."""

import numba
import numpy as np

from fastdnn.ops.losses import LOSS, LOSSES, row_of
from tests.oracle.losses import PARAMETERS, default_of

#: Pairs of a loss and an output activation; losses of outputs.
CANONICAL_LOSSES = [(name, output) for name, row in LOSSES.items() for output in row.canonical]
OUTPUT_LOSSES = [name for name, row in LOSSES.items() if row.of_outputs is not None]


def with_parameters(losses):
    """Pair each loss with its default parameter and with others that it may have."""
    return [
        (loss, c)
        for loss in losses
        for name in [loss if isinstance(loss, str) else loss[0]]
        for c in (default_of(name), *PARAMETERS.get(name, (0.0, []))[1])
    ]


CANONICAL_CASES = with_parameters(CANONICAL_LOSSES)
OUTPUT_CASES = with_parameters(OUTPUT_LOSSES)

#: The losses of probabilities, which grow no faster than Z.
LOG_LOSSES = [pair for pair in CANONICAL_LOSSES if pair[1] in ("sigmoid", "softmax")]
#: Pairs that take class positions.
BY_POSITION = [pair for pair in CANONICAL_LOSSES if LOSSES[pair[0]].positions_with == pair[1]]

N_ROWS, N_OUTPUTS = 5, 3
#: Outputs and targets of the losses that have several outputs for a target.
SEVERAL = {"quantiles": (3, 1), "gaussian_nll": (2, 1)}


take_loss = LOSS.call


@numba.njit
def compiled_loss(address, Z, Y, w, cap, parameters, D, db, losses):
    take_loss(address, (Z, Y, w, cap, parameters, D, db, losses))


def canonical(pair, Z, b, Y, w, cap=np.inf, c=None):
    """Return the loss, dL/dZ, and its column sums."""
    kernel, is_canonical = LOSSES[pair[0]].kernel(pair[1])
    assert is_canonical
    D, db, losses = (
        np.full_like(Z, np.nan),
        np.zeros_like(b),
        np.full_like(Z, np.nan, shape=len(Z)),
    )
    c = default_of(pair[0]) if c is None else c
    c = np.atleast_1d(np.array(c, np.float64))
    compiled_loss(kernel.address(Z.dtype), Z + b, Y, w, cap, c, D, db, losses)
    return losses.sum(dtype=np.float64), D, db


def of_output(loss, A, Y, w, c=None):
    """Return the loss and dL/dA."""
    kernel, is_canonical = row_of(loss).kernel("identity")
    assert not is_canonical
    D, losses = np.full_like(A, np.nan), np.full_like(A, np.nan, shape=len(A))
    sums = np.zeros(A.shape[1], A.dtype)
    c = default_of(loss) if c is None else c
    c = np.array([c], np.float64)
    compiled_loss(kernel.address(A.dtype), A.copy(), Y, w, np.inf, c, D, sums, losses)
    assert not sums.any()  # those are of the activation's backward pass
    return losses.sum(dtype=np.float64), D


def no_weights(dtype):
    return np.zeros(0, dtype)


def outputs_and_targets(dtype, loss=None):
    """Return Z, b, and targets in [0, 1] with rows that sum to 1, as probabilities do.

    Those for the gamma deviance are above 0.
    """
    rng = np.random.default_rng(0)
    Z = rng.normal(0.0, 2.0, (N_ROWS, N_OUTPUTS))
    b = rng.uniform(-1.0, 1.0, N_OUTPUTS)
    Y = rng.multinomial(8, np.full(N_OUTPUTS, 1 / N_OUTPUTS), N_ROWS) / 8
    Y += 0.25 * (loss == "gamma")
    if loss in SEVERAL:
        Z, b = Z[:, : SEVERAL[loss][0]], b[: SEVERAL[loss][0]]
        Y = 3.0 * Y[:, : SEVERAL[loss][1]] - 1.0
    # The same float32 numbers in both precisions.
    return tuple(array.astype(np.float32).astype(dtype) for array in (Z, b, Y))


ALL_LOSSES = [*CANONICAL_LOSSES, *((name,) for name in OUTPUT_LOSSES)]


def loss_and_delta(row, Z, Y, w):
    """Evaluate a row of either table; without bias, Z of one is A of the other."""
    if row in CANONICAL_LOSSES:
        return canonical(row, Z, np.zeros_like(Z[0]), Y, w)[:2]
    return of_output(row[0], Z, Y, w)
