"""What each loss is, number by number of a matrix, and its derivative, in plain NumPy.

Every function takes the loss's parameter last; those without one ignore it.
"""

import numpy as np
from scipy import special

from tests.oracle.activations import ACTIVATIONS, backward


def _sides(Y):
    return 2 * Y - 1


def _log_loss_of_labels(Z, Y, c):
    return np.logaddexp(0, Z) - Y * Z


def _log_loss_of_classes(Z, Y, c):
    return -Y * special.log_softmax(Z, axis=1)


def _softened(Y, smoothing, n_classes):
    return (1 - smoothing) * Y + smoothing / n_classes


def _focal(log_p, log_rest, gamma):
    return -np.exp(gamma * log_rest) * log_p


def _focal_of_labels(Z, Y, gamma):
    log_p, log_q = special.log_expit(Z), special.log_expit(-Z)
    return Y * _focal(log_p, log_q, gamma) + (1 - Y) * _focal(log_q, log_p, gamma)


def _focal_of_classes(Z, Y, gamma):
    return Y * _focal(special.log_softmax(Z, axis=1), _log_of_others(Z), gamma)


def _log_of_others(Z):
    """Return log(1 - p) of the probability p of each class."""
    log_rest = np.empty_like(Z)
    for k in range(Z.shape[1]):
        others = np.delete(Z, k, axis=1)
        log_rest[:, k] = special.logsumexp(others, axis=1) - special.logsumexp(Z, axis=1)
    return log_rest


def _focal_slope(log_p, log_rest, gamma):
    """Return the derivative of the focal loss by log(p)."""
    p, power = np.exp(log_p), np.exp(gamma * log_rest)
    return gamma * p * np.exp((gamma - 1) * log_rest) * log_p - power


def _focal_slope_of_labels(Z, Y, gamma):
    log_p, log_q = special.log_expit(Z), special.log_expit(-Z)
    of_one = _focal_slope(log_p, log_q, gamma) * np.exp(log_q)
    of_zero = _focal_slope(log_q, log_p, gamma) * np.exp(log_p)
    return Y * of_one - (1 - Y) * of_zero


def _focal_slope_of_classes(Z, Y, gamma):
    slope = Y * _focal_slope(special.log_softmax(Z, axis=1), _log_of_others(Z), gamma)
    return slope - special.softmax(Z, axis=1) * slope.sum(axis=1, keepdims=True)


def _largest_other(Z):
    """Return the largest output of a row beside each of its outputs, and which it is."""
    shown = np.repeat(Z[:, None, :], Z.shape[1], axis=1)
    shown[:, np.arange(Z.shape[1]), np.arange(Z.shape[1])] = -np.inf
    return shown.max(axis=2), shown.argmax(axis=2)


def _hinge_of_classes(Z, Y, c):
    return Y * np.maximum(0, 1 + _largest_other(Z)[0] - Z)


def _hinge_of_classes_slope(Z, Y, c):
    highest, others = _largest_other(Z)
    pays = Y * (1 + highest - Z > 0)
    slope = -pays
    rows = np.arange(len(Z))
    for k in range(Z.shape[1]):
        slope[rows, others[:, k]] += pays[:, k]
    return slope


def _tweedie(Z, Y, p):
    constant = np.where(Y > 0, np.power(np.maximum(Y, 1e-300), 2 - p), 0) / ((1 - p) * (2 - p))
    return constant - Y * np.exp((1 - p) * Z) / (1 - p) + np.exp((2 - p) * Z) / (2 - p)


def _quantiles(Z, Y, levels):
    return OF_OUTPUTS["quantile"](ACTIVATIONS["ascending"](Z), Y, np.asarray(levels))


def _quantiles_slope(Z, Y, levels):
    slopes = SLOPES["quantile"](ACTIVATIONS["ascending"](Z), Y, np.asarray(levels))
    return backward("ascending", Z, slopes)


def _means_and_variances(Z):
    return np.split(ACTIVATIONS["mean_and_variance"](Z), 2, axis=1)


def _gaussian_nll(Z, Y, c):
    mean, variance = _means_and_variances(Z)
    return (np.log(variance) + (Y - mean) ** 2 / variance) / 2


def _gaussian_nll_slope(Z, Y, c):
    mean, variance = _means_and_variances(Z)
    z = (mean - Y) / np.sqrt(variance)
    slopes = np.concatenate([z / np.sqrt(variance), (1 - z**2) / (2 * variance)], axis=1)
    return backward("mean_and_variance", Z, slopes)


def _difference(output):
    return lambda Z, Y, c: ACTIVATIONS[output](Z) - Y


