"""Halving: scikit-learn's results, from networks that train on from rung to rung."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GroupKFold,
    HalvingRandomSearchCV,
    KFold,
    StratifiedKFold,
)
from sklearn.neural_network import MLPClassifier

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.search import HalvingDNNSearchCV, lanes
from fastdnn.teams import cpus
from tests.search.kinds import (
    DRAWS,
    HALVING,
    LABELS,
    X,
    network,
    require_equal_networks,
    require_equal_results,
    targets_of,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])


def both_searches(model, X, y, draws=DRAWS, fit_params=None, **options):
    """Fit our search and scikit-learn's, and return them."""
    ours = HalvingDNNSearchCV(model, draws, **HALVING | options)
    theirs = HalvingRandomSearchCV(model, draws, resource="max_iter", **HALVING | options)
    for search in (ours, theirs):
        search.fit(X, y, **fit_params or {})
    return ours, theirs


def require_same_search(ours, theirs):
    require_equal_results(ours.cv_results_, theirs.cv_results_)
    for name in (
        *("n_resources_", "n_candidates_", "n_remaining_candidates_", "n_iterations_"),
        *("n_possible_iterations_", "n_required_iterations_", "min_resources_", "n_splits_"),
        *("max_resources_", "best_index_", "best_params_", "best_score_", "multimetric_"),
    ):
        assert getattr(ours, name) == getattr(theirs, name), name


@BOTH
@pytest.mark.slow_without_jit
def test_results_are_those_of_a_search_that_begins_anew(Estimator):
    ours, theirs = both_searches(network(Estimator), X, targets_of(Estimator))
    require_same_search(ours, theirs)
    require_equal_networks(ours.best_estimator_, theirs.best_estimator_)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.slow_without_jit
@pytest.mark.parametrize(
    "options",
    [
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 2, "tol": 0.1},
        {"learning_rate": "plateau", "learning_rate_patience": 1, "tol": 0.1},
        {"early_stopping": True},
        {"early_stopping": True, "scoring": "accuracy"},
        {"early_stopping": True, "validation_fraction": KFold(3)},
        {"dropout": 0.3, "input_noise": 0.1},
        {"ema_decay": 0.9},
        {"dtype": "float64"},
        {"batch_size": "auto"},
        {"shuffle": False},
        {"class_weight": "balanced"},
        {"n_iter_no_change": 1, "tol": 1.0},
        {"solver": "lbfgs"},
    ],
    ids=str,
)
def test_whatever_the_training(options):
    require_same_search(*both_searches(network(**options), X, LABELS))


@pytest.mark.slow_without_jit
def test_with_classes_that_are_missing_in_a_fold():
    rows = np.argsort(LABELS, kind="stable")
    ours, theirs = both_searches(network(), X[rows], LABELS[rows], cv=KFold(3))
    require_same_search(ours, theirs)


@pytest.mark.slow_without_jit
def test_with_several_labels():
    X, Y = make_multilabel_classification(60, 4, n_classes=3, random_state=0)
    require_same_search(*both_searches(network(), X, Y))


@pytest.mark.slow_without_jit
def test_with_sparse_samples():
    require_same_search(*both_searches(network(), sparse.csr_array(X), LABELS))


@pytest.mark.slow_without_jit
def test_with_tables_and_lists():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=list("abcd"))
    ours, theirs = both_searches(network(), table, pandas.Series(LABELS))
    require_same_search(ours, theirs)
    assert list(ours.feature_names_in_) == list("abcd")
    ours, theirs = both_searches(network(), X.tolist(), LABELS.tolist())
    require_same_search(ours, theirs)


