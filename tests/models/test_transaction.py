"""A fit changes its estimator as a whole or not at all, whatever is raised and wherever."""

import copy
import threading
import warnings
from itertools import chain

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.training import blockwise
from fastdnn.training.epochs import EpochRunner
from tests.interrupts import STEP, count_instructions, interrupt_at

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 8)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
WIDE = RNG.standard_normal((60, 512)).astype(np.float32)

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def state_of(model):
    """Return a copy of everything that an estimator holds."""
    held = {name: value for name, value in vars(model).items() if name != "_predictor"}
    return copy.deepcopy(held)


def assert_unchanged(model, before):
    after = state_of(model)
    assert after.keys() == before.keys()
    for name, value in before.items():
        if name in ("coefs_", "intercepts_"):
            for a, b in zip(after[name], value, strict=True):
                assert_array_equal(a, b)
        else:
            np.testing.assert_equal(after[name], value)


def with_nan(X):
    X = X.copy()
    X[-1, -1] = np.nan
    return X


def sparse_with_nan(X):
    return sparse.csr_array(with_nan(X))


# What is refused at some depth: of X, of y, of weights, of parameters, in the engine.
REFUSED = {
    "continuous targets": (WIDE[:, :4], X[:, 0], {}, {}),
    "targets of another length": (WIDE, Y[:-1], {}, {}),
    "NaN": (with_nan(WIDE), Y, {}, {}),
    "sparse NaN": (sparse_with_nan(WIDE), Y, {}, {}),
    "weights of another length": (WIDE, Y, {"sample_weight": [1, 2]}, {}),
    "weights of zero": (WIDE, Y, {"sample_weight": np.zeros(60)}, {}),
    "text as weights": (WIDE, Y, {"sample_weight": ["a"] * 60}, {}),
    "a parameter": (WIDE, Y, {}, {"alpha": -1}),
    "hidden layers": (WIDE, Y, {}, {"hidden_layer_sizes": (3, 0)}),
    "too few to validate": (WIDE[:4], [0, 1, 0, 1], {}, {"early_stopping": True}),
    "divergence": (WIDE, Y, {}, {"solver": "sgd", "learning_rate_init": 1e30}),
}


@quiet
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("previous", ["none", "fit", "partial_fit"])
def test_a_refused_fit_leaves_everything_as_it_was(case, previous):
    refused_X, refused_y, weights, parameters = REFUSED[case]
    model = DNNClassifier((5,), max_iter=2, random_state=0)
    if previous == "fit":
        model.fit(X, Y)
    elif previous == "partial_fit":
        model.partial_fit(X, Y, classes=[0, 1])
    model.set_params(**parameters)
    before = state_of(model)
    with pytest.raises((ValueError, ZeroDivisionError)):
        model.fit(refused_X, refused_y, **weights)
    assert_unchanged(model, before)
    if previous == "none":
        with pytest.raises(NotFittedError):
            model.predict(WIDE)
        return
    with pytest.raises(ValueError, match="512 features"):
        model.predict(WIDE)
    assert model.predict(X).shape == (60,)
    model.set_params(**DNNClassifier((5,), max_iter=2, random_state=0).get_params())
    with pytest.raises(ValueError, match="512 features"):
        model.partial_fit(WIDE, Y)
    model.partial_fit(X, Y)


@quiet
def test_a_refused_first_partial_fit_knows_no_classes():
    model = DNNClassifier((5,))
    with pytest.raises(ValueError, match="sample_weight"):
        model.partial_fit(X, Y, sample_weight=[1], classes=[0, 1, 2])
    assert not [name for name in vars(model) if name.endswith("_")]
    assert_array_equal(model.partial_fit(X, Y, classes=[0, 1]).classes_, [0, 1])


