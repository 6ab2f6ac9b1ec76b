"""Models of every kind, and where the tests of model files write."""

import copy

import pytest

from tests.model_files import model_of


@pytest.fixture
def path(tmp_path):
    """Return the path of a file that does not exist."""
    return tmp_path / "model.safetensors"


@pytest.fixture(scope="module")
def fitted():
    """Return a function for a fitted model and its samples; each is fitted once."""
    made = {}

    def of_kind(kind):
        if kind not in made:
            made[kind] = model_of(kind)
        model, X, y = made[kind]
        model = copy.deepcopy(model)
        if kind == "sparse":  # the one whose sizes are a list, for which a tuple comes back
            model.hidden_layer_sizes = tuple(model.hidden_layer_sizes)
        return model, X, y

    return of_kind
