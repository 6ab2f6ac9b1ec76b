"""What calls of compiled code, and its storage, rely on of numba's inside, a case each."""

import pickle

import numba
import numpy as np
from numba.core import compiler, config, serialize, types
from numba.core.dispatcher import Dispatcher
from numba.core.registry import CPUDispatcher, cpu_target
from numba.extending import overload

from tests.assumptions.rows import CACHE, COMPILER, JIT, assume, compiled, half, parameters


@assume("arrays get their memory from functions named NRT_MemInfo_alloc...", COMPILER)
def memory_functions():
    make = numba.njit(lambda x: np.zeros(3)[0] + x)
    assert "NRT_MemInfo_alloc" in compiled(make).library.get_llvm_str()


@assume("a function's symbol holds its qualified name", "compiler/dispatching.py")
def symbols_hold_names():
    def named(x):
        return x

    named.__qualname__ = "a_name_of_its_own"
    assert "a_name_of_its_own" in compiled(numba.njit(named)).fndesc.mangled_name


@assume("what njit makes is a dispatcher with its function", "compiler/users_functions.py")
def compiled_functions():
    made = numba.njit(half.py_func)
    assert isinstance(made, CPUDispatcher)
    assert made.py_func is half.py_func
    assert not isinstance(half.py_func, CPUDispatcher)


@assume("a dispatcher can become one of a subclass", "compiler/dispatching.py")
def dispatchers():
    class Other(Dispatcher):
        pass

    made = numba.njit(half.py_func)
    made.__class__ = Other
    assert made.py_func is half.py_func
    assert made(3.0) == 1.5


@assume("a call from Python compiles by the dispatcher's own attribute `compile`", JIT)
def own_compile():
    made, seen = numba.njit(half.py_func), []
    usual = made.compile
    made.compile = lambda sig: seen.append(sig) or usual(sig)
    assert made(1.0) == 0.5 and seen == [(types.float64,)]


@assume("njit takes these options, and overload's jit_options the same", JIT, COMPILER)
def options():
    chosen = {"nogil": True, "error_model": "numpy", "fastmath": False}
    chosen |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    numba.njit(pipeline_class=compiler.Compiler, **chosen)(half.py_func)
    assert "jit_options" in parameters(overload)
    assert isinstance(config.DISABLE_JIT, int) and isinstance(config.BOUNDSCHECK, int | None)


@assume(
    "branches on a closure's constants are dropped before types are found",
    JIT,
    "ops/optimizers.py",
)
def constant_branches():
    def with_constant(is_text):
        @numba.njit
        def choose(x):
            if is_text:
                return x + "text"
            return x

        return choose

    assert with_constant(False)(1.5) == 1.5


@assume(
    "a dispatcher asks _cache: load_overload(sig, context), save_overload(sig, result)",
    CACHE,
    JIT,
)
def cache_protocol():
    asked = []

    class Cache:
        def load_overload(self, sig, target_context):
            asked.append(("load", sig, target_context.codegen()))

        def save_overload(self, sig, data):
            asked.append(("save", sig, data.codegen))

    made = numba.njit(half.py_func)
    made._cache = Cache()
    made(1.0)
    sig, codegen = (types.float64,), cpu_target.target_context.codegen()
    assert asked == [("load", sig, codegen), ("save", sig, codegen)]


class Keeping:
    def __init__(self):
        self.kept = []

    def load_overload(self, sig, target_context):
        return None

    def save_overload(self, sig, data):
        self.kept.append(data)


@assume("a result goes through _reduce, numba's pickles and _rebuild", CACHE)
def stored_results():
    made = numba.njit(half.py_func)
    made._cache = Keeping()
    made(2.0)
    result = made._cache.kept[0]
    assert result.library.has_dynamic_globals is False and not list(result.lifted)
    parts = pickle.loads(serialize.dumps(result._reduce()))
    again = compiler.CompileResult._rebuild(cpu_target.target_context, *parts)
    assert again.entry_point(3.0) == 1.5


@assume(
    "magic_tuple names system, processor and features: '+fma,-sse4a,...'",
    "compiler/target.py",
)
def processors():
    triple, processor, features = cpu_target.target_context.codegen().magic_tuple()
    assert triple.count("-") >= 2 and isinstance(processor, str)
    assert all(feature[0] in "+-" for feature in features.split(",") if feature)


@assume("compiled code takes an object for what its attribute `_numba_type_` names", JIT)
def numba_type_of_an_object():
    def checked(x):
        raise AssertionError("called from Python only")

    checked._numba_type_ = half._numba_type_

    @numba.njit
    def caller(x):
        return checked(x)

    @numba.njit
    def with_argument(function, x):
        return function(x)

    assert caller(3.0) == 1.5 and with_argument(checked, 3.0) == 1.5
