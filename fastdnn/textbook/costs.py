"""The costs that `DeepNeuralNetwork` shows: of matrices, by the kernels that train it."""

import numpy as np

from fastdnn.compiler.jit import entry_point
from fastdnn.network.description import Network
from fastdnn.ops.losses import LOSS, LOSSES, row_of
from fastdnn.ops.several_outputs import SMALLEST_VARIANCE
from fastdnn.textbook import compute_cost

_call = LOSS.call


@entry_point
def _take_loss(address, Z, Y, w, parameters, D, sums, losses):
    _call(address, (Z, Y, w, np.inf, parameters, D, sums, losses))


def is_canonical(network: Network) -> bool:
    """Return whether the loss goes from Z to its delta in one step."""
    return row_of(network.loss).kernel(network.output_activation)[1]


def _losses_and_deltas(
    network: Network, Z: np.ndarray, Y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cost of each sample in float64, and its derivative by `Z`.

    `Z` are pre-activations for a canonical pair, outputs for others.
    """
    kernel, _ = row_of(network.loss).kernel(network.output_activation)
    Z, Y = (np.array(matrix, np.float64, order="C") for matrix in (Z, Y))
    D, sums, losses = np.empty_like(Z), np.zeros(Z.shape[1]), np.empty(len(Z))
    address, unweighted = kernel.address(np.float64), np.empty(0)
    parameters = np.array(network.parameters_of_loss)
    _take_loss(address, Z, Y, unweighted, parameters, D, sums, losses)
    return losses, D


def check_targets(Y: np.ndarray, network: Network) -> None:
    """Raise where targets do not fit the output layer.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_columns)
        One column for each output or, with losses of classes, one of class positions.
    network : Network
        The layers and the loss.

    Raises
    ------
    ValueError
        If the number of columns or the values are wrong.
    """
    n_outputs, loss = network.sizes[-1], row_of(network.loss)
    output_activation = network.output_activation
    takes_positions = loss.positions_with == output_activation
    is_one_column = Y.shape[1] == 1 < n_outputs
    if not (is_one_column and (takes_positions or output_activation == "softmax")):
        n_targets = loss.n_targets(n_outputs)
        if Y.shape[1] != n_targets:
            needed = "" if n_targets == n_outputs else f" for {n_targets} targets"
            raise ValueError(
                f"Y has {Y.shape[1]} columns, but the network has {n_outputs} outputs{needed}."
            )
        loss.check_targets(Y, output_activation)
        return
    if Y.min() < 0 or Y.max() >= n_outputs or (Y != np.floor(Y)).any():
        raise ValueError(
            f"Y must hold class positions 0 to {n_outputs - 1}, or one column for each class."
        )
    if not takes_positions:
        others = [name for name, row in LOSSES.items() if row.positions_with == "softmax"]
        raise ValueError(
            f"loss={network.loss!r} needs Y of one column for each of the {n_outputs} "
            f"outputs; class positions are for loss={' or '.join(map(repr, others))}."
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
    output_activation = network.output_activation
    if not is_canonical(network):
        Z = AL
    elif Z is None and network.loss != "log_loss":
        Z = _pre_activations(output_activation, AL)
    if Z is not None:
        return float(np.sum(_losses_and_deltas(network, Z, Y)[0]))
    if output_activation == "softmax":
        return len(AL) * compute_cost.unchecked(AL, Y)
    # Several sigmoid outputs are as many binary problems.
    columns = (np.ascontiguousarray(matrix.T) for matrix in (AL, Y))
    pairs = zip(*columns, strict=True)
    return len(AL) * sum(compute_cost.unchecked(a[:, None], y[:, None]) for a, y in pairs)


def _pre_activations(output_activation: str, AL: np.ndarray) -> np.ndarray:
    """Return in float64 what the last layer's activation makes outputs of.

    What has been rounded to 0, or a probability to 1, counts as the nearest number in between.
    """
    A = np.maximum(AL.astype(np.float64), np.finfo(AL.dtype).tiny)
    if output_activation == "identity":
        return AL
    if output_activation == "sigmoid":
        A = np.minimum(A, 1.0 - np.finfo(AL.dtype).epsneg)
        return np.log(A) - np.log1p(-A)
    if output_activation in ("ascending", "mean_and_variance"):
        return _of_outputs_together(output_activation, AL)
    return np.log(A)  # softmax takes away what is common to a row


def _of_outputs_together(output_activation: str, AL: np.ndarray) -> np.ndarray:
    """Return what outputs are made of that mean something together."""
    Z = AL.astype(np.float64)
    first = _first_of_softplus(output_activation, Z)
    parts = np.diff(Z, axis=1) if output_activation == "ascending" else Z[:, first:]
    if output_activation == "mean_and_variance":
        parts = parts - SMALLEST_VARIANCE
    parts = np.maximum(parts, np.finfo(AL.dtype).tiny)
    Z[:, first:] = parts + np.log(-np.expm1(-parts))
    return Z


def _first_of_softplus(output_activation: str, Z: np.ndarray) -> int:
    """Return the first column that is made by softplus."""
    return 1 if output_activation == "ascending" else Z.shape[1] - Z.shape[1] // 2


def output_delta(network: Network, AL: np.ndarray, Y: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Return dL/dZ of each sample's cost, for a canonical pair of activation and loss.

    Parameters
    ----------
    network : Network
        The layers and the loss.
    AL, Y, Z : ndarray of shape (n_samples, n_outputs)
        Outputs, targets and pre-activations.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        ``AL - Y`` where that is it, as for log-loss.
    """
    if row_of(network.loss).is_difference:
        return AL - Y
    return _losses_and_deltas(network, Z, Y)[1].astype(AL.dtype)


def output_gradient(
    network: Network, AL: np.ndarray, Y: np.ndarray, Z: np.ndarray
) -> np.ndarray:
    """Return the gradient of each sample's cost with respect to the outputs.

    Parameters
    ----------
    network : Network
        The layers and the loss.
    AL, Y, Z : ndarray of shape (n_samples, n_outputs)
        Outputs, targets and pre-activations.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        Where an output was rounded to 0 or 1, quotients are taken at the smallest normal
        number. That of softmax outputs, which sum to 1, is defined up to a number for each
        sample: for log-loss ``-Y / AL``, else such that it is 0 on average.
    """
    output_activation = network.output_activation
    row = row_of(network.loss)
    if not is_canonical(network):
        return _losses_and_deltas(network, AL, Y)[1].astype(AL.dtype)
    tiny = np.finfo(AL.dtype).tiny
    if output_activation == "softmax" and row.is_difference:
        return -Y / np.maximum(AL, tiny)
    # dL/dA is the delta over the activation's derivative, which for softmax is A beside that
    # number.
    if output_activation in ("ascending", "mean_and_variance"):
        slope = np.ones_like(AL)
        first = _first_of_softplus(output_activation, Z)
        with np.errstate(over="ignore"):
            slope[:, first:] = 1.0 / (1.0 + np.exp(-Z[:, first:]))
        gradient = output_delta(network, AL, Y, Z) / np.maximum(slope, tiny)
        if output_activation == "ascending":  # a column is a part of all later ones
            gradient[:, :-1] -= gradient[:, 1:].copy()
        return gradient
    slopes = {"sigmoid": AL * (1 - AL), "identity": np.ones_like(AL)}
    slope = slopes.get(output_activation, AL)
    return output_delta(network, AL, Y, Z) / np.maximum(slope, tiny)
