"""The losses of `DNNRegressor`: what is reported, what is learnt, what is refused."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.metrics import (
    d2_pinball_score,
    mean_absolute_error,
    mean_gamma_deviance,
    mean_pinball_loss,
    mean_tweedie_deviance,
    r2_score,
)
from sklearn.model_selection import GridSearchCV

from fastdnn import DNNRegressor
from tests import own

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LEVELS = [0.1, 0.5, 0.9]


def positive(n_rows=300, n_targets=1):
    """Return samples with targets above 0."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 3))
    Y = np.exp(0.5 * X[:, :n_targets] + 0.3 * rng.standard_normal((n_rows, n_targets)))
    return X, Y.ravel() if n_targets == 1 else Y


def frozen(loss, **parameters):
    """Return a model that trains one epoch without moving."""
    return DNNRegressor(
        loss, (4,), alpha=0.0, learning_rate_init=1e-30, max_iter=1, random_state=0,
        dtype="float64", **parameters,
    )  # fmt: skip


def gaussian_nll(model, X, y):
    means, deviations = model.predict(X, return_std=True)
    # What PyTorch's GaussianNLLLoss leaves out is a constant.
    return -stats.norm.logpdf(y, means, deviations).mean() - 0.5 * np.log(2 * np.pi)


def huber(y, predicted, delta):
    size = np.abs(y - predicted)
    return np.where(size < delta, size**2 / 2, delta * (size - delta / 2)).mean()


#: What losses report, of a fitted model on samples.
REPORTED = [
    ("absolute_error", {}, lambda m, X, y: mean_absolute_error(y, m.predict(X))),
    ("huber", {"huber_delta": 0.5}, lambda m, X, y: huber(y, m.predict(X), 0.5)),
    ("log_cosh", {}, lambda m, X, y: np.log(np.cosh(m.predict(X) - y)).mean()),
    (
        "quantile",
        {"quantile": 0.2},
        lambda m, X, y: mean_pinball_loss(y, m.predict(X), alpha=0.2),
    ),
    (
        "quantile",
        {"quantile": LEVELS},
        lambda m, X, y: np.mean(
            [
                mean_pinball_loss(y, column, alpha=level)
                for column, level in zip(m.predict(X).T, LEVELS, strict=True)
            ]
        ),
    ),
    ("gamma", {}, lambda m, X, y: mean_gamma_deviance(y, m.predict(X)) / 2),
    (
        "tweedie",
        {"tweedie_power": 1.3},
        lambda m, X, y: mean_tweedie_deviance(y, m.predict(X), power=1.3) / 2,
    ),
    ("gaussian_nll", {}, gaussian_nll),
    (own.SQUARE, {}, lambda m, X, y: np.mean((m.predict(X) - y) ** 2)),
    (own.DEVIANCE, {}, lambda m, X, y: mean_gamma_deviance(y, m.predict(X)) / 2),
]
IDS = [f"{loss}-{list(parameters.values())}" for loss, parameters, _ in REPORTED]


@pytest.mark.parametrize(("loss", "parameters", "metric"), REPORTED, ids=IDS)
def test_the_reported_loss_is_scikit_learns_metric(loss, parameters, metric):
    X, y = positive()
    model = frozen(loss, **parameters).fit(X, y)
    assert_allclose(model.loss_, metric(model, X, y), rtol=1e-12)


@pytest.mark.parametrize("loss", ["absolute_error", "gaussian_nll", "huber", "log_cosh"])
def test_the_loss_of_several_targets_is_their_mean(loss):
    X, Y = positive(n_targets=2)
    of_each = []
    for target in Y.T:
        # Outputs of the same weights: those of a network that has both targets.
        both = frozen(loss).fit(X, np.column_stack([target, target]))
        of_each.append(both.loss_)
    assert np.isfinite(of_each).all()
    model = frozen(loss).fit(X, Y)
    swapped = frozen(loss).fit(X, Y[:, ::-1])
    assert_allclose(model.loss_ + swapped.loss_, sum(of_each), rtol=1e-12)


@pytest.mark.slow_without_jit
@pytest.mark.pairwise
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("loss", "parameters", "metric"), REPORTED, ids=IDS)
def test_training_lowers_the_loss_of_samples_in_any_form(
    loss, parameters, metric, dtype, n_threads
):
    X, y = positive()
    weight = np.linspace(0.5, 1.5, len(y))
    model = DNNRegressor(
        loss, (8,), random_state=0, max_iter=8, learning_rate_init=0.01, batch_size=32,
        dtype=dtype, n_threads=n_threads, **parameters,
    )  # fmt: skip
    dense = clone(model).fit(X, y, weight)
    assert dense.loss_curve_[-1] < 0.9 * dense.loss_curve_[0] or dense.loss_ < 0.0
    of_sparse = clone(model).fit(sparse.csr_array(X), y, weight)
    eps = np.finfo(dtype).eps
    assert_allclose(of_sparse.loss_curve_, dense.loss_curve_, rtol=0, atol=1e4 * eps)
    same = pickle.loads(pickle.dumps(dense))
    assert_array_equal(same.predict(X), dense.predict(X))
    for _ in range(2):
        dense.partial_fit(X, y)
        same.partial_fit(X, y)
    assert_array_equal(same.predict(X), dense.predict(X))


