"""Kernels as numba's dispatchers see them: compiled in the quick way where that holds.

The quick way is `fastdnn.compiler.kernel_compiler`, which is imported when it is first needed:
what it imports from numba may not be there.
"""

import functools
import hashlib
import importlib
import os
import types as python_types
from collections.abc import Callable
from typing import Any

from numba.core import compiler
from numba.core.dispatcher import Dispatcher

from fastdnn.compiler.assumptions import find, kernels_hold
from fastdnn.compiler.source_digest import code_digest
from fastdnn.compiler.stopping import Compilation


class QuickDispatcher(Dispatcher):  # needs jit
    """A compiled function that makes no version of its own for a constant."""

    def get_call_template(self, args: Any, kws: Any) -> tuple:
        """Return what is to be called for arguments of some types."""
        # numba compiles a function anew for every constant that it is called with, which
        # LLVM would see without that. In tuples they are kept: `fastdnn.products.matmul`
        # has a version for each of two layouts.
        without_value = find("numba.core.types.misc.unliteral")
        is_tuple = find("numba.core.types.containers.Tuple")
        kinds = [kind if isinstance(kind, is_tuple) else without_value(kind) for kind in args]
        return super().get_call_template(tuple(kinds), kws)


class KernelDispatcher(QuickDispatcher):  # needs jit
    """A compiled function that Python cannot call, since it has no machine code."""

    def get_call_template(self, args: Any, kws: Any) -> tuple:
        """Return what is to be called for arguments of some types."""
        if kernels_hold():
            return super().get_call_template(args, kws)
        return Dispatcher.get_call_template(self, args, kws)

    def compile(self, sig: Any) -> Any:
        """Compile for the types `sig`, if the compilation is not to stop."""
        Compilation.look()
        return super().compile(sig)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"the kernel {self.py_func.__qualname__} can be called from compiled code only"
        )


@functools.cache
def _chosen(name: str) -> Any:  # needs jit
    if kernels_hold():
        return getattr(importlib.import_module("fastdnn.compiler.kernel_compiler"), name)
    return compiler.Compiler


def _options(name: str) -> dict:
    def make(*args: Any, **kwargs: Any) -> Any:  # needs jit
        return _chosen(name)(*args, **kwargs)

    return OPTIONS | {"pipeline_class": make}


#: numba's options for what Python does not call.
OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
#: For a kernel, for one whose arrays do not overlap, and for one that is called by address.
KERNEL_OPTIONS = _options("KernelCompiler")
LOOP_OPTIONS = _options("LoopCompiler")
ADDRESSED_OPTIONS = _options("AddressedCompiler")


def tell_apart(function: Callable) -> None:  # needs jit
    """Give a function that was made from others a name that says from which.

    numba's names hold that name, the types and a count of functions in each process. Code of
    several processes meets where it is loaded, and LLVM takes one function for another of the
    same name.
    """
    if function.__closure__:
        made_from = hashlib.sha256(_words(function)).hexdigest()[:12]
        function.__qualname__ = f"{function.__qualname__}_{made_from}"


def _words(value: Any) -> bytes:  # needs jit
    """Return bytes that tell what closures are made from apart."""
    value = getattr(value, "py_func", value)
    if isinstance(value, python_types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        name = f"{value.__module__}.{value.__qualname__}".encode()
        return name + code_digest(value.__code__) + _words(cells)
    if isinstance(value, list | tuple):
        return b"(" + b",".join(map(_words, value)) + b")"
    if isinstance(value, int | float | str | None):
        return repr(value).encode()
    return os.urandom(16)  # of what is not known everything is different
