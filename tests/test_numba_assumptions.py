"""What of numba's inside fastdnn relies on: one row, and one case, for each assumption.

numba promises none of this, which is why `pyproject.toml` names the first version that was
not tried. To support a new one, run this module with it: a case that fails says what has
changed and where that matters.
"""

import ast
import copy
import inspect
import pickle
from pathlib import Path

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba import _dynfunc
from numba.core import cgutils, compiler, config, serialize, sigutils, types, typing
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.core.typed_passes import AnnotateTypes, NativeLowering
from numba.core.types.containers import Tuple
from numba.core.types.misc import unliteral
from numba.extending import overload

from fastdnn import _cache, _jit, _kernel_compiler

pytestmark = pytest.mark.needs_jit

PACKAGE = Path(_jit.__file__).parent
COMPILER, JIT, CACHE = "_kernel_compiler.py", "_jit.py", "_cache.py"
KERNELS = "kernels/"

#: The rows: what is assumed, the files that rely on it, the check.
ASSUMPTIONS = []


def assume(what, *files):
    """Add a row, of which the decorated function is the check."""

    def add(check):
        ASSUMPTIONS.append(pytest.param(what, files, check, id=check.__name__))
        return check

    return add


@pytest.mark.parametrize(("what", "files", "check"), ASSUMPTIONS)
def _placeholder():
    pass
