"""The one place that knows numba's options, and whether it is on.

Five decorators make every compiled function of the package:

- `kernel`: called from other compiled code only; never cached alone, because the entry
  point that calls it carries its machine code;
- `loop_kernel`: a `kernel` that loops over arrays which do not overlap;
- `entry_point`: called from Python, so cached on disk, see `fastdnn.compiler.cache`;
- `divided_entry_point`: an `entry_point` for work so long that Python has it done in parts;
- `checked_entry_point`: a function for users, which checks what Python gives it.

No operation on floating-point numbers is left to the compiler to change: their order is that
of the source, a product and a sum are rounded once only where the source says so
(`fastdnn.machine.arithmetic`), and sums of many terms have the order that
`fastdnn.products.sums` gives them. So the bits of a result do not depend on what LLVM
thinks is fast on a processor, nor on its version.
"""

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import config, types
from numba.extending import intrinsic, overload

from fastdnn.compiler.cache import KernelCache
from fastdnn.compiler.dispatching import (
    ADDRESSED_OPTIONS,
    KERNEL_OPTIONS,
    LOOP_OPTIONS,
    KernelDispatcher,
    tell_apart,
)
from fastdnn.compiler.stopping import Compilation, forget_the_parents_compilation, is_compiling
from fastdnn.system.interruptible import call_interruptibly

#: False under ``NUMBA_DISABLE_JIT=1``: every kernel is then plain Python.
JIT_ENABLED = not config.DISABLE_JIT
#: True under ``NUMBA_BOUNDSCHECK=1``: every array access is then checked.
BOUNDS_CHECKED = bool(config.BOUNDSCHECK)

_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": False}


def _compile(function: Callable, options: dict) -> Any:
    tell_apart(function)
    dispatcher = numba.njit(**options)(function)
    if JIT_ENABLED:  # needs jit
        dispatcher.__class__ = KernelDispatcher
    return dispatcher


def kernel(function: Callable) -> Any:
    """Compile `function` for use inside other compiled functions only.

    It makes no arrays: it works on those of its caller, or on views from
    `fastdnn.machine.views`.
    """
    return _compile(function, KERNEL_OPTIONS)


def loop_kernel(function: Callable) -> Any:
    """Compile a `kernel` whose array arguments do not overlap, as LLVM is then told.

    Without that word every loop starts with a comparison of all addresses. Not for code
    that other threads write to in between.
    """
    return _compile(function, LOOP_OPTIONS)


def entry_point(function: Callable) -> Any:
    """Compile `function` at its first call from Python and cache the result on disk."""
    dispatcher = numba.njit(**_OPTIONS, no_cfunc_wrapper=True)(function)
    if JIT_ENABLED:  # needs jit
        dispatcher._cache = KernelCache(function)
        dispatcher.compile = _interruptible(dispatcher.compile)
    return dispatcher


def alone(function: Callable, name: str | None) -> Any:  # needs jit
    """Compile `function` by itself, for compiled code that calls it by its address.

    `name` is what it is cached by, or None: then it is compiled in every process.
    """
    tell_apart(function)
    dispatcher = numba.njit(**ADDRESSED_OPTIONS)(function)
    if name is not None:
        dispatcher._cache = KernelCache(function, name)
    dispatcher.compile = _interruptible(dispatcher.compile)
    return dispatcher


# Entry points that are ready, each with the types of its arguments. numba's own take longer
# to find than a step of a small network.
_ready: set[tuple] = set()


def make_ready(function: Any, *args: Any) -> None:
    """Load or compile an entry point for such numbers now, so that calls do not have to."""
    key = (function, *map(type, args))
    if JIT_ENABLED and key not in _ready:  # needs jit
        function.compile(tuple(map(numba.typeof, args)))
        _ready.add(key)


