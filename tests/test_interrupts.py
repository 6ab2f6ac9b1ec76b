"""Interrupts at any instruction: no hang, no thread left, and the next fit has its bits."""

import _thread
import faulthandler
import random

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from fastdnn import DNNClassifier
from fastdnn.compiler import jit, stopping
from fastdnn.compiler.jit import entry_point, kernel, make_ready
from fastdnn.system import interruptible
from tests import interrupts
from tests.interrupts import Interrupt, raise_in

pytestmark = pytest.mark.needs_jit

# Instructions at which each case is interrupted.
_N_POSITIONS = 40


@pytest.fixture(autouse=True)
def end_of_a_hang():
    """Say where all threads are, and end, rather than wait for ever."""
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.parametrize("name", interrupts.CASES)
def test_an_interrupt_anywhere_does_no_harm(name):
    draw = random.Random(name)
    n_done = interrupts.interrupt(
        name, lambda n: draw.sample(range(1, n + 1), min(n, _N_POSITIONS))
    )
    assert n_done > 0.25 * _N_POSITIONS  # others came where one waited the first time


def chain_of_kernels(n):
    """Return an entry point that calls a kernel that calls another one, and so on."""
    link = kernel(lambda x: x + 1.0)
    for _ in range(n - 1):
        link = kernel(_caller_of(link))
    function = entry_point(_caller_of(link, 0.0))
    function._cache.disable()
    return function


def _caller_of(below, term=1.0):
    return lambda x: below(x) + term


@pytest.fixture
def looks(monkeypatch):
    """Interrupt the calling thread when its compilation looks for the n-th time."""
    look, counted = stopping.Compilation.look, [0]
    caller = _thread.get_ident()

    def interrupt_at(n):
        def look_or_interrupt():
            counted[0] += 1
            if counted[0] == n:
                raise_in(caller)
                compilation = stopping.Compilation._of_threads[_thread.get_ident()]
                n_pauses = 0
                while not compilation._is_stopped:
                    interruptible.time.sleep(0.001)
                    n_pauses += 1
                    if n_pauses % 5000 == 0:  # Python drops what is raised in a finalizer
                        raise_in(caller)
            look()

        counted[0] = 0
        monkeypatch.setattr(stopping.Compilation, "look", look_or_interrupt)
        return counted

    return interrupt_at


def test_a_compilation_interrupted_before_any_kernel_goes_on_later(looks):
    """It stops there, the interrupt is raised, and the code is that of the source."""
    n_kernels = 4
    undisturbed = looks(0)
    assert chain_of_kernels(n_kernels)(0.5) == n_kernels + 0.5
    n_looks = undisturbed[0]
    assert n_looks >= n_kernels
    for n in range(1, n_looks + 1):
        function = chain_of_kernels(n_kernels)
        looks(n)
        with pytest.raises(Interrupt):
            make_ready(function, 0.5)
        assert function.overloads == {}
        counted = looks(0)
        assert function(0.5) == n_kernels + 0.5
        n_looks_later = counted[0]
        assert function(np.float32(0.5)) == n_kernels + 0.5
    assert n_looks_later < n_looks  # kernels that were complete are kept


def test_interrupts_anywhere_in_a_compilation():
    """Also between what looks: the next call compiles, in this thread and in another."""
    draw, paths = random.Random(0), {jit.__file__, interruptible.__file__}
    undisturbed = interrupts.Interrupted(paths=paths)
    undisturbed(lambda: chain_of_kernels(1)(0.5))
    for n in draw.sample(range(1, undisturbed.n_seen + 1), 25):
        function = chain_of_kernels(1)
        interrupted = interrupts.Interrupted(n, paths)
        is_raised = interrupted(lambda function=function: function(0.5))
        assert is_raised or interrupted.place is None
        result = interruptible.call_interruptibly(lambda f=function: f(0.5), lambda: None)
        assert result == 1.5
        assert function(0.5) == 1.5


def test_a_first_fit_that_is_interrupted_while_it_compiles_raises(monkeypatch):
    """Not a fitted estimator that has learnt nothing."""

    def interrupt(function, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastdnn.training.epochs.make_ready", interrupt)
    X, y = np.eye(4), [0, 1, 0, 1]
    model = DNNClassifier((2,))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
