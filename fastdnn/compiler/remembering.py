"""What numba finds out about operators and builtin functions, found once for the same types.

numba asks for each operation up to five times, and tries scalars as arrays first.
"""

import copy
import functools
import operator
from typing import Any

from numba.core import errors, types, typing
from numba.core.registry import cpu_target
from numba.extending import models, register_model


class _RememberedFunction(types.Function):  # needs jit
    """A function known to numba that finds its signature for the same types only once."""

    def __init__(self, templates: Any) -> None:
        super().__init__(templates)
        self._found: dict = {}

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        if kws:
            return super().get_call_type(context, args, kws)
        if args not in self._found:
            try:
                self._found[args] = super().get_call_type(context, args, kws)
            except errors.TypingError as error:
                self._found[args] = error
        found = self._found[args]
        if isinstance(found, errors.TypingError):
            raise found
        return found


register_model(_RememberedFunction)(models.OpaqueModel)


class _RememberingContext(typing.Context):  # needs jit
    """numba's table of what functions there are, with remembered ones."""

    _remembered: dict

    def resolve_value_type(self, val: Any) -> Any:
        kind = super().resolve_value_type(val)
        if type(kind) is not types.Function:
            return kind
        if kind not in self._remembered:
            self._remembered[kind] = _RememberedFunction(kind.templates)
        return self._remembered[kind]


@functools.cache
def remembering(context: Any) -> Any:  # needs jit
    """Return a context for kernels that shares all tables with the one that numba has."""
    context = copy.copy(context)
    context.__class__ = _RememberingContext
    context._remembered = {}
    return context


def probe() -> None:  # needs jit
    """Require that a remembered function has the signature that numba has for it.

    Raises
    ------
    RuntimeError
        If not.
    """
    context = cpu_target.typing_context
    context.refresh()
    pair = types.float64, types.float64
    usual = context.resolve_value_type(operator.add).get_call_type(context, pair, {})
    remembered = remembering(context).resolve_value_type(operator.add)
    again = [remembered.get_call_type(context, pair, {}) for _ in range(2)]
    if again != [usual, usual] or type(remembered) is not _RememberedFunction:
        raise RuntimeError(f"{again} is found in the place of {usual}")
