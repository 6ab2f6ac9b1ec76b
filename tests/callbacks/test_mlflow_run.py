"""Runs of MLflow, in a folder on this machine; and in short what is asked of it."""

import math
import sys

import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import GridSearchCV

from fastdnn.callbacks import MLflow, mlflow_run
from tests.callbacks.kinds import (
    LABELS,
    TARGETS,
    Recording,
    X,
    classifier,
    needs_callbacks,
    regressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    """Return MLflow with an empty store."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    mlflow.set_experiment("of tests")
    yield mlflow
    mlflow.set_tracking_uri(before)


def runs_of(mlflow):
    runs = mlflow.search_runs(output_format="list", search_all_experiments=True)
    return {run.info.run_id: run for run in runs}


@needs_callbacks
@pytest.mark.parametrize("options", [{}, {"solver": "lbfgs"}], ids=str)
def test_a_fit_is_a_run(options, mlflow):
    model = regressor(alpha=0.125, **options).set_callbacks(MLflow())
    model.fit(X, TARGETS, X_val=X[:20], y_val=TARGETS[:20])
    [run] = runs_of(mlflow).values()
    assert (run.info.run_name, run.info.status) == ("DNNRegressor", "FINISHED")
    assert run.data.params["alpha"] == "0.125"
    assert set(run.data.params) == set(model.get_params())
    table = model.history_
    epochs = table.pop("epoch")
    for name, column in table.items():
        metrics = mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
        if math.isnan(column[0]):
            assert not metrics
            continue
        assert [metric.step for metric in metrics] == epochs
        assert [metric.value for metric in metrics] == pytest.approx(column, rel=1e-12)


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.needs_jit)])
def test_fits_of_a_search_are_children_of_the_active_run(n_jobs, mlflow):
    # Workers that are there already have not the environment that this test sets.
    get_reusable_executor().shutdown(wait=True)
    with mlflow.start_run() as parent:
        model = classifier().set_callbacks(MLflow("candidate"))
        grid = {"alpha": [1.0, 2.0]}
        GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(X, LABELS)
    runs = runs_of(mlflow)
    runs.pop(parent.info.run_id)
    assert len(runs) == 5
    for run in runs.values():
        assert run.info.run_name == "candidate"
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == "FINISHED"
    assert sorted(run.data.params["alpha"] for run in runs.values())[:2] == ["1.0", "1.0"]


@needs_callbacks
def test_a_run_that_is_active_at_the_fit_is_the_parent(mlflow):
    mlflow.set_experiment("mine")
    model = classifier().set_callbacks(MLflow())
    with mlflow.start_run() as parent:
        model.fit(X, LABELS)
    model.fit(X, LABELS)
    parents = [run.data.tags.get("mlflow.parentRunId") for run in runs_of(mlflow).values()]
    assert sorted(map(str, parents)) == sorted(map(str, [None, None, parent.info.run_id]))
    assert {run.info.experiment_id for run in runs_of(mlflow).values()} == {
        parent.info.experiment_id
    }


@needs_callbacks
def test_a_fit_that_raises_is_a_failed_run(mlflow):
    class RaisingLater(Recording):
        def end_epoch(self, estimator, epoch, run):
            super().end_epoch(estimator, epoch, run)
            if len(run) == 2:
                raise RuntimeError("later")

    model = classifier().set_callbacks(MLflow(), RaisingLater())
    with pytest.raises(RuntimeError, match="later"):
        model.fit(X, LABELS)
    [run] = runs_of(mlflow).values()
    assert run.info.status == "FAILED"
    losses = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [metric.step for metric in losses] == [1, 2]


@needs_callbacks
def test_many_epochs_are_sent_in_parts(mlflow, monkeypatch):
    monkeypatch.setattr(mlflow_run, "_MOST_AT_ONCE", 7)
    model = classifier(max_iter=9).set_callbacks(MLflow()).fit(X, LABELS)
    [run] = runs_of(mlflow).values()
    losses = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [metric.value for metric in losses] == pytest.approx(model.loss_curve_)


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match=r'pip install "fastdnn\[mlflow\]"'):
        MLflow()
