"""Which fits in float32 are computed in float64; targets and sample weights of any scale.

float32 ends at 3e38, and training squares its gradients: targets from 1e10 on, or weights that
differ by as much, leave that range though all of them fit it. Such fits are computed in
float64. A common factor of all sample weights is taken out instead, as a power of two, which
changes no bit of what fits.
"""

import math

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.ops.losses import row_of
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.ops.own_functions import Loss
from fastdnn.training.divergence import largest
from fastdnn.training.options import Options

_LARGEST = {np.dtype(dtype): float(np.finfo(dtype).max) for dtype in (np.float32, np.float64)}
# Data sets of up to this many rows that train as a whole are computed in float64.
_SMALL_BATCH = 200
# Powers of two. Beyond them a fit in float32 may overflow, or lose small numbers.
_LARGEST_TARGET = 2.0**36
_LARGEST_RATIO_OF_WEIGHTS = 2.0**60
# Weights in between are left as they are.
_LARGEST_WEIGHT = {np.dtype(np.float32): 2.0**40, np.dtype(np.float64): 2.0**400}
# Below it, what is added to the root of a second moment does not outweigh those moments that
# float32 takes for zero.
_SMALLEST_EPSILON = 1e-16


def targets_in(Y: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, float]:
    """Return targets in the computing dtype, C-contiguous, and the largest magnitude.

    Raises
    ------
    ValueError
        If they are too large for it.
    """
    if Y.dtype.kind in "mMUSV":
        raise ValueError(
            f"y has dtype {Y.dtype}, but must hold numbers. Convert it, for instance dates to "
            "days since a first one."
        )
    if Y.dtype.kind not in "biuf":  # of objects
        Y = Y.astype(np.float64)
    size = largest(Y)
    if size > _LARGEST[dtype]:
        raise ValueError(
            f"y has values of up to {size:.3g}, too large for {dtype}, which ends at "
            f"{_LARGEST[dtype]:.3g}. Scale y, for instance with "
            "TransformedTargetRegressor(transformer=StandardScaler()), or use "
            "dtype='float64'."
        )
    return np.ascontiguousarray(Y, dtype=dtype), size


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


def gains_by_float64(samples: Samples, options: Options, incremental: bool) -> bool:
    """Whether a float32 fit is computed in float64 and its parameters rounded.

    L-BFGS compares losses that differ by less than float32 can tell. And where an epoch is
    one step over a handful of rows, the cost of float64 does not show, while the rounding of
    sums no longer depends on how the rows are ordered: so a row of weight 2 gives the same
    network as the row given twice.
    """
    if options.solver == "lbfgs":
        return True
    if incremental or options.early_stopping:
        return False
    whole = options.batch_size == "auto" or options.batch_size >= samples.n_rows
    return whole and samples.n_rows <= _SMALL_BATCH


def exceeds_float32(samples: Samples, loss: str | Loss, options: Options) -> bool:
    """Return whether training in float32 would leave its range where float64 does not.

    Parameters
    ----------
    samples : Samples
        In float32.
    loss : str or fastdnn.Loss
        Of the network.
    options : Options
        Hyperparameters.
    """
    optimizer = OPTIMIZERS.get(options.solver)
    divides_by_root = optimizer is not None and optimizer.squares
    if divides_by_root and options.epsilon < _SMALLEST_EPSILON:
        return True
    if not row_of(loss).of_classes and samples.largest_target > _LARGEST_TARGET:
        return True
    return samples.weight is not None and samples.weight.dtype != np.float32