@pytest.mark.slow_without_jit
@pytest.mark.parametrize(
    "options",
    [
        {"min_resources": "smallest"},
        {"min_resources": "exhaust"},
        {"n_candidates": "exhaust"},
        {"factor": 2},
        {"factor": 2.5, "max_resources": 17},
        {"max_resources": 7},
        {"max_resources": 7, "aggressive_elimination": True},
        {"n_candidates": 2},
        {"n_candidates": 1},
    ],
    ids=str,
)
def test_rungs(options):
    require_same_search(*both_searches(network(), X, LABELS, **options))


@pytest.mark.needs_jit
@BOTH
def test_bits_do_not_depend_on_threads(Estimator, monkeypatch):
    monkeypatch.setattr(cpus, "usable_cpus", lambda: 3)
    y = targets_of(Estimator)
    first = None
    for n_jobs in (1, 2, 3, None, -1):
        search = HalvingDNNSearchCV(network(Estimator), DRAWS, **HALVING, n_jobs=n_jobs)
        search.fit(X, y)
        first = first or search
        require_equal_results(search.cv_results_, first.cv_results_)
        require_equal_networks(search.best_estimator_, first.best_estimator_)
        for one, other in zip(search.history_, first.history_, strict=True):
            for a, b in zip(one["folds"], other["folds"], strict=True):
                assert a["loss"] == b["loss"]


@pytest.mark.slow_without_jit
@pytest.mark.parametrize(
    "options",
    [
        *({"learning_rate": name} for name in ("constant", "cosine", "one_cycle", "steps")),
        {"learning_rate_warmup": 0.3},
        {"swa_start": 0.5},
    ],
    ids=str,
)
def test_candidates_are_what_they_are_alone(options, monkeypatch):
    """Also with schedules, which are those of all epochs in each rung."""
    seen, real = {}, lanes.Lane._scored

    def scored(self, network, *others):
        key = repr(self.candidate.params), self.fold.test[0], network.n_iter_
        seen[key] = network, self.fold.train
        return real(self, network, *others)

    monkeypatch.setattr(lanes.Lane, "_scored", scored)
    model = network(**options)
    search = HalvingDNNSearchCV(model, DRAWS, **HALVING).fit(X, LABELS)
    assert len(seen) == 3 * sum(search.n_candidates_)
    for (params, _, n_iter), (found, rows) in seen.items():
        alone = clone(model).set_params(**eval(params), max_iter=18, warm_start="exact")
        if "constant" in options.values() or n_iter == 18:
            alone.set_params(max_iter=n_iter).fit(X[rows], LABELS[rows])
            require_equal_networks(found, alone)
        else:
            alone.fit(X[rows], LABELS[rows])
            assert alone.history_["loss"][:n_iter] == found.history_["loss"]
            assert alone.history_["learning_rate"][:n_iter] == found.history_["learning_rate"]


@pytest.mark.slow_without_jit
def test_history_has_the_curve_of_each_candidate():
    search = HalvingDNNSearchCV(network(), DRAWS, **HALVING).fit(X, LABELS)
    assert len(search.history_) == 9
    lengths = sorted(
        {len(of_fold["loss"]) for of_fold in one["folds"]}.pop() for one in search.history_
    )
    assert lengths == [2] * 6 + [6] * 2 + [18]
    assert [one["params"] for one in search.history_] == [
        {name: v for name, v in params.items() if name != "max_iter"}
        for params in search.cv_results_["params"][:9]
    ]


# -- schedules that know the end ----------------------------------------------------------


def cycles(fraction):
    """Four cosines, each twice as long as the one before."""
    place = np.log2(1.0 + 15.0 * fraction) % 1.0
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * place)


@pytest.mark.slow_without_jit
def test_rungs_lie_where_cycles_end():
    options = HALVING | {"n_candidates": 28, "max_resources": 60, "cv": 2, "refit": False}
    search = HalvingDNNSearchCV(
        network(learning_rate=cycles), DRAWS | {"beta_1": [0.8, 0.9, 0.95]}, **options
    ).fit(X, LABELS)
    assert search.n_resources_ == [4, 12, 28, 60]  # 1/15, 3/15, 7/15 and 1


