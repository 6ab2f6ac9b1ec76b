"""What each loss is, number by number of a matrix, and its derivative, in plain NumPy."""

import numpy as np
from scipy import special

#: Losses that go with an output activation, from that activation's input Z.
CANONICAL = {
    ("log_loss", "sigmoid"): lambda Z, Y: np.logaddexp(0, Z) - Y * Z,
    ("log_loss", "softmax"): lambda Z, Y: -Y * special.log_softmax(Z, axis=1),
    ("poisson", "exp"): lambda Z, Y: special.xlogy(Y, Y) - Y * Z - Y + np.exp(Z),
}

#: Losses of any output A.
OF_OUTPUTS = {
    "squared_error": lambda A, Y: (A - Y) ** 2,
    "half_squared_error": lambda A, Y: (A - Y) ** 2 / 2,
    "absolute_error": lambda A, Y: np.abs(A - Y),
}

#: The derivatives of losses of any output.
SLOPES = {
    "squared_error": lambda A, Y: 2 * (A - Y),
    "half_squared_error": lambda A, Y: A - Y,
    "absolute_error": lambda A, Y: np.sign(A - Y),
}
