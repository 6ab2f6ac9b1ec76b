"""Averages of parameters that fits leave: by hand, with early stopping, over partial fits."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris

from fastdnn import DNNClassifier
from fastdnn.training.epochs import EpochRunner

X, Y = load_iris(return_X_y=True)
OPTIONS = {
    "hidden_layer_sizes": (5,), "batch_size": 50, "max_iter": 8, "random_state": 0,
    "dtype": "float64", "learning_rate_init": 0.02,
}  # fmt: skip


def model_of(**options):
    return DNNClassifier(**OPTIONS | options)


def fitted(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model_of(**options).fit(X, Y)


def theta_of(model):
    return np.concatenate([np.ravel(array) for array in (*model.coefs_, *model.intercepts_)])


def thetas_of_epochs(n_epochs, **options):
    """Return the parameters after each epoch of a fit without averages."""
    options = {"max_iter": 8} | options
    return [theta_of(stopped_after(n, **options)) for n in range(1, n_epochs + 1)]


def stopped_after(n_epochs, **options):
    return fitted(**options | {"max_iter": n_epochs})


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("start", "first"), [(0.5, 5), (0.6, 5), (0.9, 8)])
def test_the_mean_is_that_of_the_last_epochs(start, first, dtype):
    epochs = thetas_of_epochs(8, dtype=dtype)
    averaged = fitted(swa_start=start, dtype=dtype)
    rtol = 1e-12 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(
        theta_of(averaged), np.mean(epochs[first - 1 :], axis=0), rtol=rtol
    )
    assert averaged.loss_curve_ == fitted(dtype=dtype).loss_curve_  # training is the same
    np.testing.assert_array_equal(averaged._state.average.last, epochs[-1])


def test_a_fit_that_stops_before_leaves_the_last_parameters():
    options = {"tol": 10.0, "n_iter_no_change": 2}
    averaged, plain = fitted(swa_start=0.9, **options), fitted(**options)
    assert averaged.n_iter_ == plain.n_iter_ == 4
    np.testing.assert_array_equal(theta_of(averaged), theta_of(plain))


def test_the_moving_average_is_that_of_all_steps():
    batches = thetas_of_epochs(8, batch_size=150)  # an epoch is a step
    start = model_of().set_params(learning_rate_init=1e-300, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        average = theta_of(start.fit(X, Y))
    for theta in batches:
        average = average + (1.0 - 0.7) * (theta - average)
    averaged = fitted(ema_decay=0.7, batch_size=150)
    np.testing.assert_allclose(theta_of(averaged), average, rtol=1e-11)
    assert averaged.loss_curve_ == fitted(batch_size=150).loss_curve_
    np.testing.assert_array_equal(averaged._state.average.last, batches[-1])


@pytest.mark.parametrize("options", [{"ema_decay": 0.9}, {"swa_start": 0.4}], ids=str)
def test_runs_of_one_epoch_leave_the_same_average(options, monkeypatch):
    together = fitted(**options)
    monkeypatch.setattr(EpochRunner, "epochs_at_once", 1)
    np.testing.assert_array_equal(theta_of(fitted(**options)), theta_of(together))


@pytest.mark.parametrize("options", [{"ema_decay": 0.5}, {"swa_start": 0.3}], ids=str)
def test_scores_and_the_best_parameters_are_those_of_the_average(options):
    model = fitted(**options, early_stopping=True, max_iter=30, n_iter_no_change=30)
    best = int(np.argmax(model.validation_scores_)) + 1
    # Up to then training is the same: the average it had is what a shorter fit leaves, whose
    # mean begins with epoch 10, too.
    if "swa_start" in options:
        options = {"swa_start": 9.5 / best} if best > 9 else {}
    shorter = fitted(**options, early_stopping=True, max_iter=best, n_iter_no_change=30)
    np.testing.assert_array_equal(theta_of(model), theta_of(shorter))
    assert shorter.best_validation_score_ == model.best_validation_score_
    plain = fitted(early_stopping=True, max_iter=30, n_iter_no_change=30)
    assert plain.validation_scores_ != model.validation_scores_
    assert plain.loss_curve_ == model.loss_curve_


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("options", [{"ema_decay": 0.8}, {"swa_start": 0.4}], ids=str)
def test_partial_fits_go_on_from_the_last_step(options, dtype):
    options = options | {"dtype": dtype, "shuffle": False, "batch_size": 40}
    parts, plain = model_of(**options), model_of(dtype=dtype, shuffle=False, batch_size=40)
    epochs = []
    for _ in range(8):
        parts.partial_fit(X, Y, classes=np.unique(Y))
        plain.partial_fit(X, Y, classes=np.unique(Y))
        epochs.append(theta_of(plain))
        assert parts.loss_ == plain.loss_
    if "swa_start" in options:
        rtol = 1e-12 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(theta_of(parts), np.mean(epochs[3:], axis=0), rtol=rtol)
    assert not np.array_equal(theta_of(parts), theta_of(plain))
    parts.set_params(ema_decay=None, swa_start=None).partial_fit(X, Y)
    np.testing.assert_array_equal(theta_of(parts), theta_of(plain.partial_fit(X, Y)))


def test_other_parameters_in_the_place_of_the_average_are_gone_on_from():
    model = fitted(ema_decay=0.9)
    other = model_of().fit(X, Y)
    for W, given in zip(model.coefs_, other.coefs_, strict=True):
        W[:] = given
    for b, given in zip(model.intercepts_, other.intercepts_, strict=True):
        b[:] = given
    model._state.optimizer = other._state.optimizer
    model.partial_fit(X, Y)
    other.partial_fit(X, Y)
    np.testing.assert_array_equal(model._state.average.last, theta_of(other))


def test_both_averages_are_refused():
    with pytest.raises(ValueError, match="ask for two averages"):
        model_of(ema_decay=0.9, swa_start=0.5).fit(X, Y)


@pytest.mark.parametrize("options", [{"ema_decay": 0.8}, {"swa_start": 0.4}], ids=str)
def test_a_copy_goes_on_by_itself(options):
    model = fitted(**options)
    copied = pickle.loads(pickle.dumps(model))
    last = model._state.average.last.copy()
    copied.partial_fit(X, Y)
    np.testing.assert_array_equal(model._state.average.last, last)
