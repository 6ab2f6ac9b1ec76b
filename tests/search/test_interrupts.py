"""Ctrl-C and a time that is over leave what has been done."""

import _thread
import itertools
import time

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier
from fastdnn.search import DNNSearchCV, HalvingDNNSearchCV, base, contest, lanes, pool
from tests.search.kinds import DRAWS, HALVING, LABELS, X, network

SAID = "Search interrupted by user. {} of {} candidates have scores"


class Interrupting:
    """A scorer that interrupts the main thread at its n-th call."""

    def __init__(self, n):
        self._calls = itertools.count(1)
        self._n = n

    def __call__(self, estimator, X, y):
        if next(self._calls) == self._n:
            _thread.interrupt_main()
            while True:  # until it is raised here
                time.sleep(1e-3)
        return float(estimator.score(X, y))


def halving(scoring, model=None, **options):
    given = HALVING | {"n_jobs": 1, "return_train_score": False, "scoring": scoring}
    return HalvingDNNSearchCV(model or network(), DRAWS, **given | options)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_interrupt_in_the_first_rung_keeps_whole_candidates():
    search = halving(Interrupting(9))  # the third fold of the third candidate
    with pytest.warns(UserWarning, match=SAID.format(2, 9)):
        search.fit(X, LABELS)
    assert not search.is_complete_
    assert len(search.cv_results_["params"]) == 2
    assert search.best_estimator_.n_iter_ == 2
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]
    assert search.best_estimator_.alpha == search.best_params_["alpha"]
    assert search.predict(X).shape == LABELS.shape
    assert len(search.history_) == 9
    assert search.history_[8]["folds"] == [None] * 3
    assert search.best_estimator_.warm_start is False
    assert not hasattr(search.best_estimator_, "_resumable")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "n", [28, 35]
)  # the first network of the second rung, and a later one
def test_an_interrupt_in_a_later_rung(n):
    search = halving(Interrupting(n), make_pipeline(StandardScaler(), network()))
    search.param_distributions = {f"dnnclassifier__{k}": v for k, v in DRAWS.items()}
    with pytest.warns(UserWarning, match=SAID.format(9, 9)):
        search.fit(X, LABELS)
    n_rows = 9 if n == 28 else 11
    assert len(search.cv_results_["params"]) == n_rows
    assert search.best_estimator_[-1].n_iter_ == (2 if n == 28 else 6)
    # Of one fold: it was trained on two thirds of the rows.
    assert search.best_estimator_[0].n_samples_seen_ == 100
    assert search.score(X, LABELS) > 0.0


def test_an_interrupt_that_leaves_nothing_is_raised():
    search = halving(Interrupting(2))
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, LABELS)
    assert not hasattr(search, "best_estimator_")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_interrupt_between_two_rungs(monkeypatch):
    real = HalvingDNNSearchCV._select_best_index

    def select(*args):
        monkeypatch.setattr(HalvingDNNSearchCV, "_select_best_index", staticmethod(real))
        raise KeyboardInterrupt

    search = halving(None)
    monkeypatch.setattr(HalvingDNNSearchCV, "_select_best_index", staticmethod(select))
    with pytest.warns(UserWarning, match=SAID.format(9, 9)):
        search.fit(X, LABELS)
    assert not search.is_complete_
    assert search.best_estimator_.n_iter_ == 2
    assert search.n_resources_ == [2]


@pytest.mark.slow_without_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_interrupt_of_the_last_fit_leaves_a_network_of_a_fold(monkeypatch):
    def fit(self, *args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(DNNClassifier, "fit", fit)
    search = halving(None)
    with pytest.warns(UserWarning, match=SAID.format(9, 9)):
        search.fit(X, LABELS)
    assert search.best_estimator_.n_iter_ == 18
    assert np.isfinite(search.predict_proba(X)).all()


@pytest.fixture
def clock(monkeypatch):
    """Let a second pass at each look at the clock that a search takes."""

    class Clock:
        def __init__(self):
            self.now = 0.0
            self.time = time.time

        def monotonic(self):
            self.now += 1.0
            return self.now

    made = Clock()
    for module in (base, contest, lanes, pool):
        monkeypatch.setattr(module, "time", made)
    return made


def test_a_time_that_is_over_leaves_what_has_been_done(clock):
    search = halving(None, time_limit=20.5)
    with pytest.warns(
        ConvergenceWarning, match=r"time_limit=20\.5 seconds were over\. \d of 9"
    ):
        search.fit(X, LABELS)
    assert 0 < len(search.cv_results_["params"]) < 9
    assert not search.is_complete_
    assert search.best_estimator_.n_iter_ == 2
    assert search.best_estimator_.max_time is None


def test_too_little_time_is_an_error(clock):
    search = DNNSearchCV(network(), {"alpha": [1e-4, 1.0]}, time_limit=2.5, n_jobs=1)
    with pytest.raises(ValueError, match=r"time_limit=2\.5 seconds were over before any"):
        search.fit(X, LABELS)


@pytest.mark.needs_jit  # without it, epochs take longer than the time that there is
def test_a_time_limit_ends_what_is_under_way():
    model = network(max_iter=10**6, n_iter_no_change=np.inf)
    search = DNNSearchCV(model, {"alpha": [1e-4, 1.0]}, cv=2, time_limit=0.3)
    start = time.monotonic()
    with pytest.raises(ValueError, match="seconds were over before any candidate"):
        search.fit(X, LABELS)
    assert time.monotonic() - start < 60.0


def test_what_comes_before_networks_takes_time_as_well(clock):
    model = make_pipeline(StandardScaler(), network())
    grid = {"dnnclassifier__alpha": [1e-4, 1.0]}
    search = DNNSearchCV(model, grid, cv=5, time_limit=3.5, n_jobs=1)
    with pytest.raises(ValueError, match=r"time_limit=3\.5 seconds were over before any"):
        search.fit(X, LABELS)
    assert clock.now == 1.0 + 5.0  # each fold has looked once, and no network


@pytest.mark.slow_without_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_enough_time_changes_nothing():
    plain = halving(None).fit(X, LABELS)
    limited = halving(None, time_limit=3600.0).fit(X, LABELS)
    assert limited.is_complete_
    assert limited.best_estimator_.max_time is None
    assert (limited.best_estimator_.coefs_[0] == plain.best_estimator_.coefs_[0]).all()
