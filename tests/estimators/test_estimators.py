"""What both estimators promise: scikit-learn's conventions, pipelines, parity, errors."""

import copy
import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastdnn import DNNClassifier, DNNRegressor
from tests.their_features import HAVE_WEIGHTS, needs_weights, weights

BOTH = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])


def configured(*configurations):
    """Return estimators with a solver and a dtype."""
    return [
        estimator().set_params(solver=solver, dtype=dtype, max_iter=100)
        for estimator, solver, dtype in configurations
    ]


# Together they hold all pairs of estimator, solver and dtype.
PAIRS = configured(
    (DNNClassifier, "adam", "float32"),
    (DNNClassifier, "sgd", "float64"),
    (DNNRegressor, "adam", "float64"),
    (DNNRegressor, "sgd", "float32"),
)
OTHERS = configured(
    (DNNClassifier, "adam", "float64"),
    (DNNClassifier, "sgd", "float32"),
    (DNNRegressor, "adam", "float32"),
    (DNNRegressor, "sgd", "float64"),
)


@parametrize_with_checks(PAIRS)
@pytest.mark.slow_without_jit
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@parametrize_with_checks(OTHERS)
@pytest.mark.slow_without_jit
@pytest.mark.exhaustive
def test_scikit_learn_checks_of_the_other_configurations(estimator, check):
    check(estimator)


def data_for(Estimator, n_samples=120):
    load = load_breast_cancer if Estimator is DNNClassifier else load_diabetes
    X, y = load(return_X_y=True)
    if Estimator is DNNRegressor:
        y = (y - y.mean()) / y.std()
    return StandardScaler().fit_transform(X)[:n_samples], y[:n_samples]


@BOTH
@pytest.mark.slow_without_jit
def test_in_a_pipeline_and_a_grid_search(Estimator):
    X, y = data_for(Estimator, 300)
    network = Estimator(random_state=0, learning_rate_init=0.01, max_iter=20)
    model = make_pipeline(StandardScaler(), network)
    name = Estimator.__name__.lower()
    grid = {f"{name}__hidden_layer_sizes": [(8,), (16, 8)], f"{name}__alpha": [1e-4, 1]}
    search = GridSearchCV(model, grid, cv=3).fit(X, y)
    floor = 0.9 if Estimator is DNNClassifier else 0.3
    assert search.best_score_ > floor
    assert cross_val_score(search.best_estimator_, X, y, cv=3).mean() > floor


@BOTH
def test_parameters_and_defaults_are_those_of_scikit_learn(Estimator):
    Theirs = MLPClassifier if Estimator is DNNClassifier else MLPRegressor
    ours, theirs = Estimator().get_params(), Theirs().get_params()
    assert {name: ours[name] for name in theirs} == theirs
    # What is given by position is theirs; an older scikit-learn has no losses.
    signatures = [inspect.signature(E).parameters.values() for E in (Estimator, Theirs)]
    positional = [[p.name for p in s if p.kind is not p.KEYWORD_ONLY] for s in signatures]
    assert positional[0][-len(positional[1]) :] == positional[1]


PARITY = [
    dict(),
    dict(hidden_layer_sizes=()),
    dict(hidden_layer_sizes=(12, 7, 5), activation="tanh"),
    dict(activation="logistic", alpha=0.5, batch_size=32),
    dict(activation="identity", solver="sgd", learning_rate_init=0.01),
    dict(solver="sgd", learning_rate="invscaling", nesterovs_momentum=False),
    dict(solver="sgd", learning_rate="adaptive", tol=10.0, n_iter_no_change=2),
    dict(early_stopping=True, validation_fraction=0.2, batch_size=17),
    dict(shuffle=False, batch_size=50),
    dict(shuffle=False, early_stopping=True),
]