#: Losses that go with an output activation, from that activation's input Z.
CANONICAL = {
    ("log_loss", "sigmoid"): _log_loss_of_labels,
    ("log_loss", "softmax"): _log_loss_of_classes,
    ("smoothed_log_loss", "sigmoid"): lambda Z, Y, c: _log_loss_of_labels(
        Z, _softened(Y, c, 2), c
    ),
    ("smoothed_log_loss", "softmax"): lambda Z, Y, c: _log_loss_of_classes(
        Z, _softened(Y, c, Y.shape[1]), c
    ),
    ("focal", "sigmoid"): _focal_of_labels,
    ("focal", "softmax"): _focal_of_classes,
    ("hinge", "identity"): lambda Z, Y, c: np.maximum(0, 1 - _sides(Y) * Z),
    ("hinge_of_classes", "identity"): _hinge_of_classes,
    ("poisson", "exp"): lambda Z, Y, c: special.xlogy(Y, Y) - Y * Z - Y + np.exp(Z),
    ("gamma", "exp"): lambda Z, Y, c: Z - np.log(Y) + Y * np.exp(-Z) - 1,
    ("tweedie", "exp"): _tweedie,
    ("quantiles", "ascending"): _quantiles,
    ("gaussian_nll", "mean_and_variance"): _gaussian_nll,
}

#: Their derivatives by Z.
CANONICAL_SLOPES = {
    ("log_loss", "sigmoid"): _difference("sigmoid"),
    ("log_loss", "softmax"): _difference("softmax"),
    ("smoothed_log_loss", "sigmoid"): lambda Z, Y, c: special.expit(Z) - _softened(Y, c, 2),
    ("smoothed_log_loss", "softmax"): lambda Z, Y, c: (
        special.softmax(Z, axis=1) - _softened(Y, c, Y.shape[1])
    ),
    ("focal", "sigmoid"): _focal_slope_of_labels,
    ("focal", "softmax"): _focal_slope_of_classes,
    ("hinge", "identity"): lambda Z, Y, c: -_sides(Y) * (1 - _sides(Y) * Z > 0),
    ("hinge_of_classes", "identity"): _hinge_of_classes_slope,
    ("poisson", "exp"): _difference("exp"),
    ("gamma", "exp"): lambda Z, Y, c: 1 - Y * np.exp(-Z),
    ("tweedie", "exp"): lambda Z, Y, c: np.exp((2 - c) * Z) - Y * np.exp((1 - c) * Z),
    ("quantiles", "ascending"): _quantiles_slope,
    ("gaussian_nll", "mean_and_variance"): _gaussian_nll_slope,
}


def _log_cosh(X):
    """Return log(cosh(X)); terms cancel near zero, where cosh is 1 + 2 sinh(X / 2)^2."""
    size = np.abs(X)
    near = np.log1p(2 * np.sinh(np.minimum(size, 1) / 2) ** 2)
    return np.where(size < 1, near, size + np.log1p(np.exp(-2 * size)) - np.log(2))


#: Losses of any output A.
OF_OUTPUTS = {
    "squared_error": lambda A, Y, c: (A - Y) ** 2,
    "half_squared_error": lambda A, Y, c: (A - Y) ** 2 / 2,
    "absolute_error": lambda A, Y, c: np.abs(A - Y),
    "huber": lambda A, Y, c: special.huber(c, A - Y),
    "log_cosh": lambda A, Y, c: _log_cosh(A - Y),
    "quantile": lambda A, Y, c: np.where(A > Y, (1 - c) * (A - Y), c * (Y - A)),
}

#: The derivatives of losses of any output.
SLOPES = {
    "squared_error": lambda A, Y, c: 2 * (A - Y),
    "half_squared_error": lambda A, Y, c: A - Y,
    "absolute_error": lambda A, Y, c: np.sign(A - Y),
    "huber": lambda A, Y, c: np.clip(A - Y, -c, c),
    "log_cosh": lambda A, Y, c: np.tanh(A - Y),
    "quantile": lambda A, Y, c: np.where(A > Y, 1 - c, np.where(A < Y, -c, 0)),
}

#: The default parameter of each loss that has one, and others that it may have.
PARAMETERS = {
    "smoothed_log_loss": (0.1, [0.0, 0.3]),
    "focal": (2.0, [0.0, 0.5, 3.5]),
    "tweedie": (1.5, [1.05, 1.9]),
    "huber": (1.0, [0.25, 2.5]),
    "quantile": (0.5, [0.1, 0.9]),
    "quantiles": ((0.25, 0.5, 0.75), [(0.05, 0.5, 0.6)]),  # of three outputs
}


def default_of(loss):
    """Return the parameter of a loss that is given none."""
    return PARAMETERS.get(loss, (0.0, []))[0]
