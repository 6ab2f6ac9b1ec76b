"""Layer normalisation: every row has mean 0 and variance 1 before a learnt gain and shift.

Ba, Kiros and Hinton, Layer Normalization (2016); as in PyTorch, the variance is divided by the
number of units and gets 1e-5 added. Normalised rows are not written down: to make them again
from mean and factor takes less time than to store them.
"""

import numpy as np

from fastdnn.compiler.jit import kernel, loop_kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.views import vector
from fastdnn.ops.transforms import backward, forward
from fastdnn.products.sums import (
    sum_of,
    sum_of_products,
    sum_of_square_deviations,
    sum_of_weighted_deviations,
)

EPSILON = 1e-5

# Columns of what is remembered of each row: its mean, and the inverse of the root of variance.
_MEAN, _FACTOR = range(2)


@loop_kernel
def _scale_and_shift(x, mean, factor, gain, shift, floor, y):
    for j in range(x.size):
        y[j] = max(multiply_add((x[j] - mean) * factor, gain[j], shift[j]), floor)


@loop_kernel
def _row_backward(x, d, numbers, gain, of_gain, sums):
    """Complete the delta of a row, and add to the gradients."""
    mean, factor, shift, slope = numbers
    for j in range(gain.size):
        before, normal = d[j], (x[j] - mean) * factor
        of_gain[j] += before * normal
        new = multiply_add(-slope, normal, multiply_add(before, gain[j], -shift)) * factor
        d[j] = new
        sums[j] += new


@loop_kernel
def _two_rows_backward(x1, x2, d1, d2, numbers1, numbers2, gain, of_gain, sums):
    """Do the same with two rows: half of the reads and writes of the gradients."""
    mean1, factor1, shift1, slope1 = numbers1
    mean2, factor2, shift2, slope2 = numbers2
    for j in range(gain.size):
        before1, normal1 = d1[j], (x1[j] - mean1) * factor1
        before2, normal2 = d2[j], (x2[j] - mean2) * factor2
        of_gain[j] += multiply_add(before1, normal1, before2 * normal2)
        new1 = multiply_add(-slope1, normal1, multiply_add(before1, gain[j], -shift1))
        new2 = multiply_add(-slope2, normal2, multiply_add(before2, gain[j], -shift2))
        new1, new2 = new1 * factor1, new2 * factor2
        d1[j], d2[j] = new1, new2
        sums[j] += new1 + new2


@kernel
def _numbers(x, d, gain, mean, factor):
    """Return what a row of the delta is completed by."""
    n_units = type(mean)(x.size)
    slope = sum_of_weighted_deviations(d, gain, x, mean) * factor / n_units
    return mean, factor, sum_of_products(d, gain) / n_units, slope


def _normalize(X, Y, memory, own, draw, floor):
    """Write into `Y` what gain, shift and floor make of the normalised rows of `X`.

    `own` are the gains, then the shifts.
    """
    n_rows, n_units = X.shape
    real = X.dtype.type
    gain, shift = vector(own, 0, n_units), vector(own, n_units, n_units)
    for i in range(n_rows):
        x = vector(X, i * n_units, n_units)
        mean = sum_of(x) / real(n_units)
        variance = sum_of_square_deviations(x, mean) / real(n_units)
        factor = real(1) / np.sqrt(variance + real(EPSILON))
        memory[i, _MEAN], memory[i, _FACTOR] = mean, factor
        y = vector(Y, i * n_units, n_units)
        _scale_and_shift(x, mean, factor, gain, shift, real(floor), y)


def _normalize_backward(X, Y, D, memory, own, own_gradient, sums, draw, floor):
    """Turn the delta of gain and shift into that of what was normalised."""
    n_rows, n_units = X.shape
    gain, of_gain = vector(own, 0, n_units), vector(own_gradient, 0, n_units)
    for i in range(0, n_rows - 1, 2):
        x1, d1 = vector(X, i * n_units, n_units), vector(D, i * n_units, n_units)
        x2, d2 = (
            vector(X, (i + 1) * n_units, n_units),
            vector(D, (i + 1) * n_units, n_units),
        )
        numbers1 = _numbers(x1, d1, gain, memory[i, _MEAN], memory[i, _FACTOR])
        numbers2 = _numbers(x2, d2, gain, memory[i + 1, _MEAN], memory[i + 1, _FACTOR])
        _two_rows_backward(x1, x2, d1, d2, numbers1, numbers2, gain, of_gain, sums)
    if n_rows % 2 == 1:
        i = n_rows - 1
        x, d = vector(X, i * n_units, n_units), vector(D, i * n_units, n_units)
        numbers = _numbers(x, d, gain, memory[i, _MEAN], memory[i, _FACTOR])
        _row_backward(x, d, numbers, gain, of_gain, sums)


#: What it learns are gains and shifts. The gradient of the shifts is the sum of what comes in,
#: which the activation that follows has added up.
normalize, normalize_backward = (
    forward("layer_norm", _normalize),
    backward("layer_norm", _normalize_backward),
)
