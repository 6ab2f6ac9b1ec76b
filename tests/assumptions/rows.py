"""The list of what nothing works without of numba's inside, to which its parts add rows."""

import inspect

import numba
import pytest
from numba.core import types

COMPILER, JIT, CACHE = "compiler/kernel_compiler.py", "compiler/jit.py", "compiler/cache.py"

#: The rows: what is assumed, the files that rely on it, the case that looks.
ASSUMPTIONS = []


def assume(what, *files):
    """Add a row, of which the decorated function is the case."""

    def add(check):
        ASSUMPTIONS.append(pytest.param(what, files, check, id=check.__name__))
        return check

    return add


def parameters(function):
    return list(inspect.signature(function).parameters)


@numba.njit(no_cfunc_wrapper=True)
def half(x):
    return 0.5 * x


def compiled(function=half):
    """Return what numba has made of a function of one float64."""
    function(1.0)
    return function.overloads[types.float64,]
