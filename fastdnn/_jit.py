"""The one place that knows numba's options, and whether it is on.

Four decorators make every compiled function of the package:

- `kernel`: called from other compiled code only; never cached alone, because the entry
  point that calls it carries its machine code;
- `loop_kernel`: a `kernel` that loops over arrays which do not overlap;
- `entry_point`: called from Python, so cached on disk, see `fastdnn._cache`;
- `strict_kernel`: a `kernel` whose floating-point expressions keep their order.
"""

import functools
import gc
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import _dynfunc
from numba.core import compiler, config, types
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.typed_passes import AnnotateTypes, NativeLowering
from numba.extending import intrinsic, overload

from fastdnn._cache import KernelCache

#: False under ``NUMBA_DISABLE_JIT=1``: every kernel is then plain Python.
JIT_ENABLED = not config.DISABLE_JIT
#: True under ``NUMBA_BOUNDSCHECK=1``: every array access is then checked.
BOUNDS_CHECKED = bool(config.BOUNDSCHECK)

# "nnan" and "ninf" are left out on purpose: they would let LLVM delete NaN checks.
_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}
# Reassociation would cancel the compensated steps of the elementary functions.
_STRICT_OPTIONS = _OPTIONS | {"fastmath": {"contract", "nsz"}}


@register_pass(mutates_CFG=False, analysis_only=True)
class _StartUnfinishedLibrary(AnalysisPass):  # needs jit
    """Opens a code library that is neither optimised nor made into machine code.

    numba optimises every function, with all that it calls inlined, and then again as a
    part of each caller. A kernel is called from compiled code only, so once is enough: as
    a part of its entry point. Cold compilation takes less than half the time.
    """

    _name = "fastdnn_start_unfinished_library"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        codegen = state.targetctx.codegen()
        library = codegen.create_library(state.func_id.func_qualname)

        def keep_layout(module: Any) -> None:
            module.data_layout = codegen._data_layout

        def mark_finished() -> None:
            library._finalize_dynamic_globals()
            library._finalized = True

        library._optimize_functions = keep_layout
        library._optimize_final_module = lambda: None
        library._finalize_final_module = mark_finished
        library.belongs_to_kernel = True
        state.library = library
        state.flags.no_compile = True
        # Kernels make no arrays and keep none, so they count no references, unless one might
        # return an array that it was given.
        returns_array = _has_array(state.return_type)
        if not (returns_array and any(map(_has_array, state.args))):
            state.targetctx = state.targetctx.subtarget(enable_nrt=False)
        return False


def _has_array(kind: Any) -> bool:  # needs jit
    return isinstance(kind, types.Array) or any(map(_has_array, getattr(kind, "types", ())))


def _makes_arrays(library: Any) -> bool:  # needs jit
    """Whether a library that a kernel needs takes memory from numba's runtime.

    Operations that do so in the kernel itself, like ``x + x`` of two arrays, are refused
    by numba, since the kernel does not count references.
    """
    if hasattr(library, "belongs_to_kernel"):
        return False  # looked at when it was compiled
    return any(f.name.startswith("NRT_MemInfo_alloc") for f in library._final_module.functions)


@register_pass(mutates_CFG=False, analysis_only=True)
class _OfferToCallers(AnalysisPass):  # needs jit
    """Registers the unfinished library under a function without machine code."""

    _name = "fastdnn_offer_to_callers"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        lowered = state["cr"]
        function = _dynfunc.make_function(
            lowered.fndesc.lookup_module(),
            state.func_id.func_name,
            "A kernel for compiled callers.",
            0,  # no machine code of its own: see _KernelDispatcher
            lowered.env,
            (state.library,),
        )
        # Callers get the libraries that this one needs beside it, not copied into it: so
        # each is linked once, into the entry point.
        needed = dict.fromkeys(state.library._linking_libraries)
        if any(map(_makes_arrays, needed)):
            raise TypeError(
                f"the kernel {state.func_id.func_qualname} makes an array or another object, "
                "which would never be freed: let its caller pass one."
            )
        state.library._linking_libraries = []
        state.library._ensure_finalized()
        libraries = [state.library, *needed]
        state.targetctx.insert_user_function(function, lowered.fndesc, libraries)
        state["cr"] = lowered._replace(cfunc=function)
        return False


# numba's passes for what kernels do not contain: functions and comprehensions inside them,
# expressions of whole arrays, objects. They would take a tenth of the compilation.
_NOT_FOR_KERNELS = {
    "inline_closure_likes",
    "inline_inlinables",
    "inline_overloads",
    "literal_unroll",
    "make_function_op_code_to_jit_function",
    "nopython_rewrites",
    "with_lifting",
}


class _KernelCompiler(compiler.CompilerBase):  # needs jit
    _arrays_are_apart = False

    def define_pipelines(self) -> list:
        self.state.flags.noalias = self._arrays_are_apart
        pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [
            (made, why) for made, why in pipeline.passes if made.name() not in _NOT_FOR_KERNELS
        ]
        pipeline.add_pass_after(_StartUnfinishedLibrary, AnnotateTypes)
        pipeline.add_pass_after(_OfferToCallers, NativeLowering)
        pipeline.finalize()
        return [pipeline]


class _LoopCompiler(_KernelCompiler):
    _arrays_are_apart = True


_KERNEL_OPTIONS = {
    "pipeline_class": _KernelCompiler,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_LOOP_OPTIONS = _KERNEL_OPTIONS | {"pipeline_class": _LoopCompiler}


class _KernelDispatcher(Dispatcher):  # needs jit
    """A compiled function that Python cannot call, since it has no machine code."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"the kernel {self.py_func.__qualname__} can be called from compiled code only"
        )


def _compile(function: Callable, options: dict) -> Any:
    dispatcher = numba.njit(**options)(function)
    if JIT_ENABLED:  # needs jit
        dispatcher.__class__ = _KernelDispatcher
    return dispatcher


def kernel(function: Callable) -> Any:
    """Compile `function` for use inside other compiled functions only.

    It makes no arrays: it works on those of its caller, or on views from
    `fastdnn.kernels.views`.
    """
    return _compile(function, _OPTIONS | _KERNEL_OPTIONS)


def loop_kernel(function: Callable) -> Any:
    """Compile a `kernel` whose array arguments do not overlap, as LLVM is then told.

    Without that word every loop starts with a comparison of all addresses. Not for code
    that other threads write to in between.
    """
    return _compile(function, _OPTIONS | _LOOP_OPTIONS)


def strict_kernel(function: Callable) -> Any:
    """Compile `function` like `kernel`, keeping the order of its operations."""
    return _compile(function, _STRICT_OPTIONS | _KERNEL_OPTIONS)


def entry_point(function: Callable) -> Any:
    """Compile `function` at its first call from Python and cache the result on disk."""
    dispatcher = numba.njit(**_OPTIONS)(function)
    if JIT_ENABLED:  # needs jit
        dispatcher._cache = KernelCache(function)
        dispatcher.compile = _without_collector(dispatcher.compile)
    return dispatcher


def _without_collector(compile_: Callable) -> Callable:  # needs jit
    """Keep Python's garbage collector from walking through a compilation's many objects."""

    @functools.wraps(compile_)
    def compile_quickly(*args: Any, **kwargs: Any) -> Any:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return compile_(*args, **kwargs)
        finally:
            if was_enabled:
                gc.enable()

    return compile_quickly


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

        @overload(choose, jit_options=_STRICT_OPTIONS | _KERNEL_OPTIONS)
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
