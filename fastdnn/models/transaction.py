"""A fit changes its estimator as a whole or not at all; a prediction sees one moment of it.

A fit works on a twin that shares the values of the estimator's attributes and changes none of
them in place. When it has succeeded, one assignment replaces all attributes. So whatever
is raised in between, and wherever, leaves the estimator as it was; and another thread that
predicts meanwhile uses the network of before or the one of after, never half of each.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

_Method = TypeVar("_Method", bound=Callable[..., Any])


def twin_of(estimator: Any) -> Any:
    """Return an estimator with the same values of all attributes."""
    twin = object.__new__(type(estimator))
    twin.__dict__ = estimator.__dict__.copy()  # one step: no thread changes it in between
    return twin


def replace_by(estimator: Any, twin: Any, before: dict[str, Any]) -> None:
    """Give the estimator all attributes of its twin.

    Its parameters, and other attributes of the user's own, stay as they are now, where the
    twin has not changed them: they may have been set during the fit.

    Parameters
    ----------
    estimator, twin : BaseEstimator
        The latter is fitted.
    before : dict of str to object
        The attributes that both began with.
    """
    now, new = estimator.__dict__, twin.__dict__.copy()
    missing = object()
    for name, value in now.items():
        is_of_user = not name.startswith("_") and not name.endswith("_")
        if is_of_user and new.get(name, missing) is before.get(name, missing):
            new[name] = value
    estimator.__dict__ = new


def of_one_moment(method: _Method) -> _Method:
    """Let a method see the estimator as it is at the call, whatever is fitted meanwhile."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(twin_of(self), *args, **kwargs)

    return cast(_Method, call)
