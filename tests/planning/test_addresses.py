"""Arrays that do not fit the network or each other never become addresses."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from fastdnn.data.samples import AS_THEY_LIE, Samples
from fastdnn.engine.operations import N_OUT, OWN_SIZE, OWN_START, TAIL_START, W_START
from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters
from fastdnn.planning.addresses import point_to_memory
from fastdnn.planning.plan import plan_training
from fastdnn.training.epochs import EpochRunner
from tests.networks import network_of, predictor_of

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
N_ROWS, N_FEATURES, N_CLASSES = 12, 5, 3


def numbers(*shape, dtype=FLOAT32):
    return np.ones(shape, dtype)


def plan_for(samples, output="softmax", optimizer="adam", **options):
    parameters = Parameters([N_FEATURES, 4, N_CLASSES], FLOAT32)
    loss = "log_loss" if output == "softmax" else "half_squared_error"
    network = network_of(parameters, ["relu", output], loss)
    return plan_training(
        parameters, network, optimizer, batch_size=N_ROWS, samples=samples,
        gather=False, n_threads=1, **options,
    )  # fmt: skip


def usual(**changes):
    X = changes.pop("X", numbers(N_ROWS, N_FEATURES))
    Y = changes.pop("Y", numbers(N_ROWS, 1))
    return Samples(X, Y, **changes)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"X": numbers(N_ROWS, N_FEATURES - 1)}, "X"),
        ({"X": numbers(N_ROWS, N_FEATURES + 1)}, "X"),
        ({"Y": numbers(N_ROWS - 1, 1)}, "Y"),
        ({"Y": numbers(N_ROWS, N_CLASSES - 1)}, "Y"),
        ({"Y": numbers(N_ROWS, N_CLASSES + 1)}, "Y"),
        ({"Y": numbers(N_ROWS, 1) * N_CLASSES}, "Y"),
        ({"Y": -numbers(N_ROWS, 1)}, "Y"),
        ({"Y": np.nan * numbers(N_ROWS, 1)}, "Y"),
        ({"weight": numbers(N_ROWS - 1)}, "weight"),
        ({"weight": numbers(N_ROWS, 1)}, "weight"),
    ],
)
def test_samples_that_do_not_fit_are_refused(changes, name):
    samples = usual()
    with EpochRunner(plan_for(samples, optimizer="sgd"), samples, AS_THEY_LIE) as runner:
        assert np.isfinite(runner.run()).all()
    samples = usual(**changes)
    with pytest.raises(ValueError, match=f"^{name} of shape"):
        EpochRunner(plan_for(samples), samples, AS_THEY_LIE)


def test_weights_that_the_plan_counts_on_must_be_there():
    plan = plan_for(usual(weight=numbers(N_ROWS)))
    with pytest.raises(ValueError, match="weight"):
        EpochRunner(plan, usual(), AS_THEY_LIE)


def csr():
    return sparse.csr_array(np.arange(N_ROWS * N_FEATURES).reshape(N_ROWS, -1), dtype=FLOAT32)


def with_column_beyond(X):
    X.indices[3] = N_FEATURES


def with_negative_column(X):
    X.indices[3] = -1


def with_row_beyond(X):
    X.indptr[-1] += 1


def with_rows_in_disorder(X):
    X.indptr[3] = X.indptr[5]


def with_negative_start(X):
    X.indptr[0] = -1


def with_values_missing(X):
    X.data = X.data[:-1]


def with_columns_missing(X):
    X.indices = X.indices[:-1]


@pytest.mark.parametrize(
    "damage",
    [
        with_column_beyond, with_negative_column, with_row_beyond, with_rows_in_disorder,
        with_negative_start, with_values_missing, with_columns_missing,
    ],
    ids=lambda function: function.__name__,
)  # fmt: skip
@pytest.mark.parametrize("train", [True, False])
def test_sparse_rows_that_reach_outside_are_refused(damage, train):
    X = csr()
    damage(X)
    samples = usual(X=X)
    with pytest.raises(ValueError, match=r"indptr|indices"):
        if train:
            EpochRunner(plan_for(samples), samples, AS_THEY_LIE)
        else:
            predictor_of(Parameters([N_FEATURES, N_CLASSES], FLOAT32), ["identity"])(samples)


def test_what_was_checked_is_not_what_the_user_can_change():
    X = csr()
    samples = usual(X=X)
    samples.X.indices[:], samples.X.indptr[:] = 10**6, 10**6
    data = samples.data(AS_THEY_LIE, FLOAT32)
    assert data.indices.max() < N_FEATURES
    assert data.indptr[-1] == data.values.size
    Y, dense = np.ones((N_ROWS, 1), FLOAT32), numbers(N_ROWS, N_FEATURES)
    samples = Samples(dense, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy, from 2.5 on
        dense.shape = (N_FEATURES, N_ROWS)
    assert samples.X.shape == (N_ROWS, N_FEATURES)


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.mark.parametrize(
    "state",
    [
        np.zeros(0, FLOAT32),
        np.zeros(38, FLOAT32),  # of SGD: one slot
        np.zeros(2 * 39 - 1, FLOAT32),
        np.zeros((2, 39), FLOAT32),
        np.zeros(2 * 39, FLOAT64),
    ],
    ids=lambda state: f"{state.dtype}{state.shape}",
)
def test_a_state_of_another_size_or_precision_is_refused(state):
    n_parameters = Parameters([N_FEATURES, 4, N_CLASSES], FLOAT32).theta.size
    assert n_parameters == 39
    plan_for(usual(), state=np.zeros(2 * n_parameters, FLOAT32))
    with pytest.raises(ValueError, match=r"^state of shape"):
        plan_for(usual(), state=state)


@pytest.mark.parametrize("activations", [["identity"], ["relu"] * 3])
def test_another_number_of_activations_is_refused(activations):
    parameters = Parameters([N_FEATURES, 4, N_CLASSES], FLOAT32)
    with pytest.raises(ValueError, match="activations"):
        network_of(parameters, activations)


@pytest.mark.parametrize("column", [N_OUT, W_START])
def test_operations_that_reach_outside_of_theta_are_refused(column):
    plan = plan_for(usual())
    plan.memory.operations[0, column] += 1
    with pytest.raises(ValueError, match="operations"):
        point_to_memory(plan.table, plan.memory, 2)


def test_a_shorter_theta_is_refused():
    plan = plan_for(usual())
    with pytest.raises(ValueError, match="theta"):
        point_to_memory(plan.table, plan.memory._replace(theta=plan.memory.theta[:-1]), 2)


@pytest.mark.parametrize(
    "X",
    [
        numbers(N_ROWS, N_FEATURES + 1),
        numbers(N_ROWS, N_FEATURES - 1),
        numbers(N_ROWS * N_FEATURES),
        numbers(N_ROWS, N_FEATURES, dtype=np.dtype(np.int32)),
        np.asfortranarray(numbers(N_ROWS, N_FEATURES)),
        numbers(N_ROWS, 2 * N_FEATURES)[:, ::2],
    ],
    ids=lambda X: f"{X.dtype}{X.shape}{X.strides}",
)
def test_rows_that_do_not_fit_are_not_predicted(X):
    predictor = predictor_of(Parameters([N_FEATURES, N_CLASSES], FLOAT32), ["identity"])
    with pytest.raises(ValueError, match=r"^X of shape"):
        predictor(Samples(X))


def test_float64_rows_that_do_not_fit_are_not_converted_and_predicted():
    predictor = predictor_of(Parameters([N_FEATURES, N_CLASSES], FLOAT32), ["identity"])
    with pytest.raises(ValueError, match=r"^X of shape"):
        predictor(Samples(numbers(N_ROWS, N_FEATURES + 1, dtype=FLOAT64)))


@pytest.mark.parametrize("rows", [[-1, 2], [0, N_ROWS]])
def test_rows_that_are_not_there_cannot_be_selected(rows):
    with pytest.raises(IndexError, match="rows"):
        usual().at(np.array(rows))


@pytest.mark.parametrize(
    ("column", "row", "value", "needed"),
    [
        (OWN_START, 1, 0, "own parameters behind the biases"),
        (OWN_START, 1, 1000, "own parameters behind the biases"),
        (OWN_SIZE, 1, 7, "own parameters behind the biases"),
        (OWN_SIZE, 2, 2, "own parameters behind the biases"),
        (TAIL_START, 1, 0, "sums in the tail"),
        (TAIL_START, 2, 1000, "sums in the tail"),
    ],
)
def test_what_is_learnt_besides_lies_in_the_tail(column, row, value, needed):
    layers = Layer(4, "prelu", "layer"), Layer(N_CLASSES, "softmax")
    network = Network(N_FEATURES, layers, "log_loss")
    parameters = Parameters(network.sizes, FLOAT32, normalized=(0,), sloped=(0,))
    plan = plan_training(
        parameters, network, "sgd", batch_size=N_ROWS, samples=usual(), gather=False,
        n_threads=1,
    )  # fmt: skip
    point_to_memory(plan.table, plan.memory, 0)
    plan.memory.operations[row, column] = value
    with pytest.raises(ValueError, match=needed):
        point_to_memory(plan.table, plan.memory, 0)
