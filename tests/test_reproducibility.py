"""The same bits for any number of threads, in any process, alone and beside other fits."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal

from fastdnn import DNNClassifier, DNNRegressor

pytestmark = [
    pytest.mark.needs_jit,
    pytest.mark.usefixtures("four_cpus"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

BOTH = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])

SOLVERS = {
    "adam": {"solver": "adam"},
    "nesterov": {"solver": "sgd"},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "plain": {"solver": "sgd", "momentum": 0.0},
    "lbfgs": {"solver": "lbfgs"},
}


def shared_out(Estimator, solver, dtype, n_threads=None):
    """Return a fit whose steps are cut into several shards and blocks, and its samples."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((900, 60))
    y = (X[:, 0] > 0).astype(int)
    settings = dict(hidden_layer_sizes=(96, 64), batch_size=400, random_state=0, max_iter=3)
    model = Estimator(dtype=dtype, n_threads=n_threads, **SOLVERS[solver], **settings)
    return model.fit(X, y), X


def assert_same_bits(model, expected, X):
    fitted = [*model.coefs_, *model.intercepts_]
    for one, other in zip(fitted, expected.coefs_ + expected.intercepts_, strict=True):
        assert_array_equal(one, other)
    assert_array_equal(model.predict(X), expected.predict(X))
    assert model.loss_ == expected.loss_


@pytest.mark.pairwise
@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_threads_change_no_bit(Estimator, dtype, solver):
    expected, X = shared_out(Estimator, solver, dtype, 1)
    for n_threads in (2, 3, 4, None):
        assert_same_bits(shared_out(Estimator, solver, dtype, n_threads)[0], expected, X)


# From two halves of eight rows to eight shards, the last batch shorter; one worker takes
# several shards at once where two take them one by one.
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [16, 37, 96, 200, 512])
def test_threads_change_no_bit_whatever_the_batch(batch_size, shuffle):
    generator = np.random.default_rng(0)
    X = generator.standard_normal((1003, 60))
    y = generator.integers(0, 3, 1003)
    settings = dict(batch_size=batch_size, shuffle=shuffle, random_state=0, max_iter=2)
    for hidden in (96, 64), (300,):  # gradients by shards, and by blocks of all rows
        fits = [
            DNNClassifier(hidden, n_threads=n_threads, **settings).fit(X, y)
            for n_threads in (1, 2, 3, 4)
        ]
        for fit in fits[1:]:
            assert_same_bits(fit, fits[0], X)


@pytest.mark.pairwise
@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_eight_fits_at_once_change_no_bit(Estimator, dtype, solver):
    expected, X = shared_out(Estimator, solver, dtype, 1)
    with ThreadPoolExecutor(8) as pool:
        fits = [
            pool.submit(shared_out, Estimator, solver, dtype, n_threads)
            for n_threads in (1, 2, None, 3, 1, 2, None, 4)
        ]
        for fit in fits:
            assert_same_bits(fit.result()[0], expected, X)


def fit_and_predict():
    """Fit in whichever process this is, and return the bits."""
    bits = []
    for dtype in ("float32", "float64"):
        model, X = shared_out(DNNClassifier, "adam", dtype)
        results = [*model.coefs_, *model.intercepts_, model.predict_proba(X)]
        bits += [result.tobytes() for result in results]
    return bits


def in_new_process(method):
    def run():
        with multiprocessing.get_context(method).Pool(1) as pool:
            return pool.apply(fit_and_predict)

    return run


def in_joblib_worker():
    return joblib.Parallel(2)(joblib.delayed(fit_and_predict)() for _ in range(2))[1]


PROCESSES = {
    "spawn": in_new_process("spawn"),
    "fork": in_new_process("fork"),
    "joblib": in_joblib_worker,
}


# Python warns of a fork beside other threads: that it works is what is tested.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.waits_for_processes
@pytest.mark.parametrize("kind", PROCESSES)
def test_other_processes_have_the_same_bits(kind):
    if kind == "fork" and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    expected = fit_and_predict()
    assert PROCESSES[kind]() == expected


@pytest.mark.pairwise
@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(100,), (130, 9)], ids=str)
@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix])
def test_predictions_in_chunks_have_the_same_bits(kind, hidden, dtype, Estimator):
    generator = np.random.default_rng(0)
    X = kind(generator.standard_normal((700, 37)).round(1))
    model = Estimator(hidden_layer_sizes=hidden, random_state=0, max_iter=1, dtype=dtype)
    model.fit(X, np.arange(700) % 2)
    predict = getattr(model, "predict_proba", model.predict)
    expected = predict(X)
    for length in (1, 2, 3, 7, 64, 255, 256, 699):
        chunks = [predict(X[first : first + length]) for first in range(0, 700, length)]
        assert_array_equal(np.concatenate(chunks), expected)
