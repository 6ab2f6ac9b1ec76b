"""Each activation function beside its prime, as scalars; and the tables of layer kernels.

To add one: write the scalar function and its prime, and add a row to `ACTIVATIONS`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from fastdnn.compiler.jit import kernel, loop_kernel, select
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.views import vector
from fastdnn.ops import elementary
from fastdnn.ops.softmax_rows import multiply_by, subtract_largest
from fastdnn.products.sums import sum_of

# A prime takes the activation's output ``a = g(z)`` where that is enough, since then the
# layer keeps one matrix instead of two; the table says which. Constants take the type of
# their argument: a Python float would turn a float32 expression into float64.


@kernel
def identity(z):
    return z


@kernel
def identity_prime(a):
    return type(a)(1)


@kernel
def sigmoid(z):
    return elementary.sigmoid(z)


@kernel
def sigmoid_prime(a):
    return a * (type(a)(1) - a)


@kernel
def tanh(z):
    return elementary.tanh(z)


@kernel
def tanh_prime(a):
    return multiply_add(-a, a, type(a)(1))


@kernel
def relu(z):
    return max(z, type(z)(0))  # NaN stays NaN


@kernel
def relu_prime(a):
    return type(a)(1) if a > type(a)(0) else type(a)(0)


@kernel
def exp(z):
    return elementary.exp(z)


@kernel
def exp_prime(a):
    return a


@kernel
def silu(z):
    return z * elementary.sigmoid(z)


@kernel
def silu_prime(z):
    s = elementary.sigmoid(z)
    return s * multiply_add(z, type(z)(1) - s, type(z)(1))


def _forward_in_place(g: Callable) -> Any:
    def forward(Z, A):
        """Write ``g(A)`` into `A`; `Z` is the same memory as `A`."""
        a = vector(A, 0, A.size)
        for i in range(a.size):
            a[i] = g(a[i])

    return loop_kernel(forward)


def _backward_from_output(g_prime: Callable) -> Any:
    def backward(Z, A, D, db):
        """Multiply `D` by ``g'`` at output `A` and add its column sums to `db`."""
        for i in range(D.shape[0]):
            for j in range(D.shape[1]):
                d = D[i, j] * g_prime(A[i, j])
                D[i, j] = d
                db[j] += d

    return loop_kernel(backward)


def _forward_keeping_input(g: Callable) -> Any:
    def forward(Z, A):
        """Write ``g(Z)`` into `A`."""
        z, a = vector(Z, 0, Z.size), vector(A, 0, A.size)
        for i in range(a.size):
            a[i] = g(z[i])

    return loop_kernel(forward)


def _backward_from_input(g_prime: Callable) -> Any:
    def backward(Z, A, D, db):
        """Multiply `D` by ``g'`` at input `Z` and add its column sums to `db`."""
        for i in range(D.shape[0]):
            for j in range(D.shape[1]):
                d = D[i, j] * g_prime(Z[i, j])
                D[i, j] = d
                db[j] += d

    return loop_kernel(backward)


@loop_kernel
def softmax_forward(Z, A):
    """Write the softmax of each row of `A` into `A`; `Z` is the same memory."""
    n_rows, n_classes = A.shape
    a = vector(A, 0, A.size)
    for i in range(n_rows):
        subtract_largest(vector(A, i * n_classes, n_classes))
    for i in range(a.size):  # all rows at once: one row is shorter than a vector
        a[i] = elementary.exp(a[i])
    for i in range(n_rows):
        row = vector(A, i * n_classes, n_classes)
        multiply_by(A.dtype.type(1) / sum_of(row), row)


@loop_kernel
def softmax_backward(Z, A, D, db):
    """Turn `D` = dL/dA into dL/dZ, ``a (d - sum(a d))``; add column sums to `db`."""
    n_classes = A.shape[1]
    for i in range(A.shape[0]):
        inner = A.dtype.type(0)
        for j in range(n_classes):
            inner = multiply_add(A[i, j], D[i, j], inner)
        for j in range(n_classes):
            d = A[i, j] * (D[i, j] - inner)
            D[i, j] = d
            db[j] += d


class Activation(NamedTuple):
    """One row of the table: how a layer runs an activation forward and backward."""

    forward: Any
    """Kernel ``(Z, A)``."""
    backward: Any
    """Kernel ``(Z, A, D, db)``."""
    keeps_input: bool
    """Whether the backward pass needs Z, so that the layer stores it beside A."""


def _from_output(g: Callable, g_prime: Callable) -> Activation:
    return Activation(_forward_in_place(g), _backward_from_output(g_prime), False)


def _from_input(g: Callable, g_prime: Callable) -> Activation:
    return Activation(_forward_keeping_input(g), _backward_from_input(g_prime), True)


#: The activations by name; the position of a row is its code in compiled code.
ACTIVATIONS: dict[str, Activation] = {
    "identity": _from_output(identity, identity_prime),
    "sigmoid": _from_output(sigmoid, sigmoid_prime),
    "tanh": _from_output(tanh, tanh_prime),
    "relu": _from_output(relu, relu_prime),
    "softmax": Activation(softmax_forward, softmax_backward, False),
    "silu": _from_input(silu, silu_prime),
    "exp": _from_output(exp, exp_prime),
}

ACTIVATION_CODES = {name: code for code, name in enumerate(ACTIVATIONS)}

#: ``activation_forward(code, Z, A)`` and ``activation_backward(code, Z, A, D, db)``.
activation_forward = select([row.forward for row in ACTIVATIONS.values()])
activation_backward = select([row.backward for row in ACTIVATIONS.values()])
