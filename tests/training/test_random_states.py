"""Random states and shuffling against NumPy's own."""

import numpy as np
import pytest
from sklearn.utils import check_random_state

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.ops.shuffle import N_KEYS, shuffle_epochs
from fastdnn.training import random_states
from fastdnn.training.random_states import random_state_of, shuffle_epochs_like_numpy

SIZES = [0, 1, 2, 3, 4, 5, 8, 9, 255, 256, 257, N_KEYS, 1797]


@pytest.mark.parametrize("latest", [0, 2])
@pytest.mark.parametrize("n", SIZES)
def test_every_draw_is_numpys(n, latest):
    numpys, ours = np.random.RandomState(n), np.random.RandomState(n)
    epochs = np.arange(4 * n).reshape(4, n)
    expected = epochs[latest].copy()
    last = epochs[3].copy()
    shuffle_epochs_like_numpy(ours, epochs, latest, 3)
    for epoch in epochs[:3]:
        numpys.shuffle(expected)
        np.testing.assert_array_equal(epoch, expected)
    np.testing.assert_array_equal(epochs[3], last)
    np.testing.assert_array_equal(ours.bytes(64), numpys.bytes(64))


@pytest.mark.parametrize("most", [1, 7, 255, 256, 700])
@pytest.mark.parametrize("n", [256, 700, 1797])
def test_long_orders_are_shuffled_in_parts(monkeypatch, n, most):
    monkeypatch.setattr(random_states, "_MOST_POSITIONS", most)
    calls, compiled = [], random_states.shuffle_epochs
    monkeypatch.setattr(
        random_states,
        "shuffle_epochs",
        lambda *args: calls.append(args[-2:]) or compiled(*args),
    )
    test_every_draw_is_numpys(n, 2)
    if JIT_ENABLED:  # else NumPy shuffles
        assert len(calls) == (3 * -(-(n - 1) // most) if n - 1 > most else 1)


@pytest.mark.parametrize("n", [2, 700])
def test_the_kernel_draws_like_numpy_with_and_without_jit(n):
    numpys, generator = np.random.RandomState(5), np.random.MT19937()
    generator.state = numpys.get_state(legacy=False)
    expected, epochs = np.arange(n), np.arange(n).reshape(1, n)
    numpys.shuffle(expected)
    scratch = np.empty(N_KEYS, np.int64)
    shuffle_epochs(generator.ctypes.state_address, epochs, 0, 1, scratch, n - 1, 0)
    np.testing.assert_array_equal(epochs[0], expected)
    assert generator.random_raw() == int(numpys.randint(2**32, dtype=np.uint32))


def test_other_bit_generators_shuffle_by_numpy():
    numpys, ours = (np.random.RandomState(np.random.PCG64(1)) for _ in range(2))
    expected, epochs = np.arange(50), np.arange(100).reshape(2, 50)
    shuffle_epochs_like_numpy(ours, epochs, 0, 2)
    for epoch in epochs:
        numpys.shuffle(expected)
        np.testing.assert_array_equal(epoch, expected)


def test_numpys_mersenne_twister_lies_as_expected():
    assert random_states._can_be_compiled(np.random.MT19937) == JIT_ENABLED
    assert not random_states._can_be_compiled(np.random.PCG64)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, np.int64(7), np.uint8(200)])
def test_seeds_give_the_numbers_of_scikit_learn(seed):
    ours, numpys = random_state_of(seed), check_random_state(seed)
    np.testing.assert_array_equal(
        ours.randint(2**31, size=700), numpys.randint(2**31, size=700)
    )
    np.testing.assert_array_equal(ours.standard_normal(5), numpys.standard_normal(5))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range_have_numpys_message(seed):
    with pytest.raises(ValueError, match="Seed must be between 0 and"):
        random_state_of(seed)


def test_random_states_are_used_as_they_are():
    random_state = np.random.RandomState(0)
    assert random_state_of(random_state) is random_state
    assert random_state_of(None) is check_random_state(None)
