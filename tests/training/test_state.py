"""What training carries on: copies, precisions, comparison; going on as if never stopped."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_iris

from fastdnn import DNNClassifier
from fastdnn.data.samples import Samples
from fastdnn.models.hyperparameters import training_options
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters, glorot_uniform_like_sklearn
from fastdnn.training.history import History
from fastdnn.training.notices import Notices
from fastdnn.training.objective import Objective
from fastdnn.training.scores import mean_accuracy
from fastdnn.training.state import OptimizerState, TrainingState
from fastdnn.training.stochastic import fit_stochastic

CASES = {
    "adam": {},
    "sgd": {"solver": "sgd", "momentum": 0.5},
    "adaptive": {
        **{"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.1},
        **{"tol": 1.0, "n_iter_no_change": 2},
    },
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "early stopping": {"early_stopping": True},
    "unshuffled": {"shuffle": False},
    "unshuffled early stopping": {"shuffle": False, "early_stopping": True},
    "strong penalty": {"alpha": 10.0},
}


def accuracy(outputs, Y, weight):
    return mean_accuracy(outputs.argmax(axis=1) == Y.ravel(), weight)


def objective(dtype):
    X, y = load_iris(return_X_y=True)
    samples = Samples(X.astype(dtype), y.reshape(-1, 1).astype(dtype))
    network = Network.dense((4, 9, 3), ["relu", "softmax"], "log_loss")
    return Objective(samples, network, accuracy)


def begun(dtype="float32", early_stopping=False):
    random_state = np.random.RandomState(0)
    parameters = Parameters([4, 9, 3], dtype)
    glorot_uniform_like_sklearn(parameters, random_state, "relu")
    history = History(early_stopping)
    return TrainingState(parameters, history, random_state=random_state)


def train(state, max_iter, **options):
    options = {"batch_size": 32, "n_iter_no_change": 30, "max_iter": max_iter} | options
    model = DNNClassifier(**options)
    fit_stochastic(objective(state.dtype), training_options(model), state, Notices(), str)
    return state


@pytest.mark.needs_jit  # without it, the penalty of a first batch is summed up otherwise
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_training_in_parts_is_training_at_once(options, dtype):
    early_stopping = options.get("early_stopping", False)
    at_once = train(begun(dtype, early_stopping), 20, **options)
    first = train(begun(dtype, early_stopping), 10, **options)
    assert first.history.n_iter == 10
    assert first != at_once
    copies = copy.deepcopy(first), pickle.loads(pickle.dumps(first))
    assert train(first, 20, **options) == at_once
    for kept in copies:  # have stayed where they were, and go on by themselves
        assert kept.history.n_iter == 10
        assert kept != first
        assert train(kept, 20, **options) == at_once


def test_the_best_parameters_take_the_place_of_the_last():
    state = train(begun(early_stopping=True), 15, early_stopping=True, learning_rate_init=0.3)
    best = state.best_theta.copy()
    assert not np.array_equal(best, state.parameters.theta)
    state.take_best()
    np.testing.assert_array_equal(state.parameters.theta, best)
    assert state.best_theta is None
    state.take_best()
    np.testing.assert_array_equal(state.parameters.coefs[0].ravel(), best[:36])


def test_another_precision_is_a_copy():
    state = train(begun(early_stopping=True), 5, early_stopping=True)
    wide = state.astype(np.float64)
    for array in (wide.parameters.theta, wide.optimizer.memory, wide.best_theta):
        assert array.dtype == np.float64
    assert wide != state
    assert wide.astype(np.float32) == state
    wide.parameters.theta[:] = 0.0
    assert state.parameters.theta.any()


def changed(**fields):
    def change(state):
        vars(state).update(fields)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.parameters.theta.fill(1.0),
        lambda state: state.history.loss_curve.append(1.0),
        lambda state: state.optimizer.memory.fill(0.0),
        lambda state: vars(state.optimizer).update(t=3),
        lambda state: state.random_state.random_sample(),
        changed(optimizer=None),
        changed(best_theta=np.zeros(3)),
        changed(order=None),
    ],
)
def test_states_that_differ_in_anything_are_not_equal(change):
    state = train(begun(), 2)
    other = copy.deepcopy(state)
    assert other == state
    change(other)
    assert other != state
    assert state != 3


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"optimizer": "eve"}, "optimizer="),
        ({"learning_rate": np.nan}, "learning_rate="),
        ({"learning_rate": "fast"}, "learning_rate="),
        ({"t": -1}, "t="),
        ({"t": True}, "t="),
    ],
)
def test_no_optimiser_can_have_come_to_that(fields, word):
    right = {"optimizer": "adam", "memory": np.zeros(4), "learning_rate": 0.1, "t": 2}
    assert OptimizerState(**right).problem() is None
    assert word in OptimizerState(**right | fields).problem()
