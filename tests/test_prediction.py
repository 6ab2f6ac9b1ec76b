"""The forward pass against NumPy, in blocks, over threads, and call after call."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastdnn import _prediction, _threads
from fastdnn._plan import plan_prediction
from fastdnn._prediction import FEW_NUMBERS, Predictor
from fastdnn._samples import Samples
from tests.kernels.test_activations import BOUNDED_SLOPES, DTYPES
from tests.kernels.test_engine import DEPTHS, numpy_layers, random_parameters

pytestmark = pytest.mark.usefixtures("four_cpus")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("activation", BOUNDED_SLOPES)
def test_forward_pass_equals_numpy(activation, depth, dtype):
    rng = np.random.default_rng(0)
    parameters = random_parameters(rng, (4, *(5, 3, 4)[: depth - 1], 3))
    X = rng.standard_normal((9, 4)).astype(np.float32)
    activations = [activation] * depth
    _, exact = numpy_layers(parameters, activations, X.astype(np.float64))[-1]
    out = Predictor(parameters.astype(dtype), activations)(Samples(X.astype(dtype)))
    assert out.dtype == dtype
    atol = 4 * (depth + 1) * np.finfo(dtype).eps
    np.testing.assert_allclose(out, exact, rtol=0.0, atol=atol)


WIDE = (6, 512, 64, 3)
WIDE_ACTIVATIONS = ["silu", "tanh", "softmax"]


def wide_network(dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, WIDE[0])).astype(np.float32)
    return random_parameters(rng, WIDE, dtype), X.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_forward_pass_in_blocks_equals_numpy(dtype):
    parameters, X = wide_network(dtype)
    double = parameters.astype(np.float64)
    _, exact = numpy_layers(double, WIDE_ACTIVATIONS, X.astype(np.float64))[-1]
    made = plan_prediction(parameters, WIDE_ACTIVATIONS, gather=False, is_sparse=False)
    block_rows = made.shard_rows
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
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
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
    expected = predictor(Samples(X))
    teams = []

    def run_side_by_side(n_workers, work):
        teams.append(n_workers)
        _threads.run_side_by_side(n_workers, work)

    monkeypatch.setattr(_prediction, "run_side_by_side", run_side_by_side)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(predictor(Samples(X), n_threads), expected)
    assert teams == [2, 3]


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_rows_are_predicted_like_many(dtype):
    parameters, X = wide_network(dtype)
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
    everything = predictor(Samples(X), 2)  # leaves two workspaces with one queue behind
    most = min(len(X), FEW_NUMBERS // X.shape[1])
    for n_rows in (1, 7, most):
        for _ in range(3):
            out = predictor.predict_few(X[:n_rows])
            np.testing.assert_allclose(out, everything[:n_rows], rtol=1e-5)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_few_rows_with_a_number_that_is_not_finite_are_not_predicted(dtype, number):
    parameters, X = wide_network(dtype)
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
    few = X[:3].copy()
    expected = predictor.predict_few(few)
    few[2, -1] = number
    assert predictor.predict_few(few) is None
    few[2, -1] = np.finfo(dtype).max ** 0.4
    assert predictor.predict_few(few) is not None
    np.testing.assert_array_equal(predictor.predict_few(X[:3]), expected)


@pytest.mark.parametrize("gather", [False, True], ids=["in_order", "gathered"])
def test_a_predictor_takes_any_rows_one_call_after_the_other(gather):
    parameters, X = wide_network(np.float32)
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
    everything = predictor(Samples(X))
    rows = np.arange(len(X), dtype=np.int64)[::-1].copy()
    for count in (1, 300, 2, 70):
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
    predictor = Predictor(parameters, WIDE_ACTIVATIONS)
    chunks = [X[i : i + 9] for i in range(0, 270, 9)]
    expected = [predictor(Samples(chunk)) for chunk in chunks]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            got = pool.map(lambda chunk: predictor(Samples(chunk)), chunks)
            for one, other in zip(got, expected, strict=True):
                np.testing.assert_array_equal(one, other)
