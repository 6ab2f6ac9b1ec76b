"""Layer normalisation: every row has mean 0 and variance 1 before a learnt gain and shift.

Ba, Kiros and Hinton, Layer Normalization (2016); as in PyTorch, the variance is divided by the
number of units and gets 1e-5 added.
"""

import numpy as np

from fastdnn.compiler.jit import loop_kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.views import vector
from fastdnn.ops.transforms import backward, forward
from fastdnn.products.sums import sum_of, sum_of_products, sum_of_squares

EPSILON = 1e-5


@loop_kernel
def _subtract(mean, x):
    for j in range(x.size):
        x[j] -= mean


@loop_kernel
def _scale_and_shift(factor, x, gain, shift, floor, y):
    for j in range(x.size):
        normal = x[j] * factor
        x[j] = normal
        y[j] = max(multiply_add(normal, gain[j], shift[j]), floor)


@loop_kernel
def _through_gain(x, gain, d, of_gain):
    for j in range(x.size):
        of_gain[j] = multiply_add(d[j], x[j], of_gain[j])
        d[j] *= gain[j]


@loop_kernel
def _through_scale(factor, mean, slope, x, d, sums):
    for j in range(x.size):
        new = multiply_add(-slope, x[j], d[j] - mean) * factor
        d[j] = new
        sums[j] += new


def _normalize(X, Y, memory, own, draw, floor):
    """Write the normalised rows into `X`, and what gain, shift and floor make of them in `Y`.

    `memory` gets what each row was multiplied by; `own` are the gains, then the shifts.
    """
    n_rows, n_units = X.shape
    real = X.dtype.type
    gain, shift = vector(own, 0, n_units), vector(own, n_units, n_units)
    for i in range(n_rows):
        x = vector(X, i * n_units, n_units)
        _subtract(sum_of(x) / real(n_units), x)
        variance = sum_of_squares(x) / real(n_units)
        factor = real(1) / np.sqrt(variance + real(EPSILON))
        memory[i, 0] = factor
        _scale_and_shift(factor, x, gain, shift, real(floor), vector(Y, i * n_units, n_units))


def _normalize_backward(X, Y, D, memory, own, own_gradient, sums, draw, floor):
    """Turn the delta of gain and shift into that of what was normalised."""
    n_rows, n_units = X.shape
    real = X.dtype.type
    gain, of_gain = vector(own, 0, n_units), vector(own_gradient, 0, n_units)
    for i in range(n_rows):
        x, d = vector(X, i * n_units, n_units), vector(D, i * n_units, n_units)
        _through_gain(x, gain, d, of_gain)
        mean = sum_of(d) / real(n_units)
        slope = sum_of_products(d, x) / real(n_units)
        _through_scale(memory[i, 0], mean, slope, x, d, sums)


#: What it learns are gains and shifts. The gradient of the shifts is the sum of what comes in,
#: which the activation that follows has added up.
normalize, normalize_backward = (
    forward("layer_norm", _normalize),
    backward("layer_norm", _normalize_backward),
)
