"""The loss of rows that a network is not trained on, by the kernels that train it."""

import math

import numpy as np

from fastdnn.compiler.jit import entry_point
from fastdnn.network.description import Network
from fastdnn.ops import activations, losses

_activate, _take_loss = activations.FORWARD.call, losses.LOSS.call
# Kernels of losses write deltas, which nobody asks for here: of so many rows at a time.
_ROWS_AT_ONCE = 1024


@entry_point
def _activate_rows(activation, Z, A):
    """Write the outputs into `A`, which may be the memory of `Z`."""
    _activate(activation, (Z, A))


@entry_point
def _sum_of_losses(loss, Z, Y, w, no_weights, cap, parameters, D, sums, losses):
    """Return the sum of the losses of rows, times `w` where it has one for each.

    That and the sum are float64. All but `Y` and `w` is scratch afterwards.
    """
    _take_loss(loss, (Z, Y, no_weights, cap, parameters, D, sums, losses))
    total = 0.0
    for i in range(losses.size):
        total += float(losses[i]) * (w[i] if w.size > 0 else 1.0)
    return total


def outputs_and_loss(
    network: Network, Z: np.ndarray, Y: np.ndarray, weight: np.ndarray | None, cap: float
) -> tuple[np.ndarray, float]:
    """Return the outputs of rows and their mean loss, without a penalty.

    Parameters
    ----------
    network : Network
        Its output activation, and its loss.
    Z : ndarray of shape (n_samples, n_outputs)
        What the output layer adds up; scratch afterwards.
    Y : ndarray of shape (n_samples, n_targets)
        Targets, of the dtype of `Z`.
    weight : ndarray of float64, shape (n_samples,), or None
        Weight of each sample, not all zero.
    cap : float
        Highest log-loss of a row that is reported.

    Returns
    -------
    outputs : ndarray of shape (n_samples, n_outputs)
        After the output activation.
    loss : float
        The mean over the samples, as a training's loss is.
    """
    kernel, is_canonical = losses.row_of(network.loss).kernel(network.output_activation)
    loss, no_weights = kernel.address(Z.dtype), np.zeros(0, Z.dtype)
    activation, A = activations.row_of(network.output_activation), Z.copy()
    _activate_rows(activation.forward.address(Z.dtype), Z if activation.keeps_input else A, A)
    n_rows, n_outputs = Z.shape
    n_at_once = min(_ROWS_AT_ONCE, n_rows)
    D, of_rows = np.empty((n_at_once, n_outputs), Z.dtype), np.empty(n_at_once, Z.dtype)
    parameters = np.array(network.parameters_of_loss)
    sums, total = np.zeros(n_outputs, Z.dtype), 0.0
    taken = Z if is_canonical else A.copy()
    for first in range(0, n_rows, n_at_once):
        rows = slice(first, min(first + n_at_once, n_rows))
        n = rows.stop - first
        w = np.zeros(0) if weight is None else weight[rows]
        total += _sum_of_losses(
            loss,
            taken[rows],
            Y[rows],
            w,
            no_weights,
            cap,
            parameters,
            D[:n],
            sums,
            of_rows[:n],
        )
    n_seen = float(n_rows) if weight is None else math.fsum(weight.tolist())
    return A, network.loss_scale * total / n_seen
