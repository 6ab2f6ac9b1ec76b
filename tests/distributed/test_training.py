"""Rounds without a cluster: what they have in common with one machine, to the bit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.distributed.local import InThisProcess
from fastdnn.distributed.rounds import Job, local_steps, rows_of_round
from fastdnn.distributed.shards import made_shard
from fastdnn.distributed.training import Timetable, Training
from fastdnn.models.hyperparameters import training_options

RNG = np.random.RandomState(0)
X = RNG.randn(48, 3)
Y = (X[:, 0] + 0.3 * RNG.randn(48) > 0).astype(int) + (X[:, 1] > 1)
ALWAYS, NEVER = Timetable(sync_epochs=99.0), Timetable(0.0, 2, 0.0)


def network(**options):
    defaults = {"max_iter": 2, "batch_size": 12, "random_state": 0, "dtype": "float64"}
    return DNNClassifier((4,), **defaults | options)


def shards_of(model, parts, weight=None):
    return [
        made_shard(model, k, [X[rows]], [Y[rows]], [] if weight is None else [weight[rows]])
        for k, rows in enumerate(parts)
    ]


def train(model, timetable, parts, weight=None):
    """Return what training by shards of some rows comes to."""
    model.initialize(X, Y)
    team = InThisProcess(shards_of(model, parts, weight))
    training = Training(team, model._state.copy(), training_options(model), timetable, seed=5)
    training.run()
    return training


def halves():
    return np.array_split(np.arange(48), 2)


# What each solver's step needs, and a penalty, weights and clipping beside it.
SETTINGS = [
    {},
    {"solver": "sgd", "learning_rate": "invscaling"},
    {"solver": "adamw", "learning_rate": "cosine"},
    {"clip_norm": 0.01, "l1": 0.1, "alpha": 0.5},
    {"clip_value": 0.01, "normalization": "layer", "activation": "prelu"},
    {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}},
]


@pytest.mark.parametrize("options", SETTINGS)
def test_synchronous_steps_are_those_of_one_machine(options):
    """A batch has the same rows there, where each is all rows."""
    options = {"batch_size": 48, "max_iter": 4} | options
    one = network(shuffle=False, **options).fit(X, Y)
    training = train(network(shuffle=False, **options), ALWAYS, halves())
    assert_allclose(training.state.parameters.theta, one._state.parameters.theta, rtol=1e-9)
    assert_allclose(list(training.state.history.loss_curve), one.loss_curve_, rtol=1e-9)
    assert training.n_rounds == 4


@pytest.mark.parametrize("options", SETTINGS)
def test_one_shard_alone_trains_as_one_machine(options):
    one = network(shuffle=False, **options).fit(X, Y)
    training = train(network(shuffle=False, **options), NEVER, [np.arange(48)])
    # Each round adds the difference of parameters to them: that rounds.
    assert_allclose(training.state.parameters.theta, one._state.parameters.theta, rtol=1e-12)
    assert_allclose(list(training.state.history.loss_curve), one.loss_curve_, rtol=1e-12)


def test_local_steps_learn():
    options = {"max_iter": 8, "learning_rate_init": 0.05}
    training = train(network(**options), Timetable(1.0, 2, 0.3), halves())
    losses = list(training.state.history.loss_curve)
    assert losses[-1] < 0.6 * losses[0]
    # 4 batches of the first epoch, and two rounds of each other one
    assert training.n_rounds == 4 + 7 * 2


def test_weights_count_as_rows_given_so_often():
    """Of synchronous steps over all rows."""
    options = {"batch_size": 48, "max_iter": 3, "shuffle": False, "alpha": 0.0}
    weight = np.where(np.arange(48) % 2, 2.0, 0.0)
    one = network(**options).fit(X, Y, weight)
    training = train(network(**options), ALWAYS, halves(), weight)
    assert_allclose(training.state.parameters.theta, one._state.parameters.theta, rtol=1e-9)


def test_weights_of_zero_are_refused():
    with pytest.raises(ZeroDivisionError, match="sample_weight is zero"):
        train(network(shuffle=False), ALWAYS, halves(), np.float64(np.arange(48) % 24 == 0))


def test_a_round_says_the_same_whenever_it_is_done():
    """Also with dropout: what is drawn depends on the seed, the epoch and the shard alone."""
    model = network(dropout=0.5).initialize(X, Y)
    first, second = shards_of(model, halves())
    theta = model._state.parameters.theta
    memory = np.zeros(2 * theta.size)
    job = Job(theta, memory, "adam", 0.01, 0, 5, 1, 0, 2, 4, 48)
    once, again = (local_steps(first, job, n).vectors for n in (1, 2))
    assert all((a == b).all() for a, b in zip(once, again, strict=True))
    assert (theta == model._state.parameters.theta).all()
    assert not memory.any()
    others = (rows_of_round(second, job), rows_of_round(first, job._replace(epoch=2)))
    mine = rows_of_round(first, job)
    assert all(sorted(mine) != sorted(rows) or (mine != rows).any() for rows in others)


def test_rounds_of_an_epoch_visit_each_row_once():
    model = network().initialize(X, Y)
    (shard,) = shards_of(model, [np.arange(47)])
    nothing = np.zeros(0)
    edges = [(0, 1), (1, 4), (4, 5)]
    rows = [
        rows_of_round(shard, Job(nothing, nothing, "adam", 0.1, 0, 0, 0, *edge, 5, 47))
        for edge in edges
    ]
    assert sorted(np.concatenate(rows)) == list(range(47))
    assert list(map(len, rows)) == [9, 28, 10]


def test_a_shard_smaller_than_the_rounds_waits():
    training = train(network(batch_size=2), NEVER, [np.arange(47), np.array([47])])
    assert training.state.history.n_iter == 2
    assert np.isfinite(training.state.parameters.theta).all()
    training = train(network(batch_size=2), ALWAYS, [np.arange(47), np.array([47])])
    assert training.state.history.t == 2 * 48


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of Python, where it computes
def test_divergence_is_said():
    with pytest.raises(ValueError, match=r"has diverged.*learning_rate_init=1e"):
        train(network(learning_rate_init=1e200, max_iter=20), NEVER, halves())


def test_training_stops_without_improvement():
    model = network(tol=10.0, n_iter_no_change=1, max_iter=50)
    assert train(model, NEVER, halves()).state.history.n_iter == 3


def test_an_interrupt_leaves_the_last_epoch():
    model = network(max_iter=5).initialize(X, Y)

    class Interrupted(InThisProcess):
        def look_around(self):
            if training.state.history.n_iter == at:
                raise KeyboardInterrupt

    def interrupted():
        team = Interrupted(shards_of(model, halves()))
        return Training(team, model._state.copy(), training_options(model), NEVER, 5)

    at, training = 2, interrupted()
    (notice,) = training.run()
    assert "interrupted" in str(notice)
    assert training.state.history.n_iter == 2
    at, training = 0, interrupted()
    with pytest.raises(KeyboardInterrupt):
        training.run()


def test_partitions_of_a_shard_are_joined():
    from scipy import sparse

    rows = np.arange(48)
    model = DNNRegressor(hidden_layer_sizes=(3,), random_state=0).initialize(X, X[:, 0])
    whole = made_shard(model, 0, [X], [X[:, 0]], [])
    parts = made_shard(model, 0, [X[:5], X[5:]], [X[:5, 0], X[5:, 0]], [rows[:5], rows[5:]])
    assert (whole.samples.X == parts.samples.X).all()
    assert parts.samples.weight.tolist() == rows.tolist()
    halved = [sparse.csr_matrix(X[:5]), sparse.csr_matrix(X[5:])]
    joined = made_shard(model, 0, halved, [X[:5, 0], X[5:, 0]], [])
    assert (joined.samples.X.toarray() == whole.samples.X).all()
