"""Where rungs lie."""

import numpy as np
import pytest

from fastdnn import DNNClassifier
from fastdnn.models.hyperparameters import training_options
from fastdnn.search.rungs import annealed_epochs, at_annealed, depends_on_horizon


def options_of(**params):
    return training_options(DNNClassifier(**params))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, False),
        ({"learning_rate": "plateau"}, False),
        ({"solver": "sgd", "learning_rate": "invscaling"}, False),
        ({"learning_rate": "cosine"}, True),
        ({"learning_rate": np.cos}, True),
        ({"learning_rate_warmup": 0.1}, True),
        ({"swa_start": 0.5}, True),
    ],
    ids=str,
)
def test_which_schedules_depend_on_the_end(params, expected):
    assert depends_on_horizon(options_of(**params)) is expected


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "exponential", "steps"])
def test_schedules_that_fall_are_annealed_at_the_end(name):
    assert annealed_epochs(options_of(learning_rate=name), 30) == {30}


def test_restarts_are_found():
    def saw(fraction):  # four times from 1 to 0
        return 1.0 - (4.0 * fraction) % 1.0

    assert annealed_epochs(options_of(learning_rate=saw), 40) == {10, 20, 30, 40}


@pytest.mark.parametrize(
    ("wanted", "annealed", "expected"),
    [
        ([2, 6, 18, 54], {60}, [2, 6, 18, 60]),
        ([2, 6, 18, 54], {4, 12, 28, 60}, [4, 12, 28, 60]),
        ([2, 6, 18, 54], {12, 60}, [2, 6, 12, 60]),
        ([2, 6, 18, 54], {3, 60}, [2, 6, 18, 60]),
        ([2, 6, 18], {5, 10, 15, 20}, [5, 10, 20]),
        ([2, 2, 2, 6], {4, 7}, [4, 4, 4, 7]),
        ([7], {3, 7}, [7]),
    ],
)
def test_rungs_are_moved_to_the_nearest(wanted, annealed, expected):
    assert at_annealed(wanted, annealed, max(annealed)) == expected
