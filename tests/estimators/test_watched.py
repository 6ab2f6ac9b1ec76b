"""Callbacks are told of fits and epochs, may end them, and change nothing otherwise."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

import fastdnn
from fastdnn.callbacks import EpochCallback
from fastdnn.training.epochs import EpochRunner
from tests.callbacks.kinds import (
    LABELS,
    TARGETS,
    KeepingFitted,
    Recording,
    X,
    classifier,
    needs_callbacks,
    regressor,
)
from tests.interrupts import STEP, count_instructions, interrupt_at

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = {
    "adam": {},
    "one batch": {"batch_size": 90},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.1},
    "early stopping": {"early_stopping": True},
    "mean of epochs": {"swa_start": 0.25},
    "moving average": {"ema_decay": 0.9},
    "layer normalisation": {"normalization": "layer", "activation": "prelu"},
    "float64": {"dtype": "float64"},
    "lbfgs": {"solver": "lbfgs"},
}
SOLVERS = [{}, {"solver": "lbfgs"}]


def left_by(model):
    return [*model.coefs_, *model.intercepts_, model.n_iter_, model.loss_]


def assert_same(one, other):
    for a, b in zip(left_by(one), left_by(other), strict=True):
        assert_array_equal(a, b)


@needs_callbacks
@pytest.mark.parametrize("kind", KINDS)
def test_with_callbacks_a_fit_has_the_same_bits(kind):
    plain = classifier(**KINDS[kind]).fit(X, LABELS)
    told = classifier(**KINDS[kind]).set_callbacks(KeepingFitted(), Recording())
    assert_same(told.fit(X, LABELS), plain)
    assert told._state.history == plain._state.history


def test_without_callbacks_nothing_watches(monkeypatch):
    taken, run = [], EpochRunner.run

    def counting(self, n_epochs=1):
        taken.append(n_epochs)
        return run(self, n_epochs)

    monkeypatch.setattr(EpochRunner, "run", counting)
    regressor(batch_size=90).fit(X, TARGETS)
    assert taken == [4]  # all epochs in one call of the engine


@needs_callbacks
@pytest.mark.parametrize("options", SOLVERS, ids=str)
def test_each_epoch_has_the_numbers_of_the_history(options):
    recording = Recording()
    model = regressor(**options).set_callbacks(recording)
    model.fit(X, TARGETS, X_val=X[:30], y_val=TARGETS[:30])
    table = model.history_
    assert len(recording.epochs) == len(table["epoch"]) == model.n_iter_ == 4
    for k, numbers in enumerate(recording.epochs):
        assert list(numbers) == list(table)
        expected = [column[k] for column in table.values()]
        assert_array_equal(list(numbers.values()), expected)
    assert recording.ended == [True]


@needs_callbacks
@pytest.mark.parametrize("kind", KINDS)
def test_the_fitted_estimator_is_that_of_a_shorter_fit(kind):
    keeping = KeepingFitted()
    classifier(**KINDS[kind]).set_callbacks(keeping).fit(X, LABELS)
    *epochs, whole = keeping.ended
    assert len(epochs) == len(keeping.own) == 4
    for n_epochs, (theirs, own) in enumerate(zip(epochs, keeping.own, strict=True), start=1):
        options = KINDS[kind] | {"max_iter": n_epochs}
        if kind == "mean of epochs":
            options["swa_start"] = 1.0 / n_epochs + 1e-9 if n_epochs > 1 else 0.999
        shorter = classifier(**options).fit(X, LABELS)
        for model in (theirs, own):
            assert_array_equal(model.predict_proba(X), shorter.predict_proba(X))
            assert model.n_iter_ == n_epochs
            assert model.history_["loss"] == shorter.history_["loss"]
            check_is_fitted(model)
    assert_array_equal(whole.predict_proba(X), epochs[-1].predict_proba(X))
    # The first of the tasks is the fit, then come the epochs, each from where the last ended.
    begun_of_fit, *begun = keeping.begun
    assert begun_of_fit.n_iter_ == 0
    assert [model.n_iter_ for model in begun] == [0, 1, 2, 3]
    for model, before in zip(begun, [begun_of_fit, *epochs[:-1]], strict=True):
        assert_array_equal(model.predict_proba(X), before.predict_proba(X))


@needs_callbacks
@pytest.mark.needs_jit  # without it, a first batch's penalty is summed up otherwise
@pytest.mark.parametrize("kind", ["adam", "early stopping", "moving average"])
def test_the_fitted_estimator_goes_on_as_the_fit_does(kind):
    class KeepSecond(EpochCallback):
        def end_epoch(self, estimator, epoch, run):
            if epoch.numbers["epoch"] == 2:
                self.kept = epoch.fitted_estimator()

    keeping = KeepSecond()
    model = classifier(**KINDS[kind]).set_callbacks(keeping).fit(X, LABELS)
    kept = keeping.kept.set_params(warm_start="exact").set_callbacks()
    assert_same(kept.fit(X, LABELS), model)


@needs_callbacks
def test_a_refit_with_another_network_shows_nothing_of_the_last():
    keeping = KeepingFitted()
    model = classifier(hidden_layer_sizes=(7, 3), activation="prelu", normalization="layer")
    model.fit(X, LABELS).set_params(
        hidden_layer_sizes=(4,), activation="relu", normalization=None, solver="lbfgs"
    )
    model.set_callbacks(keeping).fit(X, LABELS)
    for fitted in keeping.ended:
        assert [W.shape for W in fitted.coefs_] == [(4, 4), (4, 1)]
        assert not hasattr(fitted, "loss_curve_")
        assert fitted.predict(X).shape == (90,)
        assert pickle.loads(pickle.dumps(fitted)).n_layers_ == 3


@needs_callbacks
@pytest.mark.parametrize("options", SOLVERS, ids=str)
@pytest.mark.parametrize("after", [1, 3, 4])
def test_a_callback_ends_training(options, after):
    recording = Recording(stop_after=after)
    model = classifier(**options).set_callbacks(recording)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it was asked for, so nobody is told
        model.fit(X, LABELS)
    assert model.n_iter_ == after
    shorter = classifier(**options | {"max_iter": after}).fit(X, LABELS)
    assert_same(model, shorter)
    assert recording.ended == [True]


@needs_callbacks
@pytest.mark.parametrize("options", SOLVERS, ids=str)
@pytest.mark.parametrize("where", ["begin_fit", "end_epoch", "end_fit"])
def test_what_a_callback_raises_leaves_the_estimator_as_it_was(where, options):
    recording = Recording(raise_at=where)
    model = classifier(**options).set_callbacks(recording)
    with pytest.raises(RuntimeError, match=f"raised at {where}"):
        model.fit(X, LABELS)
    with pytest.raises(NotFittedError):
        model.predict(X)
    recording.raise_at = None
    fitted = model.fit(X, LABELS)
    before = left_by(fitted)
    recording.raise_at = where
    with pytest.raises(RuntimeError):
        model.fit(-X, LABELS)
    for a, b in zip(left_by(model), before, strict=True):
        assert_array_equal(a, b)
    # Every fit that has begun has ended.
    complete = {"begin_fit": [True], "end_epoch": [False, True, False]}
    assert recording.ended == complete.get(where, [True, True, True])
    leftovers = [name for name in vars(model) if "callback" in name]
    assert leftovers == ["_skl_callbacks"]


@needs_callbacks
def test_an_interrupt_in_a_callback_ends_training_as_anywhere():
    class Interrupting(Recording):
        def end_epoch(self, estimator, epoch, run):
            super().end_epoch(estimator, epoch, run)
            if epoch.numbers["epoch"] == 2:
                raise KeyboardInterrupt

    callback = Interrupting()
    model = classifier().set_callbacks(callback)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(X, LABELS)
    assert model.n_iter_ == 2
    assert callback.ended == [True]


@needs_callbacks
@pytest.mark.needs_jit
@pytest.mark.filterwarnings("ignore:Training interrupted")
def test_interrupted_anywhere_each_fit_that_has_begun_ends():
    def fit():
        recording = Recording()
        model = classifier(max_iter=2, n_threads=1).set_callbacks(recording)
        return model, recording, lambda: model.fit(X, LABELS)

    n_instructions = count_instructions(fit()[2])
    n_begun = 0
    for n in range(1, n_instructions, 10 * STEP):
        model, recording, run = fit()
        interrupt_at(n, run)
        n_begun += recording.begun
        assert len(recording.ended) == recording.begun
        assert not recording._runs
        assert [name for name in vars(model) if "callback" in name] == ["_skl_callbacks"]
    assert n_begun > 5


@needs_callbacks
def test_a_warm_start_goes_on():
    recording = Recording()
    model = classifier(warm_start=True).set_callbacks(recording).fit(X, LABELS)
    model.fit(X, LABELS)
    assert [numbers["epoch"] for numbers in recording.epochs] == [*range(1, 9)]


@needs_callbacks
@pytest.mark.needs_jit  # without it, a first batch's penalty is summed up otherwise
def test_an_exact_warm_start_goes_on_after_a_callback_has_stopped_it():
    whole = classifier().fit(X, LABELS)
    recording = Recording(stop_after=1)
    model = classifier(warm_start="exact").set_callbacks(recording)
    for n_epochs in (1, 2, 3, 4, 4):
        assert model.fit(X, LABELS).n_iter_ == n_epochs
    assert_same(model, whole)


@needs_callbacks
def test_time_that_is_over_in_an_epoch_ends_its_task():
    class Counting(Recording):
        names = ()

        def on_fit_task_begin(self, estimator, context):
            self.names += (("begin", context.task_name),)

        def on_fit_task_end(self, estimator, context):
            self.names += (("end", context.task_name),)

    counting = Counting()
    model = classifier(max_time=1e-9, max_iter=9).set_callbacks(counting)
    model.fit(X, LABELS)
    *begun, last = counting.names
    assert last == ("end", "fit")
    assert begun[0] == ("begin", "fit")
    assert begun[1:] == [("begin", "epoch"), ("end", "epoch")] * (len(begun) // 2)
    assert len(begun) >= 3


@needs_callbacks
def test_an_epoch_that_diverges_ends_with_nothing_to_tell():
    seen, scores = [], iter([1.0, 2.0, -np.inf])

    class Looking(EpochCallback):
        def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
            seen.append((context.task_name, X is None, fitted_estimator is None))
            return super().on_fit_task_end(estimator, context)

    def score(estimator, X, y):
        return next(scores)

    model = classifier(max_iter=9, early_stopping=True, scoring=score)
    with pytest.warns(UserWarning, match="validation score became -inf"):
        model.set_callbacks(Looking()).fit(X, LABELS)
    told, nothing = (False, False), (True, True)
    assert seen == [("epoch", *told), ("epoch", *told), ("epoch", *nothing), ("fit", *told)]


@needs_callbacks
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy's, without JIT
def test_a_fit_that_diverges_ends_for_its_callbacks():
    recording = Recording()
    model = regressor(solver="sgd", learning_rate_init=1e20).set_callbacks(recording)
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(X, TARGETS)
    assert recording.ended == [False]


@needs_callbacks
def test_a_fit_that_has_nothing_left_to_do():
    recording = Recording()
    model = classifier(warm_start="exact").fit(X, LABELS).set_callbacks(recording)
    model.fit(X, LABELS)
    assert not recording.epochs
    assert recording.ended == [True]


@needs_callbacks
def test_targets_that_float32_cannot_hold_in_training():
    keeping = KeepingFitted()
    model = regressor().set_callbacks(keeping).fit(X, TARGETS * 1e16)
    for k, fitted in enumerate(keeping.own):
        shorter = regressor(max_iter=k + 1).fit(X, TARGETS * 1e16)
        assert_array_equal(fitted.predict(X), shorter.predict(X))
        assert fitted.coefs_[0].dtype == model.coefs_[0].dtype == np.float32


@needs_callbacks
def test_partial_fit_is_an_epoch_of_somebody_else():
    recording = Recording()
    model = classifier().set_callbacks(recording)
    model.partial_fit(X, LABELS, classes=["no", "yes"])
    assert not recording.epochs
    assert recording.begun == 0


@needs_callbacks
def test_weights_are_told_and_nothing_else():
    seen = []

    class Looking(EpochCallback):
        def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
            seen.append((X, y, metadata))

    weight = np.linspace(0.5, 1.0, 90)
    model = classifier(max_iter=1).set_callbacks(Looking())
    model.fit(X, LABELS, weight)
    model.fit(X, LABELS)
    assert all(given is X and labels is LABELS for given, labels, _ in seen)
    assert [metadata for *_, metadata in seen[2:]] == [None, None]
    for *_, metadata in seen[:2]:
        assert list(metadata) == ["sample_weight"]
        assert metadata["sample_weight"] is weight


@needs_callbacks
def test_callbacks_go_with_clones_copies_and_pickles_and_not_into_files(tmp_path):
    recording = Recording()
    model = classifier(checkpoint=tmp_path / "written", checkpoint_epochs=1)
    model.set_callbacks(recording)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, LABELS)
    assert clone(model)._skl_callbacks == [recording]
    assert copy.copy(model)._skl_callbacks == [recording]
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded._skl_callbacks[0].epochs == recording.epochs
    for path in ("saved", "written"):
        if path == "saved":
            model.save(tmp_path / path)
        from_file = fastdnn.load(tmp_path / path)
        assert not hasattr(from_file, "_skl_callbacks")
        assert_array_equal(from_file.predict(X), model.predict(X))


@needs_callbacks
def test_a_clipped_batch_is_told_at_the_line_that_called_fit():
    model = classifier(batch_size=1000).set_callbacks(Recording())
    with pytest.warns(UserWarning, match="clipped") as caught:
        model.fit(X, LABELS)
    assert caught[0].filename == __file__
