"""Interrupts: raised in a thread by another, or at any instruction of the package's Python.

`interrupt` is used by tests/test_interrupts.py for some instructions and by
scripts/interrupt_everywhere.py for all.
"""

import _thread
import ctypes
import gc
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import fastdnn
from fastdnn import DNNClassifier
from fastdnn.tables import TabularDNNRegressor
from tests.switches import let_batches_be_long, let_teams_have_four, share_out_rows

PACKAGE = Path(fastdnn.__file__).parent
#: The files whose instructions count.
FILES = [
    *("teams/blas", "teams/crowding", "teams/threads", "system/interruptible"),
    *("compiler/cache", "compiler/jit", "data/conversion", "planning/plan"),
    *("training/epochs", "training/lbfgs", "training/long_batches", "training/stochastic"),
    *("training/fit", "training/state", "training/stopping"),
    *("tables/base", "tables/control", "tables/ensemble", "tables/members"),
]
_PATHS = {str(PACKAGE / f"{name}.py") for name in FILES}
_ALL_PATHS = {str(path) for path in PACKAGE.rglob("*.py")}
#: Every instruction of a fit is tried in half a minute; every so many in a few seconds.
STEP = 47

_RNG = np.random.default_rng(0)
_X = _RNG.standard_normal((1500, 60))
_Y = _X[:, 0] > 0
_OPTIONS = {"hidden_layer_sizes": (64, 64), "n_threads": 4, "random_state": 0, "max_iter": 2}


class Interrupt(BaseException):
    """What another thread or a signal raises."""


set_to_raise = ctypes.pythonapi.PyThreadState_SetAsyncExc
set_to_raise.argtypes = ctypes.c_ulong, ctypes.py_object


def raise_in(thread, error=Interrupt):
    """Raise in another thread, at its next instruction."""
    set_to_raise(thread, error)


@contextmanager
def teams_of_four(*, with_long_batches=False):
    """Let every fit and prediction have four threads, whatever the machine."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        let_teams_have_four(patch)
        share_out_rows(patch)
        if with_long_batches:
            let_batches_be_long(patch)
        yield


def _fit(**options):
    model = DNNClassifier(**_OPTIONS | options).fit(_X, _Y)
    return [*model.coefs_, *model.intercepts_]


def _fit_table():
    options = dict(n_members=2, hidden_layer_sizes=(4,), max_epochs=2, n_threads=2)
    model = TabularDNNRegressor(**options, random_state=0).fit(_X[:120, :3], _X[:120, 0])
    return [model.predict(_X[:120, :3])]


def _predict():
    return [_MODELS[0].predict_proba(_X)]


_MODELS: list = []


def _prepare_prediction():
    _MODELS[:] = [DNNClassifier(**_OPTIONS).fit(_X, _Y)]


#: What is interrupted: a function that returns arrays, and whether all batches count as long.
CASES = {
    "team": (_fit, False),
    "long batches": (lambda: _fit(batch_size=750), True),
    "early stopping": (lambda: _fit(early_stopping=True), False),
    "lbfgs": (lambda: _fit(solver="lbfgs"), False),
    "long lbfgs": (lambda: _fit(solver="lbfgs"), True),
    "table": (_fit_table, False),
    "prediction": (_predict, False),
}


class Interrupted:
    """Raises KeyboardInterrupt at the n-th instruction of some files in a call."""

    def __init__(self, n=0, paths=_PATHS):
        self.n_seen, self._n, self._paths = 0, n, paths
        self.place = None

    def __call__(self, function):
        """Return whether the interrupt came out of the call."""
        previous = sys.gettrace()
        sys.settrace(self._trace)
        try:
            function()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(previous)
        return False

    def _trace(self, frame, event, argument):
        if frame.f_code.co_filename not in self._paths:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            self.n_seen += 1
            if self.n_seen == self._n:
                name = Path(frame.f_code.co_filename).name
                self.place = f"{name}:{frame.f_lineno} {frame.f_code.co_name}"
                raise KeyboardInterrupt
        return self._trace


def count_instructions(function, paths=_ALL_PATHS):
    """Return how many instructions a call takes: it may wait more often another time."""
    undisturbed = Interrupted(paths=paths)
    undisturbed(function)
    return undisturbed.n_seen


def interrupt_at(n, function):
    """Call `function`, interrupted at its n-th instruction in the package; return whether.

    Whether the interrupt comes out of it is another matter.
    """
    interrupted = Interrupted(n, _ALL_PATHS)
    interrupted(function)
    return interrupted.place is not None


def require_no_more_threads(n_before):
    """Require that all threads but so many end; those of a team that was left do after 1 s."""
    until = time.monotonic() + 10.0
    while _thread._count() > n_before and time.monotonic() < until:
        gc.collect()
        time.sleep(0.002)
    assert _thread._count() <= n_before


def interrupt(name, positions):
    """Interrupt one of `CASES` at each of the instructions; require that no harm is done.

    Parameters
    ----------
    name : str
        Key of `CASES`.
    positions : callable
        ``positions(n)`` returns which of the `n` instructions of an undisturbed call.

    Returns
    -------
    int
        How often it was interrupted.
    """
    function, with_long_batches = CASES[name]
    with teams_of_four(with_long_batches=with_long_batches):
        _prepare_prediction()
        expected = function()
        n_instructions = min(count_instructions(function, _PATHS) for _ in range(3))
        n_before, n_done = _thread._count(), 0
        for n in positions(n_instructions):
            interrupted = Interrupted(n)
            with warnings.catch_warnings(record=True) as given:
                warnings.simplefilter("always")
                is_raised = interrupted(function)
            if interrupted.place is None:
                continue  # fewer instructions than last time: threads were waited for less
            n_done += 1
            is_said = any("interrupted" in str(warning.message) for warning in given)
            assert is_raised or is_said, f"{interrupted.place}: the interrupt is lost"
            del given
            for result, wanted in zip(function(), expected, strict=True):
                np.testing.assert_array_equal(result, wanted, err_msg=interrupted.place)
            require_no_more_threads(n_before)
    return n_done
