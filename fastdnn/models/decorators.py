"""scikit-learn's decorators of methods, with the types of what they decorate."""

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import _fit_context
from sklearn.utils import metaestimators

_Method = TypeVar("_Method", bound=Callable[..., Any])


def validating(method: _Method) -> _Method:
    """Let a method that fits look at all hyperparameters first."""
    return _fit_context(prefer_skip_nested_validation=True)(method)


def available_if(check: Callable[[Any], bool]) -> Callable[[_Method], _Method]:
    """Let a method be there only if `check` of the estimator does not raise AttributeError."""
    return metaestimators.available_if(check)