@pytest.mark.slow_without_jit
def test_the_last_rung_is_the_end_of_a_schedule():
    options = HALVING | {"max_resources": 20, "refit": False}
    for schedule, expected in (("constant", [2, 6, 18]), ("cosine", [2, 6, 20])):
        model = network(learning_rate=schedule)
        search = HalvingDNNSearchCV(model, DRAWS, **options).fit(X, LABELS)
        assert search.n_resources_ == expected
        assert search.best_params_["max_iter"] == expected[-1]


# -- what is scored, and how --------------------------------------------------------------


@pytest.mark.slow_without_jit
@pytest.mark.parametrize(
    "scoring",
    [
        *("accuracy", "neg_log_loss", "roc_auc_ovr"),
        make_scorer(accuracy_score),
        lambda estimator, X, y: -estimator.loss_ - abs(X[0, 0]),
    ],
)
def test_scorers(scoring):
    require_same_search(*both_searches(network(), X, LABELS, scoring=scoring))


def test_several_scores_are_refused():
    search = HalvingDNNSearchCV(network(), DRAWS, **HALVING, scoring=["accuracy"])
    theirs = HalvingRandomSearchCV(network(), DRAWS, scoring=["accuracy"])
    for one in (search, theirs):
        with pytest.raises(ValueError, match="The 'scoring' parameter of"):
            one.fit(X, LABELS)


@pytest.mark.slow_without_jit
def test_weights_go_to_networks_and_scorers():
    weight = np.random.default_rng(0).uniform(0.1, 3.0, len(X))
    ours, theirs = both_searches(
        network(), X, LABELS, fit_params={"sample_weight": weight}, scoring="accuracy"
    )
    require_same_search(ours, theirs)
    require_equal_networks(ours.best_estimator_, theirs.best_estimator_)
    without, _ = both_searches(network(), X, LABELS, scoring="accuracy")
    assert list(without.cv_results_["mean_test_score"]) != list(
        ours.cv_results_["mean_test_score"]
    )


@pytest.mark.slow_without_jit
def test_groups_go_to_the_splitter():
    groups = np.arange(len(X)) % 4
    require_same_search(
        *both_searches(network(), X, LABELS, fit_params={"groups": groups}, cv=GroupKFold(4))
    )


@pytest.mark.slow_without_jit
def test_a_splitter_that_shuffles_splits_once():
    cv = StratifiedKFold(3, shuffle=True)  # which scikit-learn refuses
    search = HalvingDNNSearchCV(network(), DRAWS, **HALVING | {"cv": cv}).fit(X, LABELS)
    assert search.n_splits_ == 3


@pytest.mark.slow_without_jit
def test_validation_samples_go_to_networks():
    search = HalvingDNNSearchCV(network(), DRAWS, **HALVING)
    search.fit(X, LABELS, X_val=X[::5], y_val=LABELS[::5])
    assert len(search.history_[0]["folds"][0]["validation_loss"]) >= 2
    assert len(search.best_estimator_.validation_scores_) == 18


def test_what_networks_do_not_take_is_refused():
    with pytest.raises(TypeError, match=r"passes 'coef_init' on to the network, which takes"):
        HalvingDNNSearchCV(network(), DRAWS, **HALVING).fit(X, LABELS, coef_init=None)


def test_without_refit():
    search = HalvingDNNSearchCV(network(), DRAWS, **HALVING, refit=False).fit(X, LABELS)
    assert not hasattr(search, "best_estimator_")
    assert search.best_params_["max_iter"] == 18
    with pytest.raises(AttributeError):
        search.predict(X)


@pytest.mark.slow_without_jit
def test_refit_by_a_callable():
    search = HalvingDNNSearchCV(network(), DRAWS, **HALVING, refit=lambda results: 4)
    search.fit(X, LABELS)
    assert search.best_index_ == 4
    assert search.best_params_ == search.cv_results_["params"][4]
    assert search.best_estimator_.n_iter_ == 2


