"""Whether hyperparameters have values that they can have."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import validate_parameter_constraints

# The constraints that a value of a parameter was found to satisfy, by name, type and value;
# and how many to remember at most.
_satisfied: dict[tuple, Any] = {}
_MOST_REMEMBERED = 10_000
_REMEMBERED_TYPES = {str, int, float, bool, type(None)}


def require_valid(estimator: Any) -> None:
    """Do scikit-learn's validation of parameters, of each string or number once.

    A search fits thousands of estimators whose values are mostly the same.

    Parameters
    ----------
    estimator : BaseEstimator
        With `_parameter_constraints`.

    Raises
    ------
    InvalidParameterError
        If a parameter has a value that it cannot have.
    """
    constraints = estimator._parameter_constraints
    for name, value in estimator.get_params(deep=False).items():
        key = None
        if type(value) in _REMEMBERED_TYPES or isinstance(value, np.number | np.bool_):
            key = name, type(value), value
            if _satisfied.get(key) is constraints.get(name):
                continue
        validate_parameter_constraints(constraints, {name: value}, type(estimator).__name__)
        if key is not None:
            if len(_satisfied) >= _MOST_REMEMBERED:
                _satisfied.clear()
            _satisfied[key] = constraints.get(name)


def hidden_units(sizes: Any) -> list[int]:
    """Return the units of each hidden layer.

    Parameters
    ----------
    sizes : int or iterable of int
        The parameter ``hidden_layer_sizes``.

    Raises
    ------
    ValueError
        If one of them is not a positive integer.
    """
    sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if any(not isinstance(size, Integral) or size <= 0 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes must be > 0, got {sizes}. Give one positive "
            "integer for each hidden layer."
        )
    return [int(size) for size in sizes]


def require_steps(n_steps: Any) -> None:
    """Raise ValueError unless the argument `n_steps` of `partial_fit` is None or a count."""
    is_count = isinstance(n_steps, Integral) and not isinstance(n_steps, bool | np.bool_)
    if n_steps is not None and not (is_count and int(n_steps) > 0):
        raise ValueError(
            f"n_steps={n_steps!r} must be an integer of at least 1, or None for one epoch."
        )
