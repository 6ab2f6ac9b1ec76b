"""How numba is made to compile kernels in a fraction of its usual time.

numba prepares every function for being called from Python. A kernel is called from compiled
code only: so it is neither optimised nor made into machine code alone, but as a part of its
entry point.

All that is imported here is looked at before this file is: `fastdnn.compiler.assumptions` says
what is relied on, and what is done without.
"""

from typing import Any

from numba import _dynfunc
from numba.core import compiler, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.typed_passes import AnnotateTypes, NativeLowering

from fastdnn.compiler.assumptions import find, holds


class UnfinishedLibrary(JITCodeLibrary):  # needs jit
    """A code library that is neither optimised nor made into machine code.

    numba optimises every function, with all that it calls inlined, and then again as a part
    of each caller. A kernel is called from compiled code only, so once is enough: as a part
    of its entry point. Cold compilation takes less than half the time.
    """

    LEFT_OUT = frozenset({"functions", "module", "machine code"})

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self.left_out: set[str] = set()

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        self.left_out.add("functions")

    def _optimize_final_module(self) -> None:
        self.left_out.add("module")

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True
        self.left_out.add("machine code")


@register_pass(mutates_CFG=False, analysis_only=True)
class _StartUnfinishedLibrary(AnalysisPass):  # needs jit
    """Lets what follows work on an unfinished library, and count no references."""

    _name = "fastdnn_start_unfinished_library"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = UnfinishedLibrary(
            state.targetctx.codegen(), state.func_id.func_qualname
        )
        state.flags.no_compile = True
        # Kernels make no arrays and keep none, so they count no references, unless one might
        # return an array that it was given.
        may_return_its_own = _has_array(state.return_type) and any(map(_has_array, state.args))
        _count_references(state, may_return_its_own)
        return False


def _count_references(state: Any, does_count: bool) -> None:  # needs jit
    state.targetctx = state.targetctx.subtarget(
        typing_context=state.typingctx, enable_nrt=does_count
    )


def _has_array(kind: Any) -> bool:  # needs jit
    return isinstance(kind, types.Array) or any(map(_has_array, getattr(kind, "types", ())))


def _makes_arrays(library: Any) -> bool:  # needs jit
    """Whether a library that a kernel needs takes memory from numba's runtime.

    Operations that do so in the kernel itself, like ``x + x`` of two arrays, are refused
    by numba, since the kernel does not count references.
    """
    if isinstance(library, UnfinishedLibrary):
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
# expressions of whole arrays, objects.
_NOT_FOR_KERNELS = {
    "inline_closure_likes",
    "inline_inlinables",
    "inline_overloads",
    "literal_unroll",
    "make_function_op_code_to_jit_function",
    "nopython_rewrites",
    "with_lifting",
}


def probe_passes() -> None:  # needs jit
    """Require that numba has the passes which kernels do without.

    Raises
    ------
    RuntimeError
        If not.
    """
    state = compiler.StateDict()
    state.flags, state.func_ir = compiler.Flags(), None
    pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(state)
    missing = _NOT_FOR_KERNELS - {each.name() for each, _ in pipeline.passes}
    if missing:
        raise RuntimeError(f"there are no passes {', '.join(sorted(missing))}")


def _start_pipeline(state: Any) -> Any:  # needs jit
    """Return numba's pipeline for a kernel, to which passes can be added."""
    if holds("signatures"):
        state.typingctx = find("fastdnn.compiler.remembering").remembering(state.typingctx)
    pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(state)
    if holds("passes"):
        pipeline.passes = [
            (made, why) for made, why in pipeline.passes if made.name() not in _NOT_FOR_KERNELS
        ]
    return pipeline


class KernelCompiler(compiler.CompilerBase):  # needs jit
    """For kernels: unfinished."""

    _arrays_are_apart = False

    def define_pipelines(self) -> list:
        """Return the only pipeline."""
        self.state.flags.noalias = self._arrays_are_apart
        pipeline = _start_pipeline(self.state)
        pipeline.add_pass_after(_StartUnfinishedLibrary, AnnotateTypes)
        pipeline.add_pass_after(_OfferToCallers, NativeLowering)
        pipeline.finalize()
        return [pipeline]


class LoopCompiler(KernelCompiler):  # needs jit
    """For kernels whose arrays do not overlap."""

    _arrays_are_apart = True


@register_pass(mutates_CFG=False, analysis_only=True)
class _CountNoReferences(AnalysisPass):  # needs jit
    """Lets a complete function work like a kernel: on arrays that its caller keeps alive."""

    _name = "fastdnn_count_no_references"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        _count_references(state, False)
        return False


class AddressedCompiler(compiler.CompilerBase):  # needs jit
    """For functions that compiled code calls by address: like kernels, but complete."""

    def define_pipelines(self) -> list:
        """Return the only pipeline."""
        self.state.flags.noalias = True
        pipeline = _start_pipeline(self.state)
        pipeline.add_pass_after(_CountNoReferences, AnnotateTypes)
        pipeline.finalize()
        return [pipeline]
