"""The products of a layer and of matrices, as compiled code calls them."""

import numba
import numpy as np

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.machine.views import address
from fastdnn.products.linear import linear_delta, linear_forward, linear_gradient
from fastdnn.products.matmul import multiply
from fastdnn.products.nonzeros import multiply_nonzeros
from fastdnn.products.operands import How


def how(dtype, flags=0):
    """Return how products are done, with flags of `fastdnn.products.switches`."""
    if not JIT_ENABLED:
        return How(flags, 0, 0, 0)
    return How(flags, 0, multiply.address(dtype), multiply_nonzeros.address(dtype))


@numba.njit
def _forward(A, W, b, Z, floor, scratch, how):
    linear_forward(A, W, b, Z, floor, scratch, how)


@numba.njit
def _delta(D, W, W_transposed, D_prev, scratch, how):
    linear_delta(D, W, W_transposed, D_prev, scratch, how)


@numba.njit
def _gradient(A, first, D, dW, scratch, how):
    linear_gradient(A, first, D, dW, scratch, 0, how)


@numba.njit
def _gradient_and_claim(A, first, D, dW, scratch, claimed, how):
    linear_gradient(A, first, D, dW, scratch, address(claimed, 0), how)


def forward(A, W, b, Z, floor, scratch, zeros_in_A=False):
    _forward(A, W, b, Z, floor, scratch, how(A.dtype, int(zeros_in_A)))


def delta(D, W, W_transposed, D_prev, scratch, zeros_in_D=False):
    _delta(D, W, W_transposed, D_prev, scratch, how(D.dtype, int(zeros_in_D)))


def gradient(A, first, D, dW, scratch, zeros_in_A=False, zeros_in_D=False):
    done = how(A.dtype, int(zeros_in_A) + 2 * int(zeros_in_D))
    _gradient(A, np.int64(first), D, dW, scratch, done)


def gradient_and_claim(A, first, D, dW, scratch, claimed, zeros_in_A=False, zeros_in_D=False):
    done = how(A.dtype, int(zeros_in_A) + 2 * int(zeros_in_D))
    _gradient_and_claim(A, np.int64(first), D, dW, scratch, claimed, done)
