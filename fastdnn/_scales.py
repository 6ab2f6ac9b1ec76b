"""Targets and sample weights of any scale, brought to where the computing dtype can train.

float32 ends at 3e38, and training squares its gradients: targets from 1e10 on, or weights that
differ by as much, leave that range though all of them fit it. Such fits are computed in
float64. A common factor of all sample weights is taken out instead, as a power of two, which
changes no bit of what fits.
"""

import math
from typing import Any

import numpy as np

from fastdnn._divergence import largest
from fastdnn._samples import Samples

# Powers of two. Beyond them a fit in float32 may overflow, or lose small numbers.
_LARGEST_TARGET = 2.0**36
_LARGEST_RATIO_OF_WEIGHTS = 2.0**60
# Weights in between are left as they are.
_LARGEST_WEIGHT = {np.dtype(np.float32): 2.0**40, np.dtype(np.float64): 2.0**400}
# Below it, what is added to the root of a second moment does not outweigh those moments that
# float32 takes for zero.
_SMALLEST_EPSILON = 1e-16


def targets_in(Y: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return targets in the computing dtype, C-contiguous.

    Raises
    ------
    ValueError
        If they are too large for it.
    """
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(Y, dtype=dtype)
    if converted.dtype != Y.dtype and not math.isfinite(largest(converted)):
        raise ValueError(
            f"y has values of up to {largest(Y):.3g}, too large for {dtype}, which ends at "
            f"{np.finfo(dtype).max:.3g}. Scale y, for instance with "
            "TransformedTargetRegressor(transformer=StandardScaler()), or use "
            "dtype='float64'."
        )
    return converted


def weights_in(weight: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, float]:
    """Return sample weights in the computing dtype, and what they were multiplied by.

    Parameters
    ----------
    weight : ndarray of float64, shape (n_samples,)
        Finite.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    weight : ndarray of shape (n_samples,)
        The same, times a power of two if they are far too large or too small. Still in
        float64 if they differ by more than float32 can hold.
    factor : float
        That power. Losses are means and do not depend on it, but the penalty is divided by
        the sum of weights: it has to be multiplied by the factor as well.
    """
    size, limit = largest(weight), _LARGEST_WEIGHT[dtype]
    factor = 1.0
    if size > limit or 0.0 < size < 1.0 / limit:
        # At most 2**1023: subnormal numbers of float64 then are still below 1.
        factor = math.ldexp(1.0, min(1023, 1 - math.frexp(size)[1]))
        weight = weight * factor
    magnitudes = np.abs(weight[weight != 0.0])
    if dtype == np.float32 and magnitudes.size > 0:
        if magnitudes.min() < magnitudes.max() / _LARGEST_RATIO_OF_WEIGHTS:
            return weight, factor
    return weight.astype(dtype, copy=False), factor


def exceeds_float32(samples: Samples, loss: str, settings: Any) -> bool:
    """Return whether training in float32 would leave its range where float64 does not.

    Parameters
    ----------
    samples : Samples
        In float32.
    loss : str
        Name of the loss.
    settings : object
        With the hyperparameters of the estimators as attributes.
    """
    if settings.solver == "adam" and settings.epsilon < _SMALLEST_EPSILON:
        return True
    if loss != "log_loss" and largest(samples.Y) > _LARGEST_TARGET:
        return True
    return samples.weight is not None and samples.weight.dtype != np.float32
