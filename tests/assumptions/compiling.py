"""What kernels' compilation relies on of numba's inside, a case each."""

import copy
import inspect

import numba
import numpy as np
from llvmlite import ir
from numba import _dynfunc
from numba.core import compiler, sigutils, types, typing
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import AnalysisPass, PassManager
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.core.typed_passes import AnnotateTypes, NativeLowering
from numba.core.types.containers import Tuple
from numba.core.types.misc import unliteral

from fastdnn.compiler import kernel_compiler
from tests.assumptions.rows import COMPILER, assume, compiled, half, parameters, typing_context


def nopython_passes():
    """Return the passes of numba's usual pipeline, by class and by name."""
    state = compiler.StateDict()
    state.flags, state.func_ir = compiler.Flags(), None
    pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(state)
    return pipeline, [made for made, why in pipeline.passes]


@assume(
    "a Function has templates, and get_call_type(context, args, kws) types a call", COMPILER
)
def function_types():
    kind = typing_context().resolve_value_type(max)
    assert type(kind) is types.Function and kind.templates
    assert parameters(kind.get_call_type) == ["context", "args", "kws"]
    again = types.Function(kind.templates)
    found = again.get_call_type(typing_context(), (types.float64, types.float64), {})
    assert found.return_type == types.float64


@assume("max, min and int have templates that are compiled with _jit_options", COMPILER)
def templates_defined_in_python():
    for function in kernel_compiler._DEFINED_IN_PYTHON:
        templates = typing_context().resolve_value_type(function).templates
        assert all(template.key is function for template in templates)
        own = [template for template in templates if hasattr(template, "_jit_options")]
        assert own or function is int  # a type that older versions convert by themselves
        for template in own:
            assert isinstance(template._jit_options, dict)
            for cache in ("_impl_cache", "_compiled_overloads", "_inline_overloads"):
                assert isinstance(getattr(template, cache), dict)


@assume(
    "a shallow copy of the typing context shares its tables and can change class", COMPILER
)
def typing_contexts():
    class Other(typing.Context):
        pass

    context = copy.copy(typing_context())
    context.__class__ = Other
    assert context._globals is typing_context()._globals
    assert parameters(context.resolve_value_type) == ["val"]
    assert context.resolve_value_type(max) == typing_context().resolve_value_type(max)


@assume("unliteral makes of a constant's type its type; Tuple is the base of tuples", COMPILER)
def literal_types():
    assert unliteral(types.literal(3)) == types.intp
    pair = types.Tuple((types.float64, types.intp))
    assert isinstance(pair, Tuple) and tuple(pair.types) == (types.float64, types.intp)


@assume("a pipeline's passes are (pass, why) with the names of those left out", COMPILER)
def names_of_passes():
    names = {made.name() for made in nopython_passes()[1]}
    assert not kernel_compiler._NOT_FOR_KERNELS - names


@assume("AnnotateTypes, then NativeLowering run; passes can be added behind them", COMPILER)
def order_of_passes():
    pipeline, made = nopython_passes()
    kinds = [each if inspect.isclass(each) else type(each) for each in made]
    assert kinds.index(AnnotateTypes) < kinds.index(NativeLowering)
    assert parameters(pipeline.add_pass_after) == ["pass_cls", "location"]


@assume("a pass manager runs a pass, in its own class, by _runPass with _analysis", COMPILER)
def pass_managers():
    assert parameters(PassManager._runPass) == ["self", "index", "pss", "internal_state"]
    pipeline = nopython_passes()[0]
    pipeline.finalize()
    assert isinstance(pipeline._analysis, dict)
    assert "self._runPass(" in inspect.getsource(PassManager.run)
    for step in ("run_initialization", "run_pass", "run_finalizer"):
        assert f"pss.{step}" in inspect.getsource(PassManager._runPass)
        assert callable(getattr(AnalysisPass, step))


