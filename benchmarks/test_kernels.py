"""Time of each kernel on its own: nanoseconds an element, or GFLOP/s of the products.

A call from Python costs as much as some kernels do, so each is called many times in
compiled code. ``ns_per_element`` and ``gflops`` are in the extra columns of pytest-benchmark.
"""

import numba
import numpy as np
import pytest
from scipy.linalg import blas
from threadpoolctl import threadpool_limits

from benchmarks.numpy_mlp import NumpyMLP
from fastdnn.ops.activations import ACTIVATIONS, BACKWARD, FORWARD
from fastdnn.ops.losses import LOSS, LOSSES
from fastdnn.ops.optimizers import MOST_NUMBERS, OPTIMIZERS, STEP_CONSTANTS, UPDATE
from fastdnn.products.linear import (
    SCRATCH_BYTES,
    linear_delta,
    linear_forward,
    linear_gradient,
)
from fastdnn.products.matmul import multiply
from fastdnn.products.nonzeros import multiply_nonzeros
from fastdnn.products.operands import How
from fastdnn.products.switches import ZEROS_ON_LEFT, ZEROS_ON_RIGHT
from fastdnn.products.transpose import transpose_rows

ROWS, COLUMNS = 200, 100
CALLS = 20
DTYPES = ["float32", "float64"]
#: Rows of a batch, units in, units out: layers of the cases in benchmarks/cases.py.
LAYERS = [(32, 64, 32), (200, 64, 100), (200, 100, 10), (128, 128, 128), (256, 784, 512)]


forward, backward, take_loss = FORWARD.call, BACKWARD.call, LOSS.call
step_constants, update = STEP_CONSTANTS.call, UPDATE.call


@numba.njit(nogil=True)
def run_forward(address, Z, A):
    for _ in range(CALLS):
        forward(address, (Z, A))


@numba.njit(nogil=True)
def run_backward(address, Z, A, D, db):
    for _ in range(CALLS):
        backward(address, (Z, A, D, db))


@numba.njit(nogil=True)
def forward_product(A, W, b, Z, floor, scratch, how):
    for _ in range(CALLS):
        linear_forward(A, W, b, Z, floor, scratch, how)


@numba.njit(nogil=True)
def delta_product(D, W, W_transposed, D_prev, scratch, how):
    for _ in range(CALLS):
        linear_delta(D, W, W_transposed, D_prev, scratch, how)


@numba.njit(nogil=True)
def gradient_product(A, D, dW, scratch, how):
    for _ in range(CALLS):
        linear_gradient(A, 0, D, dW, scratch, 0, how)


@numba.njit(nogil=True)
def transpose(W, W_transposed):
    for _ in range(CALLS):
        transpose_rows(W, 0, W.shape[0], W_transposed)


@numba.njit(nogil=True)
def run_loss(address, Z, Y, w, D, db, losses):
    for _ in range(CALLS):
        take_loss(address, (Z, Y, w, np.inf, np.zeros(1), D, db, losses))


@numba.njit(nogil=True)
def step(kernels, numbers, theta, state, grad, rest):
    for _ in range(CALLS):
        constants = step_constants(kernels[0], (numbers, 10))
        update(kernels[1], (constants, theta, state, 0, grad, rest, 0.005, 1e-6, 1.0))


def matrices(dtype, *shapes):
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype(dtype) for shape in shapes]


def report(benchmark, unit, amount, calls=CALLS):
    """Note `amount` per nanosecond (GFLOP/s) or nanoseconds per `amount` (elements)."""
    if benchmark.enabled:
        nanoseconds = 1e9 * benchmark.stats["median"] / calls
        value = amount / nanoseconds if unit == "gflops" else nanoseconds / amount
        benchmark.extra_info[unit] = value


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(ACTIVATIONS))
@pytest.mark.benchmark(group="activation forward")
def test_activation_forward(benchmark, name, dtype):
    A = matrices(dtype, (ROWS, COLUMNS))[0].clip(-1.0, 0.0)  # stays so, whatever is applied
    benchmark(run_forward, ACTIVATIONS[name].forward.address(dtype), A.copy(), A)
    report(benchmark, "ns_per_element", A.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(ACTIVATIONS))
