"""What training carries on as plain data, which pickles and files hold; and back."""

from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral
from typing import Any

import numpy as np

from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.storage.histories import LATER, history_from, plain_history
from fastdnn.storage.resumable import average_from, plain_average
from fastdnn.storage.tensors import LAYERS_THAT_LEARN, count_parameters, layers_that_learn
from fastdnn.training.history import History
from fastdnn.training.state import OptimizerState, TrainingState

#: What to do where what was stored is not what it should be.
ADVICE = "The stored state is damaged; use an intact copy, or fit the estimator again."


def plain_state(training: TrainingState) -> dict[str, Any]:
    """Return a state as plain data: three parts that earlier versions had, and its average."""
    parameters, optimizer = training.parameters, training.optimizer
    if optimizer is not None and not optimizer.fits(parameters):
        optimizer = None  # one of another network's is not gone on from
    others = {
        name: layers
        for name, layers in zip(LAYERS_THAT_LEARN, parameters.structure[1:], strict=True)
        if layers
    }
    if training.seed is not None:
        others["seed"] = training.seed
    network = {"layer_sizes": parameters.layer_sizes, "theta": parameters.theta}
    plain = {
        "_parameters": network | others,
        "_history": plain_history(training.history) | {"best_theta": training.best_theta},
        "_optimizer_state": None if optimizer is None else vars(optimizer).copy(),
    }
    if training.average is not None:
        plain["_average"] = plain_average(training.average)
    return plain


def state_from(plain: dict[str, Any]) -> TrainingState:
    """Return what training goes on from, whose three parts are taken out of plain data.

    Raises
    ------
    ValueError
        If they are not those of a `TrainingState`, or do not fit each other.
    """
    given = plain.pop("_parameters")
    seed = given.get("seed") if isinstance(given, Mapping) else plain.pop("_seed", None)
    if seed is not None and not _is_count(seed):
        raise ValueError(f"seed={seed!r} must be an integer >= 0. {ADVICE}")
    parameters = _parameters_from(given)
    n_parameters = parameters.theta.size
    stored = plain.pop("_history", None)
    stored = _dict_of("_history", stored, History, "best_theta", may_lack=LATER)
    best_theta = stored.pop("best_theta")
    if best_theta is not None:
        _require_vector("best_theta", best_theta, n_parameters)
    history = history_from(stored, ADVICE)
    optimizer, given = None, plain.pop("_optimizer_state", None)
    if given is not None:
        optimizer = OptimizerState(**_dict_of("_optimizer_state", given, OptimizerState))
        problem = optimizer.problem()
        if problem is not None:
            raise ValueError(f"{problem} {ADVICE}")
        n_slots = OPTIMIZERS[optimizer.optimizer].n_slots
        _require_vector("memory", optimizer.memory, n_slots * n_parameters)
        if optimizer.memory.dtype not in (np.float64, parameters.theta.dtype):
            optimizer = optimizer.astype(parameters.theta.dtype)
    try:
        average = average_from(
            plain.pop("_average", None), n_parameters, parameters.theta.dtype
        )
    except ValueError as error:
        raise ValueError(f"{error} {ADVICE}") from None
    return TrainingState(parameters, history, optimizer, best_theta, average, seed)


def _parameters_from(stored: Any) -> Parameters:
    if isinstance(stored, Parameters):  # as fastdnn 0.2 stored them, and as files are read
        _require_vector("theta", stored.theta, stored.theta.size)
        return stored
    may_lack = *LAYERS_THAT_LEARN, "seed"
    stored = _dict_of("_parameters", stored, None, "layer_sizes", "theta", may_lack=may_lack)
    sizes, theta = stored["layer_sizes"], stored["theta"]
    is_sequence = isinstance(sizes, tuple | list) and len(sizes) > 1
    if not is_sequence or not all(_is_count(size) and size > 0 for size in sizes):
        raise ValueError(
            f"layer_sizes={sizes!r} must be two or more positive integers. {ADVICE}"
        )
    sizes = [int(size) for size in sizes]
    try:
        normalized, sloped = layers_that_learn(stored, sizes)
    except ValueError as error:
        raise ValueError(f"{error}. {ADVICE}") from None
    _require_vector("theta", theta, count_parameters(sizes, normalized, sloped))
    theta = np.array(theta)
    return Parameters(sizes, theta.dtype, theta, normalized=normalized, sloped=sloped)


def _dict_of(
    name: str, stored: Any, kind: type | None, *more: str, may_lack: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return a copy of a mapping that has the fields of a dataclass, and more."""
    if kind is not None and isinstance(stored, kind):  # as fastdnn 0.2 stored it
        stored = vars(stored)
    needed = {*more, *(field.name for field in (fields(kind) if kind else ()))}
    if not isinstance(stored, Mapping) or {*stored, *may_lack} != {*needed, *may_lack}:
        raise ValueError(f"{name} must be a dict of {sorted(needed)}. {ADVICE}")
    return dict(stored)


def _require_vector(name: str, array: Any, size: int) -> None:
    """Raise ValueError unless `array` is a vector of so many numbers in a known precision."""
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
        raise ValueError(f"{name} must be an array of float32 or float64. {ADVICE}")
    if array.shape != (size,):
        raise ValueError(
            f"{name} has shape {array.shape}, but the layers need {(size,)}. {ADVICE}"
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0
