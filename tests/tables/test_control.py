"""What ends training of tables before its time, and who is told how it goes."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastdnn.tables import (
    Progress,
    TabularDNNClassifier,
    TabularDNNRegressor,
    base,
    ensemble,
    members,
)
from tests.tables.tables import BOTH, SMALL, outputs, table, targets


def fit(Estimator, given=True, **settings):
    """Return a fitted model and its table."""
    X, y = table(90)
    y = targets(Estimator, y)
    validation = dict(X_val=X[60:], y_val=y[60:]) if given else {}
    options = SMALL | {"hidden_layer_sizes": (4,)} | settings
    return Estimator(**options).fit(X[:60], y[:60], **validation), X


@BOTH
def test_callbacks_are_told_of_epochs_and_cycles(Estimator):
    seen: list[Progress] = []
    model, _ = fit(Estimator, given=False, callbacks=[seen.append])
    pilot = [p for p in seen if p.stage == "pilot"]
    kept = [p for p in seen if p.stage == "ensemble"]
    assert pilot + kept == seen
    for stage in (pilot, kept):
        epochs = [p.epoch for p in stage]
        assert epochs == sorted(set(epochs))
        assert set(range(1, int(max(epochs)) + 1)) <= set(epochs)
        assert all(np.isfinite(p.loss) and p.loss > 0.0 for p in stage)
        assert stage[-1].loss < stage[0].loss
    assert {p.n_epochs for p in kept} == {model.n_epochs_}
    ends = [p for p in pilot if p.validation_loss is not None]
    assert [p.cycle for p in ends] == list(range(1, len(ends) + 1))
    np.testing.assert_allclose([p.validation_score for p in ends], model.validation_scores_)
    np.testing.assert_allclose([-p.validation_loss for p in ends], model.validation_scores_)
    assert all(p.validation_loss is None for p in kept)
    seconds = [p.seconds for p in seen]
    assert seconds == sorted(seconds)
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen[0].epoch = 3


@pytest.mark.slow_without_jit
@BOTH
def test_being_told_changes_nothing(Estimator):
    told, X = fit(Estimator, given=False, callbacks=[lambda progress: None], n_threads=2)
    alone, _ = fit(Estimator, given=False)
    np.testing.assert_array_equal(outputs(told, X), outputs(alone, X))


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("given", [True, False], ids=["X_val", "pilot"])
@BOTH
def test_a_callback_ends_training(Estimator, given, n_threads):
    """In the first epoch already; the model is then what that has made of it."""
    seen: list[Progress] = []

    def stop(progress):
        seen.append(progress)
        return True

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, X = fit(Estimator, given, callbacks=[stop, stop], n_threads=n_threads)
    assert len(seen) == 2  # all are told before training ends
    assert outputs(model, X).shape[:2] == (2, 90)
    assert outputs(model, X)[0].std() > 0.0
    again, _ = fit(Estimator, given, callbacks=[stop], n_threads=3 - n_threads)
    np.testing.assert_array_equal(outputs(again, X), outputs(model, X))


def test_other_results_than_true_do_not_end_training():
    model, _ = fit(TabularDNNRegressor, callbacks=[lambda progress: 1])
    assert len(model.cycle_weights_) >= 3


@BOTH
def test_a_callback_ends_training_after_a_cycle(Estimator):
    model, X = fit(Estimator, callbacks=[lambda progress: progress.epoch > 4.0])
    assert len(model.cycle_weights_) == 2  # which end after 1 and 3 of 15 epochs
    assert np.isfinite(outputs(model, X)).all()


@BOTH
def test_what_a_callback_raises_leaves_the_estimator_as_it_was(Estimator):
    model, X = fit(Estimator)
    before = outputs(model, X)

    def fail(progress):
        raise RuntimeError("no more")

    model.set_params(callbacks=[fail])
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(X, np.arange(90) % 3)
    np.testing.assert_array_equal(outputs(model, X), before)


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_lines_are_printed(verbose, capsys):
    model, _ = fit(
        TabularDNNClassifier, verbose=verbose, scoring="accuracy", early_stopping=False
    )
    lines = capsys.readouterr().out.splitlines()
    of_cycles = [line for line in lines if "validation loss" in line and "score" in line]
    assert len(of_cycles) == (len(model.cycle_weights_) if verbose else 0)
    n_epochs = model.n_epochs_ if verbose > 1 else 0
    assert len(lines) - len(of_cycles) >= n_epochs - len(of_cycles)
    assert all(line.startswith("ensemble: epoch ") for line in lines)


@BOTH
def test_all_cycles_are_trained_without_early_stopping(Estimator):
    def worse_and_worse(estimator, X, y):
        scored.append(None)
        return -float(len(scored))

    scored: list = []
    model, _ = fit(Estimator, scoring=worse_and_worse)
    assert len(model.cycle_weights_) == 3
    model, _ = fit(Estimator, scoring=worse_and_worse, early_stopping=False)
    assert len(model.cycle_weights_) == 4


@BOTH
def test_without_validation_the_last_cycle_counts(Estimator):
    seen = []
    model, X = fit(Estimator, given=False, validation=None, callbacks=[seen.append])
    assert {progress.stage for progress in seen} == {"ensemble"}
    assert model.cycle_weights_.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert model.validation_scores_.shape == (0,)
    assert np.isfinite(outputs(model, X)).all()


# -- time and interrupts ------------------------------------------------------------------


@pytest.mark.parametrize("given", [True, False], ids=["X_val", "pilot"])
@BOTH
def test_time_ends_training_with_what_there_is(Estimator, given):
    with pytest.warns(ConvergenceWarning, match="max_time was reached") as caught:
        model, X = fit(Estimator, given, max_epochs=10**6, max_time=0.3)
    assert len(caught) == 1
    assert outputs(model, X).std() > 0.0


@pytest.mark.slow_without_jit
def test_time_that_ends_before_the_networks_are_trained_leaves_the_pilot(monkeypatch):
    X, y = table(300)
    trained = []

    def in_vain(*args):
        done = real(*args)
        trained.append(done)
        return done._replace(is_complete=False)

    real = base.train_by_decisions
    monkeypatch.setattr(base, "train_by_decisions", in_vain)
    model = TabularDNNRegressor(**SMALL | {"n_members": 4}).fit(X, y)
    assert len(trained) == 1
    assert len(outputs(model, X)) == 2


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_calls", [1, 2, 3])
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@BOTH
def test_an_interrupt_keeps_what_was_learnt(
    Estimator, shared, n_calls, n_threads, monkeypatch
):
    """In the first cycle as well, and of members that have not learnt anything none."""
    real, calls = members.Member.train, []

    def interrupted(self, *args):
        done = real(self, *args)
        calls.append(self)
        if len(calls) == n_calls:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(members.Member, "train", interrupted)
    with pytest.warns(UserWarning, match="interrupted by user") as caught:
        model, X = fit(Estimator, n_threads=n_threads, shared_weights=shared)
    assert [w.filename for w in caught] == [__file__]
    assert outputs(model, X)[0].std() > 0.0


def test_an_interrupt_when_cycles_are_weighed_leaves_the_best(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(ensemble, "greedy_weights", interrupted)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model, X = fit(TabularDNNRegressor)
    best = int(np.argmax(model.validation_scores_))
    assert model.cycle_weights_.tolist() == np.eye(len(model.cycle_weights_))[best].tolist()
    assert len(outputs(model, X)) == 2


@pytest.mark.slow_without_jit
def test_an_interrupt_after_the_pilot_leaves_it(monkeypatch):
    """Before the networks that are to be kept have learnt anything, be it at the encoding."""
    X, y = table(300)
    for name in ("fit_rows", "train_by_decisions"):
        real, calls = getattr(base, name), []

        def interrupted(*args, real=real, calls=calls, name=name):
            calls.append(args)
            if name != "fit_rows" or len(calls) == 2:
                raise KeyboardInterrupt
            return real(*args)

        with monkeypatch.context() as patch:
            patch.setattr(base, name, interrupted)
            with pytest.warns(UserWarning, match="interrupted by user"):
                model = TabularDNNRegressor(**SMALL | {"n_members": 3}).fit(X, y)
        assert len(outputs(model, X)) == 2
        assert model.score(X, y) > 0.3


def test_an_interrupt_before_anything_is_learnt_is_raised(monkeypatch):
    def interrupted(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(members.Member, "train", interrupted)
    X, y = table(100)
    model = TabularDNNRegressor(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


_PROGRAM = """
import os, signal, sys, warnings
import numpy as np
from fastdnn.tables import TabularDNNRegressor

stage, epoch = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
X = rng.normal(size=(500, 4))

def ready(progress):
    if progress.stage == stage and progress.epoch >= epoch:
        print("ready", flush=True)
        callbacks.clear()

callbacks = [ready]
options = dict(hidden_layer_sizes=(16,), max_epochs=10**5, n_threads=2, random_state=0)
model = TabularDNNRegressor(**options, validation=0.2 if stage == "pilot" else None)
model.set_params(callbacks=[lambda progress: [call(progress) for call in list(callbacks)]])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.fit(X, X[:, 0])
print([str(w.message) for w in caught], model.score(X, X[:, 0]) > 0.5, flush=True)
"""


@pytest.mark.needs_jit
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
@pytest.mark.parametrize("stage", ["pilot", "ensemble"])
def test_a_real_signal_ends_a_real_fit(stage):
    """Ctrl-C in the first cycle of many epochs: a warning and a model, soon."""
    command = [sys.executable, "-c", _PROGRAM, stage, "3000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        end = threading.Timer(240.0, process.kill)
        end.start()
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            said = process.stdout.read()
        finally:
            end.cancel()
    assert process.returncode == 0
    assert said == "['Training interrupted by user.'] True\n"
