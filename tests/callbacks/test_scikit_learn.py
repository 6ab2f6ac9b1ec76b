"""scikit-learn's own callbacks, on the network alone, in pipelines and in searches."""

import io

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.callbacks.kinds import (
    LABELS,
    TARGETS,
    Recording,
    X,
    classifier,
    needs_callbacks,
    regressor,
)

pytestmark = [
    needs_callbacks,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
SOLVERS = [{}, {"solver": "lbfgs"}]


def monitor(**options):
    from sklearn.callback import ScoringMonitor

    return ScoringMonitor(**options)


def bar(**options):
    from sklearn.callback import ProgressBar

    return ProgressBar(**options)


@pytest.fixture
def shown(monkeypatch):
    """Return what bars of rich have drawn last: a list of their tasks."""
    from sklearn.callback import _progressbar

    seen = []
    run = _progressbar.RichProgressMonitor.run

    def keeping(self):
        run(self)
        seen[:] = [
            (task.description.strip(), task.completed, task.total)
            for task in self.progress_ctx._ordered_tasks
        ]

    monkeypatch.setattr(_progressbar.RichProgressMonitor, "run", keeping)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    return seen


# -- ScoringMonitor -------------------------------------------------------------------------


@pytest.mark.parametrize("options", SOLVERS, ids=str)
def test_scores_are_those_of_shorter_fits(options):
    scores = monitor(scoring="accuracy")
    model = classifier(**options).set_callbacks(scores).fit(X, LABELS)
    rows = scores.get_logs().data
    of_fit, *of_epochs = rows
    assert of_fit["task_name"] == "fit"
    assert {row["task_name"] for row in of_epochs} == {"iteration" if options else "epoch"}
    assert [row["task_id_path"] for row in of_epochs] == [(0, k) for k in range(4)]
    for n_epochs, row in enumerate(of_epochs, start=1):
        shorter = classifier(**options | {"max_iter": n_epochs}).fit(X, LABELS)
        assert row["accuracy"] == accuracy_score(LABELS, shorter.predict(X))
    assert of_fit["accuracy"] == model.score(X, LABELS)


def test_scores_of_a_regression_with_weights_and_a_table_with_names():
    import pandas as pd

    scores, weight = monitor(scoring=["r2", "neg_mean_squared_error"]), np.linspace(0, 1, 90)
    table = pd.DataFrame(X, columns=list("abcd"))
    model = regressor().set_callbacks(scores).fit(table, TARGETS, weight)
    last = scores.get_logs().data[-1]
    assert last["r2"] == pytest.approx(model.score(table, TARGETS, weight), rel=1e-12)
    assert last["neg_mean_squared_error"] < 0


def test_scores_inside_a_pipeline():
    scores = monitor(scoring="accuracy")
    model = make_pipeline(StandardScaler(), classifier().set_callbacks(scores))
    model.fit(X, LABELS)
    rows = scores.get_logs().data
    assert [row["task_id_path"] for row in rows] == [(0, 1), *((0, 1, k) for k in range(4))]
    assert rows[0]["accuracy"] == model.score(X, LABELS)


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.needs_jit)])
def test_scores_of_all_fits_of_a_search(n_jobs):
    scores = monitor(scoring="accuracy")
    network = classifier().set_callbacks(scores)
    pipeline = make_pipeline(StandardScaler(), network)
    search = GridSearchCV(
        pipeline,
        {"dnnclassifier__alpha": [0.1, 1.0]},
        cv=2,
        n_jobs=n_jobs,
        error_score="raise",
    )
    search.fit(X, LABELS)
    log = scores.get_logs(select="all")
    assert len(log) == 1  # of one search
    of_networks = [row for row in log[0].data if row["task_name"] == "fit"]
    of_epochs = [row for row in log[0].data if row["task_name"] == "epoch"]
    assert len(of_networks) == 2 * 2 + 1
    assert len(of_epochs) == 4 * (2 * 2 + 1)
    assert all(0.0 <= row["accuracy"] <= 1.0 for row in log[0].data)
    paths = {row["parent_task_id_path"] for row in of_epochs}
    assert len(paths) == 5
    assert search.best_estimator_.score(X, LABELS) in {row["accuracy"] for row in of_networks}


# -- ProgressBar ----------------------------------------------------------------------------


@pytest.mark.parametrize("options", SOLVERS, ids=str)
def test_a_bar_of_the_epochs(options, shown):
    regressor(**options).set_callbacks(bar()).fit(X, TARGETS)
    # A task that has ended is shown as whole.
    assert shown == [("DNNRegressor - fit", 1, 1)]


def test_a_bar_that_is_half_way(shown):
    class Failing(Recording):
        def end_epoch(self, estimator, epoch, run):
            if epoch.numbers["epoch"] == 3:
                raise RuntimeError("half way")

    model = regressor().set_callbacks(bar(), Failing())
    with pytest.raises(RuntimeError, match="half way"):
        model.fit(X, TARGETS)
    [(title, completed, total)] = shown
    assert title == "DNNRegressor - fit"
    assert (completed, total) == (pytest.approx(3), 4)


def test_a_bar_on_a_pipeline_shows_the_network_inside(shown):
    model = make_pipeline(StandardScaler(), classifier()).set_callbacks(bar())
    model.fit(X, LABELS)
    titles = [title for title, *_ in shown]
    assert titles[0] == "Pipeline - fit"
    assert titles[-1].startswith("Pipeline - fit-final-estimator | DNNClassifier - fit")
    assert all(completed == total == 1 for _, completed, total in shown)
    assert not hasattr(model[-1], "_skl_callbacks")  # it was lent


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.needs_jit)])
def test_a_bar_on_a_search(n_jobs, shown):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier()),
        {"dnnclassifier__alpha": [0.1, 1.0]},
        cv=2,
        n_jobs=n_jobs,
        error_score="raise",
    )
    search.set_callbacks(bar(max_propagation_depth=None)).fit(X, LABELS)
    networks = [title for title, *_ in shown if "DNNClassifier - fit" in title]
    assert len(networks) == 2 * 2 + 1
    assert all(completed == total for _, completed, total in shown)


def test_a_bar_and_scores_together(shown):
    scores = monitor(scoring="r2")
    regressor().set_callbacks(bar(), scores).fit(X, TARGETS)
    assert len(scores.get_logs().data) == 5
    assert len(shown) == 1
