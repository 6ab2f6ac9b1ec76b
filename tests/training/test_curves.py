"""Lists that only grow and share what they have in common."""

import copy
import pickle
import threading

import pytest

from fastdnn.training.curves import Curve


def test_a_curve_is_read_like_a_list():
    curve = Curve([1.0, 2.0])
    curve.extend([])
    curve.extend([3.0])
    assert list(curve) == [1.0, 2.0, 3.0] and len(curve) == 3
    assert curve[0] == 1.0 and curve[-1] == 3.0 and curve[1:] == [2.0, 3.0]
    assert curve == [1.0, 2.0, 3.0] and curve == Curve([1.0, 2.0, 3.0])
    assert curve != [1.0, 2.0] and curve != 3.0
    with pytest.raises(IndexError):
        curve[3]


def test_copies_go_on_by_themselves():
    first = Curve([1.0, 2.0])
    second, third = first.copy(), first.copy()
    second.append(3.0)
    third.extend([4.0, 4.5])
    first.append(5.0)
    third.append(6.0)
    assert first == [1.0, 2.0, 5.0]
    assert second == [1.0, 2.0, 3.0]
    assert third == [1.0, 2.0, 4.0, 4.5, 6.0]


def test_a_copy_shares_memory_until_two_go_on():
    first = Curve([1.0, 2.0])
    second = first.copy()
    second.append(3.0)
    assert second._items is first._items
    assert first == [1.0, 2.0]
    first.append(4.0)
    assert second._items is not first._items


def test_what_is_cut_away_is_not_seen_again():
    first = Curve([1.0, 2.0, 3.0])
    second = first.copy()
    first.cut(1)
    assert first == [1.0] and second == [1.0, 2.0, 3.0]
    first.append(9.0)
    assert first == [1.0, 9.0] and second == [1.0, 2.0, 3.0]
    second.append(8.0)
    assert second == [1.0, 2.0, 3.0, 8.0]
    first.cut(5)
    assert first == [1.0, 9.0]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_copies_of_every_kind_are_equal_and_go_on_by_themselves(again):
    curve = Curve([1.0])
    curve.copy().append(2.0)  # of another one that shares the memory
    other = again(curve)
    assert other == [1.0]
    other.append(3.0)
    assert curve == [1.0] and other == [1.0, 3.0]


def test_threads_that_go_on_from_one_curve_do_not_mix():
    start = Curve([0.0])
    copies = [start.copy() for _ in range(4)]

    def grow(k):
        for i in range(2000):
            copies[k].append((k, i))

    threads = [threading.Thread(target=grow, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, curve in enumerate(copies):
        assert curve == [0.0, *((k, i) for i in range(2000))]
    assert start == [0.0]
