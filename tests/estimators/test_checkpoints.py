"""Files that a fit writes while it runs, and what goes on from them, also after a kill."""

import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor, ModelFileError
from fastdnn.estimators import resuming

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((203, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
SMALL = {"hidden_layer_sizes": (7,), "random_state": 0, "batch_size": 32, "max_iter": 7}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint"


@pytest.fixture
def written(monkeypatch):
    """Return the models that were written, as they were then."""
    models, save = [], resuming.save

    def saving(model, path, compact):
        save(model, path, compact)
        models.append(fastdnn.load(path))

    monkeypatch.setattr(resuming, "save", saving)
    return models


CASES = {
    "adam": {},
    "early stopping": {"early_stopping": True},
    "in float64": {"batch_size": "auto", "hidden_layer_sizes": (3,)},
    "moving average": {"ema_decay": 0.9},
    "mean of epochs": {"swa_start": 0.3, "early_stopping": True},
    "cosine": {"learning_rate": "cosine"},
    "dropout, normalised": {"dropout": 0.3, "normalization": "layer", "activation": "prelu"},
    "random state": {"random_state": 3, "solver": "sgd", "learning_rate": "adaptive"},
}


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", CASES)
def test_each_goes_on_with_the_bits_of_the_fit(name, path, written):
    options = SMALL | CASES[name] | {"checkpoint": path, "checkpoint_epochs": 2}
    model = DNNClassifier(**options).fit(X, Y)
    assert [m.n_iter_ for m in written] == [2, 4, 6, 7]
    for kept in list(written):
        assert kept.checkpoint == str(path)
        kept.set_params(warm_start="exact").fit(X, Y)
        assert kept._state == model._state
        assert kept._resumable == model._resumable
        assert kept.loss_curve_ == model.loss_curve_


def test_one_is_the_estimator_of_then(path, written):
    options = SMALL | {"early_stopping": True, "learning_rate_init": 0.3}
    model = DNNClassifier(**options, checkpoint=path, checkpoint_epochs=3).fit(X, Y)
    for kept in written[:-1]:
        then = DNNClassifier(**options | {"max_iter": kept.n_iter_}).fit(X, Y)
        np.testing.assert_array_equal(kept.predict_proba(X), then.predict_proba(X))
        assert kept.validation_scores_ == then.validation_scores_
        assert kept.get_params() == model.get_params() | {"checkpoint": str(path)}
    assert written[-1]._state == model._state


def test_checkpoints_change_no_bit_of_the_fit(path):
    plain = DNNClassifier(**SMALL).fit(X, Y)
    model = DNNClassifier(**SMALL, checkpoint=path, checkpoint_seconds=0.0).fit(X, Y)
    assert model._state == plain._state


def test_it_is_written_at_the_end_at_least(path, written):
    DNNRegressor(**SMALL, checkpoint=path, checkpoint_seconds=None).fit(X, Y)
    assert [m.n_iter_ for m in written] == [7]
    DNNRegressor(**SMALL, checkpoint=path, checkpoint_seconds=0).fit(X, Y)
    assert len(written) > 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"checkpoint": "there is/no such/folder"}, "no folder"),
        ({"checkpoint": "."}, "not a regular file"),
        ({"learning_rate": lambda done: 1.0}, "learning_rate=.* object of Python"),
        ({"scoring": lambda model, X, y: 1.0}, "scoring=.* object of Python"),
        ({"validation_fraction": [(np.arange(100), np.arange(100, 203))]}, "validation_fr"),
        ({"solver": "lbfgs"}, "checkpoint=.*'lbfgs'"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_fit(change, word, path, monkeypatch):
    monkeypatch.setattr(resuming.Fit, "run", lambda self: pytest.fail("it trains"))
    model = DNNClassifier(**SMALL | {"checkpoint": path, "early_stopping": True} | change)
    with pytest.raises(ValueError, match=f"checkpoint=.*{word}|{word}"):
        model.fit(X, Y)
    assert not path.exists()


class Mine(DNNClassifier):
    """A class that a file has no word for."""


def test_a_class_of_your_own_is_refused(path):
    with pytest.raises(ValueError, match=r"checkpoint=.*Mine is a class of your own"):
        Mine(**SMALL, checkpoint=path).fit(X, Y)


def test_a_full_disk_ends_no_fit(path, monkeypatch):
    def full(model, path, compact):
        raise ModelFileError("No space left on device.")

    monkeypatch.setattr(resuming, "save", full)
    model = DNNClassifier(**SMALL, checkpoint=path, checkpoint_epochs=1)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(X, Y)
    assert [str(w.message) for w in said if "checkpoint" in str(w.message)] == [
        "A checkpoint was not written. No space left on device."
    ]
    assert model.n_iter_ == 7


def test_a_file_does_not_say_where_to_write_to(path, tmp_path):
    model = DNNClassifier(**SMALL, checkpoint=path).fit(X, Y)
    model.save(tmp_path / "model")
    assert fastdnn.load(tmp_path / "model").checkpoint is None
    moved = tmp_path / "moved"
    path.rename(moved)
    assert fastdnn.load(moved).checkpoint == str(moved)


def test_several_estimators_may_write_one_file(path):
    for seed in range(3):
        model = DNNClassifier(**SMALL | {"random_state": seed}, checkpoint=path).fit(X, Y)
        assert fastdnn.load(path)._state == model._state
    assert os.listdir(path.parent) == [path.name]


# -- killed ---------------------------------------------------------------------------------

# Forks children, each of which goes on from the file that is there, or begins, and is killed
# after so many seconds unless it has ended before.
_PARENT = """
import os, random, signal, sys, time, warnings
import fastdnn
from fastdnn import DNNClassifier
from tests.estimators.test_checkpoints import LONG, X, Y

warnings.simplefilter("ignore")
path = sys.argv[1]
DNNClassifier(**LONG | dict(max_iter=3), checkpoint=path).fit(X, Y)  # compiles what is needed
fastdnn.load(path).set_params(warm_start="exact").fit(X, Y)
begin = time.perf_counter()
DNNClassifier(**LONG, checkpoint=path, checkpoint_epochs=15).fit(X, Y)
seconds = time.perf_counter() - begin
os.unlink(path)
draw, kills, went_on = random.Random(0), 0, set()
while True:
    child = os.fork()
    if child == 0:
        model = DNNClassifier(**LONG, checkpoint=path, checkpoint_epochs=15)
        if os.path.exists(path):
            model = fastdnn.load(path).set_params(warm_start="exact")
        model.fit(X, Y)
        os._exit(0)
    if kills == 50:
        assert os.waitpid(child, 0)[1] == 0
        break
    time.sleep(draw.uniform(0.0, seconds / 2))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    kills += status == signal.SIGKILL
    if os.path.exists(path):
        went_on.add(fastdnn.load(path).n_iter_)  # never a torn file
    if status == 0:  # too fast: again from the beginning
        os.unlink(path)
print(kills, len(went_on))
"""
LONG = {
    **{"hidden_layer_sizes": (20,), "random_state": 0, "batch_size": 16, "max_iter": 300},
    **{"n_iter_no_change": 300, "dropout": 0.2, "ema_decay": 0.99, "n_threads": 1},
}


@pytest.mark.needs_jit
@pytest.mark.waits_for_processes
@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_killed_at_any_moment_training_goes_on_with_the_same_bits(path):
    once = DNNClassifier(**LONG, checkpoint=path).fit(X, Y)
    path.unlink()
    done = subprocess.run(
        [sys.executable, "-c", _PARENT, str(path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    kills, n_places = map(int, done.stdout.split())
    assert kills == 50
    assert n_places > 5
    model = fastdnn.load(path)
    assert model.n_iter_ == LONG["max_iter"]
    assert model._state == once._state
    assert model._resumable == once._resumable
    left = {name for name in os.listdir(path.parent) if not name.endswith(".tmp")}
    assert left == {path.name}
    assert signal.SIGKILL == 9
