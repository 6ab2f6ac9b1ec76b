"""The loss of validation rows, and what is evaluated after an epoch."""

import numpy as np
import pytest

from fastdnn.data.samples import Samples
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters, glorot_uniform_like_sklearn
from fastdnn.ops.losses import LOSSES
from fastdnn.training.objective import Objective
from fastdnn.training.options import Options
from fastdnn.training.state import TrainingState
from fastdnn.training.validation import Validation, validation_of
from fastdnn.training.validation_loss import _ROWS_AT_ONCE, outputs_and_loss
from tests.ops.loss_calls import ALL_LOSSES, SEVERAL, loss_and_delta
from tests.oracle.activations import ACTIVATIONS

PAIRS = [pair if len(pair) == 2 else (*pair, "tanh") for pair in ALL_LOSSES]
RNG = np.random.default_rng(0)


def network_for(loss, activation, n_outputs):
    return Network.dense([4, n_outputs], [activation], loss)


def targets(loss, n_rows, dtype):
    """Targets in [0, 1] whose rows sum to 1; those for the gamma deviance are above 0."""
    Y = RNG.multinomial(8, np.full(3, 1 / 3), n_rows) / 8 + 0.25 * (loss == "gamma")
    return np.ascontiguousarray(Y[:, : SEVERAL.get(loss, (3, 3))[1]], dtype)


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("loss", "activation"), PAIRS)
def test_the_mean_loss_is_that_of_the_kernel_of_all_rows_at_once(loss, activation, dtype):
    n_rows = _ROWS_AT_ONCE + 7
    n_outputs = SEVERAL.get(loss, (3, 3))[0]
    Z = RNG.normal(size=(n_rows, n_outputs)).astype(dtype)
    Y, w = targets(loss, n_rows, dtype), RNG.uniform(0.5, 2.0, n_rows)
    expected = ACTIVATIONS[activation](Z.astype(np.float64))
    canonical = LOSSES[loss].kernel(activation)[1]
    row = (loss, activation) if canonical else (loss,)
    taken = Z if canonical else expected.astype(dtype)
    for weight in (None, w):
        given = np.zeros(0, dtype) if weight is None else weight.astype(dtype)
        total, _ = loss_and_delta(row, taken.copy(), Y, given)
        mean = total / (n_rows if weight is None else weight.sum())
        A, found = outputs_and_loss(
            network_for(loss, activation, n_outputs), Z.copy(), Y, weight, np.inf
        )
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(A, expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(found, mean, rtol=tolerance)


def test_a_loss_is_capped_and_scaled_as_in_training():
    network = Network.dense([1, 1], ["sigmoid"], "log_loss")
    Z, Y = np.array([[-1e3], [0.0]]), np.array([[1.0], [1.0]])
    _, loss = outputs_and_loss(network, Z.copy(), Y, None, 36.0)
    np.testing.assert_allclose(loss, (36.0 + np.log(2.0)) / 2)
    network = Network.dense([1, 2], ["identity"], "half_squared_error", 0.5)
    _, loss = outputs_and_loss(network, np.zeros((1, 2)), np.array([[1.0, 3.0]]), None, np.inf)
    np.testing.assert_allclose(loss, 0.5 * (0.5 + 4.5))


def begun(dtype=np.float64, n_rows=40):
    """Return an objective of sums of features, and a state to begin with."""
    X = RNG.normal(size=(n_rows, 4)).astype(dtype)
    samples = Samples(X, X.sum(axis=1, keepdims=True))
    parameters = Parameters([4, 5, 1], dtype)
    glorot_uniform_like_sklearn(parameters, np.random.RandomState(0), "tanh")
    network = Network.dense([4, 5, 1], ["tanh", "identity"], "half_squared_error")

    def score(outputs, Y, weight):
        return -float(np.abs(outputs - Y).max())

    state = TrainingState(parameters, random_state=np.random.RandomState(0))
    return Objective(samples, network, score), state


def forward(parameters, X):
    H = np.tanh(X @ parameters.coefs[0] + parameters.intercepts[0])
    return H @ parameters.coefs[1] + parameters.intercepts[1]


def test_an_evaluation_is_of_the_parameters_of_the_moment():
    objective, state = begun()
    validation = Validation(objective, state.parameters, 1)
    X, Y = objective.samples.X, objective.samples.Y
    for _ in range(2):
        error = forward(state.parameters, X) - Y
        evaluation = validation()
        np.testing.assert_allclose(evaluation.loss, 0.5 * np.mean(error**2))
        np.testing.assert_allclose(evaluation.score, -np.abs(error).max())
        assert set(evaluation.columns()) == {"validation_loss", "validation_score"}
        state.parameters.theta *= 0.5


@pytest.mark.parametrize("n_threads", [1, 2])
def test_evaluations_have_the_same_bits_for_any_threads(n_threads):
    objective, state = begun(np.float32, 5000)
    expected = Validation(objective, state.parameters, 1)()
    assert Validation(objective, state.parameters, n_threads)() == expected


def test_outputs_that_are_not_finite_have_no_score():
    objective, state = begun()
    state.parameters.theta[-1] = np.inf
    evaluation = Validation(objective, state.parameters, 1)()
    assert np.isnan(evaluation.score)
    assert not np.isfinite(evaluation.loss)


def test_rows_that_were_given_take_nothing_from_the_samples():
    objective, state = begun()
    other, _ = begun(n_rows=9)
    objective.validation = other.samples
    options = Options(early_stopping=True, n_threads=1)
    training, validation = validation_of(objective, options, state, state.parameters)
    assert training.samples is objective.samples
    expected = Validation(other, state.parameters, 1)()
    assert validation() == expected
    state.random_state.random_sample(3)
    assert state.held_out is None


def test_without_any_there_is_no_validation():
    objective, state = begun()
    options = Options(early_stopping=False, n_threads=1)
    assert validation_of(objective, options, state, state.parameters) == (objective, None)


def test_a_state_that_goes_on_keeps_its_split():
    objective, state = begun()
    split = np.arange(0, 30), np.array([35, 33, 31])
    objective.split = split
    options = Options(early_stopping=True, n_threads=1)
    training, _ = validation_of(objective, options, state, state.parameters)
    np.testing.assert_array_equal(training.samples.rows, split[0])
    np.testing.assert_array_equal(state.held_out, split[1])
    state.order = split[0][::-1].copy()
    objective.split = np.arange(5), np.arange(5, 9)  # of a cross-validator that draws anew
    training, _ = validation_of(objective, options, state, state.parameters)
    np.testing.assert_array_equal(training.samples.rows, state.order)
    np.testing.assert_array_equal(state.held_out, split[1])