@quiet
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("warm_start", [False, True])
def test_what_is_fitted_has_nothing_of_what_was_fitted_before(solver, warm_start):
    """Attributes that only the earlier fit had are gone, as after a first fit."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(8)])
    model = DNNClassifier((5,), max_iter=2, random_state=0, early_stopping=True)
    model.fit(frame, Y).set_params(solver=solver, early_stopping=False)
    again = model.fit(X, Y)
    fresh = DNNClassifier((5,), max_iter=2, random_state=0, solver=solver).fit(X, Y)
    assert vars(again).keys() == vars(fresh).keys()
    assert again.loss_ == fresh.loss_
    model.set_params(warm_start=warm_start).fit(X, Y)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_warning_that_is_an_error_is_raised_when_the_network_is_there(solver):
    model = DNNClassifier((5,), max_iter=2, random_state=0, solver=solver, tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            model.fit(X, Y)
    with pytest.warns(ConvergenceWarning) as caught:
        same = DNNClassifier(**model.get_params()).fit(X, Y)
    assert caught[0].filename == __file__ or solver == "lbfgs"
    assert model.n_iter_ == same.n_iter_ == 2
    assert_array_equal(model.coefs_[0], same.coefs_[0])
    assert vars(model).keys() == vars(same).keys()


class Interrupted(EpochRunner):
    """Raises after so many epochs, the last of them done but for what is made of it."""

    error, after = KeyboardInterrupt, 3

    def run(self, n_epochs=1):
        losses = super().run(min(n_epochs, self.after))
        type(self).after -= n_epochs
        if type(self).after <= 0:
            raise self.error
        return losses

    @property
    def epochs_at_once(self):
        return 1


@pytest.fixture
def interrupted(monkeypatch):
    """Let training be interrupted in its third epoch."""
    monkeypatch.setattr(Interrupted, "after", 3)
    monkeypatch.setattr(Interrupted, "error", KeyboardInterrupt)
    monkeypatch.setattr(blockwise, "EpochRunner", Interrupted)
    return Interrupted


@quiet
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_an_interrupted_fit_holds_the_network_so_far(interrupted, solver, early_stopping):
    model = DNNClassifier((5,), max_iter=9, random_state=0, solver=solver)
    model.set_params(early_stopping=early_stopping, learning_rate="invscaling")
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, Y)
    assert model.n_iter_ == len(model.loss_curve_) == 2
    assert model.loss_ == model.loss_curve_[-1]
    if early_stopping:
        assert len(model.validation_scores_) == 2
    n_rows = 54 if early_stopping else 60
    assert model.t_ == 2 * n_rows
    assert model._state.optimizer.t == 3  # steps of the engine, one an epoch
    assert np.isfinite(model.predict_proba(X)).all()
    model.set_params(warm_start=True, early_stopping=False)
    interrupted.after = 10**9
    assert model.partial_fit(X, Y).n_iter_ == 1


@quiet
@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_interrupt_in_the_first_epoch_is_raised(interrupted, after):
    """There is no network so far: the estimator is as it was before."""
    interrupted.after = after
    model = DNNClassifier((5,), max_iter=9, random_state=0)
    if after == 1:
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y)
        with pytest.raises(NotFittedError):
            model.predict(X)
    else:
        with pytest.warns(UserWarning, match="interrupted"):
            assert model.fit(X, Y).n_iter_ == after - 1


@quiet
def test_an_interrupt_ends_a_loop_of_partial_fit(interrupted):
    interrupted.after = 10**9
    model = DNNClassifier((5,), random_state=0).partial_fit(X, Y, classes=[0, 1])
    interrupted.after = 3
    states = []
    with pytest.raises(KeyboardInterrupt):
        for _ in range(100):
            states.append(state_of(model))
            model.partial_fit(X, Y)
    assert len(states) == 3
    assert_unchanged(model, states[-1])
    interrupted.after = 10**9
    twin = DNNClassifier((5,), random_state=0).partial_fit(X, Y, classes=[0, 1])
    for _ in range(3):
        twin.partial_fit(X, Y)
    assert_array_equal(model.partial_fit(X, Y).coefs_[0], twin.coefs_[0])


class TimeIsUp(Exception):
    """What a handler of SIGALRM raises."""


@quiet
@pytest.mark.parametrize("error", [TimeIsUp, MemoryError, SystemExit, RecursionError])
@pytest.mark.parametrize("is_fitted", [False, True])
def test_any_other_exception_leaves_everything_as_it_was(interrupted, error, is_fitted):
    model = DNNRegressor((5,), max_iter=9, random_state=0, warm_start=True)
    model.set_params(hidden_layer_sizes=(5,), loss="squared_error")
    interrupted.after, interrupted.error = 10**9, error
    if is_fitted:
        model.fit(X, X[:, 0])
    before = state_of(model)
    interrupted.after = 3
    with pytest.raises(error):
        model.fit(X, X[:, 0])
    assert_unchanged(model, before)


@quiet
def test_an_interrupted_minimiser_leaves_everything_as_it_was(monkeypatch):
    import fastdnn.training.lbfgs as lbfgs

    model = DNNClassifier((5,), solver="lbfgs", max_iter=5, random_state=0).fit(X, Y)
    before = state_of(model)
    monkeypatch.setattr(Interrupted, "after", 3)
    monkeypatch.setattr(lbfgs, "EpochRunner", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(WIDE, Y)
    assert_unchanged(model, before)


@quiet
def test_parameters_that_are_set_meanwhile_are_kept(monkeypatch):
    model = DNNClassifier((5,), max_iter=3)

    class Setting(EpochRunner):
        def run(self, n_epochs=1):
            model.set_params(alpha=0.5)
            return super().run(n_epochs)

    monkeypatch.setattr(blockwise, "EpochRunner", Setting)
    assert model.fit(X, Y).alpha == 0.5


@quiet
@pytest.mark.needs_jit
def test_predictions_during_fits_are_those_of_one_network_or_the_other():
    """The networks have other inputs, units and classes; a mixture would be seen, or crash."""
    inputs = {8: X, 512: WIDE}
    targets = {8: Y, 512: np.array(["a", "b", "c"])[np.arange(60) % 3]}
    shared = DNNClassifier(max_iter=1, random_state=0)
    expected = {}
    for width, data in inputs.items():
        shared.set_params(hidden_layer_sizes=(width // 4,)).fit(data, targets[width])
        expected[width] = shared.predict_proba(data), shared.predict(data)
    is_over, failures = threading.Event(), []

    def predict():
        while not is_over.is_set():
            for width, data in inputs.items():
                for method, right in zip(
                    ("predict_proba", "predict"), expected[width], strict=True
                ):
                    try:
                        got = getattr(shared, method)(data)
                    except ValueError as error:
                        if "features" not in str(error):
                            failures.append(error)
                    else:
                        if not np.array_equal(got, right):
                            failures.append((width, method))

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(40):
            for width, data in inputs.items():
                shared.set_params(hidden_layer_sizes=(width // 4,)).fit(data, targets[width])
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert failures == []


# -- at any instruction -----------------------------------------------------------------------


def after_epochs(n_epochs, warm=None, **parameters):
    """Return an estimator after so many epochs, continued from another's parameters."""
    model = copy.deepcopy(warm) if warm else DNNClassifier()
    return model.set_params(**parameters, max_iter=n_epochs).fit(X, Y)


