"""A fit changes its estimator as a whole or not at all; a prediction sees one moment of it.

A fit works on a twin that shares the values of the estimator's attributes and changes none of
them in place. When it has succeeded, one assignment replaces all attributes. So whatever
is raised in between, and wherever, leaves the estimator as it was; and another thread that
predicts meanwhile uses the network of before or the one of after, never half of each.
"""

import functools
from collections.abc import Callable
from typing import Any


def twin_of(estimator: Any) -> Any:
    """Return an estimator with the same values of all attributes."""
    twin = object.__new__(type(estimator))
    twin.__dict__ = estimator.__dict__.copy()  # one step: no thread changes it in between
    return twin


def replace_by(estimator: Any, twin: Any) -> None:
    """Give the estimator all attributes of its twin; its parameters stay as they are now."""
    now, new = estimator.__dict__, twin.__dict__.copy()
    for name in estimator._get_param_names():
        if name in now:
            new[name] = now[name]
    estimator.__dict__ = new


def of_one_moment(method: Callable) -> Callable:
    """Let a method see the estimator as it is at the call, whatever is fitted meanwhile."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(twin_of(self), *args, **kwargs)

    return call
