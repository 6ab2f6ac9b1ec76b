"""What a fit goes on from as if it had not stopped, as plain data for pickles and files.

What the model holds anyway, its parameters or the state of its optimiser, is stored once.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.training.averages import Average
from fastdnn.training.state import OptimizerState, TrainingState

#: Stands for what the model itself holds.
SAME = "same"
_FIELDS = (
    *("theta", "optimizer", "best_theta", "average", "random_state", "order", "held_out"),
    *("n_rows", "rows_done", "loss_sum"),
)


def plain_average(average: Average | None) -> dict[str, Any] | None:
    """Return an average as plain data."""
    return None if average is None else vars(average).copy()


def average_from(given: Any, n_parameters: int, dtype: np.dtype) -> Average | None:
    """Return an average of so many parameters, of a network of a dtype.

    Raises
    ------
    ValueError
        If plain data does not tell of one.
    """
    if given is None:
        return None
    names = {field.name for field in fields(Average)}
    if not isinstance(given, Mapping) or set(given) != names:
        raise ValueError(f"average must be a dict of {sorted(names)}.")
    n_epochs = given["n_epochs"]
    if n_epochs is not None and not _is_count(n_epochs):
        raise ValueError(f"n_epochs={n_epochs!r} must be an integer >= 0, or None.")
    wanted = dtype if n_epochs is None else np.dtype(np.float64)
    _require_vector("average", given["theta"], n_parameters, wanted)
    if given["last"] is not None:
        _require_vector("last", given["last"], n_parameters, dtype)
    return Average(given["theta"], n_epochs, given["last"])


def plain_resumable(kept: TrainingState, published: TrainingState) -> dict[str, Any]:
    """Return what is kept of a fit beside what is published of it."""
    theta, optimizer = kept.parameters.theta, kept.optimizer
    is_same = kept.parameters is published.parameters or _are_equal(
        theta, published.parameters.theta
    )
    plain_optimizer: Any = None if optimizer is None else vars(optimizer).copy()
    if optimizer is not None and optimizer == published.optimizer:
        plain_optimizer = SAME
    return {
        "theta": SAME if is_same else theta,
        "optimizer": plain_optimizer,
        "best_theta": kept.best_theta,
        "average": plain_average(kept.average),
        **{name: getattr(kept, name) for name in _FIELDS[4:]},
    }


def resumable_from(given: Any, published: TrainingState) -> TrainingState:
    """Return what is kept of a fit; its history is that of what is published.

    Raises
    ------
    ValueError
        If plain data does not tell of it.
    """
    if not isinstance(given, Mapping) or set(given) != set(_FIELDS):
        raise ValueError(f"_resumable must be a dict of {sorted(_FIELDS)}.")
    parameters, theta = published.parameters, given["theta"]
    n_parameters = parameters.theta.size
    if not _is_same(theta):
        _require_vector("theta", theta, n_parameters)
        parameters = parameters.with_theta(theta)
    dtype = parameters.theta.dtype
    if given["best_theta"] is not None:
        _require_vector("best_theta", given["best_theta"], n_parameters, dtype)
    random_state = given["random_state"]
    if random_state is not None and not isinstance(random_state, np.random.RandomState):
        raise ValueError(f"random_state={random_state!r} must be a RandomState or None.")
    state = replace(
        TrainingState(parameters, published.history.copy()),
        optimizer=_optimizer_from(given["optimizer"], published, n_parameters),
        best_theta=given["best_theta"],
        seed=published.seed,
        average=average_from(given["average"], n_parameters, dtype),
        **{name: given[name] for name in _FIELDS[4:]},
    )
    if state.optimizer is not None and state.optimizer.memory.dtype != dtype:
        found = state.optimizer.memory.dtype
        raise ValueError(f"memory of the optimiser is of {found}, but parameters of {dtype}.")
    require_order(state.order, state.held_out, state.n_rows, state.rows_done)
    loss_sum = state.loss_sum
    if not isinstance(loss_sum, Real) or not np.isfinite(float(loss_sum)):
        raise ValueError(f"loss_sum={loss_sum!r} must be a finite number.")
    return state


def _optimizer_from(
    given: Any, published: TrainingState, n_parameters: int
) -> OptimizerState | None:
    if given is None:
        return None
    if _is_same(given):
        if published.optimizer is None:
            raise ValueError("optimizer is said to be that of the model, which has none.")
        return published.optimizer
    names = {field.name for field in fields(OptimizerState)}
    if not isinstance(given, Mapping) or set(given) != names:
        raise ValueError(f"optimizer must be a dict of {sorted(names)}.")
    optimizer = OptimizerState(**given)
    problem = optimizer.problem()
    if problem is not None:
        raise ValueError(problem)
    size = OPTIMIZERS[optimizer.optimizer].n_slots * n_parameters
    _require_vector("memory", optimizer.memory, size)
    return optimizer


def require_order(order: Any, held_out: Any, n_rows: Any, rows_done: Any) -> None:
    """Raise ValueError unless an order is one of some of the rows of X, each of them once.

    The engine reads the rows that it has.
    """
    for name, count in (("n_rows", n_rows), ("rows_done", rows_done)):
        if not _is_count(count):
            raise ValueError(f"{name}={count!r} must be an integer >= 0.")
    used = []
    for name, rows in (("order", order), ("held_out", held_out)):
        if rows is None:
            continue
        is_array = isinstance(rows, np.ndarray) and rows.dtype == np.int64 and rows.ndim == 1
        if not is_array or rows.size == 0:
            raise ValueError(f"{name} must be an array of int64 that is not empty.")
        if rows.min() < 0 or rows.max() >= n_rows:
            raise ValueError(f"{name} has rows beyond the {n_rows} rows of X.")
        used.append(rows)
    if sum(rows.size for rows in used) > n_rows:
        raise ValueError(f"order and held_out have more than the {n_rows} rows of X.")
    rows = np.sort(np.concatenate(used)) if used else np.zeros(0, np.int64)
    if (rows[1:] == rows[:-1]).any():
        raise ValueError("order and held_out have a row more than once.")
    n_visited = 0 if order is None else order.size
    if rows_done > 0 and rows_done >= n_visited:
        raise ValueError(
            f"rows_done={rows_done!r} must be below {n_visited}, the rows of the order."
        )


def _is_same(value: Any) -> bool:
    return isinstance(value, str) and value == SAME


def _are_equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def _require_vector(name: str, array: Any, size: int, dtype: Any = None) -> None:
    wanted = [np.dtype(np.float32), np.dtype(np.float64)] if dtype is None else [dtype]
    if not isinstance(array, np.ndarray) or array.dtype not in wanted:
        raise ValueError(f"{name} must be an array of {' or '.join(map(str, wanted))}.")
    if array.shape != (size,):
        raise ValueError(f"{name} has shape {array.shape}, but the layers need {(size,)}.")
