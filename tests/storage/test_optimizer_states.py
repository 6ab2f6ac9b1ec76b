"""The states of all optimisers are kept, whatever they remember of each parameter."""

import copy
import pickle

import numpy as np
import pytest

import fastdnn
from fastdnn import DNNRegressor
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.storage.model_file import ModelFileError
from fastdnn.training.state import OptimizerState
from tests.model_files import wave

STEPPING = [name for name in OPTIMIZERS if name != "gradient"]


def model_with_the_state_of(name, lowest=0.0):
    X = wave()
    options = {"max_iter": 2, "batch_size": 20, "random_state": 0}
    model = DNNRegressor(hidden_layer_sizes=(4,), **options).fit(X, X[:, 0])
    row, n_parameters = OPTIMIZERS[name], model._state.parameters.theta.size
    size = row.n_slots * n_parameters
    memory = np.random.default_rng(0).uniform(lowest, 1.0, size).astype(np.float32)
    model._state.optimizer = OptimizerState(name, memory, 0.25, 7)
    return model


def through_a_file(model, path):
    model.save(path)
    return fastdnn.load(path)


WAYS = {
    "a model file": through_a_file,
    "a pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "a copy": lambda model, path: copy.deepcopy(model),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", STEPPING)
def test_the_state_of_every_optimiser_is_kept_and_gone_on_from(name, way, path):
    model, X = model_with_the_state_of(name), wave()
    twin = WAYS[way](model, path)
    kept, found = model._state.optimizer, twin._state.optimizer
    assert (found.optimizer, found.learning_rate, found.t) == (name, 0.25, 7)
    assert found.memory.dtype == kept.memory.dtype
    np.testing.assert_array_equal(found.memory, kept.memory)
    for each in (model, twin):
        each.partial_fit(X, X[:, 0])
    assert twin._state.optimizer.t == 10
    for one, other in zip(model.coefs_, twin.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", STEPPING)
def test_squares_below_zero_are_refused_and_other_memory_is_not(name, path):
    model = model_with_the_state_of(name, lowest=-1.0)
    if not OPTIMIZERS[name].squares:
        model.save(path)
        return
    with pytest.raises(ModelFileError, match="second moment below zero"):
        model.save(path)
    memory = model._state.optimizer.memory
    n_parameters = model._state.parameters.theta.size
    for slot in OPTIMIZERS[name].squares:
        view = memory[slot * n_parameters : (slot + 1) * n_parameters]
        view[:] = np.abs(view)
    model.save(path)
