"""Networks before the first step, states of optimisers, parts of epochs and limits of time."""

import copy
import time
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.training.epochs import EpochRunner

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((203, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
SMALL = {"hidden_layer_sizes": (7,), "random_state": 0, "batch_size": 32, "max_iter": 6}

# -- initialize -----------------------------------------------------------------------------

BEGINNINGS = {
    "adam": {},
    "early stopping": {"early_stopping": True},
    "sgd": {"solver": "sgd"},
    "dropout": {"dropout": 0.5, "input_noise": 0.1},
    "normalisation": {"normalization": "layer", "activation": "prelu"},
    "lbfgs": {"solver": "lbfgs"},
    "random state": {"random_state": np.random.RandomState(5)},
}


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("warm_start", [True, "exact"])
@pytest.mark.parametrize("name", BEGINNINGS)
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_a_fit_after_initialize_is_the_fit(Estimator, name, warm_start, tmp_path):
    if name == "lbfgs" and warm_start == "exact":
        pytest.skip("is refused")
    options = SMALL | BEGINNINGS[name]
    fitted = Estimator(**copy.deepcopy(options)).fit(X, Y)
    model = Estimator(**copy.deepcopy(options), warm_start=warm_start).initialize(X, Y)
    assert (model.n_iter_, model.t_) == (0, 0)
    assert np.isfinite(model.predict(X)).all()
    model.save(tmp_path / "model")
    for begun in (fastdnn.load(tmp_path / "model"), model):
        begun.fit(X, Y)
        assert begun._state == fitted._state


def test_partial_fit_after_initialize_is_the_first_one():
    first = DNNClassifier(**SMALL).partial_fit(X, Y, classes=[0, 1])
    model = DNNClassifier(**SMALL).initialize(X, Y).partial_fit(X, Y)
    assert model._state == first._state
    assert not hasattr(model, "_resumable")


def test_initialize_begins_anew():
    model = DNNClassifier(**SMALL, warm_start=True).fit(X, Y)
    model.initialize(X[:, :4], np.where(Y == 1, "yes", "no"))
    assert list(model.classes_) == ["no", "yes"]
    assert [W.shape for W in model.coefs_] == [(4, 7), (7, 1)]
    assert model.loss_curve_ == []
    assert model.get_optimizer_state() is None


def test_a_refused_initialize_leaves_everything_as_it_was():
    model = DNNClassifier(**SMALL).fit(X, Y)
    before = model.__dict__.copy()
    with pytest.raises(ValueError, match="NaN"):
        model.initialize(np.full_like(X, np.nan), Y)
    assert model.__dict__ == before
    with pytest.raises(ValueError, match="'alpha' parameter"):
        DNNClassifier(alpha=-1.0).initialize(X, Y)


# -- the optimiser's state ------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "amsgrad", "adagrad", "rmsprop", "lion"])
def test_a_state_goes_round(solver, dtype):
    options = SMALL | {"solver": solver, "dtype": dtype}
    model = DNNClassifier(**options).partial_fit(X, Y, classes=[0, 1]).partial_fit(X, Y)
    state = model.get_optimizer_state()
    assert state["step"] == 14
    assert state["learning_rate"] == 0.001
    assert state["moments"].dtype == dtype
    twin = copy.deepcopy(model).set_optimizer_state(None)
    assert twin.get_optimizer_state() is None
    twin.set_optimizer_state(state)
    assert twin._state == model._state
    state["moments"][:] = 0.5  # a copy
    assert twin._state == model._state
    model.partial_fit(X, Y)
    assert twin.partial_fit(X, Y)._state == model._state


def test_the_moments_of_adam_are_what_they_are_called():
    """After one step, (1 - beta_1) * g and (1 - beta_2) * g**2 of the gradient g."""
    options = {"dtype": "float64", "batch_size": len(X), "alpha": 0.0, "shuffle": False}
    model = DNNClassifier(**SMALL | options).initialize(X, Y)
    H = np.maximum(X.astype(float) @ model.coefs_[0] + model.intercepts_[0], 0.0)
    delta = model.predict_proba(X.astype(float))[:, 1] - Y
    model.partial_fit(X, Y)
    first, second = model.get_optimizer_state()["moments"]
    gradient = H.T @ delta / len(X)  # of the weights into the output
    there = slice(6 * 7, 6 * 7 + 7)
    assert_allclose(first[there], 0.1 * gradient, rtol=1e-9, atol=1e-12)
    assert_allclose(second[there], 0.001 * gradient**2, rtol=1e-9, atol=1e-15)
    assert_allclose(first[-1], 0.1 * delta.mean(), rtol=1e-9)


@pytest.mark.needs_jit
def test_an_exact_fit_goes_on_from_a_state_that_was_set():
    model = DNNClassifier(**SMALL, warm_start="exact").fit(X, Y).set_params(max_iter=9)
    twin = copy.deepcopy(model)
    state = model.get_optimizer_state()
    twin.set_optimizer_state(None).set_optimizer_state(state)
    other = copy.deepcopy(model).set_optimizer_state(state | {"learning_rate": 0.5})
    assert twin.fit(X, Y)._state == model.fit(X, Y)._state
    assert other.fit(X, Y)._state != model._state


def state_of(**changes):
    moments = np.zeros((2, 7 * 7 + 8), np.float32)
    state = {"optimizer": "adam", "step": 3, "learning_rate": 0.1, "moments": moments}
    return state | changes


BELOW_ZERO = np.zeros((2, 57))
BELOW_ZERO[1, 3] = -1.0


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("adam", "state='adam' must be a dict"),
        ({}, r"state=\[\] must be a dict"),
        (state_of(more=1), "must be a dict"),
        (state_of(optimizer="nesterov"), "state\\['optimizer'\\]='nesterov' must be 'adam'"),
        (state_of(optimizer=None), "must be 'adam'"),
        (state_of(moments=[1.0]), r"of shape \(2, 57\)"),
        (state_of(moments=np.zeros((2, 56), np.float32)), r"got float32 of shape \(2, 56\)"),
        (state_of(moments=np.zeros((57, 2))), r"\(57, 2\)"),
        (state_of(moments=np.zeros((2, 57), int)), "float32 or float64"),
        (state_of(moments=np.full((2, 57), np.nan)), "NaN"),
        (state_of(moments=BELOW_ZERO), r"\['moments'\]\[1\] has numbers below 0"),
        (state_of(step=-1), "step=-1"),
        (state_of(step=1.5), "step=1.5"),
        (state_of(step=True), "step=True"),
        (state_of(learning_rate=np.inf), "learning_rate=inf"),
        (state_of(learning_rate="fast"), "learning_rate='fast'"),
    ],
)
def test_a_state_that_cannot_be_is_refused(state, word):
    model = DNNClassifier(**SMALL).fit(X, Y)
    before = copy.deepcopy(model._state)
    with pytest.raises(ValueError, match=word):
        model.set_optimizer_state(state)
    assert model._state == before


