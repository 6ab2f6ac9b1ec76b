"""Shuffling as NumPy's `RandomState` does, draw for draw, in a third of the time.

Sources: M. Matsumoto and T. Nishimura, Mersenne Twister (ACM Transactions on Modeling and
Computer Simulation 8, 1998); NumPy's ``RandomState.shuffle``, which goes through the
positions from the last to the second and draws each one's partner by rejection.
"""

import numpy as np

from fastdnn.compiler.jit import entry_point, kernel, loop_kernel
from fastdnn.machine.views import vector, vector_at

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


@loop_kernel
def _temper(keys, position, draws):
    """Write the random numbers that the keys from `position` on stand for into `draws`."""
    for k in range(draws.size):
        y = np.int64(keys[position + k])
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        draws[k] = y ^ (y >> 18)


@kernel
def _shuffle(memory, order, draws, first, last):
    """Shuffle the positions from `first` down to after `last`, not negative, of one order."""
    position = np.int64(memory[N_KEYS])
    i = first
    mask = 0
    while mask < i:
        mask = 2 * mask + 1
    while i > last:
        if position == N_KEYS:
            _generate(memory)
            position = np.int64(0)
        n_draws = N_KEYS - position
        _temper(memory, position, vector(draws, 0, n_draws))
        k = 0
        while k < n_draws and i > last:
            half = mask >> 1
            lowest = max(half, last)
            while k < n_draws and i > lowest:
                j = draws[np.uint64(k)] & mask
                is_accepted = int(j <= i)
                # A rejected draw swaps an element with itself: no branch to mispredict.
                j = j if j <= i else i
                a, b = np.uint64(i), np.uint64(j)
                order[a], order[b] = order[b], order[a]
                i -= is_accepted
                k += 1
            if i == half:
                mask = half
        position += k
    memory[N_KEYS] = np.uint32(position)


@entry_point
def shuffle_epochs(state, epochs, latest, n_epochs, draws, first, last):
    """Write the orders of the next epochs into the first rows of `epochs`, int64.

    Each is the one before it, shuffled; the one before the first is in row `latest`. They
    have at most 2**32 elements. Their positions from `first` down to after `last` are
    shuffled: from the highest to 0, or a part of that by one call after the other. At address
    `state` lies a Mersenne Twister: its 624 keys and the position of the next one, all as
    uint32. `draws` is scratch for `N_KEYS` int64.
    """
    memory = vector_at(np.uint32(0), state, 0, N_KEYS + 1)
    n_rows = epochs.shape[1]
    for epoch in range(n_epochs):
        order = vector(epochs, epoch * n_rows, n_rows)
        if epoch != latest:
            before = vector(epochs, latest * n_rows, n_rows)
            for i in range(n_rows):
                order[i] = before[i]
        _shuffle(memory, order, draws, first, last)
        latest = epoch