@pytest.mark.benchmark(group="activation backward, with bias gradient")
def test_activation_backward(benchmark, name, dtype):
    # Deltas of zero stay zero however often they are multiplied.
    A, Z, db = matrices(dtype, (ROWS, COLUMNS), (ROWS, COLUMNS), COLUMNS)
    benchmark(
        run_backward, ACTIVATIONS[name].backward.address(dtype), Z, A, np.zeros_like(A), db
    )
    report(benchmark, "ns_per_element", A.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_outputs", [1, 10])
@pytest.mark.benchmark(group="log-loss with its delta and bias gradient")
def test_log_loss(benchmark, n_outputs, dtype):
    shape = (ROWS, n_outputs)
    Z, D, db = matrices(dtype, shape, shape, n_outputs)
    Y = np.zeros((ROWS, 1), dtype)
    kernel, _ = LOSSES["log_loss"].kernel("sigmoid" if n_outputs == 1 else "softmax")
    benchmark(
        run_loss, kernel.address(dtype), Z, Y, np.zeros(0, dtype), D, db, np.empty(ROWS, dtype)
    )
    report(benchmark, "ns_per_element", Z.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(OPTIMIZERS))
@pytest.mark.benchmark(group="update of one block, with L2 and the sum of squares")
def test_update(benchmark, name, dtype):
    theta, grad, rest = matrices(dtype, 10_000, 10_000, 10_000)
    row, numbers = OPTIMIZERS[name], np.zeros(MOST_NUMBERS)
    known = {"learning_rate": 1e-3, "momentum": 0.9, "beta_1": 0.9, "beta_2": 0.999}
    numbers[: len(row.numbers)] = [known.get(number, 1e-8) for number in row.numbers]
    kernels = row.constants.address(dtype), row.update.address(dtype)
    state = np.zeros(row.n_slots * theta.size, dtype)
    benchmark(step, kernels, numbers, theta, state, grad, rest)
    report(benchmark, "ns_per_element", theta.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(64, 32), (100, 10), (128, 128), (512, 256)], ids=str)
@pytest.mark.benchmark(group="transpose of weights")
def test_transpose(benchmark, shape, dtype):
    (W,) = matrices(dtype, shape)
    benchmark(transpose, W, np.ascontiguousarray(W.T))
    report(benchmark, "ns_per_element", W.size)


def time_product(benchmark, which, A, W, b, D, zeros):
    """Time one product of a layer; `zeros` says whether A and D have some."""
    # With room for a transposed gradient, as the engine's workers have.
    scratch = np.zeros(SCRATCH_BYTES // A.itemsize + W.size, A.dtype)
    on_left = zeros[1] if which == "delta" else zeros[0]
    on_right = zeros[1] and which == "gradient"
    flags = on_left * ZEROS_ON_LEFT + on_right * ZEROS_ON_RIGHT
    how = How(flags, 0, multiply.address(A.dtype), multiply_nonzeros.address(A.dtype))
    if which == "forward":
        Z, floor = np.empty_like(D), A.dtype.type(0)
        benchmark(forward_product, A, W, b, Z, floor, scratch, how)
    elif which == "delta":
        W_transposed, D_prev = np.ascontiguousarray(W.T), np.empty_like(A)
        benchmark(delta_product, D, W, W_transposed, D_prev, scratch, how)
    else:
        benchmark(gradient_product, A, D, np.empty_like(W), scratch, how)
    report(benchmark, "gflops", 2 * A.shape[0] * W.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("which", ["forward", "delta", "gradient"])
@pytest.mark.benchmark(group="matrix products, one thread")
def test_product(benchmark, which, layer, dtype):
    m, n_in, n_out = layer
    A, W, b, D = matrices(dtype, (m, n_in), (n_in, n_out), n_out, (m, n_out))
    time_product(benchmark, which, A, W, b, D, (False, False))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize(
    ("which", "zeros_in"),
    [("forward", "A"), ("delta", "D"), ("gradient", "A"), ("gradient", "D")],
)
@pytest.mark.benchmark(group="matrix products with half zeros, one thread")
def test_product_with_zeros(benchmark, which, zeros_in, layer, dtype):
    """The rate counts the multiplications by zero, which are left out where that pays."""
    m, n_in, n_out = layer
    A, W, b, D = matrices(dtype, (m, n_in), (n_in, n_out), n_out, (m, n_out))
    rectified = A if zeros_in == "A" else D
    rectified[rectified < 0] = 0
    time_product(benchmark, which, A, W, b, D, (zeros_in == "A", zeros_in == "D"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("which", ["forward", "delta", "gradient"])
@pytest.mark.benchmark(group="matrix products, one thread")
def test_product_by_scipy(benchmark, which, layer, dtype):
    m, n_in, n_out = layer
    A, W, D = matrices(dtype, (m, n_in), (n_in, n_out), (m, n_out))
    gemm = blas.sgemm if dtype == "float32" else blas.dgemm
    # BLAS is column-major: it is given all matrices transposed, which copies none.
    left, right, flags, out = {
        "forward": (W.T, A.T, {}, np.empty_like(D)),
        "delta": (W.T, D.T, {"trans_a": True}, np.empty_like(A)),
        "gradient": (D.T, A.T, {"trans_b": True}, np.empty_like(W)),
    }[which]

    def product():
        for _ in range(CALLS):
            gemm(1.0, left, right, c=out.T, overwrite_c=True, **flags)

    with threadpool_limits(1):
        benchmark(product)
    report(benchmark, "gflops", 2 * m * n_in * n_out)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.benchmark(group="activation forward")
def test_activation_by_numpy(benchmark, activation):
    A, b, W = matrices(np.float32, (ROWS, COLUMNS), COLUMNS, (1, COLUMNS))
    benchmark(NumpyMLP([W], [b], activation=activation)._activate, A)
    report(benchmark, "ns_per_element", A.size, calls=1)
