"""Stochastic training: several epochs in one run are what one after the other is."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris

from fastdnn import DNNClassifier
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.objective import log_loss_cap

CASES = {
    "adam": {},
    "unshuffled": {"shuffle": False},
    "stops": {"tol": 0.02, "n_iter_no_change": 3},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.01, "max_iter": 60},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 4},
    "never stops": {"n_iter_no_change": np.inf},
}


def fit(options, n_fits=1):
    """Fit and return what a fit leaves behind, with the epochs of every run."""
    X, y = load_iris(return_X_y=True)
    random_state = np.random.RandomState(0)
    options = {"hidden_layer_sizes": (5,), "max_iter": 40, "batch_size": 32} | options
    model = DNNClassifier(**options, random_state=random_state, warm_start=n_fits > 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(n_fits):
            model.fit(X, y)
    left = [*model.coefs_, *model.intercepts_, model.loss_curve_, model.n_iter_, model.t_]
    return [*left, model.best_loss_, random_state.randint(2**31)]


def epochs_of_runs(monkeypatch):
    taken, run = [], EpochRunner.run

    def counting(self, n_epochs=1):
        taken.append(n_epochs)
        return run(self, n_epochs)

    monkeypatch.setattr(EpochRunner, "run", counting)
    return taken


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("n_fits", [1, 2])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_epochs_in_one_run_leave_what_single_ones_do(options, n_fits, monkeypatch):
    together = fit(options, n_fits)
    monkeypatch.setattr(EpochRunner, "epochs_at_once", 1)
    single = fit(options, n_fits)
    for got, expected in zip(together, single, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_no_run_goes_past_an_epoch_after_which_training_may_stop(monkeypatch):
    taken = epochs_of_runs(monkeypatch)
    fit({"n_iter_no_change": 3, "max_iter": 11, "tol": 0.0})  # every epoch is better
    assert taken == [4, 4, 3]
    taken.clear()
    fit({"n_iter_no_change": 3, "max_iter": 11, "tol": 10.0})  # no epoch but the first is
    assert sum(taken) == 5
    assert taken[0] == 4


@pytest.mark.parametrize("options", [{"verbose": True}, {"early_stopping": True}])
def test_single_epochs_where_each_is_reported_or_scored(options, monkeypatch):
    taken = epochs_of_runs(monkeypatch)
    fit(options)
    assert set(taken) == {1}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_highest_log_loss_is_that_of_eps(dtype):
    assert log_loss_cap(np.dtype(dtype)) == pytest.approx(
        -np.log(np.finfo(dtype).eps), rel=1e-7
    )