@assume("a compiler has a state with flags, typingctx, targetctx, args", COMPILER)
def compiler_states():
    seen = {}

    class Watching(compiler.CompilerBase):
        def define_pipelines(self):
            self.state.flags.noalias = True
            seen.update(typing=self.state.typingctx, target=self.state.targetctx)
            seen.update(args=self.state.args, name=self.state.func_id.func_qualname)
            return [compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)]

    assert numba.njit(pipeline_class=Watching)(half.py_func)(3.0) == 1.5
    assert isinstance(seen["typing"], typing.Context)
    assert seen["target"].codegen() is cpu_target.target_context.codegen()
    assert (seen["args"], seen["name"]) == ((types.float64,), "half")


@assume(
    "the flags no_compile and noalias exist, and lowering makes no code behind the first",
    COMPILER,
)
def flags():
    chosen = compiler.Flags()
    chosen.no_compile = chosen.noalias = True
    assert "flags.no_compile" in inspect.getsource(NativeLowering.run_pass)


@assume(
    "a library is optimised, finished and linked by methods that can be replaced", COMPILER
)
def code_libraries():
    codegen = cpu_target.target_context.codegen()
    assert isinstance(codegen._data_layout, str)
    library = codegen.create_library("fastdnn_assumptions")
    called = []
    library._optimize_functions = lambda module: called.append("functions")
    library._optimize_final_module = lambda: called.append("module")
    library._finalize_final_module = lambda: called.append("finish")
    module = library.create_ir_module("fastdnn_assumptions")
    kind = ir.FunctionType(ir.VoidType(), [])
    block = ir.Function(module, kind, "fastdnn_assumptions").append_basic_block()
    ir.IRBuilder(block).ret_void()
    with global_compiler_lock:
        library.add_ir_module(module)
        assert not library._finalized
        library._finalize_dynamic_globals()
        library._ensure_finalized()
    assert called == ["functions", "module", "finish"]
    assert [f.name for f in library._final_module.functions] == ["fastdnn_assumptions"]


@assume("libraries keep what they link in _linking_libraries, in order", COMPILER)
def linking_libraries():
    codegen = cpu_target.target_context.codegen()
    library = codegen.create_library("fastdnn_assumptions")
    assert not list(library._linking_libraries)
    library.add_linking_library(compiled().library)
    assert list(library._linking_libraries) == [compiled().library]


@assume("arrays get their memory from functions named NRT_MemInfo_alloc...", COMPILER)
def memory_functions():
    make = numba.njit(lambda x: np.zeros(3)[0] + x)
    assert "NRT_MemInfo_alloc" in compiled(make).library.get_llvm_str()


@assume(
    "a target context has subtarget(typing_context, enable_nrt) and insert_user_function",
    COMPILER,
)
def target_contexts():
    context = cpu_target.target_context
    narrow = context.subtarget(typing_context=cpu_target.typing_context, enable_nrt=False)
    assert narrow.enable_nrt is False and narrow.codegen() is context.codegen()
    assert parameters(context.insert_user_function) == ["func", "fndesc", "libs"]


@assume(
    "make_function takes a module, a name, words, an address, an environment, what to keep",
    COMPILER,
)
def functions_without_code():
    result = compiled()
    made = _dynfunc.make_function(
        result.fndesc.lookup_module(), "half", "words", 0, result.environment, ("kept",)
    )
    assert (made.__name__, made.__doc__) == ("half", "words")
    assert hasattr(compiler._LowerResult, "_replace")
    assert {"fndesc", "env", "cfunc"} <= set(compiler._LowerResult._fields)


@assume("a dispatcher compiles by _compiler.compile, under _compiling_counter", COMPILER)
def dispatchers():
    class Other(Dispatcher):
        pass

    made = numba.njit(half.py_func)
    made.__class__ = Other
    assert made.py_func is half.py_func
    assert parameters(made.get_call_template) == ["args", "kws"]
    assert parameters(made.compile) == ["sig"]
    args, returned = sigutils.normalize_signature((types.float64,))
    assert (args, returned) == ((types.float64,), None)
    with global_compiler_lock, made._compiling_counter:
        result = made._compiler.compile(args, returned)
        made.add_overload(result)
    assert made.overloads[args].entry_point is result.entry_point


@assume("a function's symbol holds the unique_id that it has when it is lowered", COMPILER)
def symbols_hold_ids():
    described = compiled().fndesc
    assert f"v{described.uid}" in described.mangled_name
