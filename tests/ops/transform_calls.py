"""Calls of kernels that transform rows, and what steps draw at random."""

import numba
import numpy as np

from fastdnn.ops.dropout import drop
from fastdnn.ops.noise import add_noise
from fastdnn.ops.transforms import N_REMEMBERED, TRANSFORM, TRANSFORM_BACKWARD

run_forward, run_backward = TRANSFORM.call, TRANSFORM_BACKWARD.call


@numba.njit
def _compiled_forward(address, X, Y, memory, own, draw, amount):
    run_forward(address, (X, Y, memory, own, draw, amount))


@numba.njit
def _compiled_backward(address, X, Y, D, memory, own, own_gradient, sums, draw, amount):
    run_backward(address, (X, Y, D, memory, own, own_gradient, sums, draw, amount))


def forward(kernel, X, Y, own=(), draw=(0, 0, 0, 0), amount=0.0):
    """Run a kernel on rows, in place or not; return what it remembers of each row."""
    memory = np.full((len(X), N_REMEMBERED), np.nan, X.dtype)
    own = np.array(own, X.dtype)
    _compiled_forward(kernel.address(X.dtype), X, Y, memory, own, draw, amount)
    return memory


def backward(kernel, X, Y, D, memory=None, own=(), draw=(0, 0, 0, 0), amount=0.0):
    """Run the delta back in place; return the gradient of `own`, and the column sums."""
    memory = np.full((len(X), N_REMEMBERED), np.nan, X.dtype) if memory is None else memory
    own = np.array(own, X.dtype)
    own_gradient, sums = np.zeros_like(own), np.zeros(X.shape[1], X.dtype)
    _compiled_backward(
        kernel.address(X.dtype), X, Y, D, memory, own, own_gradient, sums, draw, amount
    )
    return own_gradient, sums


def mask(shape, rate, seed, step, stream, dtype=np.float64, first=0):
    """Return what dropout multiplies the rows of a batch by."""
    ones, out = np.ones(shape, dtype), np.empty(shape, dtype)
    forward(drop, ones, out, draw=(seed, step, stream, first), amount=rate)
    return out


def noise(shape, seed, step, stream, dtype=np.float64, first=0):
    """Return the standard normal noise of the rows of a batch."""
    zeros, out = np.zeros(shape, dtype), np.empty(shape, dtype)
    forward(add_noise, zeros, out, draw=(seed, step, stream, first), amount=1.0)
    return out
