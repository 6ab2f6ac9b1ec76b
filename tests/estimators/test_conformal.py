"""Intervals and sets of classes: against their definitions, and how much they cover."""

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    make_classification,
    make_friedman1,
)
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.estimators.conformal import Band, label_sets, limits, rank_of, sorted_scores

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LEVELS = pytest.mark.parametrize("level", [0.05, 0.5, 0.8, 0.9, 0.99])


# -- definitions ----------------------------------------------------------------------------


def drawn_groups(seed, n_samples=30, n_targets=2, sizes=(7, 0, 12)):
    rng = np.random.default_rng(seed)
    bands, scores = [], []
    for size in sizes:
        low = rng.normal(size=(n_samples, n_targets))
        high = low + rng.exponential(size=low.shape) * (seed % 2)
        scale = 1.0 if seed % 3 else rng.exponential(size=low.shape)
        bands.append(Band(low, high, scale))
        scores.append(np.sort(rng.normal(size=(size, n_targets)), axis=0))
    return bands, scores


@LEVELS
@pytest.mark.parametrize("seed", range(6))
def test_limits_are_those_of_cv_plus(level, seed):
    """Of all end + score * scale the one of a rank, for each sample (Barber et al., 2021)."""
    bands, scores = drawn_groups(seed)
    low, high = limits(bands, scores, level)
    n_scores = sum(map(len, scores))
    rank = math.ceil(level * (n_scores + 1))
    for i in range(30):
        for target in range(2):
            lowest, highest = [], []
            for band, known in zip(bands, scores, strict=True):
                scale = np.broadcast_to(band.scale, band.low.shape)[i, target]
                lowest += (band.low[i, target] - known[:, target] * scale).tolist()
                highest += (band.high[i, target] + known[:, target] * scale).tolist()
            expected = [-np.inf, np.inf]
            if rank <= n_scores:
                expected = sorted(lowest)[-rank], sorted(highest)[rank - 1]
            found = low[i, target], high[i, target]
            assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@LEVELS
@pytest.mark.parametrize("seed", range(3))
def test_sets_are_those_of_cross_conformal_prediction(level, seed):
    rng = np.random.default_rng(seed)
    P = [rng.dirichlet(np.ones(4), 20) for _ in range(3)]
    scores = [np.sort(rng.random(size)) for size in (5, 9, 0)]
    found = label_sets(P, scores, level)
    for i in range(20):
        for c in range(4):
            pairs = zip(P, scores, strict=True)
            n_below = sum(int((known < 1.0 - p[i, c]).sum()) for p, known in pairs)
            assert found[i, c] == (n_below < level * 15)


@pytest.mark.parametrize(
    ("level", "n_scores", "rank"), [(0.9, 9, 9), (0.9, 8, 9), (0.5, 99, 50), (0.01, 10, 1)]
)
def test_ranks(level, n_scores, rank):
    """Nine of ten equally likely places are below the highest of nine."""
    assert rank_of(level, n_scores) == rank


@LEVELS
def test_a_new_score_is_covered_as_often_as_asked_for(level):
    """Exactly: of 20 distinct scores each is equally often the new one."""
    scores = np.random.default_rng(0).normal(size=20)
    n_covered = 0
    for new in range(20):
        known = np.sort(np.delete(scores, new)).reshape(-1, 1)
        (_, high) = limits([Band(np.zeros((1, 1)), np.zeros((1, 1)))], [known], level)
        n_covered += int(scores[new] <= high[0, 0])
    assert n_covered == math.ceil(level * 20)


def test_scores_of_samples_of_no_weight_are_left_out():
    scores = np.array([3.0, 1.0, 2.0])
    assert_array_equal(sorted_scores(scores, None), [1.0, 2.0, 3.0])
    assert_array_equal(sorted_scores(scores, np.array([1.0, 0.0, 0.5])), [2.0, 3.0])


# -- coverage -------------------------------------------------------------------------------


def standardised(X, y):
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


def with_uneven_noise(n_samples=1500):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4))
    return X, X[:, 0] + np.abs(X[:, 1]) * rng.normal(size=n_samples)


REGRESSIONS = {
    "diabetes": lambda: standardised(*load_diabetes(return_X_y=True)),
    "friedman": lambda: standardised(*make_friedman1(1500, noise=2.0, random_state=0)),
    "uneven noise": with_uneven_noise,
}
CLASSES = {
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "doubtful": lambda: make_classification(
        1500, 10, n_informative=5, n_classes=4, flip_y=0.2, random_state=0
    ),
}
OPTIONS = {"hidden_layer_sizes": (10,), "solver": "lbfgs", "max_iter": 50, "n_members": 5}


def parts_of(X, y, seed):
    """Return samples to train on, to validate on, and to test."""
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, random_state=seed)
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.4, random_state=seed)
    return (X, y), (X_val, y_val), (X_test, y_test)


