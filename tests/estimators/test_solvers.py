"""Solvers, and what their steps do besides, as the estimators have them."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_regression
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor
from tests.diverging import BOTH as CLASSES_AND_NUMBERS
from tests.diverging import X as SMALL_X

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
#: Each with a step size that suits it.
SOLVERS = {
    name: {"solver": name, "learning_rate_init": rate}
    for name, rate in {
        "sgd": 0.05, "adam": 0.01, "adamw": 0.01, "amsgrad": 0.01, "nadam": 0.01,
        "radam": 0.01, "adamax": 0.02, "adagrad": 0.05, "adadelta": 2.0, "rmsprop": 0.005,
        "lion": 0.002,
    }.items()
}  # fmt: skip
SOLVERS["adadelta"]["epsilon"] = 1e-5  # its first steps are as long as the root of that
STEPS = {
    "l1": {"l1": 0.05}, "clip_value": {"clip_value": 0.01}, "clip_norm": {"clip_norm": 0.1},
    "max_norm": {"max_norm": 1.0}, "ema": {"ema_decay": 0.9}, "swa": {"swa_start": 0.5},
    "decay": {"weight_decay": 0.01},
}  # fmt: skip


def fitted(Estimator=DNNClassifier, X=X, y=Y, weight=None, **options):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 30, "batch_size": 30}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Estimator(**defaults | {"random_state": 0} | options)
        return model.fit(X, y, sample_weight=weight)


def theta_of(model):
    return np.concatenate([np.ravel(array) for array in (*model.coefs_, *model.intercepts_)])


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_learns(solver):
    options = SOLVERS[solver] | {"max_iter": 150}
    assert fitted(**options).score(X, Y) > 0.95
    A, b = make_regression(200, 5, noise=1.0, random_state=0)
    b = b / b.std()
    assert fitted(DNNRegressor, A, b, **options).score(A, b) > 0.95


@pytest.mark.slow_without_jit
@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["dense", "sparse", "weighted", "early stopping"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_learns_with_whatever_its_steps_do(solver, step, kind, dtype):
    options = SOLVERS[solver] | STEPS[step] | {"max_iter": 300, "dtype": dtype}
    if kind == "early stopping":
        options |= {"early_stopping": True, "n_iter_no_change": 50}
    data = sparse.csr_matrix(X) if kind == "sparse" else X
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X)) if kind == "weighted" else None
    assert fitted(X=data, weight=weight, **options).score(X, Y) > 0.9


@pytest.mark.slow_without_jit
def test_weights_decay_with_adamw_by_default():
    default = theta_of(fitted(solver="adamw"))
    np.testing.assert_array_equal(default, theta_of(fitted(solver="adamw", weight_decay=0.01)))
    assert not np.array_equal(default, theta_of(fitted(solver="adamw", weight_decay=0.0)))
    for solver in ("adam", "sgd", "lion"):
        np.testing.assert_array_equal(
            theta_of(fitted(solver=solver)), theta_of(fitted(solver=solver, weight_decay=0.0))
        )


@pytest.mark.slow_without_jit
def test_the_penalty_is_in_the_loss_and_makes_weights_small():
    options = {"batch_size": 150, "shuffle": False, "dtype": "float64", "alpha": 0.0}
    plain, penalised = fitted(**options, max_iter=1), fitted(**options, max_iter=1, l1=3.0)
    start = fitted(**options, max_iter=1, learning_rate_init=1e-300)
    penalty = 3.0 / 150 * sum(np.abs(W).sum() for W in start.coefs_)
    assert penalised.loss_ == pytest.approx(plain.loss_ + penalty, rel=1e-12)
    options |= {"max_iter": 400, "learning_rate_init": 0.01}
    plain, penalised = (fitted(**options, l1=l1) for l1 in (0.0, 3.0))
    sizes = [sum(np.abs(W).sum() for W in model.coefs_) for model in (plain, penalised)]
    assert sizes[1] < 0.5 * sizes[0]


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_the_penalty_goes_with_the_scale_of_sample_weights(factor):
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    one = fitted(weight=weight, l1=0.1, alpha=0.0, dtype="float64")
    other = fitted(weight=weight * factor, l1=0.1 * factor, alpha=0.0, dtype="float64")
    np.testing.assert_allclose(theta_of(other), theta_of(one), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@CLASSES_AND_NUMBERS
def test_no_unit_of_a_fit_has_weights_beyond_the_norm(Estimator, y, dtype):
    for batch_size in (10, 60):  # of which the latter is computed in float64
        options = {"max_norm": 0.5, "batch_size": batch_size, "dtype": dtype}
        model = fitted(Estimator, SMALL_X, y, learning_rate_init=0.05, **options)
        for W in model.coefs_:
            norms = np.linalg.norm(W.astype(np.float64), axis=0)
            assert norms.max() <= 0.5 * (1 + 2 * np.finfo(dtype).eps)
            assert norms.max() > 0.4


@pytest.mark.parametrize("name", STEPS)
def test_lbfgs_refuses_what_only_steps_have(name):
    (parameter, value), *_ = STEPS[name].items()
    with pytest.raises(ValueError, match=f"{parameter}={value} needs a stochastic solver"):
        fitted(solver="lbfgs", **STEPS[name])
