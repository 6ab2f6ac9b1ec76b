"""Code that changes numba's inside as a later version might, while numba itself works on.

By the row of `ASSUMPTIONS` that no longer holds. Each is run before fastdnn is imported.
"""

BREAKS = {}

BREAKS["kernels without machine code"] = """
from numba.core.codegen import CPUCodeLibrary

CPUCodeLibrary.improve_functions = CPUCodeLibrary._optimize_functions
del CPUCodeLibrary._optimize_functions

def add_llvm_module(self, module):
    self.improve_functions(module)
    self._final_module.link_in(module)

CPUCodeLibrary.add_llvm_module = add_llvm_module
"""

BREAKS["kernels offered to callers"] = """
import types
from numba import _dynfunc
from numba.core import cpu

cpu._dynfunc = types.SimpleNamespace(**vars(_dynfunc))
del _dynfunc.make_function
"""

BREAKS["kernels in numba's order of passes"] = """
import numba.core.compiler
from numba.core import typed_passes

del typed_passes.NativeLowering
"""

BREAKS["kernels of types, not constants"] = """
from numba.core import dispatcher, types

kinds = dispatcher.Dispatcher.__mro__
base = next(kind for kind in kinds if "get_call_template" in vars(kind))
base.template_of = base.get_call_template
del base.get_call_template

def get_call_type(self, context, args, kws):
    template, signature, args, kws = self.dispatcher.template_of(args, kws)
    found = template(context).apply(args, kws)
    return found and found.replace(pysig=signature)

types.Dispatcher.get_call_type = get_call_type
"""

# The name is there, but is not what numba calls.
BREAKS["kernels compiled both ways are the same"] = """
import functools
from numba.core.codegen import CPUCodeLibrary

finalize, optimize = CPUCodeLibrary.finalize, CPUCodeLibrary._optimize_final_module

def finalize_without_asking(self):
    self._optimize_final_module = functools.partial(optimize, self)
    finalize(self)

CPUCodeLibrary.finalize = finalize_without_asking
"""

BREAKS["signatures"] = """
import numba.core.typing
from numba.core.typing.context import BaseContext

BaseContext.type_of_value = BaseContext.resolve_value_type
del BaseContext.resolve_value_type
BaseContext.__getattr__ = lambda self, name: (
    self.type_of_value if name == "resolve_value_type" else object.__getattribute__(self, name)
)
"""

BREAKS["passes"] = """
import numba.core.compiler
from numba.core.untyped_passes import LiteralUnroll

LiteralUnroll._name = "unroll_literals"
"""

BREAKS["stored code"] = """
from numba.core.compiler import CompileResult

del CompileResult._reduce
"""

BREAKS["runtime"] = """
from numba.core import runtime
import numba.core.cpu

runtime.rtsys = object()
"""

BREAKS["linking"] = """
import functools
from numba.core.codegen import CPUCodeLibrary

usual = CPUCodeLibrary._get_module_for_linking
del CPUCodeLibrary._get_module_for_linking

def module_by_another_name(self, name):
    if name != "_get_module_for_linking":
        raise AttributeError(name)
    return functools.partial(usual, self)

CPUCodeLibrary.__getattr__ = module_by_another_name
"""

BREAKS["lock"] = """
from numba.core.compiler_lock import global_compiler_lock

global_compiler_lock.inner = global_compiler_lock._lock
kind = type(global_compiler_lock)
kind.acquire = lambda self: self.inner.acquire()
kind.release = lambda self: self.inner.release()
kind.is_locked = lambda self: self.inner._is_owned()
del global_compiler_lock._lock
"""
