"""`gradient_descent` that does not come to its end: diverged, or interrupted anywhere."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastdnn
from fastdnn import DeepNeuralNetwork
from fastdnn.training.epochs import EpochRunner
from tests.interrupts import Interrupt
from tests.textbook.network_calls import theta

PACKAGE = Path(fastdnn.__file__).parent


@pytest.mark.filterwarnings("ignore:.* encountered in")  # NumPy's, without JIT
@pytest.mark.parametrize("n_iterations", [2, 200])
def test_divergence_raises_and_leaves_the_parameters(samples, n_iterations):
    X, Y = samples
    network = DeepNeuralNetwork([4, 3, 1], "identity", "identity", "squared_error", "float32")
    network.initialize_parameters(random_state=0)
    before = theta(network)
    with pytest.raises(ValueError, match="non-finite parameter weights") as caught:
        network.gradient_descent(X, Y, learning_rate=1e25, n_iterations=n_iterations)
    assert "Lower learning_rate, scale X" in str(caught.value)
    assert_array_equal(theta(network), before)
    network.gradient_descent(X, Y, learning_rate=0.01, n_iterations=2)
    assert np.isfinite(theta(network)).all()


@pytest.mark.filterwarnings("ignore:.* encountered in")  # NumPy's, without JIT
def test_a_cost_that_overflows_is_divergence_too(samples):
    network = DeepNeuralNetwork([4, 1], (), "identity", "absolute_error")
    targets = np.full(30, 1.7e308)
    with pytest.raises(ValueError, match="diverged: it produced non-finite"):
        network.gradient_descent(samples[0], targets, learning_rate=1.0, n_iterations=1)
    assert_array_equal(theta(network), 0.0)


@pytest.mark.pairwise
@pytest.mark.parametrize("error", [KeyboardInterrupt, Interrupt, TimeoutError])
@pytest.mark.parametrize("is_run", [False, True])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_an_interrupt_leaves_the_passes_so_far(samples, monkeypatch, error, is_run, at):
    runs = []

    def run(self, n_epochs=1, usual=EpochRunner.run):
        if len(runs) == at and not is_run:
            raise error
        runs.append(usual(self, n_epochs))
        if len(runs) == at + 1:
            raise error
        return runs[-1]

    network, usual = DeepNeuralNetwork([4, 3, 1]), DeepNeuralNetwork([4, 3, 1])
    for of in (network, usual):
        of.initialize_parameters(random_state=0)
    if at:
        usual.gradient_descent(*samples, learning_rate=0.5, n_iterations=at)
    monkeypatch.setattr(EpochRunner, "epochs_at_once", 1)
    monkeypatch.setattr(EpochRunner, "run", run)
    with pytest.raises(error):
        network.gradient_descent(*samples, learning_rate=0.5, n_iterations=9, batch_size=30)
    assert_array_equal(theta(network), theta(usual))


def interrupted(call, at):
    """Call with an interrupt at a line of the package, by number; whether it was reached."""
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        if PACKAGE not in Path(frame.f_code.co_filename).parents:
            return None
        if event == "line":
            lines += 1
            if lines == at:
                raise Interrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except Interrupt:
        return True
    finally:
        sys.settrace(before)
    return False


CHANGES = {
    "training": (
        lambda network, X, Y: network.gradient_descent(
            X, Y, learning_rate=0.5, n_iterations=3, n_threads=1
        ),
        [0, 1, 2, 3],
    ),
    "a step": (
        lambda network, X, Y: network.update_parameters(
            {"dW1": np.ones((4, 3)), "db1": np.ones(3), "dW2": np.ones((3, 1)), "db2": [1.0]},
            0.1,
        ),
        None,
    ),
    "initial values": (
        lambda network, X, Y: network.initialize_parameters("xavier", random_state=1),
        None,
    ),
    "another state": (
        lambda network, X, Y: network.__setstate__(
            network.__getstate__() | {"theta": np.arange(19.0)}
        ),
        None,
    ),
}


@pytest.mark.needs_jit  # each line of a kernel would be one to interrupt
@pytest.mark.parametrize("change", CHANGES)
def test_an_interrupt_at_any_line_leaves_no_mixture(samples, monkeypatch, change):
    monkeypatch.setattr(EpochRunner, "epochs_at_once", 1)
    call, passes = CHANGES[change]

    def made():
        network = DeepNeuralNetwork([4, 3, 1])
        network.initialize_parameters(random_state=0)
        return network

    possible = [theta(made())]
    for n_passes in passes or [1]:
        network = made()
        if passes is None:
            call(network, *samples)
        elif n_passes:
            network.gradient_descent(*samples, learning_rate=0.5, n_iterations=n_passes)
        possible.append(theta(network))
    at, found = 1, set()
    while True:
        network = made()
        is_interrupted = interrupted(partial(call, network, *samples), at)
        left = theta(network)
        [*matching] = [n for n, each in enumerate(possible) if np.array_equal(left, each)]
        assert matching, at
        found.add(matching[-1])
        assert np.isfinite(network.predict_proba(samples[0])).all()
        if not is_interrupted:
            break
        at += 1 if passes is None else 7
    assert len(found) > 1  # some came before the change, and some after it
