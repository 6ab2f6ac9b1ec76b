"""What Optuna is told of epochs, and trials that it ends."""

import sys

import pytest

from fastdnn.callbacks import OptunaPruning
from tests.callbacks.kinds import LABELS, X, classifier, needs_callbacks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def optuna():
    module = pytest.importorskip("optuna")
    module.logging.set_verbosity(module.logging.WARNING)
    return module


def study_of(optuna, objective, n_trials):
    sampler, pruner = optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner()
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.optimize(objective, n_trials=n_trials)
    return study


@needs_callbacks
@pytest.mark.parametrize("monitor", ["loss", "validation_loss", "validation_score"])
def test_each_epoch_is_reported(optuna, monitor):
    fitted = []

    def objective(trial):
        model = classifier(alpha=trial.suggest_float("alpha", 0.0, 1.0))
        fitted.append(model.set_callbacks(OptunaPruning(trial, monitor)))
        return model.fit(X, LABELS, X_val=X[:30], y_val=LABELS[:30]).loss_

    study = study_of(optuna, objective, 2)
    for trial, model in zip(study.trials, fitted, strict=True):
        reported = dict(zip([1, 2, 3, 4], model.history_[monitor], strict=True))
        assert trial.intermediate_values == reported


@needs_callbacks
def test_a_trial_that_is_pruned_ends(optuna, monkeypatch):
    epochs = []

    class Second(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            epochs.append(trial.last_step)
            return trial.number == 1 and trial.last_step == 2

    def objective(trial):
        model = classifier(alpha=trial.suggest_float("alpha", 0.0, 1.0))
        return model.set_callbacks(OptunaPruning(trial, "loss")).fit(X, LABELS).loss_

    study = optuna.create_study(pruner=Second())
    study.optimize(objective, n_trials=3)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert epochs == [1, 2, 3, 4, 1, 2, 1, 2, 3, 4]


@needs_callbacks
def test_what_is_not_recorded_is_an_error(optuna):
    trial = optuna.create_study().ask()
    model = classifier().set_callbacks(OptunaPruning(trial))
    said = r"monitor='validation_score' was not recorded in epoch 1; there are \['epoch'"
    with pytest.raises(ValueError, match=said):
        model.fit(X, LABELS)


def test_without_optuna_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r'pip install "fastdnn\[optuna\]"'):
        OptunaPruning(None)
