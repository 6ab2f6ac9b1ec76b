"""Losses of numbers: scalar functions beside their derivatives, and deviances by their logit.

A scalar loss takes an output, its target and the loss's parameter. The deviances are canonical
with the output e^z: kernels ``(Z, Y, w, cap, parameters, D, sums, losses)``, which go from Z
to the delta in one step.
"""

from fastdnn.compiler.jit import kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.ops import elementary
from fastdnn.ops.loss_rows import add_column_sums, row_weight


@kernel
def squared_error(a, y, c):
    return (a - y) * (a - y)


@kernel
def squared_error_prime(a, y, c):
    return type(a)(2) * (a - y)


@kernel
def half_squared_error(a, y, c):
    return (a - y) * (a - y) * type(a)(0.5)


@kernel
def half_squared_error_prime(a, y, c):
    return a - y


@kernel
def absolute_error(a, y, c):
    return abs(a - y)


@kernel
def absolute_error_prime(a, y, c):
    # The subgradient at a = y is 0. NaN falls through to the last branch and stays NaN.
    if a > y:
        return type(a)(1)
    if a < y:
        return type(a)(-1)
    return a - y


@kernel
def huber(a, y, delta):
    """Half a square up to `delta`, a straight line beyond (Huber, 1964)."""
    size = abs(a - y)
    near = min(size, delta)
    return near * (size - type(a)(0.5) * near)


@kernel
def huber_prime(a, y, delta):
    return min(max(a - y, -delta), delta)


@kernel
def log_cosh(a, y, c):
    """``log(cosh(a - y))``, without overflow and exact near zero."""
    one, two = type(a)(1), type(a)(2)
    size = abs(a - y)
    far = size + elementary.log1p(elementary.exp(-two * size)) - type(a)(0.6931471805599453)
    # log(1 + 2 sinh(x / 2)^2), by e^(x/2) - 1; used where that square is below 1.
    e = elementary.expm1(type(a)(0.5) * min(size, one))
    sinh = type(a)(0.5) * (e + e / (e + one))
    return elementary.log1p(two * sinh * sinh) if size < one else far


@kernel
def log_cosh_prime(a, y, c):
    return elementary.tanh(a - y)


@kernel
def quantile(a, y, level):
    """Pinball loss of a level (Koenker and Bassett, 1978)."""
    return max(level * (y - a), (type(a)(1) - level) * (a - y))


@kernel
def quantile_prime(a, y, level):
    # The subgradient at a = y is 0: what is right stays. NaN falls through, as above.
    if a > y:
        return type(a)(1) - level
    return -level if a < y else a - y


def exp_poisson(Z, Y, w, cap, parameters, D, sums, losses):
    """Half the Poisson deviance with a log link, ``y log(y / a) - y + a`` at a = e^z."""
    zero = Z.dtype.type(0)
    for i in range(Z.shape[0]):
        weight = row_weight(w, i)
        row_loss = zero
        for j in range(Z.shape[1]):
            z, y = Z[i, j], Y[i, j]
            a = elementary.exp(z)
            row_loss += a - y
            if y > zero:
                row_loss = multiply_add(y, elementary.log(y) - z, row_loss)
            D[i, j] = (a - y) * weight
        losses[i] = row_loss * weight
    add_column_sums(D, sums)


def exp_gamma(Z, Y, w, cap, parameters, D, sums, losses):
    """Half the gamma deviance with a log link, ``log(a / y) + y / a - 1`` at a = e^z."""
    real = Z.dtype.type
    for i in range(Z.shape[0]):
        weight, row_loss = row_weight(w, i), real(0)
        for j in range(Z.shape[1]):
            ratio = Y[i, j] * elementary.exp(-Z[i, j])
            row_loss += Z[i, j] - elementary.log(Y[i, j]) + ratio - real(1)
            D[i, j] = (real(1) - ratio) * weight
        losses[i] = row_loss * weight
    add_column_sums(D, sums)


def exp_tweedie(Z, Y, w, cap, parameters, D, sums, losses):
    """Half the Tweedie deviance of a power p between 1 and 2 with a log link.

    ``y (y^f - a^f) / f - (y^s - a^s) / s`` at a = e^z, with f = 1 - p and s = 2 - p. The
    differences are taken by e^x - 1, since near the ends f or s is small.
    """
    real = Z.dtype.type
    zero = real(0)
    power = parameters[0]
    first, second = real(1.0 - power), real(2.0 - power)
    for i in range(Z.shape[0]):
        weight, row_loss = row_weight(w, i), zero
        for j in range(Z.shape[1]):
            z, y = Z[i, j], Y[i, j]
            low, high = y * elementary.exp(first * z), elementary.exp(second * z)
            if y > zero:
                x = elementary.log(y) - z
                row_loss += low * elementary.expm1(first * x) / first
                row_loss -= high * elementary.expm1(second * x) / second
            else:
                row_loss += high / second
            D[i, j] = (high - low) * weight
        losses[i] = row_loss * weight
    add_column_sums(D, sums)
