"""Time of each kernel on its own: nanoseconds an element, or GFLOP/s of the products."""

import numba
import numpy as np
import pytest

from benchmarks.numpy_mlp import NumpyMLP
from fastdnn._threads import single_threaded_blas
from fastdnn.kernels.activations import ACTIVATION_CODES, activation_forward
from fastdnn.kernels.activations import activation_backward as backward_kernel
from fastdnn.kernels.blas import matmul
from fastdnn.kernels.losses import sigmoid_log_loss, softmax_log_loss
from fastdnn.kernels.updates import OPTIMIZER_CODES, OPTIMIZERS, update
from fastdnn.kernels.workspace import SETTINGS

ROWS, COLUMNS = 200, 100
DTYPES = ["float32", "float64"]


@numba.njit(nogil=True)
def forward(code, Z, b, A):
    activation_forward(code, Z, b, A)


@numba.njit(nogil=True)
def backward(code, Z, A, D, db):
    backward_kernel(code, Z, A, D, db)


@numba.njit(nogil=True)
def product(A, B, out):
    matmul(A, B, out)


@numba.njit(nogil=True)
def binary_loss(Z, b, Y, w, D, db):
    return sigmoid_log_loss(Z, b, Y, w, np.inf, D, db)


@numba.njit(nogil=True)
def class_loss(Z, b, Y, w, D, db):
    return softmax_log_loss(Z, b, Y, w, np.inf, D, db)


@numba.njit(nogil=True)
def step(code, s, theta, state, grad):
    return update(code, s, 10, theta, state, 0, grad, 0.005, 1e-6)


def matrices(dtype, *shapes):
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype(dtype) for shape in shapes]


def report(benchmark, n_elements, unit="ns_per_element"):
    benchmark.extra_info[unit] = benchmark.stats["median"] * 1e9 / n_elements


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(ACTIVATION_CODES))
@pytest.mark.benchmark(group="activation forward, with bias")
def test_activation_forward(benchmark, name, dtype):
    A, b = matrices(dtype, (ROWS, COLUMNS), COLUMNS)
    Z = A.copy()
    benchmark(forward, ACTIVATION_CODES[name], Z, b, A)
    report(benchmark, A.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(ACTIVATION_CODES))
@pytest.mark.benchmark(group="activation backward, with bias gradient")
def test_activation_backward(benchmark, name, dtype):
    # Deltas of zero stay zero however often they are multiplied.
    A, Z, db = matrices(dtype, (ROWS, COLUMNS), (ROWS, COLUMNS), COLUMNS)
    benchmark(backward, ACTIVATION_CODES[name], Z, A, np.zeros_like(A), db)
    report(benchmark, A.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_outputs", [1, 10])
@pytest.mark.benchmark(group="log-loss with its delta")
def test_log_loss(benchmark, n_outputs, dtype):
    shape = (ROWS, n_outputs)
    Z, b, D, db = matrices(dtype, shape, n_outputs, shape, n_outputs)
    Y = np.zeros((ROWS, 1), dtype)
    kernel = binary_loss if n_outputs == 1 else class_loss
    benchmark(kernel, Z, b, Y, np.zeros(0, dtype), D, db)
    report(benchmark, Z.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(OPTIMIZERS))
@pytest.mark.benchmark(group="update of one block")
def test_update(benchmark, name, dtype):
    theta, grad = matrices(dtype, 10_000, 10_000)
    s = np.zeros(1, SETTINGS)[0]
    s.learning_rate, s.momentum, s.epsilon = 1e-3, 0.9, 1e-8
    s.beta_1, s.beta_2 = 0.9, 0.999
    state = np.zeros(OPTIMIZERS[name].n_slots * theta.size, dtype)
    benchmark(step, OPTIMIZER_CODES[name], s, theta, state, grad)
    report(benchmark, theta.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(32, 32, 64), (200, 100, 64), (256, 512, 784)], ids=str)
@pytest.mark.benchmark(group="matrix product, one thread")
def test_product(benchmark, shape, dtype):
    m, n, k = shape
    A, B, out = matrices(dtype, (m, k), (k, n), (m, n))
    with single_threaded_blas():
        benchmark(product, A, B, out)
    benchmark.extra_info["gflops"] = 2e-9 * m * n * k / benchmark.stats["median"]


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.benchmark(group="activation forward, with bias")
def test_numpy_activation(benchmark, activation):
    A, b, W = matrices(np.float32, (ROWS, COLUMNS), COLUMNS, (1, COLUMNS))
    network = NumpyMLP([W], [b], activation=activation)

    def bias_and_activation():
        np.add(A, b, out=A)
        network._activate(A)

    benchmark(bias_and_activation)
    report(benchmark, A.size)
