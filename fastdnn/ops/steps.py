"""Each optimiser's step of one parameter, and the constants that a step is made of.

A function of constants takes the optimiser's numbers, in the order that its row of
`fastdnn.ops.optimizers` has them, and how many steps there were with this one. A step takes a
parameter, its gradient, what is remembered of it and the constants, and returns the parameter
and what to remember. Where a formula adds epsilon to the root of a corrected second moment, as
PyTorch does, both are multiplied by the root of the correction instead.
"""

import math

from fastdnn.compiler.jit import kernel
from fastdnn.machine.arithmetic import integer_power, multiply_add
from fastdnn.ops import elementary

# Constants are a 6-tuple, so that they live in registers; a step has them in theta's dtype.
# Numbers 0 and 1 are the learning rate and the weight decay, of which the engine takes care.


@kernel
def _moving(mean, rate, value):
    """Return a moving average after one more value; `rate` is what that counts."""
    return multiply_add(rate, value - mean, mean)


# -- gradient descent ---------------------------------------------------------------------


def sgd_constants(numbers, t):
    return numbers[0], 0.0, 0.0, 0.0, 0.0, 0.0


def momentum_constants(numbers, t):
    """Polyak (1964) and Nesterov (1983), as Sutskever et al. (2013) write them."""
    return numbers[0], numbers[2], 0.0, 0.0, 0.0, 0.0


@kernel
def sgd_step(w, g, c):
    return multiply_add(-c[0], g, w)


@kernel
def momentum_step(w, g, v, c):
    v = multiply_add(c[1], v, -(c[0] * g))
    return w + v, v


@kernel
def nesterov_step(w, g, v, c):
    step = c[0] * g
    v = multiply_add(c[1], v, -step)
    return w + multiply_add(c[1], v, -step), v


# -- Adam and its kin ---------------------------------------------------------------------


@kernel
def _corrections(numbers, t):
    """Return what the first and second moments lack yet of their final weight of 1."""
    return 1.0 - integer_power(numbers[2], t), 1.0 - integer_power(numbers[3], t)


def adam_constants(numbers, t):
    """Kingma and Ba (2015), in the form that they recommend and scikit-learn has."""
    learning_rate, beta_1, beta_2, epsilon = numbers[0], numbers[2], numbers[3], numbers[4]
    of_first, of_second = _corrections(numbers, t)
    rate = learning_rate * (math.sqrt(of_second) / of_first)
    # 1 - beta is taken in float64: the float32 next to 0.999 is off by 1e-5 of it.
    return rate, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon


@kernel
def adam_step(w, g, m, v, c):
    m = multiply_add(c[1], m, c[2] * g)
    v = multiply_add(c[3], v, c[4] * (g * g))
    return w - c[0] * m / (type(w)(math.sqrt(v)) + c[5]), m, v


def adamw_constants(numbers, t):
    """Loshchilov and Hutter (2019): Adam, whose weights decay beside the step."""
    beta_1, beta_2 = numbers[2], numbers[3]
    of_first, of_second = _corrections(numbers, t)
    root = math.sqrt(of_second)
    rate, epsilon = numbers[0] * (root / of_first), numbers[4] * root
    return rate, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon


@kernel
def amsgrad_step(w, g, m, v, largest, c):
    """Reddi, Kale and Kumar (2018): Adam by the largest second moment that there was."""
    m = multiply_add(c[1], m, c[2] * g)
    v = multiply_add(c[3], v, c[4] * (g * g))
    largest = max(largest, v)
    return w - c[0] * m / (type(w)(math.sqrt(largest)) + c[5]), m, v, largest


# NAdam's momentum at step t is beta_1 (1 - q^t / 2), with q = 0.96^0.004; 1 - q and log(q).
_Q, _ONE_MINUS_Q, _LOG_Q = 0.9998367253526753, 1.6327464732472159e-4, -1.6328797808102052e-4
# So many terms of the series below are what float64 can tell.
_TERMS = 60


@kernel
def _momentum_of_nadam(beta_1, t):
    return beta_1 * (1.0 - 0.5 * elementary.exp(float(t) * _LOG_Q))


@kernel
def _product_of_momenta(beta_1, t):
    """Return the product of NAdam's momenta up to step `t`.

    By the series of log(1 - x), whose powers of q are geometric sums: the loop is as long at
    every step, and nothing has to be carried from one to the next.
    """
    decayed = integer_power(beta_1, t)
    if decayed < 1e-20:  # then 1 minus the product is 1
        return 0.0
    one_minus_qt = -elementary.expm1(float(t) * _LOG_Q)
    qt = 1.0 - one_minus_qt
    # q^k, 1 - q^k, q^kt, 1 - q^kt and 2^-k, none as the difference of neighbours.
    power, rest, power_t, rest_t, half = _Q, _ONE_MINUS_Q, qt, one_minus_qt, 0.5
    series = 0.0
    for k in range(1, _TERMS + 1):
        series += half / k * power * (rest_t / rest)
        rest += power * _ONE_MINUS_Q
        rest_t += power_t * one_minus_qt
        power *= _Q
        power_t *= qt
        half *= 0.5
    return decayed * elementary.exp(-series)


