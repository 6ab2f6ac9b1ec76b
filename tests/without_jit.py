"""What is to be done about Python where it runs the kernels."""

from contextlib import nullcontext

import numpy as np

from fastdnn.compiler.jit import JIT_ENABLED


def scalar_warnings_off():
    """Silence NumPy's scalars, which without JIT warn where compiled code does not."""
    return nullcontext() if JIT_ENABLED else np.errstate(all="ignore")