@quiet
@pytest.mark.needs_jit
@pytest.mark.filterwarnings("ignore:Training interrupted")
@pytest.mark.parametrize(("early_stopping", "is_warm"), [(False, True), (True, False)])
def test_interrupted_anywhere_a_fit_leaves_no_mixture(early_stopping, is_warm):
    """What it leaves is what it was, or what a fit of so many epochs leaves."""
    n_epochs, parameters = 3, {
        "hidden_layer_sizes": (5,), "random_state": 0, "early_stopping": early_stopping,
        "warm_start": is_warm, "n_threads": 1,
    }  # fmt: skip
    warm = after_epochs(2, **parameters) if is_warm else None
    expected = [
        after_epochs(k, warm, **parameters) if k else warm for k in range(n_epochs + 1)
    ]

    def fresh():
        return copy.deepcopy(warm) if warm else DNNClassifier(**parameters)

    model = fresh().set_params(max_iter=n_epochs)
    n_instructions = count_instructions(lambda: model.fit(X, Y))
    assert n_instructions > 1000
    n_raised, n_tried, seen = 0, 0, set()
    # Few instructions come between an epoch and the next: if none of them was met, go round
    # again beside those that were.
    rounds = (range(1 + beside, n_instructions, STEP) for beside in range(0, STEP, 5))
    for n in chain.from_iterable(rounds):
        if n < STEP and seen > {"before"}:
            break
        n_tried += 1
        model = fresh().set_params(max_iter=n_epochs)
        before = vars(model).copy()
        n_raised += interrupt_at(n, lambda model=model: model.fit(X, Y))
        after = vars(model)
        if after.keys() == before.keys() and all(
            after[name] is before[name] for name in after
        ):
            seen.add("before")
            continue
        right = expected[model.n_iter_]
        seen.add(model.n_iter_)
        assert vars(model).keys() == vars(right).keys()
        for name in ("loss_curve_", "loss_", "t_", "validation_scores_", "best_loss_"):
            assert getattr(model, name) == getattr(right, name), (n, name)
        if not early_stopping and model._state.optimizer.t == right._state.optimizer.t:
            assert_array_equal(model._state.parameters.theta, right._state.parameters.theta)
    assert n_raised > 0.9 * n_tried
    assert seen > {"before"}
