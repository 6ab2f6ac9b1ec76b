"""The forward pass against NumPy, in blocks, over threads, and call after call."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import sparse

from fastdnn.data.samples import Samples
from fastdnn.engine.loop import GOES_ON
from fastdnn.network.parameters import Parameters
from fastdnn.planning.predictions import plan_prediction
from fastdnn.prediction import predictor as predictor_module
from fastdnn.prediction.predictor import FEW_NUMBERS
from fastdnn.teams import threads as threads_module
from tests.interrupts import STEP, interrupt_at
from tests.networks import network_of, predictor_of, random_parameters
from tests.oracle.activations import BOUNDED_SLOPES
from tests.oracle.network import layers_of
from tests.small_layers import DTYPES
from tests.switches import let_turns_be_blocks

pytestmark = pytest.mark.usefixtures("four_cpus")


def outputs_of(parameters, activations, X):
    """Return what NumPy makes of rows, in float64."""
    views = parameters.coefs, parameters.intercepts
    _, A = layers_of(*views, activations, X.astype(np.float64))[-1]
    return A


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("activation", BOUNDED_SLOPES)
def test_forward_pass_equals_numpy(activation, depth, dtype):
    rng = np.random.default_rng(0)
    parameters = random_parameters(rng, (4, *(5, 3, 4)[: depth - 1], 3))
    X = rng.standard_normal((9, 4)).astype(np.float32)
    activations = [activation] * depth
    exact = outputs_of(parameters, activations, X)
    out = predictor_of(parameters.astype(dtype), activations)(Samples(X.astype(dtype)))
    assert out.dtype == dtype
    atol = 4 * (depth + 1) * np.finfo(dtype).eps
    np.testing.assert_allclose(out, exact, rtol=0.0, atol=atol)


WIDE = (6, 512, 64, 3)
WIDE_ACTIVATIONS = ["silu", "tanh", "softmax"]


def wide_network(dtype, n_rows=300):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, WIDE[0])).astype(np.float32)
    return random_parameters(rng, WIDE, dtype), X.astype(dtype)


@pytest.mark.slow_without_jit
@pytest.mark.parametrize(
    "dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow_without_jit)]
)
def test_forward_pass_in_blocks_equals_numpy(dtype):
    parameters, X = wide_network(dtype)
    exact = outputs_of(parameters.astype(np.float64), WIDE_ACTIVATIONS, X)
    network = network_of(parameters, WIDE_ACTIVATIONS)
    made = plan_prediction(parameters, network, gather=False, is_sparse=False)
    block_rows = made.shard_rows
    predictor = predictor_of(parameters, WIDE_ACTIVATIONS)
    assert 2 * block_rows < len(X)
    for n_rows in (0, 1, block_rows, block_rows + 1, len(X)):
        out = predictor(Samples(X[:n_rows]))
        # The sums over 512 units round more than those of small layers.
        atol = 16 * np.finfo(dtype).eps
        np.testing.assert_allclose(out, exact[:n_rows], rtol=0.0, atol=atol)


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
def test_number_of_threads_changes_no_bit_of_prediction(dtype, monkeypatch):
    parameters, X = wide_network(dtype)
    predictor = predictor_of(parameters, WIDE_ACTIVATIONS)
    expected = predictor(Samples(X))
    teams = []

    def run_side_by_side(n_workers, work):
        teams.append(n_workers)
        threads_module.run_side_by_side(n_workers, work)

    monkeypatch.setattr(predictor_module, "run_side_by_side", run_side_by_side)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(predictor(Samples(X), n_threads), expected)
    assert teams == [2, 3]


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_rows_are_predicted_like_many(dtype):
    parameters, X = wide_network(dtype, 65)
    predictor = predictor_of(parameters, WIDE_ACTIVATIONS)
    everything = predictor(Samples(X), 2)  # leaves two workspaces with one queue behind
    most = min(len(X), FEW_NUMBERS // X.shape[1])
    for n_rows in (1, 7, 7, most, 1):
        out = predictor.predict_few(X[:n_rows])
        np.testing.assert_allclose(out, everything[:n_rows], rtol=1e-5)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_few_rows_with_a_number_that_is_not_finite_are_not_predicted(dtype, number):
    parameters, X = wide_network(dtype)
    predictor = predictor_of(parameters, WIDE_ACTIVATIONS)
    few = X[:3].copy()
    expected = predictor.predict_few(few)
    few[2, -1] = number
    assert predictor.predict_few(few) is None
    few[2, -1] = np.finfo(dtype).max ** 0.4
    assert predictor.predict_few(few) is not None
    np.testing.assert_array_equal(predictor.predict_few(X[:3]), expected)


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
def test_a_predictor_takes_any_rows_one_call_after_the_other(gather):
    parameters, X = wide_network(np.float32, 135)  # two blocks
    predictor = predictor_of(parameters, WIDE_ACTIVATIONS)
    everything = predictor(Samples(X))
    rows = np.arange(len(X), dtype=np.int64)[::-1].copy()
    for count in (1, 135, 2, 70):
        if gather:
            samples, expected = Samples(X, rows=rows[:count]), everything[::-1][:count]
        else:
            samples, expected = Samples(X[:count]), everything[:count]
        np.testing.assert_allclose(predictor(samples), expected, rtol=1e-5)
    parameters.theta[:] *= 0.5
    assert not np.allclose(predictor(Samples(X)), everything)


@pytest.mark.needs_jit
def test_predictions_in_many_threads_at_once_are_those_of_one():
    parameters, X = wide_network(np.float32)
    predictor = predictor_of(parameters, WIDE_ACTIVATIONS)
    chunks = [X[i : i + 9] for i in range(0, 270, 9)]
    expected = [predictor(Samples(chunk)) for chunk in chunks]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            got = pool.map(lambda chunk: predictor(Samples(chunk)), chunks)
            for one, other in zip(got, expected, strict=True):
                np.testing.assert_array_equal(one, other)


FORMS = ["in_order", "gathered", "sparse", "converted"]


def samples_in_form(X, form):
    """Return samples of the same rows, for each way in which a predictor takes them."""
    if form == "sparse":
        return Samples(sparse.csr_matrix(X))
    if form == "converted":
        return Samples(X.astype(np.float64))
    return Samples(X, rows=np.arange(len(X)) if form == "gathered" else None)


ROWS_OF_BLOCK = 4


def small_network(n_rows):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 6)).astype(np.float32)
    return random_parameters(rng, (6, 5, 3), np.float32), X


class Calls(list):
    """The threads that have called the engine, and what is done before each call."""

    def before(self):
        """Do nothing, or raise an interrupt."""


@pytest.fixture
def calls(monkeypatch):
    """Let blocks be small, and Python look for interrupts after every one."""
    made, predict = Calls(), predictor_module.predict

    def predict_some(*args):
        made.append(threading.get_ident())
        made.before()
        return predict(*args)

    monkeypatch.setattr(predictor_module, "predict", predict_some)
    let_turns_be_blocks(monkeypatch, ROWS_OF_BLOCK)
    return made


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("form", FORMS)
def test_turns_of_one_block_change_no_bit(form, n_threads, calls, monkeypatch):
    parameters, X = small_network(50)
    samples = samples_in_form(X, form)
    out = predictor_of(parameters, ["tanh", "softmax"])(samples, n_threads)
    assert len(calls) >= len(X) // ROWS_OF_BLOCK
    monkeypatch.undo()
    whole = predictor_of(parameters, ["tanh", "softmax"])(samples)
    np.testing.assert_array_equal(out, whole)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("form", FORMS)
def test_an_interrupt_ends_a_prediction_within_a_turn(form, n_threads, calls):
    parameters, X = small_network(400)
    predictor = predictor_of(parameters, ["tanh", "softmax"])
    samples, caller = samples_in_form(X, form), threading.get_ident()
    expected = predictor(samples)
    calls.clear()
    is_interrupted = threading.Event()

    def interrupt():
        if threading.get_ident() != caller:
            is_interrupted.wait(timeout=10)  # leave something to the caller
        elif calls.count(caller) == 2:
            is_interrupted.set()
            raise KeyboardInterrupt

    calls.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        predictor(samples, n_threads)
    assert calls.count(caller) == 2
    n_calls = len(calls)
    time.sleep(0.01)
    assert len(calls) == n_calls  # nobody is at work any more
    calls.before = lambda: None
    np.testing.assert_array_equal(predictor(samples, n_threads), expected)


@pytest.mark.needs_jit
@pytest.mark.parametrize("form", FORMS)
def test_an_interrupt_ends_what_other_workers_do(form, calls):
    parameters, X = small_network(40_000)
    samples, caller = samples_in_form(X, form), threading.get_ident()
    other_is_at_work = threading.Event()

    def interrupt():
        if threading.get_ident() != caller:
            other_is_at_work.set()
        elif other_is_at_work.wait(timeout=10):
            raise KeyboardInterrupt

    calls.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        predictor_of(parameters, ["tanh", "softmax"])(samples, 2)
    assert len(calls) < len(X) // ROWS_OF_BLOCK


@pytest.mark.needs_jit
@pytest.mark.parametrize("form", FORMS)
def test_interrupted_anywhere_a_prediction_leaves_the_next_as_it_was(form, calls):
    parameters, X = small_network(50)
    predictor = predictor_of(parameters, ["tanh", "softmax"])
    samples = samples_in_form(X, form)
    expected, n = predictor(samples), 1
    while interrupt_at(n, lambda: predictor(samples, 2)):
        np.testing.assert_array_equal(predictor(samples, 2), expected)
        n += STEP
    assert n > 10 * STEP


@pytest.mark.parametrize("form", FORMS)
def test_an_error_of_one_worker_is_raised_and_ends_the_others(form, calls):
    parameters, X = small_network(400)
    predictor = predictor_of(parameters, ["tanh", "softmax"])

    def fail():
        if len(calls) == 2:
            raise MemoryError("no room")

    calls.before = fail
    with pytest.raises(MemoryError, match="no room"):
        predictor(samples_in_form(X, form), 2)


def test_turns_grow_until_they_take_as_long_as_they_may(monkeypatch):
    parameters, X = small_network(5)
    clock, taken = [0.0], []

    def predict(*args):
        taken.append(args[-1])
        clock[0] += 1e-3 * args[-1]  # a millisecond a block
        return predictor_module.DONE if len(taken) == 12 else GOES_ON

    monkeypatch.setattr(predictor_module, "predict", predict)
    monkeypatch.setattr(predictor_module.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(predictor_module, "_FLOPS_OF_FIRST_TURN", 0.0)
    predictor_of(parameters, ["tanh", "softmax"])(Samples(X))
    assert taken[:6] == [1, 2, 4, 8, 16, 32]
    assert all(49 <= n <= 50 for n in taken[6:])


def test_blocks_of_large_networks_are_short():
    """An interrupt waits for the end of a block."""
    small = Parameters((10, 20, 3), np.float32)
    network = network_of(small, ["relu"] * 2)
    made = plan_prediction(small, network, gather=False, is_sparse=False)
    assert made.shard_rows == 256
    large = Parameters((9000, 9000), np.float32)
    network = network_of(large, ["relu"])
    made = plan_prediction(large, network, gather=False, is_sparse=False)
    assert made.shard_rows * 2 * large.n_weights <= 2.2e9


def test_logits_in_float64_are_those_of_the_network():
    parameters, X = small_network(5)
    predictor = predictor_of(parameters, ["relu", "identity"])
    single, double = (predictor(Samples(X), 1, "logits", kind) for kind in (False, True))
    assert single.dtype == np.float32
    assert double.dtype == np.float64
    np.testing.assert_array_equal(single, double)
