"""A search on a cluster finds what it finds here, to the last bit."""

import _thread
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from fastdnn import DNNRegressor
from fastdnn.search import DNNSearchCV, HalvingDNNSearchCV, on_dask
from tests.search.kinds import (
    HALVING,
    LABELS,
    TARGETS,
    X,
    network,
    require_equal_networks,
    require_equal_results,
)

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.waits_for_processes,
    pytest.mark.filterwarnings(
        "ignore::sklearn.exceptions.ConvergenceWarning",
        # Of other packages, in their own threads.
        "ignore::DeprecationWarning",
        "ignore::ResourceWarning",
        "ignore::pytest.PytestUnraisableExceptionWarning",
    ),
]
FEW = HALVING | {"n_candidates": 4, "factor": 2, "max_resources": 8, "cv": 2}
DRAWS = {"learning_rate_init": [1e-3, 1e-2, 3e-2, 1e-1], "dtype": ["float32", "float64"]}
GRID = {"alpha": [1e-4, 1.0]}


def threads(n_workers):
    """Return a client of workers that are threads of this process, with one thread each."""
    return distributed.Client(
        processes=False, n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
    )


@pytest.fixture(scope="module")
def client():
    with threads(2) as made:
        yield made


@pytest.fixture(scope="module")
def only_worker():
    with threads(1) as made:
        yield made


def require_same_search(one, other):
    require_equal_results(one.cv_results_, other.cv_results_)
    assert one.best_params_ == other.best_params_
    for a, b in zip(one.history_, other.history_, strict=True):
        assert a["params"] == b["params"]
        for left, right in zip(a["folds"], b["folds"], strict=True):
            assert set(left) == set(right)
            for name in set(left) - {"seconds"}:
                np.testing.assert_array_equal(left[name], right[name])


def halving(model=None, draws=DRAWS, **options):
    return HalvingDNNSearchCV(model or network(), draws, **FEW | options)


def in_pipeline(model, draws):
    draws = {f"{type(model).__name__.lower()}__{name}": v for name, v in draws.items()}
    draws["standardscaler__with_std"] = [True, False]
    return make_pipeline(StandardScaler(), model), draws


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("kind", ["network", "pipeline", "rows of its own", "lbfgs"])
def test_bits_are_those_of_a_search_here(kind, client, only_worker):
    model, draws, y = network(), DRAWS, LABELS
    if kind == "pipeline":
        (model, draws), y = in_pipeline(network(DNNRegressor), DRAWS), TARGETS
    elif kind == "rows of its own":
        model = network(early_stopping=True, scoring="accuracy")
    elif kind == "lbfgs":
        draws = DRAWS | {"solver": ["lbfgs", "adam"]}
    here = halving(model, draws).fit(X, y)
    for there in (only_worker, client):
        search = halving(model, draws, client=there).fit(X, y)
        require_same_search(search, here)
        ends = [one.best_estimator_ for one in (search, here)]
        require_equal_networks(*[one[-1] if kind == "pipeline" else one for one in ends])
        np.testing.assert_array_equal(search.predict(X), here.predict(X))


def halves(y, found, sample_weight=None):
    return accuracy_score(y, found, sample_weight=sample_weight) / 2


def test_a_grid_with_scores_and_weights(client):
    def fitted(**options):
        scoring = {"halves": make_scorer(halves), "accuracy": "accuracy"}
        model = network(max_iter=2)
        search = DNNSearchCV(model, GRID, cv=2, scoring=scoring, refit="halves", **options)
        return search.fit(X, LABELS, sample_weight=np.linspace(0.5, 1.0, len(X)))

    require_same_search(fitted(client=client), fitted())


