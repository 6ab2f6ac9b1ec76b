"""One step of an optimiser by a gradient that was made elsewhere, such as by many machines."""

import numpy as np

from fastdnn.compiler.jit import entry_point
from fastdnn.machine.views import vector
from fastdnn.ops.optimizers import MOST_NUMBERS, OPTIMIZERS, STEP_CONSTANTS, UPDATE

_constants, _update = STEP_CONSTANTS.call, UPDATE.call


@entry_point
def _step(constants, update, numbers, t, theta, state, grad, nothing, n_weights, decay, keep):
    c = _constants(constants, (numbers, t))
    weights = vector(grad, 0, n_weights)
    rest = vector(grad, n_weights, grad.size - n_weights)
    _update(update, (c, theta, state, 0, weights, nothing, 1.0, decay, keep))
    _update(update, (c, theta, state, n_weights, rest, nothing, 1.0, 0.0, 1.0))


def step_by(
    optimizer: str,
    numbers: dict[str, float],
    t: int,
    theta: np.ndarray,
    state: np.ndarray,
    grad: np.ndarray,
    n_weights: int,
    decay: float,
) -> None:
    """Take a step in place.

    Parameters
    ----------
    optimizer : str
        A name in `OPTIMIZERS`.
    numbers : dict of str to float
        Its hyperparameters; more do no harm.
    t : int
        Steps taken, with this one.
    theta : ndarray of shape (n_parameters,)
        Weights, then what is not penalised.
    state : ndarray of shape (n_slots * n_parameters,)
        What the optimiser remembers.
    grad : ndarray of shape (n_parameters,)
        The gradient, without the L2 term.
    n_weights : int
        How many of the parameters are weights.
    decay : float
        What the weights are multiplied by in the L2 term.
    """
    row, dtype = OPTIMIZERS[optimizer], theta.dtype
    own = np.zeros(MOST_NUMBERS)
    for position, name in enumerate(row.numbers):
        own[position] = numbers.get(name, 0.0)
    keep = 1.0 - own[0] * own[1]
    addresses = row.constants.address(dtype), row.update.address(dtype)
    nothing = np.zeros(0, dtype)
    _step(*addresses, own, t, theta, state, grad, nothing, n_weights, decay, keep)
