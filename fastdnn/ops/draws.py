"""Random bits that are a function of where they are used: no state, and the same everywhere.

A draw is known by a seed, the step of training, a stream (what it is for), the row of the
batch and the column. So the backward pass can draw again what the forward pass has drawn, and
no bit depends on who draws first.

The words are mixed as C. Wellons does (``hash-prospector``, the function of two rounds with
the least bias), the key of a row going in between the rounds. Vectors of 32-bit words do that
in about ten instructions.
"""

import numpy as np

from fastdnn.compiler.jit import kernel

_WORD, _MASK = np.uint32(32), np.uint64(0xFFFFFFFF)
_FIRST, _SECOND = np.uint32(0x21F0AAAD), np.uint32(0xD35A2D97)
# The fractions of the golden ratio and of the root of 3.
_GOLDEN, _OTHER = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)

#: What draws are for: noise of the input, dropout of the input, and of each hidden layer.
INPUT_NOISE, INPUT_DROPOUT, HIDDEN_DROPOUT = range(3)


@kernel
def _product(x, y):
    """Return the lower half of a product of words."""
    return np.uint32(np.uint64(x) * np.uint64(y) & _MASK)


@kernel
def _total(x, y):
    """Return a sum of words without what goes beyond one."""
    return np.uint32(np.uint64(x) + np.uint64(y) & _MASK)


@kernel
def _mixed(x, key):
    """Return a word each bit of which depends on every one of `x` and of `key`."""
    x = np.uint32(x ^ (x >> np.uint32(16)))
    x = _product(x, _FIRST)
    x = np.uint32(x ^ (x >> np.uint32(15)) ^ key)
    x = _product(x, _SECOND)
    return np.uint32(x ^ (x >> np.uint32(15)))


@kernel
def _mixed_into(keys, number):
    """Return a pair of words into which an integer, not negative, is mixed."""
    first, second = keys
    for half in range(2):
        word = np.uint32((number >> (32 * half)) & 0xFFFFFFFF)
        first, second = (
            _mixed(_total(first, word), second),
            _mixed(np.uint32(second ^ word), first),
        )
    return first, second


@kernel
def keys_of(draw):
    """Return the keys of what is drawn, a pair of words.

    `draw` are the seed, the step, the stream, and the row that the first one is of the batch.
    """
    keys = _mixed_into((_GOLDEN, _OTHER), draw[0])
    return _mixed_into(_mixed_into(keys, draw[1]), draw[2])


@kernel
def keys_of_row(keys, row):
    """Return the keys of a row of the batch."""
    return _mixed_into(keys, row)


@kernel
def bits(keys, column):
    """Return 32 random bits for a column."""
    word = np.uint32(column)
    return _mixed(_total(_product(word, _GOLDEN), keys[0]), keys[1])
