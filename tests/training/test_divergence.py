"""Whatever the scale of the data: a fit as good as float64's, or what is wrong and why."""

import copy
import itertools
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.network.parameters import Parameters
from fastdnn.training import fit
from fastdnn.training import held_out as held_out_module
from fastdnn.training.divergence import is_finite, largest, problem_of_epochs
from tests.diverging import BOTH, CLASSES, NUMPY_MAY_WARN, SMALL, THREE, Y_REAL, X, problem

pytestmark = NUMPY_MAY_WARN

LIKELY = "Likely cause: "


def outcome(model, X, y, weight=None):
    """Return the score, or None, and what was said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        try:
            model.fit(X, y, weight)
        except ValueError as error:
            return None, str(error)
    numbers = [*model.coefs_, *model.intercepts_, [model.loss_], model.predict(X)]
    records = [getattr(model, name, None) for name in ("loss_curve_", "validation_scores_")]
    if any("stopped in epoch" in str(w.message) for w in caught):
        records = [record[:-1] for record in records]
    numbers += [record for record in records if record is not None]
    assert all(np.isfinite(array).all() for array in numbers)
    said = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]
    if isinstance(model, DNNRegressor):
        unit = np.abs(y).max()
        error = model.predict(X).astype(np.float64) / unit - y / unit
        with np.errstate(over="ignore"):
            score = 1.0 - np.mean(error**2) / np.var(y / unit)
    else:
        score = model.score(X, y)
    return score, " ".join(m for m in said if "Maximum iterations" not in m)


# -- all scales ---------------------------------------------------------------------------

CAUSES = {"X": "X has values of up to", "y": "y has values of up to", "w": "sample_weight"}


@pytest.mark.pairwise
@pytest.mark.slow_without_jit
@pytest.mark.parametrize("early_stopping", [False, True], ids=["", "early stopping"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_no_scale_fails_in_silence(Estimator, solver, early_stopping):
    X, y = problem(100)
    scales_y = (1.0, 1e-30, 1e10, 1e16, 1e25, 1e38)
    if Estimator is DNNClassifier:
        y, scales_y = (y > 0).astype(int), (1.0,)
    n_fits = 0
    for scale_x, scale_y, scale_w in itertools.product(
        (1.0, 1e-40, 1e10, 1e18, 1e25, 1e37), scales_y, (1.0, 1e-40, 1e38)
    ):
        rate = 0.01 * max(1.0, scale_y**0.5) if solver == "adam" else 0.01
        results = {}
        for dtype in ("float32", "float64"):
            model = Estimator(
                **SMALL | {"max_iter": 40, "solver": solver, "dtype": dtype}
            ).set_params(early_stopping=early_stopping, learning_rate_init=rate)
            weight = None if scale_w == 1.0 else np.full(len(y), scale_w)
            results[dtype] = outcome(model, X * scale_x, y * scale_y, weight)
        score, said = results["float32"]
        expected = results["float64"][0]
        extremes = {"X": scale_x, "y": scale_y, "w": 1.0 / scale_w}
        causes = [CAUSES[name] for name, scale in extremes.items() if scale > 1.0]
        where = f"{scale_x=:g} {scale_y=:g} {scale_w=:g}: {score}, float64 {expected}; {said}"
        if score is None:
            assert LIKELY in said, where
        if said and "lbfgs failed" not in said:
            assert any(cause in said for cause in causes), where
        elif score is None or (expected is not None and expected > 0.5):
            assert score is not None and score > expected - 0.05, where
        n_fits += score is not None
    assert n_fits >= 4


# -- causes -------------------------------------------------------------------------------


@pytest.mark.pairwise
@pytest.mark.parametrize("early_stopping", [False, True], ids=["", "early stopping"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("settings", "scales", "cause"),
    [
        ({"learning_rate_init": 1e30}, {}, "learning_rate_init=1e+30 is too high"),
        (
            {"learning_rate_init": 1e30, "learning_rate": "adaptive"},
            {},
            "learning_rate_init=1e+30 is too high",
        ),
        (
            {"learning_rate_init": 1e300, "solver": "adam"},
            {},
            "learning_rate_init=1e+300 is too high",
        ),
        ({"alpha": 1e20}, {}, "alpha=1e+20 is too large"),
        ({}, {"X": 1e20}, "X has values of up to"),
        ({}, {"y": 1e20}, "y has values of up to"),
        ({}, {"w": 1e-30}, "sample_weight has a mean of 1e-30"),
        ({"learning_rate_init": 3.0}, {"X": 1e3}, "X has values of up to"),
        ({"learning_rate_init": 1e10}, {"X": 1e3}, "learning_rate_init=1e+10 is too high"),
    ],
)
def test_the_number_farthest_from_usual_is_named(
    settings, scales, cause, dtype, early_stopping
):
    model = DNNRegressor(**SMALL | {"solver": "sgd", "dtype": dtype, "max_iter": 30})
    model.set_params(early_stopping=early_stopping, tol=0.0, **settings)
    weight = np.full(len(X), scales["w"]) if "w" in scales else None
    score, said = outcome(
        model, X * scales.get("X", 1.0), Y_REAL * scales.get("y", 1.0), weight
    )
    assert said.partition(LIKELY)[2].startswith(cause)
    if score is None:
        with pytest.raises(NotFittedError):
            model.predict(X)


def test_all_numbers_that_are_unusual_are_named():
    model = DNNRegressor(**SMALL, solver="sgd", momentum=1.0, learning_rate_init=10.0)
    with pytest.raises(ValueError, match=LIKELY) as error:
        model.fit(X * 1e5, Y_REAL * 1e3)
    for said in ("X has", "y has", "learning_rate_init=10", "momentum=1"):
        assert said in str(error.value)


def test_without_unusual_numbers_it_is_the_learning_rate():
    model = DNNRegressor(**SMALL | {"solver": "sgd", "learning_rate_init": 0.1})
    model.set_params(hidden_layer_sizes=(50, 50), activation="identity", max_iter=100)
    with pytest.raises(ValueError, match=r"learning_rate_init=0\.1 is too high; lower it"):
        model.fit(X * 2, Y_REAL)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_wider_dtype_is_proposed_where_there_is_one(dtype):
    model = DNNRegressor(**SMALL, solver="sgd", dtype=dtype)
    with pytest.raises(ValueError, match="X has values of up to") as error:
        model.fit(X * 1e20, Y_REAL)
    assert ("dtype='float64'" in str(error.value)) == (dtype == "float32")


# -- finite weights -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("Estimator", "y"),
    [(DNNClassifier, CLASSES), (DNNClassifier, THREE), (DNNRegressor, Y_REAL)],
)
@pytest.mark.parametrize("incremental", [False, True])
def test_finite_weights_whose_outputs_overflow(Estimator, y, incremental):
    settings = SMALL | {"max_iter": 1, "batch_size": 60, "hidden_layer_sizes": (6, 6)}
    model = Estimator(**settings, activation="identity")
    model.set_params(solver="sgd", learning_rate_init=1e33)
    if not incremental:  # not to be computed in float64, as small batches of all rows are
        model.set_params(batch_size=59, learning_rate_init=1e17)
    step = model.partial_fit if incremental else model.fit
    first = {"classes": np.unique(y)} if incremental and Estimator is DNNClassifier else {}
    with pytest.raises(ValueError, match=r"Training diverged|non-finite") as error:
        step(X, y, **first)
    assert LIKELY + "learning_rate_init=1e+" in str(error.value)
    if incremental:
        assert "finite parameters, of up to" in str(error.value)
        assert "outputs overflow float32" in str(error.value)


@pytest.mark.parametrize("solver", ["adam", "adamw", "amsgrad", "adagrad"])
def test_moments_that_overflow_while_weights_are_finite(solver):
    model = DNNClassifier(**SMALL, solver=solver)
    with pytest.raises(ValueError, match="moments of the gradient overflowed float32") as e:
        model.fit(X * 1e25, CLASSES)
    assert LIKELY + "X has" in str(e.value)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.set_params(dtype="float64").fit(X * 1e25, CLASSES)
    assert np.isfinite(model.predict_proba(X * 1e25)).all()


@pytest.mark.parametrize("solver", ["nadam", "radam", "adadelta", "rmsprop"])
def test_moments_that_overflow_and_show_in_weights(solver):
    """Their means move by differences, of which infinity has none."""
    with pytest.raises(ValueError, match="non-finite parameter weights") as e:
        DNNClassifier(**SMALL, solver=solver).fit(X * 1e25, CLASSES)
    assert LIKELY + "X has" in str(e.value)


@pytest.mark.parametrize("options", [{"l1": 1e30}, {"weight_decay": 1e9}], ids=str)
def test_what_a_step_takes_from_weights_may_be_too_much(options):
    (name, value), *_ = options.items()
    with pytest.raises(ValueError, match=f"Likely cause: {name}={value:g}".replace("+", ".")):
        DNNClassifier(**SMALL, **options, solver="sgd").fit(X, CLASSES)


def test_a_problem_is_what_is_not_finite():
    parameters = Parameters([2, 1], np.float32)
    assert problem_of_epochs(parameters, [2.0, 1.0], 0.5) is None
    assert "loss became nan" in problem_of_epochs(parameters, [1.0, np.nan, 1.0])
    assert "validation score became -inf" in problem_of_epochs(parameters, [1.0], -np.inf)
    parameters.theta[1] = np.inf
    said = problem_of_epochs(parameters, [np.inf])
    assert said.startswith("Solver produced non-finite parameter weights.")


@pytest.mark.parametrize("size", [3, 16, 17, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_that_are_not_finite_are_found(size, dtype):
    numbers = np.full(size, np.finfo(dtype).max)
    assert is_finite(numbers)
    assert is_finite(numbers.reshape(1, -1))
    assert largest(-numbers) == np.finfo(dtype).max
    for bad in (np.nan, np.inf, -np.inf):
        numbers[size - 2] = bad
        assert not is_finite(numbers)
        assert not np.isfinite(largest(numbers))
    assert is_finite(np.zeros(0))
    assert largest(np.zeros(0)) == 0.0
    assert largest(np.array([1.0, -3.0])) == 3.0


# -- early stopping -----------------------------------------------------------------------


def that_diverges_later(Estimator, **settings):
    # The penalty lets weights grow by a factor at every step.
    return Estimator(
        **SMALL | {"max_iter": 200, "solver": "sgd", "alpha": 450.0},
        learning_rate_init=0.1, momentum=0.0,
        early_stopping=True, validation_fraction=0.2, tol=0.0, n_iter_no_change=200,
        **settings,
    )  # fmt: skip


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_best_finite_epoch_is_kept(Estimator, y, dtype):
    model = that_diverges_later(Estimator, dtype=dtype)
    with pytest.warns(ConvergenceWarning, match=LIKELY + "alpha=450 is too large") as caught:
        model.fit(X, y)
    said = [w for w in caught if w.category is ConvergenceWarning]
    assert [w.filename for w in said] == [__file__]
    assert f"stopped in epoch {model.n_iter_}" in str(said[0].message)
    assert "network with the best validation score" in str(said[0].message)
    assert 1 < model.n_iter_ < 200
    for record in (model.loss_curve_, model.validation_scores_):
        assert len(record) == model.n_iter_
        assert np.isfinite(record[:-1]).all()
    assert np.isnan(model.validation_scores_[-1])
    assert model.loss_ == model.loss_curve_[-2]
    assert model.t_ == model.n_iter_ * 48
    assert model.best_validation_score_ == max(model.validation_scores_[:-1])
    assert is_finite(model._state.parameters.theta)
    assert np.isfinite(model.predict(X)).all()
    # The same network as of a fit that ends with the best epoch.
    best = int(np.argmax(model.validation_scores_[:-1]))
    short = that_diverges_later(Estimator, dtype=dtype).set_params(max_iter=best + 1)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        short.fit(X, y)
    for W, expected in zip(model.coefs_, short.coefs_, strict=True):
        np.testing.assert_array_equal(W, expected)
    # What the optimiser remembers is of no use any more.
    model.set_params(early_stopping=False, alpha=0.0, learning_rate_init=1e-3)
    assert is_finite(model.partial_fit(X, y)._state.parameters.theta)


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_early_stopping_without_a_finite_epoch(Estimator, y, dtype):
    model = that_diverges_later(Estimator, dtype=dtype).set_params(learning_rate_init=1e300)
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


@BOTH
def test_held_out_samples_of_no_weight(Estimator, y, monkeypatch):
    split, held_out = held_out_module.train_test_split, []

    def recording(*args, **kwargs):
        rows = split(*args, **kwargs)
        held_out.append(rows[1])
        return rows

    monkeypatch.setattr(held_out_module, "train_test_split", recording)
    model = Estimator(**SMALL, early_stopping=True, validation_fraction=0.5)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, y)
    weight = np.ones(60)
    weight[held_out[0]] = 0.0
    with pytest.raises(ZeroDivisionError, match="all of the 30 samples held out"):
        model.fit(X, y, weight)


# -- L-BFGS -------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinite_losses_of_lbfgs(Estimator, y, dtype):
    model = Estimator(**SMALL, solver="lbfgs", alpha=1e300, dtype=dtype)
    with pytest.raises(ValueError, match=LIKELY + "alpha=1e") as error:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)
    assert "the loss became" in str(error.value)
    assert "float64" not in str(error.value)  # in which it was computed


def test_lbfgs_of_targets_whose_squares_overflow():
    model = DNNRegressor(**SMALL, solver="lbfgs", dtype="float64")
    with pytest.raises(ValueError, match=LIKELY + r"y has values of up to \d.*e\+160"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, Y_REAL * 1e160)


def test_weights_of_lbfgs_that_float32_cannot_hold(monkeypatch):
    def fit_lbfgs(objective, options, state, notices, watch):
        state.parameters.theta[3] = 1e60
        state.history.loss = 0.5

    monkeypatch.setattr(fit, "fit_lbfgs", fit_lbfgs)
    with pytest.raises(ValueError, match="non-finite parameter weights") as error:
        DNNRegressor(**SMALL, solver="lbfgs").fit(X * 100.0, Y_REAL)
    assert "or use dtype='float64'" in str(error.value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({"solver": "lbfgs"}, 1e20),
        ({"solver": "lbfgs"}, 1e37),
        ({"early_stopping": True}, 1e16),
        ({"solver": "sgd", "learning_rate_init": 1e-30}, 1e7),
    ],
    ids=str,
)
def test_targets_out_of_reach(settings, scale, dtype):
    model = DNNRegressor(**SMALL | {"max_iter": 20}, dtype=dtype).set_params(**settings)
    with pytest.warns(ConvergenceWarning, match="hardly better than the mean of y") as caught:
        model.fit(X, np.stack([Y_REAL, -Y_REAL], axis=1) * scale, np.full(60, 2.0))
    assert all(w.filename == __file__ for w in caught if "hardly" in str(w.message))
    assert model.score(X, np.stack([Y_REAL, -Y_REAL], axis=1) * scale) < 0.1


# -- an estimator that diverges is as it was ----------------------------------------------


@pytest.mark.pairwise
@BOTH
@pytest.mark.parametrize("incremental", [False, True], ids=["warm start", "partial_fit"])
@pytest.mark.parametrize("scales", [(1e25, 1.0), (1.0, 1e30)], ids=["X", "rate"])
def test_a_fit_that_diverges_leaves_the_estimator_as_it_was(Estimator, y, incremental, scales):
    model = Estimator(**SMALL, solver="sgd", warm_start=not incremental)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.set_params(max_iter=2).fit(X, y)
    before = copy.deepcopy(vars(model))
    before["loss_curve_"] = model.loss_curve_
    step = model.partial_fit if incremental else model.fit
    rate = scales[1] * model.learning_rate_init
    model._state.optimizer.learning_rate = model.learning_rate_init = rate
    with pytest.raises(ValueError, match=LIKELY):
        step(X * scales[0], y)
    for name in ("coefs_", "intercepts_"):
        for array, expected in zip(vars(model)[name], before[name], strict=True):
            np.testing.assert_array_equal(array, expected)
    for name in ("loss_", "loss_curve_", "n_iter_", "t_", "best_loss_"):
        assert getattr(model, name) == before[name]
    kept = before["_state"].optimizer
    np.testing.assert_array_equal(model._state.optimizer.memory, kept.memory)
    model._state.optimizer.learning_rate = model.learning_rate_init = kept.learning_rate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        step(X, y)
