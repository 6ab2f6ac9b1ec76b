"""The orders of epochs: as NumPy shuffles, however many are made at a time."""

import numpy as np
import pytest

from fastdnn.data.samples import Samples
from fastdnn.training.order import VisitOrder

X = np.zeros((50, 2))


@pytest.mark.parametrize("rows", [None, np.arange(3, 33)], ids=["all", "chosen"])
@pytest.mark.parametrize("together", [1, 2, 5])
def test_orders_are_numpys_one_shuffle_after_the_other(rows, together):
    samples = Samples(X, rows=rows)
    order = VisitOrder(samples, np.random.RandomState(3), together)
    assert order.positions.size == together * samples.n_rows
    random_state, expected = np.random.RandomState(3), np.arange(samples.n_rows)
    for n_epochs in (together, 1, 0, together):
        order.prepare(n_epochs)
        for epoch in order.positions.reshape(-1, samples.n_rows)[:n_epochs]:
            random_state.shuffle(expected)
            np.testing.assert_array_equal(epoch, expected if rows is None else rows[expected])


def test_rows_keep_their_order_without_a_random_state():
    rows = np.array([4, 2, 9])
    for samples, expected in [(Samples(X), []), (Samples(X, rows=rows), rows)]:
        order = VisitOrder(samples, None, 10)
        order.prepare(1)
        np.testing.assert_array_equal(order.positions, expected)


@pytest.mark.parametrize(("n_rows", "expected"), [(1000, 131), (70_000, 1), (200_000, 1)])
def test_no_more_than_a_mebibyte_is_made_in_advance(n_rows, expected):
    order = VisitOrder(Samples(np.zeros((n_rows, 1))), np.random.RandomState(0), 200)
    assert order.positions.size == expected * n_rows


@pytest.mark.parametrize("rows", [None, np.arange(3, 33)], ids=["all", "chosen"])
@pytest.mark.parametrize("together", [1, 3])
def test_an_order_goes_on_from_the_latest_of_another(rows, together):
    samples, random_state = Samples(X, rows=rows), np.random.RandomState(3)
    first = VisitOrder(samples, random_state, together)
    first.prepare(together)
    then = VisitOrder(samples, random_state, together, before=first.latest())
    then.prepare(1)
    at_once = VisitOrder(samples, np.random.RandomState(3), together)
    at_once.prepare(together)
    at_once.prepare(1)
    np.testing.assert_array_equal(then.latest(), at_once.latest())
    assert not np.shares_memory(then.latest(), then.positions)


def test_the_latest_order_of_rows_that_are_not_shuffled():
    rows = np.array([4, 2, 9])
    for samples, expected in [(Samples(X), np.arange(50)), (Samples(X, rows=rows), rows)]:
        np.testing.assert_array_equal(VisitOrder(samples, None, 10).latest(), expected)