@pytest.mark.pairwise
@BOTH
@pytest.mark.parametrize("settings", PARITY, ids=str)
@pytest.mark.parametrize("weighted", [False, pytest.param(True, marks=needs_weights)])
def test_same_curve_and_parameters_as_scikit_learn(Estimator, settings, weighted):
    Theirs = MLPClassifier if Estimator is DNNClassifier else MLPRegressor
    X, y = data_for(Estimator)
    given = weights(np.random.RandomState(0).uniform(0.5, 2.0, len(y)) if weighted else None)
    settings = dict(hidden_layer_sizes=(6,), random_state=7, max_iter=15) | settings
    ours = Estimator(dtype="float64", **settings).fit(X, y, **given)
    theirs = Theirs(**settings).fit(X, y, **given)
    assert ours.n_iter_ == theirs.n_iter_
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)
    for a, b in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert_allclose(a, b, rtol=1e-6, atol=1e-10)
    for name in ("t_", "n_layers_", "n_outputs_", "n_features_in_", "out_activation_"):
        assert getattr(ours, name) == getattr(theirs, name)
    for name in ("loss_", "best_loss_", "best_validation_score_", "validation_scores_"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert (a is None) == (b is None)
        if a is not None:
            assert_allclose(a, b, rtol=1e-10)
    assert_allclose(ours.score(X, y), theirs.score(X, y), rtol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_losses_of_data_that_is_not_scaled_are_scikit_learns(n_classes):
    generator = np.random.default_rng(0)
    X = 1000.0 * generator.standard_normal((90, 4))  # probabilities of 0 and 1
    y = generator.integers(0, n_classes, 90)
    settings = dict(hidden_layer_sizes=(6,), random_state=0, max_iter=5)
    ours = DNNClassifier(dtype="float64", **settings).fit(X, y)
    theirs = MLPClassifier(**settings).fit(X, y)
    assert ours.loss_ > 5.0
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)


@BOTH
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a division by zero, without JIT
def test_a_batch_without_weight_raises(Estimator):
    X, y = data_for(Estimator)
    Theirs = MLPClassifier if Estimator is DNNClassifier else MLPRegressor
    weight = np.repeat([0.0, 1.0], [20, 100])
    settings = dict(batch_size=20, shuffle=False, hidden_layer_sizes=(3,))
    ours = Estimator(**settings)
    for model in (ours, Theirs(**settings)) if HAVE_WEIGHTS else (ours,):
        with pytest.raises(ZeroDivisionError, match="Weights sum to zero"):
            model.fit(X, y, sample_weight=weight)
    assert not hasattr(ours, "coefs_")


@BOTH
def test_another_solver_goes_on_with_the_first_optimiser(Estimator):
    X, y = data_for(Estimator)
    first = {"classes": [0, 1]} if Estimator is DNNClassifier else {}
    for before, after in [("sgd", "adam"), ("adam", "sgd")]:
        model = Estimator(hidden_layer_sizes=(6,), random_state=1, solver=before)
        model.partial_fit(X, y, **first)
        model.set_params(solver=after).partial_fit(X, y)
        assert np.isfinite(model.loss_)
        assert model._state.optimizer.optimizer == ("adam" if before == "adam" else "nesterov")


@BOTH
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_equals_scikit_learns(Estimator, solver):
    Theirs = MLPClassifier if Estimator is DNNClassifier else MLPRegressor
    X, y = data_for(Estimator)
    first = {"classes": [0, 1]} if Estimator is DNNClassifier else {}
    settings = dict(hidden_layer_sizes=(6,), solver=solver, random_state=1)
    ours, theirs = Estimator(dtype="float64", **settings), Theirs(**settings)
    for batch in range(3):
        rows = slice(40 * batch, 40 * batch + 40)
        ours.partial_fit(X[rows], y[rows], **first)
        theirs.partial_fit(X[rows], y[rows], **first)
        first = {}
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)
    assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-8)
    assert ours.t_ == theirs.t_


@BOTH
def test_warm_start_goes_on(Estimator):
    X, y = data_for(Estimator)
    settings = dict(hidden_layer_sizes=(6,), random_state=1, max_iter=3)
    warm = Estimator(warm_start=True, dtype="float64", **settings)
    with pytest.warns(ConvergenceWarning):
        first = warm.fit(X, y).loss_
        second = warm.fit(X, y).loss_
        Theirs = MLPClassifier if Estimator is DNNClassifier else MLPRegressor
        theirs = Theirs(warm_start=True, **settings).fit(X, y).fit(X, y)
    assert second < first
    assert_allclose(warm.loss_curve_, theirs.loss_curve_, rtol=1e-10)


@BOTH
@pytest.mark.parametrize("n_samples", [120, 350])
def test_float32_follows_float64(Estimator, n_samples):
    X, y = data_for(Estimator, n_samples)
    settings = dict(hidden_layer_sizes=(6,), random_state=0, max_iter=3)
    with pytest.warns(ConvergenceWarning):
        single = Estimator(**settings).fit(X, y)
        double = Estimator(dtype="float64", **settings).fit(X, y)
    assert single.coefs_[0].dtype == np.float32
    assert single.predict(X[:1]).dtype == y.dtype
    assert_allclose(single.loss_curve_, double.loss_curve_, rtol=1e-4)


@BOTH
def test_dtype_auto_takes_that_of_x(Estimator):
    X, y = data_for(Estimator)
    for given, computed in [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int64, np.float64),
    ]:
        model = Estimator(dtype="auto", hidden_layer_sizes=(3,), max_iter=2)
        with pytest.warns(ConvergenceWarning):
            model.fit(X.astype(given), y)
        assert model.coefs_[0].dtype == computed


