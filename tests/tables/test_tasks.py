"""scikit-learn's callbacks are told how the training of an ensemble goes."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import fastdnn
from fastdnn.callbacks import Checkpoint, TensorBoard
from fastdnn.tables import Progress, TabularDNNRegressor
from tests.callbacks.kinds import Recording, needs_callbacks
from tests.tables.tables import BOTH, SMALL, outputs, table, targets

pytestmark = needs_callbacks
X, Y = table(120)
FEW = SMALL | {"max_epochs": 5}


@pytest.mark.slow_without_jit
@BOTH
def test_they_are_told_what_functions_are_told(Estimator):
    seen: list[Progress] = []
    recording = Recording()
    model = Estimator(**FEW, callbacks=[seen.append]).set_callbacks(recording)
    y = targets(Estimator, Y)
    model.fit(X, y)
    assert [numbers["loss"] for numbers in recording.epochs] == [p.loss for p in seen]
    assert [numbers["epoch"] for numbers in recording.epochs] == [*range(1, len(seen) + 1)]
    seconds = np.cumsum([numbers["seconds"] for numbers in recording.epochs])
    np.testing.assert_allclose(seconds, [p.seconds for p in seen])
    scores = [p.validation_score for p in seen if p.validation_score is not None]
    told = [numbers["validation_score"] for numbers in recording.epochs]
    assert [score for score in told if not np.isnan(score)] == scores
    assert recording.ended == [True]
    plain = Estimator(**FEW).fit(X, y)
    np.testing.assert_array_equal(outputs(model, X), outputs(plain, X))


def test_one_ends_training_and_one_that_raises_changes_nothing():
    recording = Recording(stop_after=3)
    model = TabularDNNRegressor(**FEW, validation=None).set_callbacks(recording)
    model.fit(X, Y)
    assert len(recording.epochs) == 3
    before = outputs(model, X)
    model.set_callbacks(failing := Recording(raise_at="end_epoch"))
    with pytest.raises(RuntimeError, match="raised at end_epoch"):
        model.fit(X, -Y)
    np.testing.assert_array_equal(outputs(model, X), before)
    assert failing.ended == [False]
    new = TabularDNNRegressor(**FEW).set_callbacks(Recording(raise_at="begin_fit"))
    with pytest.raises(RuntimeError, match="raised at begin_fit"):
        new.fit(X, Y)
    with pytest.raises(NotFittedError):
        new.predict(X)


def test_scikit_learns_scores_are_those_of_the_fitted_estimator():
    from sklearn.callback import ScoringMonitor

    scores = ScoringMonitor(scoring="r2")
    model = TabularDNNRegressor(**FEW).set_callbacks(scores).fit(X, Y)
    [row] = scores.get_logs().data
    assert row["task_name"] == "fit"
    assert row["r2"] == pytest.approx(model.score(X, Y), rel=1e-12)


def test_in_pipelines_and_where_estimators_are_cloned(tmp_path):
    network = TabularDNNRegressor(**FEW)
    network.set_callbacks(TensorBoard(tmp_path))
    model = make_pipeline(FunctionTransformer(), network)
    cross_val_score(model, X, Y, cv=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["TabularDNNRegressor-1", "TabularDNNRegressor-2"]


def test_callbacks_are_left_out_of_files(tmp_path):
    model = TabularDNNRegressor(**FEW).set_callbacks(Recording()).fit(X, Y)
    model.save(tmp_path / "model")
    loaded = fastdnn.load(tmp_path / "model")
    assert not hasattr(loaded, "_skl_callbacks")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_there_is_no_estimator_before_the_end(tmp_path):
    model = TabularDNNRegressor(**FEW).set_callbacks(Checkpoint(tmp_path / "{epoch}"))
    with pytest.raises(ValueError, match="no fitted table estimator before"):
        model.fit(X, Y)
