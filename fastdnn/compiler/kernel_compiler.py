"""How numba is made to compile kernels in a fifth of its usual time.

numba prepares every function for being called from Python, and is made for a few functions,
not for two hundred. A kernel is called from compiled code only. Hence

- it is neither optimised nor made into machine code alone, but as a part of its entry point;
- numba's passes for what kernels do not contain are left out, and none is reported on;
- the signature of an operator or builtin function for some types is found once;
- a constant in a call makes no kernel of its own.

`fastdnn.compiler.jit` makes the decorators from this. numba promises nothing of what it relies
on: the rows in tests/assumptions say what that is, tests/test_numba_assumptions.py looks at
each.
"""

import _thread
import copy
import functools
import os
from typing import Any, ClassVar

from numba import _dynfunc
from numba.core import compiler, errors, sigutils, types, typing
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import AnalysisPass, PassManager, register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.typed_passes import AnnotateTypes, NativeLowering
from numba.core.types.containers import Tuple
from numba.core.types.misc import unliteral
from numba.extending import models, register_model

# How often a thread looks whether it is told to stop while it waits for others to compile.
_SECONDS_TO_LOOK = 0.05


class CompilationStopped(BaseException):
    """A compilation was told to stop. Not an `Exception`: numba handles some of those."""


class Compilation:  # needs jit
    """A compilation by this thread, which may be told to stop; a context manager.

    It then stops before the next kernel. numba keeps those that are complete and nothing of
    the others, so that a later compilation goes on from there.
    """

    _of_threads: ClassVar[dict[int, "Compilation"]] = {}

    def __init__(self) -> None:
        self._is_stopped = False

    def stop(self) -> None:
        """Let it stop; from any thread."""
        self._is_stopped = True

    def __enter__(self) -> None:
        lock = global_compiler_lock._lock
        while not lock.acquire(timeout=_SECONDS_TO_LOOK):
            self._look()
        self._of_threads[_thread.get_ident()] = self

    def __exit__(self, *error: object) -> None:
        self._of_threads.pop(_thread.get_ident(), None)
        global_compiler_lock._lock.release()

    def _look(self) -> None:
        if self._is_stopped:
            raise CompilationStopped

    @classmethod
    def look(cls) -> None:
        """Raise `CompilationStopped` if the compilation of this thread is to stop."""
        compilation = cls._of_threads.get(_thread.get_ident())
        if compilation is not None:
            compilation._look()


class _RememberedFunction(types.Function):  # needs jit
    """A function known to numba that finds its signature for the same types only once.

    numba asks for each operation up to five times, and tries scalars as arrays first.
    """

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

# Functions that numba defines in Python and that kernels call: compiled as kernels, too.
_DEFINED_IN_PYTHON = {int, max, min}


def _as_kernel(template: Any) -> Any:  # needs jit
    """Return numba's typing template, changed to compile what it defines as a kernel."""
    if template.key not in _DEFINED_IN_PYTHON or not hasattr(template, "_jit_options"):
        return template
    own = {
        "_jit_options": template._jit_options | KERNEL_OPTIONS,
        "_impl_cache": {},
        "_compiled_overloads": {},
        "_inline_overloads": {},
    }
    return type(template)(template.__name__, (template,), own)


class _RememberingContext(typing.Context):  # needs jit
    """numba's table of what functions there are, with remembered ones."""

    _remembered: dict

    def resolve_value_type(self, val: Any) -> Any:
        kind = super().resolve_value_type(val)
        if type(kind) is not types.Function:
            return kind
        if kind not in self._remembered:
            templates = [_as_kernel(template) for template in kind.templates]
            self._remembered[kind] = _RememberedFunction(templates)
        return self._remembered[kind]


@functools.cache
def _remembering(context: Any) -> Any:  # needs jit
    """Return a context for kernels that shares all tables with the one that numba has."""
    context = copy.copy(context)
    context.__class__ = _RememberingContext
    context._remembered = {}
    return context


