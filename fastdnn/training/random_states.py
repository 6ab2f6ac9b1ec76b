"""NumPy's `RandomState` in less time: making one from a seed, and shuffling with it."""

import ctypes
import functools
from numbers import Integral
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from sklearn.utils import check_random_state

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.ops.shuffle import N_KEYS, shuffle_epochs

# Positions that are shuffled from one moment for interrupts to the next.
_MOST_POSITIONS = 2**23


class _NoSeed(ISeedSequence):
    """Saves the quarter of a millisecond in which NumPy mixes a seed that is not used."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        return np.ones(n_words, dtype)


def random_state_of(seed: Any) -> np.random.RandomState:
    """Do what scikit-learn's `check_random_state` does, with the same numbers to draw.

    Parameters
    ----------
    seed : int, RandomState or None
        The parameter ``random_state``.

    Returns
    -------
    RandomState
    """
    if not isinstance(seed, Integral):
        return check_random_state(seed)
    # NumPy's type stubs do not know that any ISeedSequence will do.
    random_state = np.random.RandomState(np.random.MT19937(_NoSeed()))  # type: ignore[arg-type]
    random_state.seed(int(seed))
    return random_state


def shuffle_epochs_like_numpy(
    random_state: np.random.RandomState, epochs: np.ndarray, latest: int, n_epochs: int
) -> None:
    """Do for each epoch what ``random_state.shuffle(order)`` does, with the same draws.

    Parameters
    ----------
    random_state : RandomState
        Advanced as NumPy would advance it.
    epochs : ndarray of int64 of shape (most_epochs, n)
        C-contiguous; the first `n_epochs` rows are written, each the one before it shuffled.
    latest : int
        The row that the first of them is shuffled from.
    n_epochs : int
        How many.
    """
    generator = random_state._bit_generator
    if not _can_be_compiled(type(generator)) or epochs.shape[1] > 2**32:
        for epoch in range(n_epochs):
            epochs[epoch] = epochs[latest]
            random_state.shuffle(epochs[epoch])
            latest = epoch
        return
    address, draws = generator.ctypes.state_address, np.empty(N_KEYS, np.int64)
    first = epochs.shape[1] - 1
    if first <= _MOST_POSITIONS:
        with generator.lock:
            shuffle_epochs(address, epochs, latest, n_epochs, draws, first, 0)
        return
    for epoch in range(n_epochs):
        order = epochs[epoch : epoch + 1]
        if epoch != latest:
            order[0] = epochs[latest]
        latest = epoch
        for part in range(first, 0, -_MOST_POSITIONS):
            last = max(0, part - _MOST_POSITIONS)
            with generator.lock:
                shuffle_epochs(address, order, 0, 1, draws, part, last)


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
