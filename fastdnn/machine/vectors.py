"""Loops over whole vectors: to copy, clear, add up and multiply them.

Each writes as many elements as `out` has, which no other operand shares with it unless it is
the same vector.
"""

from fastdnn.compiler.jit import loop_kernel
from fastdnn.machine.arithmetic import multiply_add


@loop_kernel
def copy(x, out):
    """Write x."""
    for j in range(out.size):
        out[j] = x[j]


@loop_kernel
def clear(out):
    """Write zeros."""
    for j in range(out.size):
        out[j] = 0


@loop_kernel
def add(x, out):
    """Add x to what is there."""
    for j in range(out.size):
        out[j] += x[j]


@loop_kernel
def write_sum(x, y, out):
    """Write x + y."""
    for j in range(out.size):
        out[j] = x[j] + y[j]


@loop_kernel
def add_multiple(factor, x, out):
    """Add a multiple of x to what is there, as `multiply_add` rounds."""
    for j in range(out.size):
        out[j] = multiply_add(factor, x[j], out[j])


@loop_kernel
def write_multiple(factor, x, out):
    """Write a multiple of x."""
    for j in range(out.size):
        out[j] = factor * x[j]
