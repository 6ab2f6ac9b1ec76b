"""Shuffling in compiled code against NumPy's own."""

import numpy as np
import pytest

from fastdnn import _shuffle
from fastdnn._jit import JIT_ENABLED
from fastdnn._shuffle import shuffle_like_numpy
from fastdnn.kernels.shuffle import N_KEYS, shuffle

SIZES = [0, 1, 2, 3, 4, 5, 8, 9, 255, 256, 257, N_KEYS, 1797]


@pytest.mark.parametrize("n", SIZES)
def test_every_draw_is_numpys(n):
    numpys, ours = np.random.RandomState(n), np.random.RandomState(n)
    for _ in range(3):
        expected, order = np.arange(n), np.arange(n)
        numpys.shuffle(expected)
        shuffle_like_numpy(ours, order)
        np.testing.assert_array_equal(order, expected)
    np.testing.assert_array_equal(ours.bytes(64), numpys.bytes(64))


@pytest.mark.parametrize("n", [2, 700])
def test_the_kernel_draws_like_numpy_with_and_without_jit(n):
    numpys, generator = np.random.RandomState(5), np.random.MT19937()
    generator.state = numpys.get_state(legacy=False)
    expected, order = np.arange(n), np.arange(n)
    numpys.shuffle(expected)
    shuffle(generator.ctypes.state_address, order)
    np.testing.assert_array_equal(order, expected)
    assert generator.random_raw() == int(numpys.randint(2**32, dtype=np.uint32))


def test_other_bit_generators_shuffle_by_numpy():
    numpys, ours = (np.random.RandomState(np.random.PCG64(1)) for _ in range(2))
    expected, order = np.arange(50), np.arange(50)
    numpys.shuffle(expected)
    shuffle_like_numpy(ours, order)
    np.testing.assert_array_equal(order, expected)


def test_numpys_mersenne_twister_lies_as_expected():
    assert _shuffle._can_be_compiled(np.random.MT19937) == JIT_ENABLED
    assert not _shuffle._can_be_compiled(np.random.PCG64)
