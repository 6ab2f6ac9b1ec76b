"""Logarithms of probabilities, which may be 0 or less than a normal number."""

from fastdnn._jit import entry_point
from fastdnn.kernels import elementary
from fastdnn.kernels.views import vector


@entry_point
def take_logarithms(P):
    """Overwrite a C-contiguous matrix of probabilities with their logarithms."""
    p = vector(P, 0, P.size)
    for i in range(p.size):
        p[i] = elementary.log_of_any(p[i])
