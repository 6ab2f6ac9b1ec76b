"""Threads that cannot start, or never begin: who is there goes on, with the same bits."""

import _thread
import threading

import numpy as np
import pytest

from fastdnn import DNNClassifier
from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.system import interruptible
from fastdnn.teams.threads import Team, run_side_by_side
from tests.switches import let_teams_have_four, share_out_rows
from tests.teams.work import Work, counters, require_threads

pytestmark = pytest.mark.usefixtures("own_crowding")


@pytest.fixture
def refused(monkeypatch):
    """Let the system refuse to start threads but the first few; return how many were asked."""

    def refuse(n_allowed, error):
        asked, start = [], interruptible._start_new_thread

        def start_or_raise(function, args):
            asked.append(args)
            if len(asked) > n_allowed:
                raise error
            return start(function, args)

        monkeypatch.setattr(interruptible, "_start_new_thread", start_or_raise)
        return asked

    return refuse


ERRORS = [
    RuntimeError("can't start new thread"),
    RuntimeError("can't create new thread at interpreter shutdown"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("n_allowed", [0, 1, 2])
def test_a_team_whose_threads_cannot_start_goes_on_alone(refused, n_allowed, error):
    before, shared, taking_part = _thread._count(), counters(), np.array([4])
    work = Work(shared)
    asked = refused(n_allowed, error)
    with Team(taking_part, shared, work) as team:
        for _ in range(5):
            team.run(1)
            assert taking_part[0] == 1
    assert [worker for worker, _ in work.seen] == [0] * 5
    assert len(asked) == n_allowed + 1  # nobody asks again and again
    require_threads(before)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("n_allowed", [0, 1, 2])
def test_workers_that_cannot_start_side_by_side_are_left_out(refused, n_allowed, error):
    before, seen = _thread._count(), []
    refused(n_allowed, error)
    everyone = threading.Barrier(n_allowed + 1)

    def work(worker):
        seen.append(worker)
        everyone.wait(timeout=10)

    run_side_by_side(4, work)
    assert sorted(seen) == list(range(n_allowed + 1))
    require_threads(before)


@pytest.mark.skipif(not JIT_ENABLED, reason="plain Python runs alone")
@pytest.mark.parametrize("n_allowed", [0, 1, 2])
def test_fits_and_predictions_without_threads_have_the_same_bits(
    refused, monkeypatch, n_allowed
):
    X = np.random.default_rng(0).standard_normal((3000, 60))
    y = X[:, 0] > 0

    def fit_and_predict():
        model = DNNClassifier((64, 64), n_threads=4, random_state=0, max_iter=2)
        model.fit(X, y)
        small = model.predict_proba(X.astype(np.float32))
        return [*model.coefs_, model.predict_proba(X), small]

    let_teams_have_four(monkeypatch)
    share_out_rows(monkeypatch)
    expected = fit_and_predict()
    asked = refused(n_allowed, RuntimeError("can't start new thread"))
    for result, wanted in zip(fit_and_predict(), expected, strict=True):
        np.testing.assert_array_equal(result, wanted)
    assert len(asked) >= n_allowed + 4  # by conversion, fit and both predictions


@pytest.fixture
def dying(monkeypatch):
    """Let some threads die before they do anything; return what they were to call."""

    def die(is_dying):
        late, start, n_started = [], interruptible._start_new_thread, iter(range(1000))

        def start_or_die(function, args):
            if is_dying(next(n_started)):
                late.append((function, args))
                return start(lambda: None, ())
            return start(function, args)

        monkeypatch.setattr(interruptible, "_start_new_thread", start_or_die)
        return late

    return die


@pytest.mark.skipif(not JIT_ENABLED, reason="plain Python runs alone")
@pytest.mark.parametrize("layers", [(64, 64), (256, 256)])
@pytest.mark.parametrize(
    "is_dying",
    [lambda n: True, *(lambda n, k=k: n == k for k in range(3))],
    ids=["all", "first", "second", "third"],
)
def test_fits_whose_threads_never_begin_have_the_same_bits(
    dying, monkeypatch, is_dying, layers
):
    """The smaller network's workers have weights of their own."""
    X = np.random.default_rng(0).standard_normal((3000, 60))
    y = X[:, 0] > 0

    def fit():
        options = {"n_threads": 4, "batch_size": 1000, "random_state": 0, "max_iter": 2}
        return DNNClassifier(layers, **options).fit(X, y).coefs_

    let_teams_have_four(monkeypatch)
    share_out_rows(monkeypatch, n_numbers=X.size, piece_bytes=X.nbytes)
    before, expected = _thread._count(), fit()
    late = dying(is_dying)
    found = fit()
    assert late
    copies = [coef.copy() for coef in found]
    for function, args in late:  # those who come late have nothing to do any more
        function(*args)
    for result, copy, wanted in zip(found, copies, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)
        np.testing.assert_array_equal(result, copy)
    require_threads(before)


def test_threads_that_begin_late_have_nothing_to_do(monkeypatch):
    started, seen = [], []
    monkeypatch.setattr(interruptible, "_start_new_thread", lambda *late: started.append(late))
    run_side_by_side(3, seen.append)
    for function, args in started:
        function(*args)
    assert seen == [0]
