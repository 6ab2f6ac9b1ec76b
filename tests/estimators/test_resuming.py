"""Fits that go on exactly: in parts, over copies, files and other processes, as at once."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.training.epochs import EpochRunner
from tests.processes import run_python

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.needs_jit,  # without it, the penalty of a first batch is summed up otherwise
]

X = np.random.default_rng(0).standard_normal((203, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
WEIGHT = np.random.default_rng(1).uniform(0.5, 2.0, len(X))
SMALL = {"hidden_layer_sizes": (7,), "random_state": 0, "batch_size": 32, "max_iter": 12}
CASES = {
    "adam": {},
    "one batch, in float64": {"batch_size": "auto", "hidden_layer_sizes": (3,)},
    "float64": {"dtype": "float64"},
    "early stopping": {"early_stopping": True},
    "unshuffled early stopping": {"early_stopping": True, "shuffle": False},
    "unshuffled": {"shuffle": False},
    "nesterov": {"solver": "sgd"},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "adaptive": {
        **{"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 2},
        "learning_rate_init": 0.1,
    },
    "plateau": {"learning_rate": "plateau", "learning_rate_patience": 2, "tol": 1.0},
    "stops": {"tol": 1.0, "n_iter_no_change": 3},
    "amsgrad": {"solver": "amsgrad", "weight_decay": 0.1, "l1": 0.1},
    "lion": {"solver": "lion", "clip_norm": 0.5, "max_norm": 1.0},
    "moving average": {"ema_decay": 0.9},
    "moving average, early stopping": {"ema_decay": 0.9, "early_stopping": True},
    "dropout": {"dropout": 0.3},
    "noise": {"input_noise": 0.3},
    "layer normalisation": {"normalization": "layer", "activation": "prelu"},
    "random state": {"random_state": np.random.RandomState(3)},
}


def assert_same(one, other):
    """Assert that two estimators hold, and go on from, the same."""
    assert one._state == other._state
    assert one._resumable == other._resumable
    assert one.loss_curve_ == other.loss_curve_
    assert one.n_iter_ == other.n_iter_
    assert_array_equal(one.predict(X), other.predict(X))


def begun(max_iter, options, Estimator=DNNClassifier):
    options = SMALL | copy.deepcopy(options) | {"max_iter": max_iter}
    return Estimator(**options, warm_start="exact").fit(X, Y)


def through_file(model, folder):
    model.save(folder / "model")
    return fastdnn.load(folder / "model")


WAYS = {
    "itself": lambda model, folder: model,
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "file": through_file,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_a_fit_in_parts_is_one_at_once(name, way, tmp_path):
    at_once = begun(12, CASES[name])
    model = begun(5, CASES[name])
    model = WAYS[way](model, tmp_path)
    model.set_params(max_iter=8).fit(X, Y)
    model = WAYS[way](model, tmp_path).set_params(max_iter=12).fit(X, Y)
    assert_same(model, at_once)


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": "cosine", "learning_rate_warmup": 0.2},
        {"learning_rate": "one_cycle"},
        {"learning_rate": "steps"},
        {"swa_start": 0.3},
        {"swa_start": 0.3, "early_stopping": True},
    ],
)
def test_what_depends_on_the_end_goes_on_where_time_was_up(options, tmp_path, monkeypatch):
    at_once = begun(12, options)
    monkeypatch.setattr(EpochRunner, "epochs_at_once", 1)
    model = DNNClassifier(**SMALL | options, max_time=1e-9, warm_start="exact").fit(X, Y)
    n_fits = 1
    while model.n_iter_ < at_once.n_iter_:
        model = through_file(model, tmp_path).fit(X, Y)
        n_fits += 1
    assert n_fits > 3
    model.fit(X, Y)  # what has ended has ended
    assert_same(model, at_once)


@pytest.mark.parametrize("given", ["sparse", "weights", "regression", "X_val"])
def test_all_that_can_be_fitted_can_go_on(given):
    Estimator = DNNRegressor if given == "regression" else DNNClassifier
    table = sparse.csr_array(X * (X > 0)) if given == "sparse" else X
    more = {"sample_weight": WEIGHT} if given == "weights" else {}
    if given == "X_val":
        more = {"X_val": X[:40], "y_val": Y[:40]}
    options = SMALL | {"early_stopping": given == "X_val", "warm_start": "exact"}
    at_once = Estimator(**options).fit(table, Y, **more)
    model = Estimator(**options | {"max_iter": 7}).fit(table, Y, **more)
    model.set_params(max_iter=12).fit(table, Y, **more)
    assert model._state == at_once._state
    assert model._resumable == at_once._resumable


@pytest.mark.waits_for_processes
def test_another_process_goes_on_with_the_same_bits(tmp_path):
    at_once = begun(20, {"dropout": 0.2})
    begun(10, {"dropout": 0.2}).save(tmp_path / "model")
    np.savez(tmp_path / "samples", X=X, Y=Y)
    code = f"""