def test_a_function_of_ones_own_scores(client):
    """It is given rows as they were given to the search."""
    model = network(max_iter=1)
    scoring = lambda fitted, X, y: float(X[0, 0] + fitted.n_iter_)  # noqa: E731
    options = {"cv": 2, "scoring": scoring, "refit": False}
    there = DNNSearchCV(model, GRID, client=client, **options).fit(X, LABELS)
    here = DNNSearchCV(model, GRID, **options).fit(X, LABELS)
    require_same_search(there, here)


@pytest.fixture
def submitted(monkeypatch):
    """Return what is submitted meanwhile: functions, places, and folds."""
    found = []
    real = on_dask.DaskPool._submit

    def submit(pool, function, place, *args):
        if function is not on_dask._itself:
            found.append((function, place, args[-1]))
        return real(pool, function, place, *args)

    monkeypatch.setattr(on_dask.DaskPool, "_submit", submit)
    return found


def test_what_comes_before_is_fitted_once_for_each_fold_and_setting(client, submitted):
    model, draws = in_pipeline(network(max_iter=1), {"alpha": [1e-4, 1e-2, 1.0]})
    search = DNNSearchCV(model, draws, cv=2, client=client).fit(X, LABELS)
    assert len(search.cv_results_["params"]) == 6
    inputs = [at for function, _, at in submitted if function is on_dask.made_input]
    assert sorted(inputs) == [0, 0, 1, 1]


def test_states_go_on_where_they_lie():
    """Lanes of a fold begin beside each other, and a later rung moves as few as can be."""

    class Future:
        def __init__(self, key):
            self.key = key

    class Client:
        def who_has(self, futures):
            lie = {"b": ["two"], "c": ["one"]}
            return {future.key: lie.get(future.key, []) for future in futures}

    class Lane:
        def __init__(self, at, state):
            self.at, self.state, self.key = at, state, (at, "setting", False)

    pool = object.__new__(on_dask.DaskPool)
    pool._client = Client()
    workers = {"one": 1, "two": 1}
    new = [Lane(at, on_dask.State(None)) for at in (0, 1, 0, 1)]
    assert pool._places(new, workers) == ["one", "two", "one", "two"]
    begun = [Lane(0, Future("b")), Lane(1, Future("c")), Lane(0, Future("lost"))]
    assert pool._places(begun, workers | {"two": 2}) == ["two", "one", "two"]
    assert pool._places(begun, {}) == [None, None, None]


def test_candidates_that_fail_have_the_score_of_an_error(client):
    draws = {"learning_rate_init": [1e-2, -1.0]}

    def fitted(**options):
        search = DNNSearchCV(network(max_iter=2), draws, cv=2, error_score=-1.0, **options)
        with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"):
            return search.fit(X, LABELS)

    there = fitted(client=client)
    require_equal_results(there.cv_results_, fitted().cv_results_)
    assert there.cv_results_["mean_test_score"][1] == -1.0
    search = DNNSearchCV(network(max_iter=2), draws, cv=2, error_score="raise")
    search.client = client
    with pytest.raises(ValueError, match="learning_rate_init"):
        search.fit(X, LABELS)


def too_narrow(X):
    return X[:, :0]


def raising(X):
    raise ValueError("no such column")


def test_what_fails_before_networks(client):
    """An X that no network takes, and steps of a pipeline that raise."""
    search = DNNSearchCV(network(), GRID, cv=2, client=client)
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        search.fit(np.where(X > 7.0, np.nan, X), LABELS)
    for function in (too_narrow, raising):
        model = make_pipeline(FunctionTransformer(function), network())
        search = DNNSearchCV(model, {"dnnclassifier__alpha": [1.0]}, cv=2, client=client)
        with pytest.raises(ValueError, match="All the 2 fits failed"):
            search.fit(X, LABELS)