@BOTH
def test_pandas_names_are_kept_and_checked(Estimator):
    X, y = data_for(Estimator)
    frame = pd.DataFrame(X).add_prefix("feature ")
    model = Estimator(hidden_layer_sizes=(3,), max_iter=2)
    with pytest.warns(ConvergenceWarning):
        model.fit(frame, pd.Series(y))
    assert list(model.feature_names_in_) == list(frame.columns)
    assert_array_equal(model.predict(frame[:5]).shape, (5,))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"feature 0": "other"}))


@BOTH
def test_input_of_any_order_and_read_only(Estimator):
    X, y = data_for(Estimator)
    settings = dict(hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    frozen = X.copy()
    frozen.setflags(write=False)
    with pytest.warns(ConvergenceWarning):
        expected = Estimator(**settings).fit(X, y).predict(X)
        for other in (np.asfortranarray(X), frozen, X.tolist(), X[::-1][::-1]):
            assert_array_equal(Estimator(**settings).fit(other, y).predict(other), expected)


@BOTH
def test_x_is_not_changed(Estimator):
    X, y = data_for(Estimator)
    X = np.ascontiguousarray(X, dtype=np.float32)
    before = X.copy()
    with pytest.warns(ConvergenceWarning):
        Estimator(max_iter=2).fit(X, y).predict(X)
    assert_array_equal(X, before)


@BOTH
def test_pickle_copy_and_clone(Estimator):
    X, y = data_for(Estimator)
    first = {"classes": [0, 1]} if Estimator is DNNClassifier else {}
    model = Estimator(hidden_layer_sizes=(6,), random_state=0)
    model.partial_fit(X, y, **first)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_array_equal(twin.predict(X), model.predict(X))
        # A twin goes on from the same optimiser state, apart from the original.
        again = copy.deepcopy(model).partial_fit(X, y)
        assert_array_equal(twin.partial_fit(X, y).coefs_[0], again.coefs_[0])
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


@BOTH
def test_setting_coefs_changes_predictions(Estimator):
    X, y = data_for(Estimator)
    model = Estimator(hidden_layer_sizes=(6,), random_state=0, max_iter=2)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    model.coefs_[-1] = np.zeros_like(model.coefs_[-1])
    model.intercepts_[-1] = np.full_like(model.intercepts_[-1], 3.0)
    assert len(np.unique(model.predict(X))) == 1
    if Estimator is DNNRegressor:
        assert_allclose(model.predict(X), 3.0)


@BOTH
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(hidden_layer_sizes=(0,)), r"hidden_layer_sizes must be > 0, got \[0\]"),
        (dict(hidden_layer_sizes=(2.5,)), "hidden_layer_sizes must be > 0"),
        (dict(hidden_layer_sizes=-1), "hidden_layer_sizes"),
        (dict(activation="rely"), "'activation' parameter .* Got 'rely'"),
        (dict(solver="adamax2"), "'solver' parameter"),
        (dict(alpha=-1.0), "'alpha' parameter"),
        (dict(dtype="float16"), "'dtype' parameter"),
        (dict(n_threads=0), "'n_threads' parameter"),
        (
            dict(early_stopping=True, validation_fraction=0.005),
            "validation set is too|test_size = 1",
        ),
    ],
)
def test_bad_parameters(Estimator, settings, message):
    X, y = data_for(Estimator)
    with pytest.raises(ValueError, match=message):
        Estimator(**settings).fit(X, y)


@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_bad_numbers_in_x(Estimator, bad):
    X, y = data_for(Estimator)
    X[3, 2] = bad
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        Estimator().fit(X, y)


@BOTH
@pytest.mark.filterwarnings("ignore:.* encountered in")  # NumPy's, without JIT
def test_divergence_raises_and_leaves_no_half_trained_model(Estimator):
    X, y = data_for(Estimator)
    model = Estimator(solver="sgd", activation="identity", learning_rate_init=1e30)
    model.set_params(hidden_layer_sizes=(5, 5), batch_size=10, random_state=0)
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


@BOTH
def test_early_stopping_is_not_for_partial_fit(Estimator):
    X, y = data_for(Estimator)
    first = {"classes": [0, 1]} if Estimator is DNNClassifier else {}
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        Estimator(early_stopping=True).partial_fit(X, y, **first)


@BOTH
def test_batch_larger_than_the_data_warns(Estimator):
    X, y = data_for(Estimator)
    with pytest.warns(UserWarning, match="batch_size") as caught:
        Estimator(batch_size=1000, max_iter=2).fit(X, y)
    ours = [w for w in caught if "batch_size" in str(w.message)]
    assert ours[0].filename == __file__


@BOTH
def test_verbose_prints_each_epoch(Estimator, capsys):
    X, y = data_for(Estimator)
    with pytest.warns(ConvergenceWarning):
        Estimator(max_iter=2, verbose=True, early_stopping=True).fit(X, y)
    printed = capsys.readouterr().out
    assert "Iteration 2, loss = " in printed
    assert printed.count("Validation score: ") == 2
