"""Activations and losses of users' own in a model file: their names, never their code."""

from collections.abc import Iterable
from typing import Any

from fastdnn.ops.own_functions import OwnFunctions
from fastdnn.storage import checked_json

_MAY_BE_OWN = "activation", "loss"


class MissingOwnError(ValueError):
    """A file names activations or losses that were not given; nothing is wrong with it."""


def checked_own(own: Any) -> list[OwnFunctions]:
    """Return what `fastdnn.load` was given as the user's own.

    Raises
    ------
    TypeError
        If it is something else.
    """
    given = list(own) if isinstance(own, Iterable) and not isinstance(own, str) else [own]
    for one in given:
        if not isinstance(one, OwnFunctions):
            raise TypeError(
                f"own={own!r} must be a list of fastdnn.Activation and fastdnn.Loss objects."
            )
    return given


def with_own(settings: dict[str, Any], own: list[OwnFunctions]) -> dict[str, Any]:
    """Return parameters with objects in the place of what a file says of them.

    Raises
    ------
    MissingOwnError
        If one was not given.
    """
    objects = {_key(one.description()): one for one in own}
    missing: list[str] = []

    def found(stored: Any) -> Any:
        if isinstance(stored, list):
            return [found(item) for item in stored]
        if not isinstance(stored, dict):
            return stored
        if _key(stored) not in objects:
            missing.append(_shown(stored))
        return objects.get(_key(stored))

    given = dict(settings)
    for name in _MAY_BE_OWN:
        if name in given:
            given[name] = found(given[name])
    if missing:
        raise MissingOwnError(
            f"it was saved with functions of the user's own, whose code a file does not hold: "
            f"{', '.join(sorted(set(missing)))}. Give the objects that they were: "
            "fastdnn.load(path, own=[...])"
        )
    return given


def _key(described: dict[str, str]) -> tuple:
    return tuple(sorted(described.items()))


def _shown(described: dict[str, str]) -> str:
    kind = "Loss" if "output" in described else "Activation"
    name, value, derivative = (described[part] for part in ("name", "value", "derivative"))
    shown = checked_json.shown
    return f"{kind} {shown(name)} of {shown(value)} and {shown(derivative)}"