def _interruptible(compile_: Callable) -> Callable:  # needs jit
    """Compile in a thread that no interrupt reaches: one would leave numba half changed.

    The thread ends between two functions, which leaves all of those that are complete.
    """

    @functools.wraps(compile_)
    def compile_or_stop(*args: Any, **kwargs: Any) -> Any:
        if is_compiling():  # by this thread: this is a part of its work
            return compile_(*args, **kwargs)
        compilation = Compilation()

        def work() -> Any:
            with compilation:
                return compile_(*args, **kwargs)

        # LLVM takes a few seconds at a time. What it completes meanwhile is kept.
        return call_interruptibly(work, compilation.stop, may_outlive=True)

    return compile_or_stop


def divided_entry_point(parts: Callable) -> Callable:
    """Compile a function that Python calls for one part after the other of long work.

    Compiled code does not look for interrupts: they are raised between two parts. Compiled
    code that calls the function does all at once.

    Parameters
    ----------
    parts : callable
        Takes the arguments in order and returns an iterable of those of each call.
    """

    def decorate(function: Callable) -> Any:
        compiled = entry_point(function)

        @functools.wraps(function)
        def divided(*args: Any) -> None:
            for part in parts(*args):
                compiled(*part)

        return with_compiled(divided, compiled)

    return decorate


def checked_entry_point(check: Callable) -> Callable:
    """Make a function for users: its arguments are checked when Python calls it.

    Python runs it as it stands, so that it returns arrays of Python's. Arrays that compiled
    code returns are made by Python code of numba's: an interrupt that is raised in there
    becomes a SystemError, and their memory is lost. What takes time, the function leaves to
    entry points that write into arrays and return none.

    Compiled code that calls it gets it compiled, without checks.

    Parameters
    ----------
    check : callable
        Takes the arguments in order and returns them as the function expects them, or
        raises.

    Returns
    -------
    callable
        A decorator. What it makes has the attributes ``unchecked``, for calls from Python
        with arguments that are known to fit, and ``compiled``.
    """

    def decorate(function: Callable) -> Any:
        signature = inspect.signature(function)
        n_parameters = len(signature.parameters)

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if kwargs or len(args) != n_parameters:
                args = signature.bind(*args, **kwargs).args
            return function(*check(*args))

        public = with_compiled(checked, entry_point(function))
        public.unchecked = function
        return public

    return decorate


def with_compiled(called_by_python: Any, compiled: Any) -> Any:
    """Let compiled code that calls the one function get the other.

    Both take the same arguments. Returns the first.
    """
    called_by_python.compiled = compiled
    if JIT_ENABLED:  # needs jit
        called_by_python._numba_type_ = compiled._numba_type_
    return called_by_python


if JIT_ENABLED and hasattr(os, "register_at_fork"):  # needs jit
    os.register_at_fork(after_in_child=forget_the_parents_compilation)


def emitted(definition: Callable) -> Any:  # needs jit
    """Make a function of compiled code whose LLVM instructions `definition` emits."""
    return intrinsic(definition)


def by_precision(single: Any, double: Any) -> Any:
    """Join a float32 and a float64 scalar kernel under one name.

    The choice is made from the argument's type when the caller is compiled.
    """

    def choose(x):
        return single(x) if isinstance(x, np.float32) else double(x)

    if JIT_ENABLED:  # needs jit

        @overload(choose, jit_options=KERNEL_OPTIONS)
        def _choose(x):
            return single.py_func if x == types.float32 else double.py_func

    return choose


def select(kernels: list) -> Any:
    """Join `kernels` into one that takes the position of the one to call first.

    Compiled code cannot be cached when it receives functions as arguments, so a table of
    kernels becomes a chain of comparisons, made once from the table, four to a link.
    """
    return _link(list(kernels), 0)


def _link(kernels: list, position: int) -> Any:
    first, second, third, *rest = kernels + kernels[-1:] * 3
    last = _link(rest[:-3], position + 3) if len(kernels) > 4 else rest[0]
    at_end = len(kernels) <= 4  # a constant of the closure: numba drops one branch

    def call(code, *args):
        if code == position:
            return first(*args)
        if code == position + 1:
            return second(*args)
        if code == position + 2:
            return third(*args)
        if at_end:
            return last(*args)
        return last(code, *args)

    return kernel(call)