@pytest.mark.parametrize(("loss", "parameters", "metric"), REPORTED, ids=IDS)
def test_lbfgs_lowers_the_loss_of_all_samples(loss, parameters, metric):
    X, y = positive(60)
    settings = dict(solver="lbfgs", alpha=0.0, random_state=0, dtype="float64")
    losses = []
    for max_iter in (1, 30):
        model = DNNRegressor(loss, (4,), max_iter=max_iter, **settings, **parameters)
        losses.append(model.fit(X, y).loss_)
        assert_allclose(model.loss_, metric(model, X, y), rtol=1e-9)
    assert losses[1] < losses[0]


@pytest.mark.slow_without_jit
def test_no_bit_depends_on_threads():
    X, y = positive(2000)
    for loss, parameters, _ in REPORTED:
        models = [
            DNNRegressor(loss, (40,), random_state=0, max_iter=2, n_threads=n, **parameters)
            for n in (1, 2)
        ]
        one, two = (model.fit(X, y).predict(X) for model in models)
        assert_array_equal(one, two)


# -- what is learnt -----------------------------------------------------------------------


def skewed(n_rows=4000):
    """Return samples whose spread depends on the first feature."""
    rng = np.random.default_rng(1)
    X = rng.uniform(-1.0, 1.0, (n_rows, 2))
    spread = 0.2 + 0.3 * (X[:, 0] > 0)
    return X, X[:, 1] + spread * rng.standard_normal(n_rows), spread


def fitted(loss, X, y, **parameters):
    return DNNRegressor(
        loss, (32,), random_state=0, max_iter=60, learning_rate_init=0.01,
        learning_rate="cosine", n_iter_no_change=np.inf, **parameters,
    ).fit(X, y)  # fmt: skip


@pytest.mark.slow_without_jit
def test_quantiles_have_their_share_of_the_targets_below_and_do_not_cross():
    X, y, spread = skewed()
    model = fitted("quantile", X, y, quantile=LEVELS)
    quantiles = model.predict(X)
    assert quantiles.shape == (len(X), 3)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert_allclose((y[:, None] < quantiles).mean(axis=0), LEVELS, rtol=0, atol=0.03)
    widths = quantiles[:, 2] - quantiles[:, 0]
    is_far = np.abs(X[:, 0]) > 0.2  # from where the spread jumps
    for s in (0.2, 0.5):
        exact = 2 * stats.norm.ppf(0.9) * s
        assert widths[is_far & (spread == s)].mean() == pytest.approx(exact, rel=0.1)
    for far in (np.float32(30) * X.astype(np.float32), 30 * X):
        assert (np.diff(model.predict(far), axis=1) >= 0).all()


@pytest.mark.slow_without_jit
def test_one_quantile_has_its_share_below():
    X, y, _ = skewed()
    model = fitted("quantile", X, y, quantile=0.8)
    assert model.predict(X).shape == y.shape
    assert np.mean(y < model.predict(X)) == pytest.approx(0.8, abs=0.03)


@pytest.mark.slow_without_jit
def test_means_and_standard_deviations_of_normal_targets():
    X, y, spread = skewed()
    model = fitted("gaussian_nll", X, np.column_stack([y, -2 * y]))
    means, deviations = model.predict(X, return_std=True)
    assert means.shape == deviations.shape == (len(X), 2)
    assert_allclose(means[:, 0], X[:, 1], rtol=0, atol=0.25)
    for s in (0.2, 0.5):
        of_rows = deviations[spread == s].mean(axis=0)
        assert_allclose(of_rows, [s, 2 * s], rtol=0.12)
    assert_array_equal(model.predict(X), means)
    assert model.score(X, np.column_stack([y, -2 * y])) == r2_score(
        np.column_stack([y, -2 * y]), means
    )
    one = fitted("gaussian_nll", X, y, max_norm=None)
    assert [part.shape for part in one.predict(X, return_std=True)] == [y.shape, y.shape]


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("loss", ["absolute_error", "huber", "log_cosh"])
def test_outliers_count_for_little(loss):
    X, y, _ = skewed()
    spoiled = y.copy()
    spoiled[::20] += 30.0
    robust, usual = (fitted(name, X, spoiled) for name in (loss, "squared_error"))
    robust_error, usual_error = (
        np.mean((m.predict(X) - X[:, 1]) ** 2) for m in (robust, usual)
    )
    assert robust_error < 0.1 < 0.5 < usual_error


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie"])
def test_deviances_learn_means(loss):
    rng = np.random.default_rng(2)
    X = rng.uniform(-1.0, 1.0, (4000, 2))
    mean = np.exp(1.0 + X[:, 0])
    y = rng.gamma(4.0, mean / 4.0)
    predicted = fitted(loss, X, y).predict(X)
    assert (predicted > 0).all()
    assert_allclose(predicted, mean, rtol=0.25)
    assert np.mean(predicted / mean) == pytest.approx(1.0, abs=0.05)


