"""Decorators of compiled functions, in processes of their own; kernels called from Python."""

import itertools
import os

import pytest
from numba.core import bytecode, types

from fastdnn.compiler.jit import kernel
from tests.processes import run_kernels, run_python

pytestmark = [pytest.mark.needs_jit, pytest.mark.waits_for_processes]


def test_importing_the_package_compiles_nothing(tmp_path):
    done = run_python("import fastdnn, fastdnn.textbook", tmp_path, "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


CALL_KERNEL = """
import numba
from fastdnn.ops.activations import relu

@numba.njit
def caller(z):
    return relu(z)

if {compiled_first}:
    assert caller(2.0) == 2.0
try:
    relu(2.0)
except TypeError as error:
    print(error)
assert caller(-2.0) == 0.0
"""


@pytest.mark.parametrize("compiled_first", [False, True])
def test_kernel_called_from_python_is_a_type_error(compiled_first, tmp_path):
    said = run_kernels(CALL_KERNEL.format(compiled_first=compiled_first), tmp_path)
    assert "compiled code only" in said


KERNEL_THAT_MAKES_AN_ARRAY = """
import numpy as np
from fastdnn.compiler.jit import entry_point, kernel

@kernel
def make(n):
    return np.zeros(n)

@entry_point
def caller(n):
    return make(n).size

try:
    caller(3)
except TypeError as error:
    print(error)
"""


def test_kernels_that_make_arrays_are_refused(tmp_path):
    said = run_kernels(KERNEL_THAT_MAKES_AN_ARRAY, tmp_path)
    assert "the kernel make makes an array or another object" in said


KERNEL_THAT_RETURNS_ITS_ARGUMENT = """
import numpy as np
from fastdnn.compiler.jit import entry_point, kernel

@kernel
def first_row(A):
    return A[:1]

@entry_point
def made(n, value):
    return first_row(np.full((1, n), value))

kept = []
for value in range(50):
    kept.append(made(100, float(value)))
    made(100, -1.0)  # would take the memory, were it free
print([row[0, 0] for row in kept] == list(range(50)))
"""


def test_an_array_that_goes_through_a_kernel_keeps_its_memory(tmp_path):
    assert run_kernels(KERNEL_THAT_RETURNS_ITS_ARGUMENT, tmp_path) == "True\n"


KERNELS_WITH_CONSTANTS = """
import numpy as np
from fastdnn.compiler.jit import entry_point, kernel
from fastdnn.machine.views import vector

@kernel
def larger(x, limit):
    return max(x, limit)

@kernel
def part(A, start):
    return vector(A, start, 1)[0]

@entry_point
def caller(A, start):
    return larger(3, 5), larger(7, 5), larger(A.size, 5), part(A, 0) + part(A, start)

print(caller(np.arange(4.0), 2), len(larger.overloads), len(part.overloads))
"""


def test_constants_make_no_kernels_of_their_own(tmp_path):
    assert run_kernels(KERNELS_WITH_CONSTANTS, tmp_path) == "(5, 7, 5, 2.0) 1 1\n"


NUMBA_BESIDE_KERNELS = """
import operator
import numba
import numpy as np
from numba import types
from numba.core.registry import cpu_target
from fastdnn.textbook import relu

relu(np.array([-1.0, 2.0]))
known = cpu_target.typing_context.resolve_value_type(operator.add)

@numba.njit
def add(a, b, n):
    return np.full(n, max(a, b)) + int(b)

print(type(known) is types.Function, add(1.0, 2.5, 2))
"""


def test_numba_itself_stays_as_it_was(tmp_path):
    assert run_kernels(NUMBA_BESIDE_KERNELS, tmp_path) == "True [4.5 4.5]\n"


KERNEL_WITH_A_TYPE_ERROR = """
import numba
from fastdnn.compiler.jit import entry_point, kernel

@kernel
def mixed(x):
    return x + "a"

@entry_point
def caller(x):
    return mixed(x)

for _ in range(2):
    try:
        caller(1.0)
    except numba.TypingError as error:
        print("add" in str(error), "mixed" in str(error))
"""


def test_type_errors_in_kernels_are_said_every_time(tmp_path):
    assert run_kernels(KERNEL_WITH_A_TYPE_ERROR, tmp_path) == "True True\nTrue True\n"


FORK_DURING_A_COMPILATION = """
import gc, os, threading, warnings
import numpy as np
from fastdnn.compiler.stopping import Compilation
from fastdnn.textbook import relu, sigmoid

warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside other threads
inside, leave = threading.Event(), threading.Event()

def compile_for_long():
    inside.set()
    leave.wait()

def another():
    with Compilation():
        assert not gc.isenabled()
        compile_for_long()

thread = threading.Thread(target=another)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    assert gc.isenabled()
    relu(np.ones(1))
    os._exit(17)
leave.set()
thread.join()
assert gc.isenabled()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), sigmoid(np.zeros(1)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_while_another_thread_compiles_can_compile(tmp_path):
    assert run_kernels(FORK_DURING_A_COMPILATION, tmp_path) == "17 [0.5]\n"


@pytest.mark.needs_jit
def test_closures_compiled_by_several_processes_have_names_of_their_own(monkeypatch):
    """By the same name LLVM takes one for the other where their code is loaded together."""

    def in_a_new_process(term):
        monkeypatch.setattr(bytecode.FunctionIdentity, "_unique_ids", itertools.count(1))
        add = kernel(lambda x: x + term)
        add.compile((types.float64,))
        [compiled] = add.overloads.values()
        return compiled.fndesc.mangled_name

    assert in_a_new_process(1.0) != in_a_new_process(2.0)