# -- what fails ---------------------------------------------------------------------------


def test_candidates_that_fail_have_the_score_of_an_error():
    draws = {"alpha": [1e-4, 1e-2, 1.0], "beta_1": [0.9, 7.0]}
    options = HALVING | {"n_candidates": 6, "error_score": -5.0}
    ours = HalvingDNNSearchCV(network(), draws, **options)
    with pytest.warns(Warning, match="9 fits failed out of a total of 18"):
        ours.fit(X, LABELS)
    is_wrong = np.array([params["beta_1"] == 7.0 for params in ours.cv_results_["params"]])
    scores = ours.cv_results_["mean_test_score"]
    assert (scores[is_wrong] == -5.0).all()
    assert (scores[~is_wrong] >= 0.0).all()
    assert ours.best_params_["beta_1"] == 0.9
    with pytest.raises(ValueError, match="beta_1"):
        HalvingDNNSearchCV(network(), draws, **options | {"error_score": "raise"}).fit(
            X, LABELS
        )


def test_that_all_fail_is_an_error():
    search = HalvingDNNSearchCV(network(beta_1=7.0), DRAWS, **HALVING)
    with pytest.raises(ValueError, match="All the 27 fits failed"):
        search.fit(X, LABELS)


def test_samples_that_are_not_finite_are_an_error():
    wrong = X.copy()
    wrong[3, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        HalvingDNNSearchCV(network(), DRAWS, **HALVING).fit(wrong, LABELS)


def test_targets_are_needed():
    with pytest.raises(ValueError, match="A search needs y"):
        HalvingDNNSearchCV(network(), DRAWS, **HALVING).fit(X)


def test_other_estimators_are_sent_elsewhere():
    search = HalvingDNNSearchCV(MLPClassifier(), DRAWS, **HALVING)
    with pytest.raises(TypeError, match=r"HalvingRandomSearchCV.* of sklearn.model_selection"):
        search.fit(X, LABELS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"factor": 1}, "'factor' parameter"),
        ({"min_resources": 0}, "'min_resources' parameter"),
        ({"time_limit": 0}, "'time_limit' parameter"),
        ({"min_resources": 19}, r"min_resources_=19 is greater than max_resources_=18"),
        ({"n_jobs": 0}, "n_jobs == 0 has no meaning"),
        (
            {"n_candidates": "exhaust", "min_resources": "exhaust"},
            "cannot be both set to 'exhaust'",
        ),
    ],
)
def test_wrong_parameters(options, said):
    with pytest.raises(ValueError, match=said):
        HalvingDNNSearchCV(network(), DRAWS, **HALVING | options).fit(X, LABELS)


def test_epochs_cannot_be_searched():
    with pytest.raises(ValueError, match="Cannot use parameter max_iter as the resource"):
        HalvingDNNSearchCV(network(), DRAWS | {"max_iter": [1, 2]}, **HALVING).fit(X, LABELS)


def test_networks_with_members_are_refused():
    with pytest.raises(ValueError, match="n_members=3 of the estimator must be 1"):
        HalvingDNNSearchCV(network(n_members=3), DRAWS, **HALVING).fit(X, LABELS)


def test_it_is_cloned_and_printed():
    search = HalvingDNNSearchCV(network(), DRAWS, **HALVING)
    assert clone(search).get_params()["n_candidates"] == 9
    assert "HalvingDNNSearchCV" in repr(search)


@pytest.mark.slow_without_jit
def test_what_is_printed(capsys):
    HalvingDNNSearchCV(network(), DRAWS, **HALVING, verbose=1).fit(X, LABELS)
    said = capsys.readouterr().out
    assert "n_iterations: 3" in said
    assert "iter: 2\nn_candidates: 1\nn_resources: 18" in said
    assert "Fitting 3 folds for each of 9 candidates, totalling 27 fits" in said