def test_who_has_no_optimiser_says_so():
    with pytest.raises(NotFittedError):
        DNNClassifier().get_optimizer_state()
    with pytest.raises(NotFittedError):
        DNNClassifier().set_optimizer_state(state_of())
    model = DNNClassifier(**SMALL | {"solver": "lbfgs"}).fit(X, Y)
    assert model.get_optimizer_state() is None
    with pytest.raises(ValueError, match="solver='lbfgs', which keeps no state"):
        model.set_optimizer_state(state_of())
    model.set_params(solver="adam").set_optimizer_state(state_of())
    assert model.partial_fit(X, Y).get_optimizer_state()["step"] == 10


def test_a_state_is_of_the_solver_that_begins():
    model = DNNClassifier(**SMALL, solver="sgd").initialize(X, Y)
    with pytest.raises(ValueError, match="must be 'nesterov'"):
        model.set_optimizer_state(state_of())
    assert set(OPTIMIZERS) > {"nesterov", "momentum"}


# -- parts of epochs ------------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"dropout": 0.3}])
def test_steps_that_fill_an_epoch_are_an_epoch(options):
    whole = DNNClassifier(**SMALL | options).partial_fit(X, Y, classes=[0, 1])
    model = DNNClassifier(**SMALL | options).partial_fit(X, Y, classes=[0, 1], n_steps=7)
    assert model._state == whole._state


@pytest.mark.needs_jit
def test_some_steps_are_the_first_of_an_epoch():
    model = DNNClassifier(**SMALL, shuffle=False).partial_fit(X, Y, classes=[0, 1], n_steps=3)
    whole = DNNClassifier(**SMALL, shuffle=False).partial_fit(X[:96], Y[:96], classes=[0, 1])
    assert model._state == whole._state
    assert model.t_ == 96
    assert model.get_optimizer_state()["step"] == 3


