"""Interrupts of the textbook's steps: what is raised comes out itself, and soon."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from numba.core import serialize

from fastdnn import DeepNeuralNetwork
from fastdnn.textbook import long_calls
from tests.interrupts import Interrupt
from tests.textbook.kernel_calls import NAMES, arguments, call, numbers

N_SAMPLES = 300
#: The functions that can be divided.
DIVIDED = sorted(set(NAMES) - {"compute_cost", "update_parameters"})


@pytest.fixture
def many_parts(monkeypatch):
    """Divide all that can be divided, into uneven parts."""
    monkeypatch.setattr(long_calls, "_PRODUCTS_OF_PART", 1)
    monkeypatch.setattr(long_calls, "_NUMBERS_OF_PART", 70)


def many(name):
    """Return arguments of so many samples that they are divided."""
    rng, given = np.random.default_rng(0), arguments(name)
    if name != "update_parameters":
        for argument, value in given.items():
            if np.ndim(value) == 2 and argument != "W":
                given[argument] = rng.uniform(0.0, 1.0, (N_SAMPLES, value.shape[1]))
    return given


def parts_of(name, monkeypatch, raise_at=None):
    """Call a function; return of how many parts it was made, 0 where it was not divided."""
    n_parts = 0

    def counted(*args):
        nonlocal n_parts
        for i in range(*args):
            if n_parts == raise_at:
                raise Interrupt
            n_parts += 1
            yield i

    monkeypatch.setattr(long_calls, "range", counted, raising=False)
    call(name, many(name))
    return n_parts


@pytest.mark.parametrize("name", NAMES)
def test_parts_make_the_whole(name, request):
    given, usual = many(name), numbers(call(name, many(name)))
    request.getfixturevalue("many_parts")
    np.testing.assert_allclose(numbers(call(name, given)), usual, rtol=1e-12)
    for argument, value in many(name).items():
        if name != "update_parameters":
            np.testing.assert_array_equal(given[argument], value)


@pytest.mark.usefixtures("many_parts")
@pytest.mark.parametrize("name", DIVIDED)
def test_long_work_is_divided(name, monkeypatch):
    assert parts_of(name, monkeypatch) > 3


@pytest.mark.parametrize("name", DIVIDED)
def test_short_work_is_not_divided(name, monkeypatch):
    assert parts_of(name, monkeypatch) == 0


@pytest.mark.usefixtures("many_parts")
@pytest.mark.parametrize("name", DIVIDED)
def test_an_interrupt_between_parts_is_raised(name, monkeypatch):
    with pytest.raises(Interrupt):
        parts_of(name, monkeypatch, raise_at=2)


@pytest.fixture
def interrupt_in_numba(monkeypatch):
    """Raise wherever compiled code makes its results by Python code of numba's."""

    class Interrupting(dict):
        def __getitem__(self, key):
            raise Interrupt

    def begin():
        memo = Interrupting(serialize._unpickled_memo)
        monkeypatch.setattr(serialize, "_unpickled_memo", memo)

    return begin


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", NAMES)
def test_no_result_is_made_where_an_interrupt_becomes_another_error(name, interrupt_in_numba):
    usual = numbers(call(name, arguments(name)))  # compiled now
    interrupt_in_numba()
    np.testing.assert_array_equal(numbers(call(name, arguments(name))), usual)


@pytest.mark.needs_jit
def test_no_result_of_a_network_is_made_there(interrupt_in_numba):
    network, X, Y = DeepNeuralNetwork([3, 4, 1]), np.eye(3), np.array([0.0, 1.0, 1.0])
    network.initialize_parameters(random_state=0)

    def steps():
        AL, caches = network.forward(X)
        costs = network.cost(AL, Y), network.cost(AL, Y, caches=caches)
        grads = network.backward(AL, Y, caches)
        network.update_parameters(grads, 1e-3)
        return [*costs, *network.predict_proba(X).ravel()]

    steps()
    interrupt_in_numba()
    assert np.isfinite(steps()).all()


@pytest.mark.waits_for_processes
@pytest.mark.needs_jit
@pytest.mark.skipif(sys.platform == "win32", reason="has no timer that sends signals")
def test_what_a_signal_handler_raises_comes_out_itself():
    """Nor is anything changed that a step only reads."""
    script = """
        import signal
        import numpy as np
        from fastdnn import DeepNeuralNetwork
        from fastdnn import textbook

        class Interrupt(BaseException):
            pass

        def interrupt(*_):
            raise Interrupt

        network = DeepNeuralNetwork([64, 128, 1])
        network.initialize_parameters(random_state=0)
        X, Y = np.random.default_rng(0).random((500, 64)), np.arange(500) % 2.0
        AL, caches = network.forward(X)
        layer, Z = caches[0]
        before = [part.copy() for part in (*layer, Z, AL)]
        calls = {
            "forward": lambda: network.forward(X),
            "backward": lambda: network.backward(AL, Y, caches),
            "linear_forward": lambda: textbook.linear_forward(*layer),
            "linear_backward": lambda: textbook.linear_backward(Z, layer),
            "layer forward": lambda: textbook.linear_activation_forward(*layer, 3),
            "layer backward": lambda: textbook.linear_activation_backward(Z, caches[0], 3),
        }
        signal.signal(signal.SIGALRM, interrupt)
        for name, call in calls.items():
            call()
            for n in range(10):
                raised = None
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.005 + 0.001 * n)
                    while True:
                        call()
                except BaseException as error:
                    raised = error
                assert type(raised) is Interrupt, (name, raised)
        for part, kept in zip((*layer, Z, AL), before, strict=True):
            assert (part == kept).all()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