def nadam_constants(numbers, t):
    """Dozat (2016), with the momentum that grows as PyTorch and Keras have it."""
    learning_rate, beta_1, beta_2 = numbers[0], numbers[2], numbers[3]
    root = math.sqrt(1.0 - integer_power(beta_2, t))
    momentum, next_momentum = _momentum_of_nadam(beta_1, t), _momentum_of_nadam(beta_1, t + 1)
    product = _product_of_momenta(beta_1, t)
    of_gradient = learning_rate * root * (1.0 - momentum) / (1.0 - product)
    of_mean = learning_rate * root * next_momentum / (1.0 - product * next_momentum)
    return of_gradient, of_mean, 1.0 - beta_1, 1.0 - beta_2, numbers[4] * root, 0.0


@kernel
def nadam_step(w, g, m, v, c):
    m, v = _moving(m, c[2], g), _moving(v, c[3], g * g)
    return w - multiply_add(c[0], g, c[1] * m) / (type(w)(math.sqrt(v)) + c[4]), m, v


def radam_constants(numbers, t):
    """Liu et al. (2020): Adam, by the first moment alone while the second is too uncertain."""
    beta_1, beta_2 = numbers[2], numbers[3]
    of_first, of_second = _corrections(numbers, t)
    rate, factor, added = numbers[0] / of_first, 0.0, 1.0
    longest = 2.0 / (1.0 - beta_2) - 1.0
    length = longest - 2.0 * t * (1.0 - of_second) / of_second
    if length > 5.0:
        numerator = (length - 4.0) * (length - 2.0) * longest
        rectified = numerator / ((longest - 4.0) * (longest - 2.0) * length)
        rate, factor, added = rate * math.sqrt(rectified * of_second), 1.0, numbers[4]
    return rate, 1.0 - beta_1, 1.0 - beta_2, factor, added, 0.0


@kernel
def radam_step(w, g, m, v, c):
    m, v = _moving(m, c[1], g), _moving(v, c[2], g * g)
    return w - c[0] * m / multiply_add(c[3], type(w)(math.sqrt(v)), c[4]), m, v


def adamax_constants(numbers, t):
    """Kingma and Ba (2015), section 7.1; epsilon is where PyTorch has it."""
    of_first, _ = _corrections(numbers, t)
    return numbers[0] / of_first, 1.0 - numbers[2], numbers[3], numbers[4], 0.0, 0.0


@kernel
def adamax_step(w, g, m, largest, c):
    m = _moving(m, c[1], g)
    largest = max(c[2] * largest, abs(g) + c[3])
    return w - c[0] * m / largest, m, largest


# -- others -------------------------------------------------------------------------------


@kernel
def adagrad_step(w, g, total, c):
    """Duchi, Hazan and Singer (2011): by the root of the sum of all squares."""
    total = multiply_add(g, g, total)
    return w - c[0] * g / (type(w)(math.sqrt(total)) + c[1]), total


def rho_constants(numbers, t):
    return numbers[0], 1.0 - numbers[2], numbers[3], 0.0, 0.0, 0.0


@kernel
def adadelta_step(w, g, v, steps, c):
    """Zeiler (2012): by the roots of both moments, that of gradients and that of steps."""
    v = _moving(v, c[1], g * g)
    step = type(w)(math.sqrt((steps + c[2]) / (v + c[2]))) * g
    return w - c[0] * step, v, _moving(steps, c[1], step * step)


@kernel
def rmsprop_step(w, g, v, c):
    """Tieleman and Hinton (2012), with epsilon where PyTorch has it."""
    v = _moving(v, c[1], g * g)
    return w - c[0] * g / (type(w)(math.sqrt(v)) + c[2]), v


def lion_constants(numbers, t):
    return numbers[0], 1.0 - numbers[2], 1.0 - numbers[3], 0.0, 0.0, 0.0


@kernel
def lion_step(w, g, m, c):
    """Chen et al. (2023): the sign of a mean of gradients; NaN stays NaN."""
    mean = _moving(m, c[1], g)
    if mean < type(w)(0):
        w += c[0]
    elif mean > type(w)(0):
        w -= c[0]
    else:
        w += mean
    return w, _moving(m, c[2], g)
