"""Activations and losses of users' own that tests share, where processes can import them."""

import numba

import fastdnn
from fastdnn.ops import elementary


@numba.njit
def swish(z):
    return z * elementary.sigmoid(z)


@numba.njit
def swish_prime(z):
    s = elementary.sigmoid(z)
    return s * (type(z)(1) + z * (type(z)(1) - s))


@numba.njit
def leaky(z):
    return z if z > 0 else 0.125 * z  # a float64 number


@numba.njit
def leaky_prime(z):
    return 1.0 if z > 0 else 0.125


@numba.njit
def square(a, y):
    return (a - y) * (a - y)


@numba.njit
def square_prime(a, y):
    return type(a)(2) * (a - y)


@numba.njit
def cross_entropy(p, y):
    return -(elementary.log(p) if y > 0.5 else elementary.log(type(p)(1) - p))


@numba.njit
def cross_entropy_prime(p, y):
    return -type(p)(1) / p if y > 0.5 else type(p)(1) / (type(p)(1) - p)


@numba.njit
def deviance(a, y):  # of positive numbers only
    return elementary.log(a / y) + y / a - type(a)(1)


@numba.njit
def deviance_prime(a, y):
    return (a - y) / (a * a)


SWISH = fastdnn.Activation(swish, swish_prime)
LEAKY = fastdnn.Activation(leaky, leaky_prime, name="leaky relu")
SQUARE = fastdnn.Loss(square, square_prime)
CROSS_ENTROPY = fastdnn.Loss(cross_entropy, cross_entropy_prime, output="probability")
DEVIANCE = fastdnn.Loss(deviance, deviance_prime, output="exp")
