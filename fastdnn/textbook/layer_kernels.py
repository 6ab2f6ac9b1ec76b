"""What computes the steps of a layer: its products, and the kernel of its activation.

Python has the kernel of the one activation that it asks for, by address, and nothing else is
compiled. Code that a user compiles learns the activation's code when it runs: all of them are
compiled into it.
"""

from typing import Any

import numpy as np

from fastdnn.compiler.jit import (
    divided_entry_point,
    entry_point,
    loop_kernel,
    select,
    with_compiled,
)
from fastdnn.ops.activations import ACTIVATIONS, BACKWARD, FORWARD, Activation
from fastdnn.textbook import long_calls

#: What stands for an activation in compiled code.
ACTIVATION_CODES = {name: code for code, name in enumerate(ACTIVATIONS)}
_ROWS = list(ACTIVATIONS.values())

# ``(code, Z, A)`` and ``(code, Z, A, D, sums)``: all of them, for what a user compiles.
_forward = select([loop_kernel(row.forward.function) for row in _ROWS])
_backward = select([loop_kernel(row.backward.function) for row in _ROWS])
# ``(address, (Z, A))`` and ``(address, (Z, A, D, sums))``.
_forward_at, _backward_at = FORWARD.call, BACKWARD.call


@divided_entry_point(long_calls.by_rows(2))
def forward_of_linear(A_prev, Z, W, b, n_before):
    """Write ``A_prev @ W + b`` into `Z`."""
    np.dot(A_prev, W, Z)
    for i in range(Z.shape[0]):
        for j in range(Z.shape[1]):
            Z[i, j] += b[j]


@divided_entry_point(long_calls.by_rows(3))
def backward_of_linear(dZ, A_prev, dA_prev, W, dW, db, n_samples, n_before):
    """Write the gradients of a product; those of parameters are sums until the last part."""
    np.dot(dZ, W.T, dA_prev)
    if n_before == 0:
        np.dot(A_prev.T, dZ, dW)
        db[:] = 0
    else:
        of_part = np.dot(A_prev.T, dZ)
        for i in range(dW.shape[0]):
            for j in range(dW.shape[1]):
                dW[i, j] += of_part[i, j]
    for i in range(dZ.shape[0]):
        for j in range(dZ.shape[1]):
            db[j] += dZ[i, j]
    if n_before + dZ.shape[0] < n_samples:
        return
    divisor = dZ.dtype.type(n_samples)
    for i in range(dW.shape[0]):
        for j in range(dW.shape[1]):
            dW[i, j] /= divisor
    for j in range(db.size):
        db[j] /= divisor


@divided_entry_point(long_calls.by_rows_alone(2))
def _forward_from(Z, A, address):
    _forward_at(address, (Z, A))


@divided_entry_point(long_calls.by_rows_alone(3))
def _backward_from(Z, A, D, sums, address):
    _backward_at(address, (Z, A, D, sums))


def activate(row: Activation, Z: np.ndarray) -> np.ndarray:
    """Return what an activation makes of `Z`.

    Parameters
    ----------
    row : Activation
        That of the table.
    Z : ndarray of shape (n_samples, n_units)
        C-contiguous.
    """
    A = Z.copy()
    _forward_from(Z, A, row.forward.address(Z.dtype))
    return A


def activate_backward(row: Activation, Z: np.ndarray, dA: np.ndarray) -> np.ndarray:
    """Return the gradient by `Z` where `dA` is the one by what `activate` makes of it."""
    A, dZ, sums = activate(row, Z), dA.copy(), np.zeros(Z.shape[1], Z.dtype)
    _backward_from(Z, A, dZ, sums, row.backward.address(Z.dtype))
    return dZ


@entry_point
def _forward_compiled(A_prev, Z, A, W, b, code):
    forward_of_linear(A_prev, Z, W, b, 0)
    A[:] = Z
    _forward(code, Z, A)


def _forward_in_python(A_prev, Z, A, W, b, code):
    forward_of_linear(A_prev, Z, W, b, 0)
    A[:] = activate(_ROWS[code], Z)


@entry_point
def _backward_compiled(dA, Z, A_prev, dA_prev, W, dW, db, code):
    A = Z.copy()
    _forward(code, Z, A)
    dZ, sums = dA.copy(), np.zeros(Z.shape[1], dtype=Z.dtype)
    _backward(code, Z, A, dZ, sums)
    backward_of_linear(dZ, A_prev, dA_prev, W, dW, db, dZ.shape[0], 0)


def _backward_in_python(dA, Z, A_prev, dA_prev, W, dW, db, code):
    dZ = activate_backward(_ROWS[code], Z, dA)
    backward_of_linear(dZ, A_prev, dA_prev, W, dW, db, len(dZ), 0)


#: ``(A_prev, Z, A, W, b, code)``: the steps of a layer whose activation has that code,
forward_by_code: Any = with_compiled(_forward_in_python, _forward_compiled)
#: and ``(dA, Z, A_prev, dA_prev, W, dW, db, code)``.
backward_by_code: Any = with_compiled(_backward_in_python, _backward_compiled)
