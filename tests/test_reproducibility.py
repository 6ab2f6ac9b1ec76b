"""The same bits for any number of threads, alone and beside other fits."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastdnn import DNNClassifier, DNNRegressor

pytestmark = [
    pytest.mark.needs_jit,
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
