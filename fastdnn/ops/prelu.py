"""The leaky ReLU whose slope below zero is learnt, one for a layer.

He et al., Delving Deep into Rectifiers (2015); one slope, 0.25 at first, as in PyTorch.
"""

from fastdnn.machine.views import vector
from fastdnn.ops.transforms import backward, forward
from fastdnn.products.sums import sum_of

#: What the slope is at first.
INITIAL_SLOPE = 0.25


def _forward(X, Y, memory, own, draw, amount):
    """Write ``max(x, 0) + slope * min(x, 0)`` of `X` into `Y`."""
    slope = own[0]
    x, y = vector(X, 0, X.size), vector(Y, 0, Y.size)
    for k in range(x.size):
        y[k] = x[k] if x[k] > x.dtype.type(0) else slope * x[k]


def _backward(X, Y, D, memory, own, own_gradient, sums, draw, amount):
    """Turn the delta of the output into that of `X`, which is overwritten."""
    slope, zero = own[0], X.dtype.type(0)
    for i in range(D.shape[0]):
        for j in range(D.shape[1]):
            d, x = D[i, j], X[i, j]
            through = d if x > zero else slope * d
            X[i, j] = zero if x > zero else d * x
            D[i, j] = through
            sums[j] += through
    own_gradient[0] += sum_of(vector(X, 0, X.size))


prelu, prelu_backward = forward("prelu", _forward), backward("prelu", _backward)