class _QuietPasses(PassManager):  # needs jit
    """Runs passes without the events, timings and error contexts around each of numba's."""

    def _runPass(self, index: int, pss: Any, internal_state: Any) -> None:
        pss.analysis = self._analysis
        pss.run_initialization(internal_state)
        pss.run_pass(internal_state)
        pss.run_finalizer(internal_state)


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
        Compilation.look()
        # numba counts functions in each process. Closures, like those of `select`, are told
        # apart by that alone, and code of several processes meets where it is loaded beside
        # what a user compiles: LLVM takes one for the other where they have the same name.
        state.func_id.unique_id = int.from_bytes(os.urandom(7), "little")
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
        may_return_its_own = _has_array(state.return_type) and any(map(_has_array, state.args))
        state.targetctx = state.targetctx.subtarget(
            typing_context=state.typingctx, enable_nrt=may_return_its_own
        )
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
            0,  # no machine code of its own: see KernelDispatcher
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
        self.state.typingctx = _remembering(self.state.typingctx)
        pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [
            (made, why) for made, why in pipeline.passes if made.name() not in _NOT_FOR_KERNELS
        ]
        pipeline.add_pass_after(_StartUnfinishedLibrary, AnnotateTypes)
        pipeline.add_pass_after(_OfferToCallers, NativeLowering)
        pipeline.finalize()
        pipeline.__class__ = _QuietPasses
        return [pipeline]


@register_pass(mutates_CFG=False, analysis_only=True)
class _CountNoReferences(AnalysisPass):  # needs jit
    """Lets a complete function work like a kernel: on arrays that its caller keeps alive."""

    _name = "fastdnn_count_no_references"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.targetctx = state.targetctx.subtarget(
            typing_context=state.typingctx, enable_nrt=False
        )
        return False


class _AddressedCompiler(compiler.CompilerBase):  # needs jit
    """For functions that compiled code calls by address: like kernels, but complete."""

    def define_pipelines(self) -> list:
        self.state.flags.noalias = True
        self.state.typingctx = _remembering(self.state.typingctx)
        pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [
            (made, why) for made, why in pipeline.passes if made.name() not in _NOT_FOR_KERNELS
        ]
        pipeline.add_pass_after(_CountNoReferences, AnnotateTypes)
        pipeline.finalize()
        pipeline.__class__ = _QuietPasses
        return [pipeline]


class _LoopCompiler(_KernelCompiler):
    _arrays_are_apart = True


#: numba's options for a kernel, and for one whose arrays do not overlap.
KERNEL_OPTIONS = {
    "pipeline_class": _KernelCompiler,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
ADDRESSED_OPTIONS = KERNEL_OPTIONS | {"pipeline_class": _AddressedCompiler}
LOOP_OPTIONS = KERNEL_OPTIONS | {"pipeline_class": _LoopCompiler}


class KernelDispatcher(Dispatcher):  # needs jit
    """A compiled function that Python cannot call, since it has no machine code."""

    _compiler: Any

    def get_call_template(self, args: Any, kws: Any) -> tuple:
        # numba compiles a function anew for every constant that it is called with, which
        # LLVM would see without that. In tuples they are kept: `fastdnn.products.matmul`
        # has a version for each of two layouts.
        kinds = [kind if isinstance(kind, Tuple) else unliteral(kind) for kind in args]
        return super().get_call_template(tuple(kinds), kws)

    def compile(self, sig: Any) -> Any:
        """Compile for the types `sig`; kernels are not cached alone, nor timed."""
        args, return_type = sigutils.normalize_signature(sig)
        with global_compiler_lock, self._compiling_counter:
            if args not in self.overloads:
                Compilation.look()
                self.add_overload(self._compiler.compile(args, return_type))
            return self.overloads[args].entry_point

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"the kernel {self.py_func.__qualname__} can be called from compiled code only"
        )
