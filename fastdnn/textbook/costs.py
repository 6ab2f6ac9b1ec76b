"""The costs that `DeepNeuralNetwork` shows: of whole matrices, in plain NumPy."""

import numpy as np

from fastdnn.textbook import compute_cost

# What the sum of probabilities that were written down with few digits may be off by.
_ROUNDED_SUM = 1e-2


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
    if by_position:
        if Y.min() < 0 or Y.max() >= n_outputs or (Y != np.floor(Y)).any():
            raise ValueError(
                f"Y must hold class positions 0 to {n_outputs - 1}, or one column for "
                "each class."
            )
        if loss != "log_loss":
            raise ValueError(
                f"loss={loss!r} needs Y of one column for each of the {n_outputs} outputs; "
                "class positions are for loss='log_loss'."
            )
    elif loss == "log_loss" and (Y.min() < 0.0 or Y.max() > 1.0):
        raise ValueError(
            "Y must lie between 0 and 1 for loss='log_loss', got values from "
            f"{Y.min():g} to {Y.max():g}."
        )
    elif loss == "log_loss" and output_activation == "softmax":
        sums = Y.sum(axis=1)
        if (np.abs(sums - 1.0) > _ROUNDED_SUM).any():
            row = int(np.argmax(np.abs(sums - 1.0)))
            raise ValueError(
                "Each row of Y must sum to 1 for a softmax output with loss='log_loss', but "
                f"row {row} sums to {sums[row]:g}."
            )
    elif loss == "poisson" and Y.min() < 0.0:
        raise ValueError(f"Y must not be negative for loss='poisson', got {Y.min():g}.")


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
    A, T = AL.astype(np.float64), Y.astype(np.float64)
    if loss == "squared_error":
        return float(np.sum((A - T) ** 2))
    if loss == "half_squared_error":
        return 0.5 * float(np.sum((A - T) ** 2))
    if loss == "absolute_error":
        return float(np.sum(np.abs(A - T)))
    if loss == "poisson":
        positive = np.where(T > 0.0, T, 1.0)
        tiny = np.finfo(AL.dtype).tiny
        return float(np.sum(T * np.log(positive / np.maximum(A, tiny)) - T + A))
    if Z is not None:
        return _log_loss_from_z(output_activation, Z.astype(np.float64), T)
    if output_activation == "softmax":
        return len(AL) * compute_cost.unchecked(AL, Y)
    # Several sigmoid outputs are as many binary problems.
    columns = (np.ascontiguousarray(matrix.T) for matrix in (AL, Y))
    pairs = zip(*columns, strict=True)
    return len(AL) * sum(compute_cost.unchecked(a[:, None], y[:, None]) for a, y in pairs)


def _log_loss_from_z(output_activation: str, Z: np.ndarray, Y: np.ndarray) -> float:
    if output_activation == "sigmoid":
        softplus = np.maximum(Z, 0.0) + np.log1p(np.exp(-np.abs(Z)))
        return float(np.sum(softplus - Y * Z))
    Z = Z - Z.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(Z).sum(axis=1))
    return float(np.sum(Y.sum(axis=1) * log_sum - (Y * Z).sum(axis=1)))


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
    if loss == "squared_error":
        return 2 * (AL - Y)
    if loss == "half_squared_error":
        return AL - Y
    if loss == "absolute_error":
        return np.sign(AL - Y)
    tiny = np.finfo(AL.dtype).tiny
    if loss == "poisson":
        return 1 - Y / np.maximum(AL, tiny)
    if output_activation == "sigmoid":
        return (AL - Y) / np.maximum(AL * (1 - AL), tiny)
    return -Y / np.maximum(AL, tiny)
