"""Whether hyperparameters fit each other, and lists of them the layers."""

import itertools
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from fastdnn.models.declarations import ACTIVATION_NAMES
from fastdnn.models.valid_values import hidden_units
from fastdnn.ops.own_functions import Activation


def require_fitting(estimator: Any) -> None:
    """Raise where values that are valid by themselves do not fit each other.

    Raises
    ------
    ValueError
        Naming the parameters.
    """
    n_hidden = len(hidden_units(estimator.hidden_layer_sizes))
    activations_of(estimator.activation, n_hidden)
    dropout_rates(estimator.dropout, n_hidden)
    fractions("learning_rate_steps", estimator.learning_rate_steps)
    loss = estimator.loss
    if hasattr(estimator, "quantile"):
        levels_of(estimator.quantile)
    if getattr(estimator, "label_smoothing", 0.0) != 0.0 and loss != "log_loss":
        raise ValueError(
            f"label_smoothing={estimator.label_smoothing!r} needs loss='log_loss', got "
            f"{loss=}. Use that loss, or label_smoothing=0."
        )
    if estimator.ema_decay is not None and estimator.swa_start is not None:
        raise ValueError(
            f"ema_decay={estimator.ema_decay!r} and swa_start={estimator.swa_start!r} ask for "
            "two averages of the parameters, and fit leaves one. Set one of them to None."
        )
    if estimator.solver == "lbfgs":
        _require_no_steps(estimator)
    _require_fitting_members(estimator)


def _require_fitting_members(estimator: Any) -> None:
    """Raise for what one network has, or several of them, but not as many as are asked for."""
    n_members, bagging = estimator.n_members, estimator.bagging
    if n_members == 1:
        if bagging is not None:
            raise ValueError(
                f"bagging={bagging!r} needs n_members of 2 at least, got n_members=1. "
                "Raise it, or use bagging=None."
            )
        return
    for name, none in (("warm_start", False), ("checkpoint", None)):
        value = getattr(estimator, name)
        if value is not none and value != none:
            raise ValueError(
                f"{name}={value!r} is for one network, but {n_members=}. Use {name}={none!r}, "
                "or n_members=1."
            )
    if bagging is not None and not isinstance(estimator.validation_fraction, Real):
        raise ValueError(
            f"bagging={bagging!r} trains each member on other samples, but "
            f"validation_fraction={estimator.validation_fraction!r} says which of all to hold "
            "out. Use a number."
        )


def _require_no_steps(estimator: Any) -> None:
    """Raise for what only solvers have that take a step a batch."""
    for name, row in estimator._hyperparameters.items():
        value = getattr(estimator, name)
        if row.needs_steps and not _are_same(value, row.default):
            raise ValueError(
                f"{name}={value!r} needs a stochastic solver, such as 'adam', got "
                f"solver='lbfgs'. Use another solver, or {name}={row.default!r}."
            )
    if estimator.warm_start == "exact":
        raise ValueError(
            "warm_start='exact' needs a stochastic solver, such as 'adam', got "
            "solver='lbfgs'. Use another solver, or warm_start=True."
        )


def _are_same(value: Any, default: Any) -> bool:
    if isinstance(value, list | np.ndarray):
        value = tuple(value)
    return value is default or bool(value == default)


def activations_of(activation: Any, n_hidden: int) -> list[Any]:
    """Return the activation of each hidden layer, as the parameter names them.

    Parameters
    ----------
    activation : str, object or list of these
        The parameter.
    n_hidden : int
        Hidden layers.

    Raises
    ------
    ValueError
        If there are not as many, or one is unknown.
    """
    if not isinstance(activation, list | tuple | np.ndarray):
        return [activation] * n_hidden
    for one in activation:
        is_known = isinstance(one, str) and one in ACTIVATION_NAMES
        if not is_known and not isinstance(one, Activation):
            raise ValueError(
                f"activation={activation!r} has {one!r}, which is neither one of "
                f"{list(ACTIVATION_NAMES)} nor a fastdnn.Activation."
            )
    if len(activation) != n_hidden:
        raise ValueError(
            f"activation={activation!r} has {len(activation)} of them, but "
            f"hidden_layer_sizes has {n_hidden} layers. Give one for each, or one for all."
        )
    return list(activation)


def dropout_rates(dropout: Any, n_hidden: int) -> list[float]:
    """Return the rate of the input, and of each hidden layer.

    Parameters
    ----------
    dropout : float or list of float
        The parameter: of all hidden layers, or of the input and each of them.
    n_hidden : int
        Hidden layers.

    Raises
    ------
    ValueError
        If there are not as many, or they are not in [0, 1).
    """
    if not isinstance(dropout, list | tuple | np.ndarray):
        return [0.0] + [float(dropout)] * n_hidden
    if len(dropout) != n_hidden + 1:
        raise ValueError(
            f"dropout={dropout!r} has {len(dropout)} numbers, but the input and "
            f"{n_hidden} hidden layers need {n_hidden + 1}. Give one for each, or one number "
            "for all hidden layers."
        )
    if not all(_is_number(rate) and 0.0 <= rate < 1.0 for rate in dropout):
        raise ValueError(f"dropout={dropout!r} must have numbers of at least 0 and below 1.")
    return [float(rate) for rate in dropout]


def fractions(name: str, values: Any) -> list[float]:
    """Return ascending numbers between 0 and 1.

    Raises
    ------
    ValueError
        If the parameter of that name is something else.
    """
    numbers = _ascending(values)
    if numbers is None or not all(0.0 < number < 1.0 for number in numbers):
        raise ValueError(
            f"{name}={values!r} must be one or more numbers between 0 and 1, in ascending "
            "order."
        )
    return numbers


def levels_of(quantile: Any) -> list[float]:
    """Return the levels that the parameter `quantile` asks for.

    Raises
    ------
    ValueError
        If they are not ascending, or not between 0 and 1.
    """
    is_list = isinstance(quantile, list | tuple | np.ndarray)
    return fractions("quantile", quantile if is_list else [quantile])


def _ascending(values: Sequence[Any]) -> list[float] | None:
    numbers = list(values)
    if not numbers or not all(_is_number(number) for number in numbers):
        return None
    pairs = itertools.pairwise(numbers)
    return [float(n) for n in numbers] if all(a < b for a, b in pairs) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)
