"""Shuffling a vector of positions with a `RandomState`, in compiled code where it can be."""

import ctypes
import functools

import numpy as np

from fastdnn._jit import JIT_ENABLED
from fastdnn.kernels.shuffle import N_KEYS, shuffle


def shuffle_like_numpy(random_state: np.random.RandomState, order: np.ndarray) -> None:
    """Do what ``random_state.shuffle(order)`` does, with the same draws.

    Parameters
    ----------
    random_state : RandomState
        Advanced as NumPy would advance it.
    order : ndarray of int64 of shape (n,)
        C-contiguous; shuffled in place.
    """
    generator = random_state._bit_generator
    if not _can_be_compiled(type(generator)) or order.size > 2**32:
        random_state.shuffle(order)
        return
    with generator.lock:
        shuffle(generator.ctypes.state_address, order)


@functools.cache
def _can_be_compiled(kind: type) -> bool:
    """Whether bit generators of a type are Mersenne Twisters that lie as we expect."""
    if not JIT_ENABLED or kind is not np.random.MT19937:
        return False
    generator = np.random.MT19937(0)
    generator.random_raw(3)
    state = generator.state["state"]
    memory = (ctypes.c_uint32 * (N_KEYS + 1)).from_address(generator.ctypes.state_address)
    return list(memory) == [*state["key"], state["pos"]]
