"""Classes among labels of every kind, and labels that do not agree with them."""

import numpy as np
import pytest

from fastdnn.estimators.labels import (
    find_classes,
    positions_of,
    require_known_classes,
    require_same_classes,
)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([3, 1, 1, 3, 3, 1]), [1, 3]),
        (np.array([True, False, True, False]), [False, True]),
        (np.array(["b", "a", "b", "a"]), ["a", "b"]),
        (np.array(["b", "a", "b", "a"], dtype=object), ["a", "b"]),
        (np.array([2.0, 0.0, 2.0]), [0.0, 2.0]),
        ([5, 4, 5], [4, 5]),
        (np.array([[2], [1]]), [1, 2]),
    ],
)
def test_classes_are_sorted(y, classes):
    found, multilabel = find_classes(y)
    assert found.tolist() == classes
    assert not multilabel


@pytest.mark.parametrize(
    "y",
    [
        np.array([-128, 127, 127, -128] * 100, dtype=np.int8),
        np.array([3, 9, 3, 4] * 10, dtype=np.uint16),
        np.array([2**64 - 1, 2**64 - 3, 2**64 - 1, 2**64 - 3], dtype=np.uint64),
        np.array([-(2**63), 2**63 - 1, 2**63 - 1, -(2**63)]),
        np.array([-(2**63), -(2**63) + 1] * 3),
        np.array([2**63 - 1, 2**63 - 2] * 3),
        np.array([5, 10**12, 5, 10**12]),
        np.array([True, False, True, True]),
        np.array(["b", "a", "b", "a"]),
    ],
    ids=str,
)
def test_classes_and_positions_are_those_of_numpy(y):
    classes, positions = np.unique(y, return_inverse=True)
    found, _ = find_classes(y)
    np.testing.assert_array_equal(found, classes, strict=True)
    np.testing.assert_array_equal(positions_of(y, found), positions)


def test_a_matrix_of_labels_has_its_columns_as_classes():
    found, multilabel = find_classes(np.array([[0, 1, 1], [1, 0, 1]]))
    assert found.tolist() == [0, 1, 2]
    assert multilabel


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([0.5, 1.25, 3.0]), "Unknown label type"),
        (np.array([[1, 2], [3, 1]]), "Multioutput target data is not supported"),
    ],
)
def test_what_is_not_made_of_classes_raises(y, message):
    with pytest.raises(ValueError, match=message):
        find_classes(y)


def test_a_warm_start_needs_the_same_classes():
    classes = np.array([1, 2])
    require_same_classes(np.array([2, 1, 2]), classes)
    for y in ([1, 1], [1, 2, 3]):
        with pytest.raises(ValueError, match="warm_start can only be used"):
            require_same_classes(np.array(y), classes)


def test_later_samples_need_known_classes():
    classes = np.array([1, 2, 5])
    require_known_classes(np.array([5, 1]), classes)
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
        require_known_classes(np.array([5, 4]), classes)