# -- scores -------------------------------------------------------------------------------


def test_the_score_of_quantiles_is_d2():
    X, y = positive()
    weight = np.linspace(0.0, 1.0, len(y))
    for w in (None, weight):
        one = frozen("quantile", quantile=0.3).fit(X, y)
        theirs = d2_pinball_score(y, one.predict(X), alpha=0.3, sample_weight=w)
        assert one.score(X, y, w) == theirs
        several = frozen("quantile", quantile=LEVELS).fit(X, y)
        expected = [
            d2_pinball_score(y, column, alpha=level, sample_weight=w)
            for column, level in zip(several.predict(X).T, LEVELS, strict=True)
        ]
        assert several.score(X, y, w) == pytest.approx(np.mean(expected), rel=1e-14)


@pytest.mark.parametrize("quantile", [0.3, LEVELS], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_early_stopping_scores_quantiles_as_score_does(quantile, weighted):
    X, y = positive()
    model = DNNRegressor(
        "quantile", (4,), quantile=quantile, max_iter=5, random_state=0, dtype="float64"
    )
    w = np.linspace(0.5, 1.5, len(y)) if weighted else None
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=w)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X, y, w), rel=1e-12)
    stopped = clone(model).set_params(early_stopping=True).fit(X, y)
    assert max(stopped.validation_scores_) == stopped.best_validation_score_


def test_early_stopping_scores_means_by_r2():
    X, y = positive()
    model = DNNRegressor("gaussian_nll", (4,), max_iter=5, random_state=0, dtype="float64")
    model.fit(X, y, X_val=X, y_val=y)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X, y), rel=1e-12)
    assert model.validation_loss_curve_[-1] == pytest.approx(
        gaussian_nll(model, X, y), rel=1e-9
    )


@pytest.mark.parametrize(
    ("loss", "centre"),
    [
        ("squared_error", "mean"),
        ("absolute_error", "median"),
        ("huber", "median"),
        ("log_cosh", "median"),
        ("quantile", "quantile"),
    ],
)
def test_targets_that_steps_do_not_reach_are_named(loss, centre):
    X, y = positive()
    with pytest.warns(UserWarning, match=f"hardly better than the {centre} of y"):
        DNNRegressor(loss, (4,), max_iter=2, random_state=0).fit(X, 1e7 * y)


def test_a_grid_over_losses():
    X, y = positive(60)
    grid = {"loss": ["quantile", "gamma", own.SQUARE], "quantile": [0.4]}
    search = GridSearchCV(
        DNNRegressor(hidden_layer_sizes=(3,), max_iter=3, random_state=0), grid, cv=2,
        scoring="neg_mean_absolute_error", error_score="raise",
    )  # fmt: skip
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# -- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "target", "message"),
    [
        ("poisson", -1.0, "loss='poisson' needs targets y >= 0, got -1"),
        ("tweedie", -0.5, "loss='tweedie' needs targets y >= 0, got -0.5"),
        ("gamma", 0.0, "loss='gamma' needs targets y > 0, got 0"),
    ],
)
def test_targets_that_a_deviance_is_not_for(loss, target, message):
    X, y = positive()
    y[3] = target
    for fit in (DNNRegressor(loss).fit, DNNRegressor(loss).partial_fit):
        with pytest.raises(ValueError, match=message):
            fit(X, y)


def test_several_levels_need_one_target():
    X, Y = positive(n_targets=2)
    with pytest.raises(ValueError, match=r"needs one target a sample, but y has 2"):
        DNNRegressor("quantile", quantile=LEVELS).fit(X, Y)


def test_a_loss_of_probabilities_is_for_classifiers():
    X, y = positive()
    with pytest.raises(ValueError, match="is a loss of probabilities, for a DNNClassifier"):
        DNNRegressor(own.CROSS_ENTROPY).fit(X, y)


def test_only_variances_have_standard_deviations():
    X, y = positive()
    model = frozen("squared_error").fit(X, y)
    with pytest.raises(ValueError, match=r"return_std=True needs .*loss='gaussian_nll'"):
        model.predict(X, return_std=True)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (dict(loss="squared_error"), dict(loss="gamma"), "out_activation_='identity', but"),
        (dict(loss="quantile", quantile=LEVELS), dict(quantile=[0.2, 0.8]), "with 3 outputs"),
        (dict(loss="gaussian_nll"), dict(loss="huber"), "out_activation_='mean_and_variance'"),
    ],
)
def test_a_fit_does_not_go_on_with_other_outputs(before, after, message):
    X, y = positive()
    model = DNNRegressor(hidden_layer_sizes=(3,), max_iter=1, **before).fit(X, y)
    expected = model.predict(X)
    model.set_params(**after)
    assert_array_equal(model.predict(X), expected)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y)


def test_what_scikit_learn_does_not_have_is_not_brought_there():
    X, y = positive()
    for loss, parameters, _ in REPORTED:
        with pytest.raises(ValueError):
            frozen(loss, **parameters).fit(X, y).to_sklearn()
