"""Models that are saved while they are trained."""

import warnings

import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score

import fastdnn
from fastdnn.callbacks import Checkpoint, checkpoint
from tests.callbacks.kinds import (
    LABELS,
    TARGETS,
    X,
    classifier,
    needs_callbacks,
    regressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@needs_callbacks
@pytest.mark.parametrize(
    "options", [{}, {"solver": "lbfgs"}, {"early_stopping": True}], ids=str
)
def test_each_epoch_has_the_file_of_a_shorter_fit(options, tmp_path):
    callback = Checkpoint(tmp_path / "{epoch:02d}")
    classifier(**options).set_callbacks(callback).fit(X, LABELS)
    assert names(tmp_path) == ["01", "02", "03", "04"]
    for n_epochs in range(1, 5):
        shorter = classifier(**options | {"max_iter": n_epochs}).fit(X, LABELS)
        loaded = fastdnn.load(tmp_path / f"{n_epochs:02d}")
        assert_array_equal(loaded.predict_proba(X), shorter.predict_proba(X))
        assert loaded.n_iter_ == n_epochs


@needs_callbacks
@pytest.mark.needs_jit  # without it, a first batch's penalty is summed up otherwise
def test_a_file_is_gone_on_from_with_the_same_bits(tmp_path):
    callback = Checkpoint(tmp_path / "{epoch}")
    whole = classifier(early_stopping=True).set_callbacks(callback).fit(X, LABELS)
    for name in names(tmp_path):
        model = fastdnn.load(tmp_path / name).set_params(warm_start="exact").fit(X, LABELS)
        assert model._state == whole._state


@needs_callbacks
def test_some_of_the_epochs(tmp_path, monkeypatch):
    model = classifier(max_iter=7)
    model.set_callbacks(Checkpoint(tmp_path / "{epoch}", every_epochs=3)).fit(X, LABELS)
    assert names(tmp_path) == ["3", "6"]
    for name in names(tmp_path):
        (tmp_path / name).unlink()
    looks = iter(range(10, 1000, 10))
    monkeypatch.setattr(checkpoint, "_seconds", lambda: next(looks))
    model.set_callbacks(Checkpoint(tmp_path / "{epoch}", every_seconds=25.0)).fit(X, LABELS)
    # A look after each epoch, and one after each file: these are at 20, 60 and 100 s.
    assert names(tmp_path) == ["1", "4", "7"]


@needs_callbacks
@pytest.mark.parametrize("monitor", ["validation_score", "validation_loss", "loss"])
def test_the_best_epoch_is_what_is_left(monitor, tmp_path):
    callback = Checkpoint(tmp_path / "best", monitor=monitor)
    model = regressor(learning_rate_init=0.2, max_iter=12).set_callbacks(callback)
    model.fit(X, TARGETS, X_val=X[:20], y_val=-TARGETS[:20])
    column = model.history_[monitor]
    best = column.index(min(column) if "loss" in monitor else max(column))
    assert fastdnn.load(tmp_path / "best").n_iter_ == best + 1


@needs_callbacks
def test_the_best_is_one_of_those_that_are_due(tmp_path):
    callback = Checkpoint(tmp_path / "{epoch}", every_epochs=3, monitor="loss")
    model = regressor(max_iter=9).set_callbacks(callback).fit(X, TARGETS)
    losses = model.loss_curve_
    assert losses == sorted(losses, reverse=True)
    assert names(tmp_path) == ["3", "6", "9"]


@needs_callbacks
@pytest.mark.parametrize("name", ["{accuracy}", "{", "{epoch:s}", "{0}"])
def test_what_is_no_format_string_is_said(name, tmp_path):
    model = classifier().set_callbacks(Checkpoint(f"{tmp_path}/{name}"))
    with pytest.raises(ValueError, match="is no format string of"):
        model.fit(X, LABELS)


@needs_callbacks
def test_what_is_not_recorded_cannot_be_monitored(tmp_path):
    model = classifier().set_callbacks(Checkpoint(tmp_path / "best", monitor="accuracy"))
    with pytest.raises(ValueError, match=r"monitor='accuracy' is not recorded .*'loss'"):
        model.fit(X, LABELS)


@needs_callbacks
def test_fits_of_a_search_have_files_of_their_own(tmp_path):
    callback = Checkpoint(tmp_path / "{task}-{epoch}", every_epochs=4)
    cross_val_score(classifier().set_callbacks(callback), X, LABELS, cv=2)
    assert names(tmp_path) == ["0-4"]  # which is no search: it has no tasks
    from sklearn.model_selection import GridSearchCV

    GridSearchCV(classifier().set_callbacks(callback), {"alpha": [1.0]}, cv=2).fit(X, LABELS)
    assert names(tmp_path) == ["0-0-0-4", "0-0-1-4", "0-1-4", "0-4"]


@needs_callbacks
def test_a_folder_that_is_not_there_is_an_error_before_training(tmp_path):
    model = classifier().set_callbacks(Checkpoint(tmp_path / "missing" / "{epoch}"))
    with pytest.raises(fastdnn.ModelFileError, match="missing"):
        model.fit(X, LABELS)


@needs_callbacks
def test_a_file_that_cannot_be_written_ends_no_fit(tmp_path):
    (tmp_path / "2").mkdir()
    model = classifier().set_callbacks(Checkpoint(tmp_path / "{epoch}"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, LABELS)
    said = [str(w.message) for w in caught if not issubclass(w.category, ConvergenceWarning)]
    assert len(said) == 1
    assert said[0].startswith("A checkpoint was not written.")
    assert names(tmp_path) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    "options",
    [
        {"every_epochs": 0},
        {"every_epochs": 1.5},
        {"every_epochs": True},
        {"every_seconds": -1},
        {"every_seconds": "1"},
    ],
    ids=str,
)
def test_other_values_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        Checkpoint("path", **options)