def test_a_time_that_is_over_leaves_what_has_been_done(only_worker, monkeypatch):
    """The clock is past the deadline as soon as all of the first rung has come back."""
    real = on_dask.DaskPool._reports

    class Late:
        time = staticmethod(time.time)
        monotonic = staticmethod(lambda: float("inf"))

    def reports(pool, told, states, deadline):
        found = real(pool, told, states, deadline)
        monkeypatch.setattr(on_dask, "time", Late)
        return found

    monkeypatch.setattr(on_dask.DaskPool, "_reports", reports)
    search = halving(client=only_worker, time_limit=3600.0)
    with pytest.warns(UserWarning, match=r"time_limit=3600\.0 seconds were over\. 4 of 4"):
        search.fit(X, LABELS)
    assert not search.is_complete_
    assert search.best_estimator_.n_iter_ == 2
    assert search.predict(X).shape == LABELS.shape


@pytest.mark.needs_jit  # without it, epochs take longer than the time that there is
def test_a_time_limit_ends_what_is_under_way(only_worker):
    model = network(max_iter=10**6, n_iter_no_change=np.inf)
    search = DNNSearchCV(model, GRID, cv=2, time_limit=0.3, client=only_worker)
    with pytest.raises(ValueError, match="seconds were over before any candidate"):
        search.fit(X, LABELS)
    # The worker is free again.
    assert only_worker.submit(sum, [1, 2]).result(timeout=60) == 3


CALLS, IS_OVER = [], threading.Event()


def interrupting(estimator, X, y):
    CALLS.append(1)
    if len(CALLS) == 8:  # the last of the first rung
        _thread.interrupt_main()
        IS_OVER.wait(60)
    return float(estimator.score(X, y))


def test_an_interrupt_keeps_what_is_done(only_worker):
    """Nobody waits for the last score of a rung, which only comes when the search is over."""
    CALLS.clear()
    IS_OVER.clear()
    model, draws = in_pipeline(network(), DRAWS)
    search = halving(model, draws, scoring=interrupting, return_train_score=False)
    search.client = only_worker
    try:
        with pytest.warns(UserWarning, match=r"interrupted by user\. [23] of 4 candidates"):
            search.fit(X, LABELS)
        assert not IS_OVER.is_set()
    finally:
        IS_OVER.set()
    # Six lanes of two folds have ended, and maybe one that nobody has heard of yet.
    assert len(search.cv_results_["params"]) in (2, 3)
    assert search.best_estimator_[-1].n_iter_ == 2
    assert search.best_estimator_[0].n_samples_seen_ == 75  # of a fold
    assert search.predict(X).shape == LABELS.shape


def test_a_client_is_no_parameter(client):
    search = halving(client=client)
    assert "client" not in search.get_params()
    assert clone(search).client is client
    assert pickle.loads(pickle.dumps(search)).client is None
    search.client = "tcp://somewhere"
    with pytest.raises(TypeError, match=r"must be a dask.*Client, or None for threads"):
        search.fit(X, LABELS)


def test_what_cannot_be_sent_is_said(client):
    class Scorer:
        lock = None

        def __init__(self):
            self.lock = threading.Lock()

        def __call__(self, estimator, X, y):
            return 1.0

    with pytest.raises(TypeError, match="scoring cannot be sent to the workers of client"):
        halving(scoring=Scorer(), client=client).fit(X, LABELS)


def test_progress_is_printed(client, capsys):
    halving(client=client, verbose=1, n_candidates=2).fit(X, LABELS)
    assert "Fitting 2 folds for each of 2 candidates" in capsys.readouterr().out


@pytest.mark.needs_jit
def test_processes_and_one_that_is_killed():
    model, draws = in_pipeline(network(), DRAWS)
    here = halving(model, draws).fit(X, LABELS)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):

        class Killing(on_dask.DaskPool):
            is_done = False

            def advance(self, *args):
                found = super().advance(*args)
                if not Killing.is_done:  # states of the first rung are lost
                    Killing.is_done = True
                    os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)
                return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("fastdnn.search.contest.DaskPool", Killing)
            require_same_search(halving(model, draws, client=client).fit(X, LABELS), here)
        assert Killing.is_done
