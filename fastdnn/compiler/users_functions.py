"""Functions that users have compiled: as kernels of the package, and by import path."""

import sys
import types
from typing import Any

from numba.core.registry import CPUDispatcher

from fastdnn.compiler.jit import JIT_ENABLED, kernel


def require_compiled(kind: str, role: str, function: Any) -> None:
    """Raise ValueError unless what a class was given for a role is a compiled function."""
    if JIT_ENABLED and not isinstance(function, CPUDispatcher):  # needs jit
        raise ValueError(
            f"{kind}({role}={function!r}) must be a function that numba has compiled: write "
            "@numba.njit before its definition."
        )
    if not isinstance(python_function(function), types.FunctionType):
        raise ValueError(f"{kind}({role}={function!r}) must be a function.")


def python_function(function: Any) -> Any:
    """Return the function that was compiled."""
    return getattr(function, "py_func", function)


def path_of(function: Any) -> str:
    """Return the import path of a function."""
    python = python_function(function)
    return f"{python.__module__}:{python.__qualname__}"


def as_kernel(function: Any) -> Any:
    """Compile a user's function as one of the package, to be a part of those that call it."""
    python = python_function(function)
    copied = types.FunctionType(
        *(python.__code__, python.__globals__, python.__name__),
        *(python.__defaults__, python.__closure__),
    )
    copied.__qualname__, copied.__module__ = python.__qualname__, python.__module__
    return kernel(copied)


class ImportPath(str):
    """The import path of a function."""

    __slots__ = ()


def stored(function: Any) -> Any:
    """Return what a pickle has of a function: its path, or itself if it has none.

    numba pickles a function with its code.
    """
    python = python_function(function)
    module, name = python.__module__, python.__qualname__
    # A script is __main__ in its own process only.
    if module == "__main__" or _found(module, name) is not function:
        return function
    return ImportPath(f"{module}:{name}")


def _found(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def imported(path: str) -> Any:
    """Return the function at an import path.

    Raises
    ------
    AttributeError
        If there is none.
    """
    module, _, name = path.partition(":")
    __import__(module)
    found = _found(module, name)
    if found is None:
        raise AttributeError(
            f"{path!r} is not there: a pickle names it as a function of an activation or a "
            "loss. Put it back under that name."
        )
    return found
