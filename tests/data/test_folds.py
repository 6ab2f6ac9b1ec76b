"""Rows that are dealt out to folds."""

import numpy as np
import pytest

from fastdnn.data.folds import deal_out, others_than


@pytest.mark.parametrize(("n_rows", "n_folds"), [(2, 2), (10, 3), (101, 7)])
def test_each_row_is_in_one_fold_and_folds_are_equally_large(n_rows, n_folds):
    folds = deal_out(n_rows, n_folds, np.random.RandomState(0))
    assert sorted(np.concatenate(folds)) == list(range(n_rows))
    sizes = [len(fold) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    for fold in folds:
        assert (np.diff(fold) > 0).all()
        others = others_than(fold, n_rows)
        assert sorted([*fold, *others]) == list(range(n_rows))


@pytest.mark.parametrize("seed", range(5))
def test_folds_have_as_many_of_each_class(seed):
    """Also of classes with fewer rows than there are folds."""
    positions = np.repeat([0, 1, 2, 3], [40, 33, 3, 1])
    folds = deal_out(77, 5, np.random.RandomState(seed), positions)
    sizes = [len(fold) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    for c in range(4):
        counts = [int((positions[fold] == c).sum()) for fold in folds]
        assert max(counts) - min(counts) <= 1
        assert sum(counts) == (positions == c).sum()


def test_folds_are_drawn():
    folds = [deal_out(50, 2, np.random.RandomState(seed))[0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(folds[0], folds[1])
    assert not np.array_equal(folds[0], folds[2])
    assert np.corrcoef(folds[0], np.arange(25))[0, 1] < 1.0


def test_more_folds_than_rows_are_refused():
    with pytest.raises(
        ValueError, match=r"n_members=4 .*'folds'.*n_samples=3.*Lower n_members"
    ):
        deal_out(3, 4, np.random.RandomState(0))
