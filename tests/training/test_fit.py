"""A fit in parts, with all that an estimator makes of it, is the fit of an estimator."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastdnn import DNNRegressor
from fastdnn.data.samples import Samples
from fastdnn.models.hyperparameters import training_options
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters, glorot_uniform_like_sklearn
from fastdnn.training.fit import Fit
from fastdnn.training.history import History
from fastdnn.training.objective import Objective
from fastdnn.training.scores import r2
from fastdnn.training.state import TrainingState

X = np.random.default_rng(0).standard_normal((150, 5)).astype(np.float32)
Y = X[:, 0] - 0.5 * X[:, 1]
CASES = {
    "batches": {"batch_size": 40},
    "one batch, in float64": {},
    "early stopping": {"early_stopping": True, "batch_size": 40},
    "targets beyond float32": {"batch_size": 40, "learning_rate_init": 1e8},
    "momentum": {"solver": "sgd", "batch_size": 40, "learning_rate": "invscaling"},
}


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", CASES)
def test_a_fit_in_parts_is_that_of_an_estimator(name):
    y = Y * (1e16 if "beyond" in name else 1.0)
    model = DNNRegressor(hidden_layer_sizes=(7,), random_state=3, max_iter=12, **CASES[name])
    options = training_options(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    random_state = np.random.RandomState(3)
    parameters = Parameters([5, 7, 1], np.float32)
    glorot_uniform_like_sklearn(parameters, random_state, "relu")
    state = TrainingState(parameters, History(model.early_stopping), random_state=random_state)
    samples = Samples(X, y.reshape(-1, 1), largest_target=float(np.abs(y).max()))
    network = Network.dense([5, 7, 1], ["relu", "identity"], "half_squared_error")
    options.max_iter = 5
    objective = Objective(samples, network, lambda outputs, Y, w: r2(Y, outputs, w))
    fit = Fit(objective, options, state)
    fit.run()
    assert fit.state.history.n_iter == 5
    assert (fit.state.dtype == np.float64) == ("float" in name)
    options.max_iter = 12
    fit.run()
    result = fit.result()
    assert len(fit.notices) < 2  # of the second part only
    assert result.optimizer == model._state.optimizer
    assert result.history == model._state.history
    assert result.dtype == np.float32
    assert_array_equal(result.parameters.theta, model._state.parameters.theta)
