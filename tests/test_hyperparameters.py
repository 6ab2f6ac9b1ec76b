"""Hidden layers and batch sizes as users give them."""

import numpy as np
import pytest

from fastdnn._hyperparameters import hidden_units, rows_of_batch


@pytest.mark.parametrize(
    ("sizes", "units"),
    [(3, [3]), ((4, 2), [4, 2]), ([], []), (np.array([5, 6]), [5, 6]), (np.int64(7), [7])],
)
def test_hidden_layers_are_given_in_many_ways(sizes, units):
    found = hidden_units(sizes)
    assert found == units
    assert all(type(size) is int for size in found)


@pytest.mark.parametrize("sizes", [0, (3, -1), (2.5,), ("4",)])
def test_hidden_layers_have_units(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0, got"):
        hidden_units(sizes)


@pytest.mark.parametrize(
    ("batch_size", "n_rows", "rows"), [("auto", 50, 50), ("auto", 900, 200), (7, 9, 7)]
)
def test_a_batch_has_at_most_all_rows(batch_size, n_rows, rows):
    assert rows_of_batch(batch_size, n_rows) == rows


def test_a_batch_that_is_too_large_is_clipped_with_a_warning():
    with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger"):
        assert rows_of_batch(10, 9) == 9
