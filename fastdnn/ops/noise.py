"""Normal noise that a step of training adds to its input.

A uniform number of 23 bits becomes a normal one by the inverse of the distribution: M. Giles,
Approximating the erfinv function (GPU Computing Gems, 2010), in single precision. So it is
within 5.3 standard deviations, and in both precisions the same but for rounding.
"""

import numpy as np

from fastdnn.compiler.jit import kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.ops.draws import bits, keys_of, keys_of_row
from fastdnn.ops.elementary import log
from fastdnn.ops.transforms import forward

_STEPS = 8388608.0  # 2**23
_ROOT_OF_2 = 1.4142135623730951


@kernel
def _central(w):
    real = type(w)
    p = real(2.81022636e-08)
    p = multiply_add(p, w, real(3.43273939e-07))
    p = multiply_add(p, w, real(-3.5233877e-06))
    p = multiply_add(p, w, real(-4.39150654e-06))
    p = multiply_add(p, w, real(0.00021858087))
    p = multiply_add(p, w, real(-0.00125372503))
    p = multiply_add(p, w, real(-0.00417768164))
    p = multiply_add(p, w, real(0.246640727))
    return multiply_add(p, w, real(1.50140941))


@kernel
def _tail(w):
    real = type(w)
    p = real(-0.000200214257)
    p = multiply_add(p, w, real(0.000100950558))
    p = multiply_add(p, w, real(0.00134934322))
    p = multiply_add(p, w, real(-0.00367342844))
    p = multiply_add(p, w, real(0.00573950773))
    p = multiply_add(p, w, real(-0.0076224613))
    p = multiply_add(p, w, real(0.00943887047))
    p = multiply_add(p, w, real(1.00167406))
    return multiply_add(p, w, real(2.83297682))


@kernel
def normal(real, word):
    """Return the standard normal number of 32 random bits, of the type of `real`."""
    of_type = type(real)
    one = of_type(1)
    # Odd multiples of 2**-23 between -1 and 1: exact, and so are the factors below.
    odd = np.int32(np.int32(word >> np.uint32(9)) * np.int32(2) + np.int32(1))
    u = of_type(odd) * of_type(1.0 / _STEPS) - one
    w = -log((one - u) * (one + u))
    low = _central(w - of_type(2.5))
    high = _tail(np.sqrt(max(w, of_type(5))) - of_type(3))
    p = low if w < of_type(5) else high
    return of_type(_ROOT_OF_2) * p * u


def _add_noise(X, Y, memory, own, draw, deviation):
    """Write `X` with noise into `Y`, which is other memory."""
    keys, deviation = keys_of(draw), Y.dtype.type(deviation)
    for i in range(Y.shape[0]):
        of_row = keys_of_row(keys, draw[3] + i)
        for j in range(Y.shape[1]):
            Y[i, j] = multiply_add(deviation, normal(deviation, bits(of_row, j)), X[i, j])


def _add_noise_in_place(X, Y, memory, own, draw, deviation):
    """Add noise to `Y`; `X` is the same memory."""
    keys, deviation = keys_of(draw), Y.dtype.type(deviation)
    for i in range(Y.shape[0]):
        of_row = keys_of_row(keys, draw[3] + i)
        for j in range(Y.shape[1]):
            Y[i, j] = multiply_add(deviation, normal(deviation, bits(of_row, j)), Y[i, j])


#: For rows that are not to be changed, and for others.
add_noise, add_noise_in_place = (
    forward("noise", _add_noise),
    forward("noise_in_place", _add_noise_in_place),
)
