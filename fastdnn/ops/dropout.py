"""Inverted dropout: some units of a row are left out, the others make up for them.

Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting (2014).
The backward pass draws the mask again, which is faster than to write it down and to read it.
"""

import numpy as np

from fastdnn.compiler.jit import kernel
from fastdnn.machine.views import vector
from fastdnn.ops.draws import bits, keys_of, keys_of_row
from fastdnn.ops.transforms import backward, forward

_WORDS = 4294967296.0


@kernel
def limit_of(rate):
    """Return what random bits have to reach for a unit to be kept."""
    return np.uint32(rate * _WORDS)


@kernel
def factor_of(rate):
    """Return what the units that are kept are multiplied by."""
    return 1.0 / (1.0 - rate)


def _leave_out(X, Y, memory, own, draw, rate):
    """Write `X` with units left out into `Y`, which is other memory."""
    keys, limit, factor = keys_of(draw), limit_of(rate), Y.dtype.type(factor_of(rate))
    for i in range(Y.shape[0]):
        of_row = keys_of_row(keys, draw[3] + i)
        for j in range(Y.shape[1]):
            kept = X[i, j] * factor
            Y[i, j] = kept if bits(of_row, j) >= limit else Y.dtype.type(0)


def _leave_out_in_place(X, Y, memory, own, draw, rate):
    """Leave out units of `Y`; `X` is the same memory."""
    keys, limit, factor = keys_of(draw), limit_of(rate), Y.dtype.type(factor_of(rate))
    for i in range(Y.shape[0]):
        of_row = keys_of_row(keys, draw[3] + i)
        for j in range(Y.shape[1]):
            kept = Y[i, j] * factor
            Y[i, j] = kept if bits(of_row, j) >= limit else Y.dtype.type(0)


def _leave_out_deltas(X, Y, D, memory, own, own_gradient, sums, draw, rate):
    """Leave out the deltas of the same units, and multiply the others as they were."""
    keys, limit, factor = keys_of(draw), limit_of(rate), D.dtype.type(factor_of(rate))
    for i in range(D.shape[0]):
        of_row = keys_of_row(keys, draw[3] + i)
        for j in range(D.shape[1]):
            kept = D[i, j] * factor
            D[i, j] = kept if bits(of_row, j) >= limit else D.dtype.type(0)


def _scale_deltas(X, Y, D, memory, own, own_gradient, sums, draw, rate):
    """Multiply all deltas: what comes next leaves out those whose output is zero."""
    factor = D.dtype.type(factor_of(rate))
    d = vector(D, 0, D.size)
    for k in range(d.size):
        d[k] *= factor


#: For rows that are needed as they were, and for others.
drop, drop_in_place = (
    forward("dropout", _leave_out),
    forward("dropout_in_place", _leave_out_in_place),
)
#: For any activation; and for one that passes deltas on as they are, but for zero where its
#: output is zero, if that was dropped in place.
drop_deltas, scale_deltas = (
    backward("dropout", _leave_out_deltas),
    backward("dropout_of_floored", _scale_deltas),
)