def covered(Estimator, X, y, way, n_times=20):
    """Return the share of test samples that are covered at two levels."""
    shares = []
    for seed in range(n_times):
        (X_fit, y_fit), (X_val, y_val), (X_test, y_test) = parts_of(X, y, seed)
        options = OPTIONS | {"alpha": 10.0, "random_state": seed}
        if way == "folds":
            X_all, y_all = np.concatenate([X_fit, X_val]), np.concatenate([y_fit, y_val])
            model = Estimator(**options, bagging="folds").fit(X_all, y_all)
        else:
            model = Estimator(**options).fit(X_fit, y_fit, X_val=X_val, y_val=y_val)
        for level in (0.8, 0.9):
            if Estimator is DNNRegressor:
                low, high = model.predict_interval(X_test, level)
                shares.append(np.mean((low <= y_test) & (y_test <= high)))
            else:
                is_in = model.predict_set(X_test, level)
                shares.append(np.mean(is_in[np.arange(len(y_test)), y_test]))
    return np.reshape(shares, (n_times, 2)).mean(axis=0)


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("way", ["folds", "validation"])
@pytest.mark.parametrize("name", [*REGRESSIONS, *CLASSES])
def test_as_much_is_covered_as_asked_for(name, way):
    if name in REGRESSIONS:
        Estimator, (X, y) = DNNRegressor, REGRESSIONS[name]()
    else:
        Estimator, (X, y) = DNNClassifier, CLASSES[name]()
        X = StandardScaler().fit_transform(X)
    assert_allclose(covered(Estimator, X, y, way), [0.8, 0.9], atol=0.02)


# -- what they are of -----------------------------------------------------------------------


def regression(**options):
    X, y = with_uneven_noise(400)
    more = OPTIONS | {"bagging": "folds", "random_state": 0, "alpha": 1.0} | options
    return DNNRegressor(**more), X, y


@pytest.mark.slow_without_jit
def test_learnt_variances_make_intervals_as_wide_as_they_should_be():
    adam = dict(solver="adam", max_iter=60, learning_rate_init=0.02)
    model, X, y = regression(loss="gaussian_nll", **adam)
    low, high = model.fit(X, y).predict_interval(X, 0.8)
    width, noise = high - low, np.abs(X[:, 1])
    assert width[noise > 1.5].mean() > 2.0 * width[noise < 0.3].mean()
    assert 0.76 < np.mean((low <= y) & (y <= high)) < 0.88


@pytest.mark.slow_without_jit
def test_quantiles_are_widened_or_narrowed():
    """Levels that say 40 % are made to cover 80 %."""
    adam = dict(solver="adam", max_iter=60, learning_rate_init=0.02)
    model, X, y = regression(loss="quantile", quantile=[0.3, 0.7], **adam)
    quantiles = model.fit(X, y).predict(X)
    low, high = model.predict_interval(X, 0.8)
    assert (high - low > np.diff(quantiles, axis=1).ravel()).mean() > 0.95
    assert 0.76 < np.mean((low <= y) & (y <= high)) < 0.9


@pytest.mark.slow_without_jit
def test_counts_are_not_negative():
    model, X, y = regression(loss="poisson")
    low, high = model.fit(X, np.floor(np.exp(y))).predict_interval(X, 0.95)
    assert low.min() == 0.0
    assert (high > low).all()


@pytest.mark.slow_without_jit
def test_each_target_has_an_interval():
    model, X, y = regression()
    low, high = model.fit(X, np.column_stack([y, 100.0 * y])).predict_interval(X, 0.8)
    assert low.shape == high.shape == (400, 2)
    width = (high - low).mean(axis=0)
    assert 50.0 < width[1] / width[0] < 200.0


@pytest.mark.slow_without_jit
def test_a_higher_level_has_larger_intervals_and_sets():
    model, X, y = regression()
    model.fit(X, y)
    of_each = [model.predict_interval(X, level) for level in (0.5, 0.8, 0.95)]
    for (low, high), (lower, higher) in pairwise(of_each):
        assert (lower <= low).all() and (high <= higher).all()
    X, y = CLASSES["doubtful"]()
    options = OPTIONS | {"bagging": "folds", "random_state": 0}
    model = DNNClassifier(**options).fit(X, y)
    sets = [model.predict_set(X, level) for level in (0.5, 0.8, 0.95)]
    for small, large in pairwise(sets):
        assert (small <= large).all()


@pytest.mark.slow_without_jit
def test_strings_are_classes_and_soft_targets_have_none():
    X, y = CLASSES["doubtful"]()
    options = OPTIONS | {"bagging": "folds", "random_state": 0, "max_iter": 5}
    numbers = DNNClassifier(**options).fit(X, y).predict_set(X)
    names = DNNClassifier(**options).fit(X, np.array(["a", "b", "c", "d"])[y])
    assert_array_equal(names.predict_set(X), numbers)
    soft = np.eye(2)[y % 2]
    soft[0] = 0.5  # in a fold; all others have zeros and ones only
    with pytest.raises(ValueError, match="knows no errors"):
        DNNClassifier(**options).fit(X, soft).predict_set(X)


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.1, "high", None, True, np.nan])
def test_a_level_is_a_share(level):
    model, X, y = regression(max_iter=2)
    with pytest.raises(ValueError, match=r"level=.* must be a number between 0 and 1"):
        model.fit(X, y).predict_interval(X, level)


def test_without_samples_that_were_left_out_the_remedy_is_said():
    model, X, y = regression(bagging=None, max_iter=2)
    with pytest.raises(NotFittedError):
        model.predict_interval(X)
    said = r"knows no errors on samples .* n_members=5, and with bagging='folds', or give fit"
    with pytest.raises(ValueError, match=said):
        model.fit(X, y).predict_interval(X)
    alone = DNNRegressor(solver="lbfgs", max_iter=2).fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match=said):
        alone.predict_interval(X)
