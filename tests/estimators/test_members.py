"""Several networks of one estimator: each as it would be alone, and together their mean."""

import _thread
import pickle
import time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.callbacks import TimeLimit
from fastdnn.callbacks.support import HAS_CALLBACKS
from fastdnn.estimators import members as members_module
from fastdnn.training import fit as fit_module

pytestmark = [
    pytest.mark.usefixtures("four_cpus"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
BOTH = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "batch_size": 30}


def samples(Estimator):
    load = load_iris if Estimator is DNNClassifier else load_diabetes
    X, y = load(return_X_y=True)
    return X[:150], y[:150]


def fitted(Estimator, n_members=3, **options):
    X, y = samples(Estimator)
    return Estimator(**SMALL | options, n_members=n_members).fit(X, y), X, y


def assert_same_networks(one, other):
    for mine, theirs in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        assert_array_equal(mine, theirs)


# -- training -------------------------------------------------------------------------------


@pytest.mark.slow_without_jit
@parametrize_with_checks(
    [
        DNNClassifier(n_members=2, max_iter=100),
        DNNRegressor(n_members=2, max_iter=100),
        DNNClassifier(n_members=2, max_iter=100, bagging="folds"),
        DNNRegressor(n_members=2, max_iter=100, bagging="folds"),
    ],
    expected_failed_checks=lambda model: (
        {
            f"check_sample_weight_equivalence_on_{kind}_data": (
                "a sample that is given twice may be in two folds"
            )
            for kind in ("dense", "sparse")
        }
        if model.bagging
        else {}
    ),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


WAYS = [
    {},
    {"early_stopping": True},
    {"solver": "lbfgs"},
    {"shuffle": False},
    {"dtype": "float64", "solver": "sgd"},
    {"dropout": 0.2, "ema_decay": 0.5},
]


@BOTH
@pytest.mark.parametrize("bagging", [None, "folds"])
@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_member_is_what_it_would_be_alone(Estimator, bagging, options):
    model, X, y = fitted(Estimator, bagging=bagging, **options)
    seeds = {member.random_state for member in model.estimators_}
    assert len(seeds) == 3
    left_out = np.zeros(len(X), dtype=int)
    for member in model.estimators_:
        assert type(member) is Estimator
        assert member.get_params() == model.get_params() | {
            "n_members": 1,
            "bagging": None,
            "random_state": member.random_state,
        }
        rows = np.arange(len(X))
        if bagging:
            predict = "predict_proba" if Estimator is DNNClassifier else "predict"
            same = model.oof_prediction_ == getattr(member, predict)(X)
            is_left_out = same.reshape(len(X), -1).all(axis=1)
            left_out += is_left_out
            rows = np.flatnonzero(~is_left_out)
        alone = Estimator(**member.get_params()).fit(X[rows], y[rows])
        assert_same_networks(member, alone)
        assert member.loss_curve_ == alone.loss_curve_ if "solver" not in options else True
    assert (left_out == (1 if bagging else 0)).all()


@BOTH
@pytest.mark.parametrize("bagging", [None, "folds"])
def test_results_do_not_depend_on_threads(Estimator, bagging):
    of_each = [fitted(Estimator, bagging=bagging, n_threads=n)[0] for n in (1, 2, 4, None)]
    for model in of_each[1:]:
        for mine, first in zip(model.estimators_, of_each[0].estimators_, strict=True):
            assert_same_networks(mine, first)
        if bagging:
            assert_array_equal(model.oof_prediction_, of_each[0].oof_prediction_)


@BOTH
def test_a_random_state_is_drawn_from_once(Estimator):
    states = [np.random.RandomState(3) for _ in range(2)]
    one, other = (fitted(Estimator, random_state=state)[0] for state in states)
    for mine, theirs in zip(one.estimators_, other.estimators_, strict=True):
        assert_same_networks(mine, theirs)
    again = fitted(Estimator, random_state=states[0])[0]
    assert again.estimators_[0].random_state != one.estimators_[0].random_state


@pytest.mark.parametrize("form", [np.float32, "sparse"])
def test_all_members_train_on_one_x(form, monkeypatch):
    X, y = samples(DNNClassifier)
    X = sparse.csr_array(X.astype(np.float32)) if form == "sparse" else X.astype(form)
    seen, real = [], DNNClassifier._train

    def train(self, ready, options, *more):
        seen.append(ready.samples)
        return real(self, ready, options, *more)

    monkeypatch.setattr(DNNClassifier, "_train", train)
    for bagging in (None, "folds"):
        DNNClassifier(**SMALL, n_members=3, bagging=bagging).fit(X, y)
    assert len(seen) == 6
    for one in seen:
        if form == "sparse":
            assert np.shares_memory(one.X.data, X.data)
            assert one.structure[0] is seen[0 if one.rows is None else 3].structure[0]
        else:
            assert np.shares_memory(one.X, X)


@BOTH
@pytest.mark.parametrize("bagging", [None, "folds"])
def test_all_members_share_a_conversion(Estimator, bagging, monkeypatch):
    seen, real = [], fit_module.fit_lbfgs

    def fit(objective, *others):
        seen.append(objective)
        real(objective, *others)

    monkeypatch.setattr(fit_module, "fit_lbfgs", fit)
    X, y = samples(Estimator)
    options = SMALL | {"solver": "lbfgs", "n_members": 3, "bagging": bagging}
    Estimator(**options).fit(X, y, X_val=X[:20], y_val=y[:20])
    assert len(seen) == 3
    for objective in seen:
        assert objective.samples.X.dtype == objective.validation.X.dtype == np.float64
        assert np.shares_memory(objective.samples.X, seen[0].samples.X)
        assert np.shares_memory(objective.validation.X, seen[0].validation.X)


@BOTH
def test_sparse_samples_and_folds(Estimator):
    X, y = samples(Estimator)
    X[np.abs(X) < np.median(np.abs(X))] = 0.0
    options = SMALL | {"n_members": 3, "bagging": "folds"}
    dense, thin = (Estimator(**options).fit(form, y) for form in (X, sparse.csr_array(X)))
    assert_allclose(thin.oof_prediction_, dense.oof_prediction_, rtol=1e-4, atol=1e-5)


def test_weights_of_classes_are_those_of_a_fold():
    X, y = samples(DNNClassifier)
    y = np.where(y == 2, 1, y)
    weight = np.linspace(0.1, 2.0, 150)
    options = SMALL | {"class_weight": "balanced"}
    model = DNNClassifier(**options, n_members=2, bagging="folds").fit(X, y, weight)
    first = model.estimators_[0]
    rows = np.flatnonzero((model.oof_prediction_ != first.predict_proba(X)).any(axis=1))
    alone = DNNClassifier(**first.get_params()).fit(X[rows], y[rows], weight[rows])
    assert_same_networks(first, alone)


@BOTH
def test_a_refit_leaves_nothing_of_the_fit_before(Estimator):
    X, y = samples(Estimator)
    once = Estimator(**SMALL).fit(X, y)
    model = Estimator(**SMALL).fit(X, y)
    model.set_params(n_members=2, bagging="folds").fit(X, y)
    for name in ("coefs_", "loss_curve_", "best_loss_", "t_", "history_"):
        assert not hasattr(model, name), name
    model.set_params(n_members=1, bagging=None).fit(X, y)
    assert vars(model).keys() == vars(once).keys()
    assert_same_networks(model, once)


@pytest.mark.slow_without_jit
@BOTH
def test_pandas_copies_searches_and_pickles(Estimator):
    X, y = samples(Estimator)
    X = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    model = Estimator(**SMALL, n_members=2, bagging="folds").fit(X, y)
    assert list(model.feature_names_in_) == list(X.columns)
    same = pickle.loads(pickle.dumps(model))
    assert_array_equal(same.predict(X), model.predict(X))
    assert_array_equal(same.oof_prediction_, model.oof_prediction_)
    assert_array_equal(clone(model).fit(X, y).predict(X), model.predict(X))
    search = GridSearchCV(clone(model), {"n_members": [2, 3]}, cv=2, n_jobs=2).fit(X, y)
    assert len(search.best_estimator_.estimators_) in (2, 3)


# -- predictions ----------------------------------------------------------------------------


def test_probabilities_are_means_and_all_else_follows_from_them():
    for n_classes in (2, 3):
        X, y = samples(DNNClassifier)
        X, y = X[y < n_classes], y[y < n_classes]
        model = DNNClassifier(**SMALL, n_members=3).fit(X, y)
        P = np.stack([member.predict_proba(X) for member in model.estimators_])
        assert_array_equal(model.predict_members(X), P)
        mean = model.predict_proba(X)
        assert_allclose(mean, P.mean(axis=0), rtol=1e-12)
        assert_array_equal(model.predict(X), model.classes_[mean.argmax(axis=1)])
        assert_allclose(model.predict_log_proba(X), np.log(mean), rtol=1e-5, atol=1e-6)
        Z = model.decision_function(X)
        if n_classes == 2:
            assert_allclose(Z, np.log(mean[:, 1] / mean[:, 0]), rtol=1e-5, atol=1e-6)
        else:
            powers = np.exp(Z)
            softmax = powers / powers.sum(axis=1, keepdims=True)
            assert_allclose(softmax, mean, rtol=1e-5)


def test_logarithms_of_tiny_probabilities_are_finite():
    X, y = samples(DNNClassifier)
    X, y = X[:100], y[:100]
    model = DNNClassifier(**SMALL, n_members=2).fit(X, y)
    for member in model.estimators_:
        member.intercepts_[-1][:] = -1000.0
    logarithms = model.predict_log_proba(X)
    assert np.isfinite(logarithms).all()
    assert (logarithms[:, 1] < -800.0).all()
    assert_allclose(model.decision_function(X), logarithms[:, 1], rtol=1e-6)


def test_labels_and_scores_of_the_hinge_loss_are_means():
    X, Y = make_multilabel_classification(60, random_state=0)
    model = DNNClassifier(**SMALL, n_members=2, bagging="folds").fit(X, Y)
    P = model.predict_members(X)
    assert P.shape == (2, 60, 5)
    assert_array_equal(model.predict(X), (P.mean(axis=0) > 0.5).astype(int))
    assert model.oof_prediction_.shape == (60, 5)
    assert model.oof_score_ == accuracy_score(Y, (model.oof_prediction_ > 0.5).astype(int))
    X, y = samples(DNNClassifier)
    model = DNNClassifier(**SMALL, n_members=2, bagging="folds", loss="hinge").fit(X, y)
    scores = [member.decision_function(X) for member in model.estimators_]
    assert_allclose(model.decision_function(X), np.mean(scores, axis=0), rtol=1e-6)
    assert not hasattr(model, "predict_members") and not hasattr(model, "predict_set")
    assert model.oof_score_ == np.mean(model.oof_prediction_.argmax(axis=1) == y)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_targets_are_means_and_their_spread_is_said(n_targets):
    X, y = samples(DNNRegressor)
    y = y if n_targets == 1 else np.column_stack([y, -y])
    model = DNNRegressor(**SMALL, n_members=4).fit(X, y)
    each = model.predict_members(X)
    assert each.shape == (4, *y.shape)
    mean, deviation = model.predict(X, return_std=True)
    assert_allclose(mean, each.mean(axis=0), rtol=1e-12)
    assert_allclose(deviation, each.std(axis=0), rtol=1e-9)
    assert_allclose(model.predict(X), mean, rtol=1e-12)


@pytest.mark.slow_without_jit
def test_variances_are_those_of_the_mixture():
    X, y = samples(DNNRegressor)
    options = SMALL | {"loss": "gaussian_nll", "max_iter": 30, "learning_rate_init": 0.1}
    model = DNNRegressor(**options, n_members=3).fit(X, (y - y.mean()) / y.std())
    each = [member.predict(X, return_std=True) for member in model.estimators_]
    means, deviations = (np.stack(part) for part in zip(*each, strict=True))
    mean, deviation = model.predict(X, return_std=True)
    assert_allclose(mean, means.mean(axis=0), rtol=1e-9)
    # E[y^2] - E[y]^2 over draws from a member that is drawn.
    expected = (deviations**2 + means**2).mean(axis=0) - means.mean(axis=0) ** 2
    assert_allclose(deviation**2, expected, rtol=1e-9)
    assert (deviation > deviations.min(axis=0)).all()
    assert model.predict_members(X).shape == (3, 150)


def test_quantiles_do_not_cross_and_a_link_is_kept():
    X, y = samples(DNNRegressor)
    levels = {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}
    model = DNNRegressor(**SMALL | levels, n_members=3).fit(X, y)
    assert (np.diff(model.predict(X), axis=1) >= 0.0).all()
    model = DNNRegressor(**SMALL, loss="poisson", n_members=3).fit(X, y)
    each = np.stack([member.predict(X) for member in model.estimators_])
    assert_allclose(model.predict(X), each.mean(axis=0), rtol=1e-12)


@BOTH
def test_one_network_is_one_member(Estimator):
    model, X, _ = fitted(Estimator, n_members=1)
    predict = model.predict_proba if Estimator is DNNClassifier else model.predict
    assert_array_equal(model.predict_members(X), predict(X)[np.newaxis])
    assert not hasattr(model, "estimators_")


def test_float32_stays_float32():
    model, X, _ = fitted(DNNRegressor)
    X = X.astype(np.float32)
    for result in (model.predict(X), *model.predict(X, return_std=True)):
        assert result.dtype == np.float32


# -- samples that were left out -------------------------------------------------------------


@pytest.mark.slow_without_jit
def test_the_score_of_what_was_left_out_is_that_of_score():
    model, _, y = fitted(DNNClassifier, bagging="folds", max_iter=40)
    labels = model.classes_[model.oof_prediction_.argmax(axis=1)]
    assert model.oof_score_ == accuracy_score(y, labels)
    model, _, y = fitted(DNNRegressor, bagging="folds", max_iter=40)
    assert model.oof_score_ == pytest.approx(r2_score(y, model.oof_prediction_), rel=1e-6)


def test_samples_of_no_weight_are_predicted_and_not_scored():
    X, y = samples(DNNRegressor)
    weight = np.ones(150)
    wrong, weight[::3] = y.copy(), 0.0
    wrong[::3] = 1e4
    options = SMALL | {"n_members": 3, "bagging": "folds"}
    model = DNNRegressor(**options).fit(X, wrong, weight)
    assert np.isfinite(model.oof_prediction_).all()
    counts = weight > 0.0
    score = r2_score(y[counts], model.oof_prediction_[counts])
    assert model.oof_score_ == pytest.approx(score, rel=1e-6)
    low, high = model.predict_interval(X)
    assert (high - low).max() < 5e3


def test_a_class_of_one_sample_is_left_out_by_one():
    X, y = samples(DNNClassifier)
    y = np.r_[y[:-1], 7]
    model = DNNClassifier(**SMALL, n_members=4, bagging="folds").fit(X, y)
    assert model.oof_prediction_.shape == (150, 4)
    assert all(len(member.classes_) == 4 for member in model.estimators_)


def test_few_rows_and_one_epoch():
    X, y = samples(DNNRegressor)
    options = SMALL | {"max_iter": 1, "n_members": 5, "bagging": "folds", "batch_size": 2}
    model = DNNRegressor(**options).fit(X[:5], y[:5])
    assert np.isfinite(model.oof_prediction_).all()
    low, high = model.predict_interval(X[:5], level=0.9)
    assert np.isinf(low).all() and np.isinf(high).all()  # nine are needed
    with pytest.raises(ValueError, match=r"n_members=5 .*n_samples=4"):
        DNNRegressor(**options).fit(X[:4], y[:4])


# -- when training ends early ---------------------------------------------------------------


class Interrupting:
    """A score that interrupts the main thread in the third epoch that it sees."""

    def __init__(self, wait):
        self.n_seen, self._wait = 0, wait

    def __call__(self, estimator, X, y):
        self.n_seen += 1
        if self.n_seen == 3:
            _thread.interrupt_main()
            while self._wait:  # until it is raised here
                time.sleep(1e-3)
        return 0.0


@BOTH
@pytest.mark.parametrize("bagging", [None, "folds"])
def test_an_interrupt_keeps_the_members_that_have_come_to_something(Estimator, bagging):
    X, y = samples(Estimator)
    options = SMALL | {"max_iter": 10**6, "n_iter_no_change": np.inf, "n_threads": 1}
    options |= {"early_stopping": True, "scoring": Interrupting(wait=True)}
    model = Estimator(**options, n_members=3, bagging=bagging)
    said = r"Training interrupted by user\. 1 of 3 members are kept"
    with pytest.warns(UserWarning, match=said):
        model.fit(X, y)
    assert len(model.estimators_) == 1
    assert np.isfinite(model.predict(X)).all()
    if bagging:
        is_known = np.isfinite(model.oof_prediction_).reshape(150, -1).all(axis=1)
        assert is_known.sum() == 50
        assert np.isfinite(model.oof_score_)


@BOTH
def test_an_interrupt_that_leaves_nothing_is_raised(Estimator, monkeypatch):
    X, y = samples(Estimator)
    real = Estimator._train

    def train(self, *args):
        _thread.interrupt_main()
        while True:
            time.sleep(1e-3)

    model = Estimator(**SMALL, n_members=3).fit(X, y)
    before = dict(vars(model))
    monkeypatch.setattr(Estimator, "_train", train)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert vars(model) == before
    monkeypatch.setattr(Estimator, "_train", real)
    model.fit(X, y)


@pytest.mark.needs_jit
@BOTH
def test_a_member_that_diverges_is_named(Estimator):
    X, y = samples(Estimator)
    model = Estimator(**SMALL, n_members=3)
    before = dict(vars(model))
    scaled = 1e30 * X  # finite, but not what comes of it
    with pytest.raises(ValueError, match=r"Member 1 of 3 \(random_state=\d+\): "):
        model.set_params(solver="sgd", learning_rate_init=1e6).fit(scaled, y)
    assert vars(model).keys() == before.keys()


@pytest.mark.needs_jit  # without it, epochs take longer than the time that there is
@BOTH
def test_time_is_shared_out(Estimator):
    X, y = samples(Estimator)
    options = SMALL | {"max_iter": 10**6, "n_iter_no_change": np.inf, "max_time": 0.3}
    model = Estimator(**options, n_members=4, n_threads=1)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, y)
    (warning,) = caught
    assert "max_time=0.3 seconds were over before 4 of 4 members" in str(warning.message)
    assert warning.filename == __file__
    assert len(model.estimators_) == 4


def test_the_time_of_a_member_is_its_share_of_what_is_left(monkeypatch):
    now = 100.0
    monkeypatch.setattr(members_module.time, "monotonic", lambda: now)
    clock = members_module._Clock(60.0, n_members=5, n_workers=2)
    assert clock.share(0) == clock.share(1) == 20.0
    now = 110.0  # they have taken half of it
    assert clock.share(2) == 25.0
    now = 150.0
    assert clock.share(4) == 10.0
    now = 170.0
    assert clock.share(4) == 0.0
    assert members_module._Clock(None, 5, 2).share(0) is None


# -- what is said ---------------------------------------------------------------------------


@BOTH
def test_warnings_of_members_are_given_once(Estimator):
    with pytest.warns(ConvergenceWarning) as caught:
        fitted(Estimator, n_members=3)
    (warning,) = caught
    assert str(warning.message).endswith("hasn't converged yet. (3 of 3 members.)")
    with pytest.warns(UserWarning) as caught:
        fitted(Estimator, n_members=3, batch_size=1000)
    said = [str(warning.message) for warning in caught if "batch_size" in str(warning.message)]
    assert len(said) == 1


@BOTH
def test_verbose_says_a_line_a_member(Estimator, capsys):
    fitted(Estimator, n_members=2, verbose=True, n_threads=1)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Member 1 of 2: 3 iterations, loss = ")
    assert second.startswith("Member 2 of 2: 3 iterations, loss = ")


@BOTH
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(warm_start=True), "warm_start=True is for one network, but n_members=2"),
        (dict(warm_start="exact"), "warm_start='exact' is for one network"),
        (dict(checkpoint="file"), "checkpoint='file' is for one network"),
        (dict(n_members=1, bagging="folds"), "bagging='folds' needs n_members of 2 at least"),
        (
            dict(bagging="folds", validation_fraction=StratifiedKFold(3)),
            "bagging='folds' .* validation_fraction=.*Use a number",
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_members_is_refused(Estimator, options, message):
    X, y = samples(Estimator)
    with pytest.raises(ValueError, match=message):
        Estimator(**SMALL | {"n_members": 2} | options).fit(X, y)


@pytest.mark.skipif(not HAS_CALLBACKS, reason="of scikit-learn 1.9")
@BOTH
def test_callbacks_are_of_one_network(Estimator):
    X, y = samples(Estimator)
    model = Estimator(**SMALL, n_members=2).set_callbacks(TimeLimit(60.0))
    with pytest.raises(ValueError, match=r"Callbacks .*n_members=2\. Remove them by set"):
        model.fit(X, y)


@BOTH
def test_what_is_of_one_network_says_so(Estimator, tmp_path):
    model, X, y = fitted(Estimator)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="initialize draws one network, but n_members=3"):
        model.initialize(X, y)
    for method in (model.to_sklearn, model.get_optimizer_state):
        with pytest.raises(ValueError, match=r"has 3 members.*Use one of estimators_"):
            method()
    with pytest.raises(ValueError, match=r"3 members.*Save each of estimators_"):
        model.save(tmp_path / "model")
    assert_array_equal(model.estimators_[0].to_sklearn().predict(X).shape, y.shape)
    if Estimator is DNNRegressor:
        alone = Estimator(**SMALL).fit(X, y)
        with pytest.raises(ValueError, match="return_std=True needs several members"):
            alone.predict(X, return_std=True)
