"""Which rows a pilot is trained on and validated on."""

import numpy as np
import pytest
from numpy.random import RandomState
from sklearn.model_selection import KFold, PredefinedSplit, train_test_split

from fastdnn.tables import splits
from fastdnn.tables.splits import split_by


def split(validation, y, seed=0):
    """Split rows of classes; check that it is a split."""
    rows, held_out = split_by(
        validation, lambda: np.zeros((len(y), 1)), y, y, RandomState(seed)
    )
    assert len(np.unique(np.r_[rows, held_out])) == len(rows) + len(held_out) == len(y)
    return rows, held_out


@pytest.mark.parametrize(("validation", "n_held_out"), [(0.2, 20), (0.25, 25), (7, 7)])
def test_a_share_or_a_number_of_rows_is_held_out(validation, n_held_out):
    y = np.arange(100) % 3
    rows, held_out = split(validation, y)
    assert len(held_out) == n_held_out
    shares = [np.bincount(y[part]) / len(part) for part in (rows, held_out)]
    np.testing.assert_allclose(*shares, atol=0.15)


def test_it_is_the_split_of_scikit_learn():
    y = np.arange(60) % 3
    expected = train_test_split(
        np.arange(60), test_size=0.2, random_state=RandomState(5), stratify=y
    )
    for ours, theirs in zip(split(0.2, y, 5), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "y",
    [
        np.r_[np.zeros(50, int), 1],
        np.r_[np.zeros(50, int), np.arange(1, 30)],
        np.repeat(np.arange(300), 2),
        np.arange(1000) % 400,
        np.r_[np.zeros(95, int), np.ones(3, int), np.full(2, 2)],
    ],
    ids=["one of one", "many of one", "pairs", "few of many", "rare"],
)
@pytest.mark.parametrize("seed", range(3))
def test_classes_that_are_validated_were_trained_on(y, seed):
    rows, held_out = split(0.2, y, seed)
    assert set(y[held_out]) <= set(y[rows])
    assert len(held_out) > 0.1 * len(y)


def test_classes_of_one_row_each_are_split_all_the_same():
    rows, held_out = split(0.2, np.arange(50))
    assert (len(rows), len(held_out)) == (40, 10)


def test_of_very_many_rows_and_classes_fewer_are_held_out(monkeypatch):
    """There is an array of as many probabilities after each cycle."""
    monkeypatch.setattr(splits, "_MOST_PROBABILITIES", 500)
    y = np.arange(1000) % 50
    rows, held_out = split(0.2, y)
    assert (len(rows), len(held_out)) == (990, 10)
    assert len(split(200, y)[1]) == 200  # which was asked for


def test_of_a_regression_any_rows_are_held_out():
    y = np.linspace(0.0, 1.0, 50)
    rows, held_out = split_by(0.1, None, y, None, RandomState(0))
    assert (len(rows), len(held_out)) == (45, 5)


@pytest.mark.parametrize(
    "splitter",
    [
        PredefinedSplit([-1] * 6 + [0] * 4),
        [(np.arange(6), np.arange(6, 10))],
        [(np.arange(10) < 6, np.arange(10) >= 6)],
        iter([(list(range(6)), [6, 7, 8, 9]), ([0], [1])]),
    ],
    ids=["splitter", "pair", "masks", "iterator"],
)
def test_a_split_can_be_given(splitter):
    y = np.zeros(10, int)
    rows, held_out = split_by(splitter, lambda: np.zeros((10, 1)), y, y, RandomState(0))
    assert rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert held_out.tolist() == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (10, "validation=10 holds out 10 samples, but X has 10"),
        (0.999, "holds out 10 samples, but X has 10"),
        (KFold(20), "validation=KFold.* cannot split X and y"),
        ([], "validation=.* must give pairs of arrays"),
        ([([0, 1], [1, 2])], "both to train on and to hold out"),
        ([([0, 1], [10])], "gives rows from 10 to 10"),
        ([([0, 1], [])], "holds out no rows"),
        ([([], [1])], "leaves no rows to train on"),
    ],
)
def test_what_splits_nothing_is_refused(validation, message):
    y = np.arange(10) % 2
    with pytest.raises(ValueError, match=message):
        split_by(validation, lambda: np.zeros((10, 1)), y, y, RandomState(0))
