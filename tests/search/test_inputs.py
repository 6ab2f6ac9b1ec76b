"""What candidates share: one X, and what a pipeline has before the network."""

import threading

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    check_cv,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from fastdnn import DNNClassifier
from fastdnn.search import DNNSearchCV, HalvingDNNSearchCV
from tests.search.kinds import (
    HALVING,
    LABELS,
    X,
    network,
    require_equal_networks,
    require_equal_results,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OF_NETWORK = {"net__learning_rate_init": [1e-3, 1e-2, 3e-2, 1e-1]}
counted, lock = [], threading.Lock()


class Counting(TransformerMixin, BaseEstimator):
    """Scales, and notes each time it is fitted or transforms."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None, sample_weight=None):
        self.n_features_in_ = X.shape[1]
        self.weight_ = 1.0 if sample_weight is None else float(np.sum(sample_weight))
        with lock:
            counted.append(("fit", self.factor, len(X)))
        return self

    def transform(self, X):
        with lock:
            counted.append(("transform", self.factor, len(X)))
        return self.factor * self.weight_ * X


def pipeline(**options):
    return Pipeline([("scale", Counting()), ("net", network(**options))])


def fit(search, **params):
    """Fit a search and return what was counted."""
    counted.clear()
    search.fit(X, LABELS, **params)
    return sorted(counted)


@pytest.mark.slow_without_jit
def test_what_comes_before_is_fitted_once_for_each_fold_and_setting():
    draws = OF_NETWORK | {"scale__factor": [0.5, 1.0], "net__alpha": [1e-4, 1.0]}
    options = HALVING | {"n_candidates": 16, "refit": False}
    seen = fit(HalvingDNNSearchCV(pipeline(), draws, **options))
    of_settings = [("fit", factor, 100) for factor in (0.5, 1.0) for _ in range(3)]
    assert [one for one in seen if one[0] == "fit"] == of_settings
    # Of each fold both sides, once.
    sizes = [one[1:] for one in seen if one[0] == "transform"]
    assert sizes == sorted([(f, n) for f in (0.5, 1.0) for n in (50, 100) for _ in range(3)])


@pytest.mark.slow_without_jit
@pytest.mark.parametrize(
    "scoring", [None, "accuracy", lambda e, X, y: e.predict_proba(X)[0, 0]]
)
def test_results_are_those_of_whole_pipelines(scoring):
    draws = OF_NETWORK | {
        "scale": [StandardScaler(), MinMaxScaler(), "passthrough"],
        "net__dtype": ["float32", "float64"],
    }
    options = HALVING | {"scoring": scoring}
    ours = HalvingDNNSearchCV(pipeline(), draws, **options).fit(X, LABELS)
    theirs = HalvingRandomSearchCV(pipeline(), draws, resource="net__max_iter", **options).fit(
        X, LABELS
    )
    for search in (ours, theirs):
        for params in [*search.cv_results_["params"], search.best_params_]:
            params["scale"] = repr(params["scale"])
        search.cv_results_["param_scale"] = [
            repr(v) for v in search.cv_results_["param_scale"]
        ]
    require_equal_results(ours.cv_results_, theirs.cv_results_)
    assert ours.best_params_ == theirs.best_params_
    require_equal_networks(ours.best_estimator_[-1], theirs.best_estimator_[-1])


def test_longer_pipelines_that_look_at_targets():
    model = make_pipeline(StandardScaler(), SelectKBest(k=3), PCA(2), network())
    draws = {
        "selectkbest__k": [2, 3],
        "pca__whiten": [True, False],
        "dnnclassifier__alpha": [1e-4, 1e-2, 1.0],
    }
    options = {"n_iter": 7, "cv": 3, "random_state": 0}
    model.set_params(dnnclassifier__max_iter=3)
    ours = DNNSearchCV(model, draws, **options).fit(X, LABELS)
    theirs = RandomizedSearchCV(model, draws, **options).fit(X, LABELS)
    require_equal_results(ours.cv_results_, theirs.cv_results_)


def test_a_pipeline_of_nothing_but_a_network():
    model = Pipeline([("net", network(max_iter=3))])
    search = DNNSearchCV(model, OF_NETWORK, cv=2).fit(X, LABELS)
    assert isinstance(search.best_estimator_, Pipeline)


def test_weights_go_to_the_steps_that_they_are_for():
    weight = np.random.default_rng(0).uniform(0.1, 3.0, len(X))
    params = {"scale__sample_weight": 0.01 * weight, "net__sample_weight": weight}
    model = pipeline(max_iter=3)
    options = {"cv": 3, "return_train_score": True}
    ours = DNNSearchCV(model, OF_NETWORK, **options).fit(X, LABELS, **params)
    theirs = GridSearchCV(model, OF_NETWORK, **options).fit(X, LABELS, **params)
    require_equal_results(ours.cv_results_, theirs.cv_results_)
    with pytest.raises(ValueError, match=r"e\.g\. `net__sample_weight`"):
        DNNSearchCV(model, OF_NETWORK).fit(X, LABELS, sample_weight=weight)


def test_metadata_is_routed():
    weight = np.random.default_rng(0).uniform(0.1, 3.0, len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        net = network(max_iter=3).set_fit_request(sample_weight=True)
        scoring = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        scale = Counting().set_fit_request(sample_weight=True)
        model = Pipeline([("scale", scale), ("net", net)])
        options = {"cv": 3, "scoring": scoring}
        ours = DNNSearchCV(model, {"net__alpha": [1e-4, 1.0]}, **options)
        theirs = GridSearchCV(model, {"net__alpha": [1e-4, 1.0]}, **options)
        ours.fit(X, LABELS, sample_weight=weight)
        theirs.fit(X, LABELS, sample_weight=weight)
    require_equal_results(ours.cv_results_, theirs.cv_results_)
    require_equal_networks(ours.best_estimator_[-1], theirs.best_estimator_[-1])


def test_validation_samples_are_transformed_where_that_is_asked_for():
    with sklearn.config_context(enable_metadata_routing=True):
        net = network(max_iter=3).set_fit_request(X_val=True, y_val=True)
        model = Pipeline(
            [("scale", StandardScaler()), ("net", net)], transform_input=["X_val"]
        )
        given = {"X_val": X[::5], "y_val": LABELS[::5]}
        search = DNNSearchCV(model, {"net__alpha": [1e-4]}, cv=3).fit(X, LABELS, **given)
        rows = StandardScaler().fit(X[search_rows(search)])
    alone = network(max_iter=3, alpha=1e-4)
    train = search_rows(search)
    alone.fit(
        rows.transform(X[train]),
        LABELS[train],
        X_val=rows.transform(X[::5]),
        y_val=LABELS[::5],
    )
    found = search.history_[0]["folds"][0]
    assert found["validation_loss"] == alone.history_["validation_loss"]


def search_rows(search):
    """Return the rows that the first fold of a search trains on."""
    return next(iter(check_cv(search.cv, LABELS, classifier=True).split(X, LABELS)))[0]


def test_a_setting_that_fails_has_the_score_of_an_error():
    model = make_pipeline(SelectKBest(), network(max_iter=2))
    search = DNNSearchCV(model, {"selectkbest__k": [2, "wrong"]}, cv=2)
    with pytest.warns(Warning) as caught:
        search.fit(X, LABELS)
    assert any("2 fits failed out of a total of 4" in str(one.message) for one in caught)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    assert search.best_params_ == {"selectkbest__k": 2}


# -- one X --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["float32", "float64", "sparse"])
def test_all_train_and_are_scored_on_one_x(form, monkeypatch):
    given = sparse.csr_array(X.astype(np.float32)) if form == "sparse" else X.astype(form)
    trained, predicted = [], []
    real_train, real_results = DNNClassifier._train, DNNClassifier._results_of

    def train(self, ready, *others, **more):
        trained.append(ready.samples)
        return real_train(self, ready, *others, **more)

    def results_of(self, samples, *others):
        predicted.append(samples)
        return real_results(self, samples, *others)

    monkeypatch.setattr(DNNClassifier, "_train", train)
    monkeypatch.setattr(DNNClassifier, "_results_of", results_of)
    model = network(dtype="float32", max_iter=2)
    grid = {"alpha": [1e-4, 1e-2], "learning_rate_init": [1e-3, 1e-2]}
    search = DNNSearchCV(model, grid, cv=3, refit=False, return_train_score=True)
    search.fit(given, LABELS)
    assert len(trained) == 12
    assert len(predicted) == 24
    first = trained[0].X
    for one in trained + predicted:
        assert one.n_rows in (50, 100)
        assert one.X is first if form == "sparse" else np.shares_memory(one.X, first)
    if form != "float64":
        values = (first.data, given.data) if form == "sparse" else (first, given)
        assert np.shares_memory(*values)


def test_lbfgs_shares_a_conversion(monkeypatch):
    seen, real = [], DNNClassifier._train

    def train(self, ready, *others, **more):
        seen.append(ready.samples.converted)
        return real(self, ready, *others, **more)

    monkeypatch.setattr(DNNClassifier, "_train", train)
    grid = {"alpha": [1e-2, 1.0], "solver": ["adam", "lbfgs"]}
    DNNSearchCV(network(max_iter=2), grid, cv=2, refit=False).fit(X, LABELS)
    shared = [one for one in seen if one is not None]
    assert len(shared) >= 4
    assert all(one is shared[0] for one in shared)
