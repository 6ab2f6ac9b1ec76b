"""Fits of several networks that end early, and what they say and refuse."""

import _thread
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold

from fastdnn import DNNRegressor
from fastdnn.callbacks import TimeLimit
from fastdnn.callbacks.support import HAS_CALLBACKS
from fastdnn.estimators import members as members_module
from tests.estimators.member_fits import BOTH, SMALL, fitted, samples

pytestmark = [
    pytest.mark.usefixtures("four_cpus"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


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
