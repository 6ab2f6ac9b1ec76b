"""The costs that `DeepNeuralNetwork` shows: of matrices, by the kernels that train it."""

import numpy as np

from fastdnn.compiler.jit import entry_point
from fastdnn.ops.losses import LOSS, LOSSES
from fastdnn.textbook import compute_cost

_call = LOSS.call


@entry_point
def _take_loss(address, Z, Y, w, parameter, D, sums, losses):
    _call(address, (Z, Y, w, np.inf, parameter, D, sums, losses))


def _losses_and_deltas(
    loss: str, output_activation: str, Z: np.ndarray, Y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cost of each sample in float64, and its derivative by `Z`.

    `Z` are pre-activations for a canonical pair, outputs for others.
    """
    kernel, _ = LOSSES[loss].kernel(output_activation)
    Z, Y = (np.array(matrix, np.float64, order="C") for matrix in (Z, Y))
    D, sums, losses = np.empty_like(Z), np.zeros(Z.shape[1]), np.empty(len(Z))
    address, unweighted = kernel.address(np.float64), np.empty(0)
    _take_loss(address, Z, Y, unweighted, LOSSES[loss].parameter, D, sums, losses)
    return losses, D


def check_targets(Y: np.ndarray, loss: str, output_activation: str, n_outputs: int) -> None:
    """Raise where targets do not fit the output layer.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_columns)
        One column for each output or, with softmax, one of class positions.
    loss, output_activation : str
        The output layer.
    n_outputs : int
        Its units.

    Raises
    ------
    ValueError
        If the number of columns or the values are wrong.
    """
    by_position = output_activation == "softmax" and Y.shape[1] == 1 < n_outputs
    if not by_position and Y.shape[1] != n_outputs:
        raise ValueError(
            f"Y has {Y.shape[1]} columns, but the network has {n_outputs} outputs."
        )
    if not by_position:
        LOSSES[loss].check_targets(Y, output_activation)
        return
    if Y.min() < 0 or Y.max() >= n_outputs or (Y != np.floor(Y)).any():
        raise ValueError(
            f"Y must hold class positions 0 to {n_outputs - 1}, or one column for each class."
        )
    if not LOSSES[loss].takes_positions:
        raise ValueError(
            f"loss={loss!r} needs Y of one column for each of the {n_outputs} outputs; "
            "class positions are for loss='log_loss'."
        )


def total_cost(
    loss: str,
    output_activation: str,
    AL: np.ndarray,
    Y: np.ndarray,
    Z: np.ndarray | None,
) -> float:
    """Return the sum of the costs of all samples.

    Parameters
    ----------
    loss, output_activation : str
        The output layer.
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
    _, is_canonical = LOSSES[loss].kernel(output_activation)
    if not is_canonical:
        Z = AL
    elif Z is None and output_activation == "exp":
        Z = np.log(np.maximum(AL.astype(np.float64), np.finfo(AL.dtype).tiny))
    if Z is not None:
        return float(np.sum(_losses_and_deltas(loss, output_activation, Z, Y)[0]))
    if output_activation == "softmax":
        return len(AL) * compute_cost.unchecked(AL, Y)
    # Several sigmoid outputs are as many binary problems.
    columns = (np.ascontiguousarray(matrix.T) for matrix in (AL, Y))
    pairs = zip(*columns, strict=True)
    return len(AL) * sum(compute_cost.unchecked(a[:, None], y[:, None]) for a, y in pairs)


def output_gradient(
    loss: str, output_activation: str, AL: np.ndarray, Y: np.ndarray
) -> np.ndarray:
    """Return the gradient of each sample's cost with respect to the outputs.

    Parameters
    ----------
    loss, output_activation : str
        The output layer.
    AL, Y : ndarray of shape (n_samples, n_outputs)
        Outputs and targets.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        Finite: where an output was rounded to 0 or 1, quotients are taken at the smallest
        normal number.
    """
    _, is_canonical = LOSSES[loss].kernel(output_activation)
    if not is_canonical:
        return _losses_and_deltas(loss, output_activation, AL, Y)[1].astype(AL.dtype)
    tiny = np.finfo(AL.dtype).tiny
    if output_activation == "softmax":
        return -Y / np.maximum(AL, tiny)
    # The delta of a canonical pair is A - Y, and dL/dA that over the activation's derivative.
    slope = AL * (1 - AL) if output_activation == "sigmoid" else AL
    return (AL - Y) / np.maximum(slope, tiny)
