"""The costs that `DeepNeuralNetwork` shows: of matrices, by the kernels that train it."""

import numpy as np

from fastdnn.compiler.jit import entry_point
from fastdnn.network.description import Network
from fastdnn.ops.losses import LOSS, LOSSES
from fastdnn.textbook import compute_cost

_call = LOSS.call


@entry_point
def _take_loss(address, Z, Y, w, parameter, D, sums, losses):
    _call(address, (Z, Y, w, np.inf, parameter, D, sums, losses))


def is_canonical(network: Network) -> bool:
    """Return whether the loss goes from Z to its delta in one step, ``A - Y``."""
    return LOSSES[network.loss].kernel(network.output_activation)[1]


def _losses_and_deltas(
    network: Network, Z: np.ndarray, Y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cost of each sample in float64, and its derivative by `Z`.

    `Z` are pre-activations for a canonical pair, outputs for others.
    """
    loss = LOSSES[network.loss]
    kernel, _ = loss.kernel(network.output_activation)
    Z, Y = (np.array(matrix, np.float64, order="C") for matrix in (Z, Y))
    D, sums, losses = np.empty_like(Z), np.zeros(Z.shape[1]), np.empty(len(Z))
    address, unweighted = kernel.address(np.float64), np.empty(0)
    _take_loss(address, Z, Y, unweighted, loss.parameter, D, sums, losses)
    return losses, D


def check_targets(Y: np.ndarray, network: Network) -> None:
    """Raise where targets do not fit the output layer.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_columns)
        One column for each output or, with softmax, one of class positions.
    network : Network
        The layers and the loss.

    Raises
    ------
    ValueError
        If the number of columns or the values are wrong.
    """
    n_outputs, loss = network.sizes[-1], LOSSES[network.loss]
    if not (network.output_activation == "softmax" and Y.shape[1] == 1 < n_outputs):
        if Y.shape[1] != n_outputs:
            raise ValueError(
                f"Y has {Y.shape[1]} columns, but the network has {n_outputs} outputs."
            )
        loss.check_targets(Y, network.output_activation)
        return
    if Y.min() < 0 or Y.max() >= n_outputs or (Y != np.floor(Y)).any():
        raise ValueError(
            f"Y must hold class positions 0 to {n_outputs - 1}, or one column for each class."
        )
    if not loss.takes_positions:
        raise ValueError(
            f"loss={network.loss!r} needs Y of one column for each of the {n_outputs} "
            "outputs; class positions are for loss='log_loss'."
        )


def total_cost(network: Network, AL: np.ndarray, Y: np.ndarray, Z: np.ndarray | None) -> float:
    """Return the sum of the costs of all samples.

    Parameters
    ----------
    network : Network
        The layers and the loss.
    AL : ndarray of shape (n_samples, n_outputs)
        Outputs.
    Y : ndarray of shape (n_samples, n_outputs)
        Targets.
    Z : ndarray of shape (n_samples, n_outputs) or None
        Pre-activations; with them the cross-entropy is exact at any Z.

    Returns
    -------
    float
    """
    if not is_canonical(network):
        Z = AL
    elif Z is None and network.output_activation == "exp":
        Z = np.log(np.maximum(AL.astype(np.float64), np.finfo(AL.dtype).tiny))
    if Z is not None:
        return float(np.sum(_losses_and_deltas(network, Z, Y)[0]))
    if network.output_activation == "softmax":
        return len(AL) * compute_cost.unchecked(AL, Y)
    # Several sigmoid outputs are as many binary problems.
    columns = (np.ascontiguousarray(matrix.T) for matrix in (AL, Y))
    pairs = zip(*columns, strict=True)
    return len(AL) * sum(compute_cost.unchecked(a[:, None], y[:, None]) for a, y in pairs)


def output_gradient(network: Network, AL: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return the gradient of each sample's cost with respect to the outputs.

    Parameters
    ----------
    network : Network
        The layers and the loss.
    AL, Y : ndarray of shape (n_samples, n_outputs)
        Outputs and targets.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        Finite: where an output was rounded to 0 or 1, quotients are taken at the smallest
        normal number.
    """
    if not is_canonical(network):
        return _losses_and_deltas(network, AL, Y)[1].astype(AL.dtype)
    tiny = np.finfo(AL.dtype).tiny
    if network.output_activation == "softmax":
        return -Y / np.maximum(AL, tiny)
    # The delta of a canonical pair is A - Y, and dL/dA that over the activation's derivative.
    slope = AL * (1 - AL) if network.output_activation == "sigmoid" else AL
    return (AL - Y) / np.maximum(slope, tiny)