import fastdnn, numpy, warnings
warnings.simplefilter("ignore")
data = numpy.load({str(tmp_path / "samples.npz")!r})
model = fastdnn.load({str(tmp_path / "model")!r}).set_params(max_iter=20, n_threads=2)
model.fit(data["X"], data["Y"]).set_params(n_threads=None).save({str(tmp_path / "more")!r})
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    at_once.save(tmp_path / "once")
    one = fastdnn.load(tmp_path / "more")
    assert_same(one, at_once)
    # The times of epochs are not in a file, so the files are the same as well.
    one.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "once").read_bytes()


def test_a_fit_at_an_end_goes_on_with_nothing():
    model = begun(12, {})
    theta = model._state.parameters.theta.copy()
    model.fit(X, Y)
    assert_array_equal(model._state.parameters.theta, theta)
    assert model.n_iter_ == 12


def test_what_is_kept_is_not_shared_with_what_goes_on():
    model = begun(5, {})
    kept = copy.deepcopy(model._resumable)
    copy.copy(model).set_params(max_iter=9).fit(X, Y)
    assert model._resumable == kept
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), Y)
    assert model._resumable == kept


def test_edited_weights_are_gone_on_from():
    model = begun(5, {})
    model.coefs_[0][:] = 0.0
    assert model._resumable.parameters is model._state.parameters
    model.set_params(max_iter=6).fit(X, Y)
    assert np.abs(model.coefs_[0]).max() < 0.02  # seven steps of about 0.001


def test_only_those_who_asked_keep_what_is_needed(tmp_path):
    for warm_start, checkpoint in ((False, None), (True, None)):
        model = DNNClassifier(**SMALL, warm_start=warm_start, checkpoint=checkpoint).fit(X, Y)
        assert not hasattr(model, "_resumable")
    model.set_params(checkpoint=tmp_path / "kept").fit(X, Y)
    assert model._resumable.order.size == len(X)
    model.set_params(checkpoint=None).fit(X, Y)
    assert not hasattr(model, "_resumable")


def without_kept(model):
    return DNNClassifier(**SMALL).fit(X, Y).set_params(warm_start="exact")


def exchanged(model):
    model.coefs_[0] = model.coefs_[0].copy()
    return model


@pytest.mark.parametrize(
    ("change", "rows", "word"),
    [
        (without_kept, len(X), "kept nothing"),
        (exchanged, len(X), "exchanged"),
        (lambda model: model, 100, "X has 100 samples.* of the 203 samples"),
        (lambda model: model.set_params(early_stopping=True), len(X), "early_stopping=True"),
        (lambda model: model.set_params(solver="lbfgs"), len(X), "'exact'.*'lbfgs'"),
    ],
)
def test_what_cannot_go_on_exactly_says_why(change, rows, word):
    model = change(begun(5, {}).set_params(max_iter=9))
    before = copy.deepcopy(model.__dict__["_state"])
    with pytest.raises(ValueError, match=word):
        model.fit(X[:rows], Y[:rows])
    assert model._state == before


def test_another_split_is_refused():
    model = begun(5, {"early_stopping": True}).set_params(early_stopping=False, max_iter=9)
    with pytest.raises(ValueError, match="early_stopping=False is another one"):
        model.fit(X, Y)
    model.set_params(early_stopping=True)
    with pytest.raises(ValueError, match="X_val"):
        model.fit(X, Y, X_val=X[:40], y_val=Y[:40])


def test_partial_fit_goes_on_with_the_random_state():
    exact = DNNClassifier(**SMALL, warm_start="exact").partial_fit(X, Y, classes=[0, 1])
    anew = DNNClassifier(**SMALL).partial_fit(X, Y, classes=[0, 1])
    assert_array_equal(exact.coefs_[0], anew.coefs_[0])
    exact.partial_fit(X, Y)
    anew.partial_fit(X, Y)
    assert not np.array_equal(exact.coefs_[0], anew.coefs_[0])
    assert (exact.n_iter_, anew.n_iter_) == (2, 1)
    assert exact._resumable.order is None
    # Another X then, and all epochs count.
    assert exact.set_params(max_iter=4).fit(X[:100], Y[:100]).n_iter_ == 4
    assert exact.t_ == 2 * len(X) + 2 * 100


def test_training_that_diverged_goes_on_from_the_best():
    options = {"early_stopping": True, "learning_rate_init": 0.1, "solver": "sgd"}
    model = begun(5, options)
    best = model._state.parameters.theta.copy()
    scale = np.float32(1e30)
    with pytest.warns(Warning, match="is kept"):
        model.set_params(max_iter=9, n_iter_no_change=50).fit(X * scale, Y)
    assert_array_equal(model._state.parameters.theta, best)
    assert model._resumable.parameters is model._state.parameters
