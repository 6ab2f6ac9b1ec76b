"""The state of an optimiser as a plain dict, which users read and give back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.training.divergence import is_finite
from fastdnn.training.state import OptimizerState

_KEYS = "optimizer", "step", "learning_rate", "moments"


def plain_optimizer(state: OptimizerState, parameters: Parameters) -> dict[str, Any]:
    """Return copies of what an optimiser has come to."""
    n_parameters = parameters.theta.size
    return {
        "optimizer": state.optimizer,
        "step": int(state.t),
        "learning_rate": float(state.learning_rate),
        "moments": state.memory.reshape(-1, n_parameters).copy(),
    }


def optimizer_from(given: Any, name: str, parameters: Parameters) -> OptimizerState:
    """Return what an optimiser goes on from, made of a dict that `plain_optimizer` gave.

    Parameters
    ----------
    given : dict
        From a user.
    name : str
        The optimiser that it must be of, a name in `fastdnn.ops.optimizers.OPTIMIZERS`.
    parameters : Parameters
        The network that it must fit.

    Raises
    ------
    ValueError
        If it is not the state of that optimiser for that network.
    """
    if not isinstance(given, Mapping) or set(given) != set(_KEYS):
        found = sorted(map(str, given)) if isinstance(given, Mapping) else given
        raise ValueError(
            f"state={_shown(found)} must be a dict of {list(_KEYS)}, as get_optimizer_state "
            "returns it."
        )
    if given["optimizer"] != name:
        raise ValueError(
            f"state['optimizer']={_shown(given['optimizer'])} must be {name!r}, which the "
            "parameters of this estimator ask for. Set solver and nesterovs_momentum to what "
            "the state is of."
        )
    rows = OPTIMIZERS[name]
    shape = rows.n_slots, parameters.theta.size
    moments = given["moments"]
    is_known = isinstance(moments, np.ndarray) and moments.dtype in (np.float32, np.float64)
    if not is_known or moments.shape != shape:
        found = f"{moments.dtype} of shape {moments.shape}" if is_known else _shown(moments)
        raise ValueError(
            f"state['moments'] must be an array of float32 or float64 of shape {shape}, a row "
            f"for each moment of {name!r} and a column for each parameter of the network, got "
            f"{found}."
        )
    if not is_finite(moments.reshape(-1)):
        raise ValueError("state['moments'] has NaN or infinity. Give finite numbers.")
    for slot in rows.squares:
        if (moments[slot] < 0).any():
            raise ValueError(
                f"state['moments'][{slot}] has numbers below 0, but {name!r} keeps squares "
                "there. Give numbers >= 0."
            )
    state = OptimizerState(name, moments.reshape(-1), given["learning_rate"], given["step"])
    problem = state.problem()
    if problem is not None:
        raise ValueError(f"state cannot be gone on from: {problem.replace('t=', 'step=')}")
    state.learning_rate, state.t = float(state.learning_rate), int(state.t)
    return state.beside(parameters.theta.dtype)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
