"""The time of all fits together."""

import datetime

import pytest
from sklearn.model_selection import GridSearchCV

from fastdnn.callbacks import TimeLimit, time_limit
from tests.callbacks.kinds import LABELS, X, classifier, needs_callbacks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def looks(monkeypatch):
    """Let an hour pass at each look at the clock; return the list of looks."""
    looks = []

    def now():
        looks.append(None)
        return datetime.datetime.now(datetime.UTC) + len(looks) * HOUR

    monkeypatch.setattr(time_limit, "_now", now)
    return looks


@needs_callbacks
def test_training_ends_after_the_epoch_in_which_it_is_over(looks):
    limit = TimeLimit(6.5 * HOUR.total_seconds())
    assert classifier(max_iter=50).set_callbacks(limit).fit(X, LABELS).n_iter_ == 7


@needs_callbacks
def test_fits_of_a_search_share_the_time(looks):
    model = classifier(max_iter=5).set_callbacks(TimeLimit(6.5 * HOUR.total_seconds()))
    search = GridSearchCV(model, {"alpha": [1.0, 2.0]}, cv=2).fit(X, LABELS)
    # Five epochs of the first fit, two of the second, and one of each that comes later.
    assert len(looks) == 5 + 2 + 1 + 1 + 1
    assert search.best_estimator_.n_iter_ == 1
    # Another fit has its own time.
    looks.clear()
    assert model.fit(X, LABELS).n_iter_ == 5


@needs_callbacks
@pytest.mark.needs_jit
def test_other_processes_know_when_the_search_began():
    model = classifier(max_iter=5).set_callbacks(TimeLimit(1e-9))
    scoring = {"epochs": lambda estimator, X, y: estimator.n_iter_}
    search = GridSearchCV(
        model, {"alpha": [1.0, 2.0]}, cv=2, n_jobs=2, scoring=scoring, refit=False
    )
    search.fit(X, LABELS)
    assert list(search.cv_results_["mean_test_epochs"]) == [1.0, 1.0]


@needs_callbacks
def test_an_hour_ends_nothing():
    assert classifier().set_callbacks(TimeLimit(3600)).fit(X, LABELS).n_iter_ == 4


@pytest.mark.parametrize("seconds", [0, -1.0, True, "1", None, float("nan")])
def test_other_times_are_refused(seconds):
    with pytest.raises(ValueError, match="seconds="):
        TimeLimit(seconds)