def test_more_steps_than_an_epoch_has_go_round_again():
    model = DNNClassifier(**SMALL).partial_fit(X, Y, classes=[0, 1], n_steps=17)
    assert model.get_optimizer_state()["step"] == 17
    assert model.t_ == 2 * len(X) + 3 * 32
    assert model.n_iter_ == len(model.loss_curve_) == 3
    model.set_params(max_iter=1).partial_fit(X, Y, n_steps=15)
    assert model.get_optimizer_state()["step"] == 32
    assert model.n_iter_ == 3


@pytest.mark.parametrize("n_steps", [0, -1, 1.5, "all", True])
def test_a_number_of_steps_is_a_count(n_steps):
    with pytest.raises(ValueError, match=f"n_steps={n_steps!r} must be"):
        DNNRegressor(**SMALL).partial_fit(X, Y, n_steps=n_steps)


# -- limits of time -------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch):
    """Let a run of the engine take two batches, and a second of the monotonic clock."""
    now = [0.0]
    run = EpochRunner._run

    def running(self, first, last, n_batches):
        run(self, first, last, n_batches)
        now[0] += 1.0

    monkeypatch.setattr(EpochRunner, "_run", running)
    monkeypatch.setattr(EpochRunner, "_batches", lambda self: 2)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def warned(model, *samples):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(*samples)
    return [str(w.message) for w in said if w.category is ConvergenceWarning]


@pytest.mark.parametrize(("seconds", "n_iter", "n_steps"), [(1.5, 0, 4), (6.0, 1, 11)])
def test_time_is_up_within_an_epoch(seconds, n_iter, n_steps, slow):
    model = DNNClassifier(**SMALL, max_time=seconds, warm_start="exact")
    (message,) = warned(model, X, Y)
    assert f"max_time={seconds} seconds were over after {n_iter} epochs" in message
    assert model.n_iter_ == len(model.loss_curve_) == n_iter
    assert model.t_ == n_iter * len(X)
    state = model.get_optimizer_state()
    assert state["step"] == n_steps
    assert np.isfinite(model.loss_)
    assert model._resumable.rows_done == 32 * (n_steps - 7 * n_iter)
    by_steps = DNNClassifier(**SMALL, warm_start="exact").partial_fit(
        X, Y, classes=[0, 1], n_steps=n_steps
    )
    if n_iter == 0:  # later epochs are shuffled from those before
        assert_array_equal(model.coefs_[0], by_steps.coefs_[0])
        assert model.loss_ == by_steps.loss_


@pytest.mark.needs_jit
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"ema_decay": 0.8}])
def test_time_that_was_up_within_an_epoch_changes_no_bit(options, slow, tmp_path):
    options = SMALL | options
    at_once = DNNClassifier(**options, warm_start="exact").fit(X, Y)
    model = DNNClassifier(**options, warm_start="exact", max_time=1.5).fit(X, Y)
    n_fits, within = 1, 0
    while model.n_iter_ < at_once.n_iter_:
        within += model._resumable.rows_done > 0
        model.save(tmp_path / "model")
        model = fastdnn.load(tmp_path / "model").fit(X, Y)
        n_fits += 1
    assert n_fits > 8
    assert within > 4
    assert model._state == at_once._state


def test_the_best_is_kept_where_time_is_up(slow):
    options = SMALL | {"early_stopping": True, "learning_rate_init": 0.3, "max_iter": 40}
    model = DNNClassifier(**options, max_time=30.5)
    assert "max_time" in warned(model, X, Y)[0]
    assert 3 < model.n_iter_ < 40
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_a_fit_that_is_done_in_time_says_nothing_of_time(slow):
    model = DNNClassifier(**SMALL | {"max_iter": 50}, tol=1.0, n_iter_no_change=2)
    model.set_params(max_time=1e6)
    assert warned(model, X, Y) == []
    model.set_params(max_iter=2)
    assert "Maximum iterations (2)" in warned(model, X, Y)[0]


def test_the_minimiser_ends_in_time(slow):
    model = DNNRegressor(**SMALL | {"solver": "lbfgs", "max_iter": 500, "tol": 0.0})
    (message,) = warned(model.set_params(max_time=8.5), X, X[:, 0] * X[:, 1])
    assert f"max_time=8.5 seconds were over after {model.n_iter_} iterations" in message
    assert 0 < model.n_iter_ < 9
    reached = DNNRegressor(**SMALL | {"solver": "lbfgs", "max_iter": model.n_iter_})
    assert model.loss_ <= reached.fit(X, X[:, 0] * X[:, 1]).loss_


def test_partial_fit_has_no_limit_of_time(slow):
    model = DNNClassifier(**SMALL, max_time=0.5).partial_fit(X, Y, classes=[0, 1])
    assert model.get_optimizer_state()["step"] == 7
