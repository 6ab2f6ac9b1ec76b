"""Compiles a small kernel in the quick way, and compares it with Python that runs the same."""

from typing import Any

import numba

from fastdnn.compiler import dispatching
from fastdnn.compiler.kernel_compiler import LoopCompiler, UnfinishedLibrary


def compare() -> None:  # needs jit
    """Require the same bits, and that the quick way was taken.

    Raises
    ------
    RuntimeError
        If not.
    """
    kernel = numba.njit(**dispatching.OPTIONS | {"pipeline_class": LoopCompiler})(_weighed)
    kernel.__class__ = dispatching.QuickDispatcher
    compiled = numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True)
    number = 2.0 / 3.0
    found, expected = compiled(_caller_of(kernel))(number), _caller_of(_weighed)(number)
    if found.hex() != expected.hex():
        raise RuntimeError(f"a kernel computes {found!r} in the place of {expected!r}")
    if len(kernel.overloads) != 1:
        raise RuntimeError(f"a kernel is compiled {len(kernel.overloads)} times for one type")
    [result] = kernel.overloads.values()
    if result.library.left_out != UnfinishedLibrary.LEFT_OUT:
        raise RuntimeError(f"of a kernel's compilation only {result.library.left_out} can go")


def _weighed(x, limit):  # needs jit
    return x / limit if x < limit else 0.7 * x


def _caller_of(kernel: Any) -> Any:  # needs jit
    return lambda x: kernel(x, 0) - kernel(x, 3)
