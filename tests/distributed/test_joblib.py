"""scikit-learn's searches through joblib's Dask backend do not oversubscribe."""

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from fastdnn import DNNClassifier
from fastdnn.teams.cpus import threads_offered, usable_cpus

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.needs_jit,
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning",
        "ignore::ResourceWarning",
        "ignore::pytest.PytestUnraisableExceptionWarning",
    ),
]


class Offered(DNNClassifier):
    """Keeps how many threads a fit is offered."""

    def fit(self, X, y):
        self.n_offered_ = threads_offered(None, pays=True)
        return super().fit(X, y)

    def score(self, X, y):
        return self.n_offered_


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_all_tasks_of_a_worker_share_its_cpus(n_threads):
    X, y = np.random.RandomState(0).randn(30, 2), np.arange(30) % 2
    grid = {"alpha": [1e-4, 1e-3]}
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=n_threads, dashboard_address=None
    ):
        search = GridSearchCV(Offered((2,), max_iter=1), grid, cv=2, refit=False)
        with joblib.parallel_config("dask"):
            search.fit(X, y)
    most = max(1, usable_cpus() // n_threads)
    assert search.cv_results_["mean_test_score"].max() <= most
    assert search.cv_results_["mean_test_score"].min() >= 1
