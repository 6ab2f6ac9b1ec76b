"""Each activation function beside its prime, as scalars; and the table of layer kernels.

To add one: write the scalar function and its prime, and add a row to `ACTIVATIONS`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from fastdnn.compiler.addressed import Addressed, Form, matrix, vector_of
from fastdnn.compiler.jit import kernel, loop_kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.views import vector
from fastdnn.ops import elementary, several_outputs
from fastdnn.ops.prelu import prelu, prelu_backward
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


# Maas et al. (2013), as PyTorch has it; Klambauer et al. (2017), their fixed point rounded.
_LEAK = 0.01
_SELU_SCALE, _SELU_SCALED_ALPHA = 1.0507009873554805, 1.7580993408473766


@kernel
def leaky_relu(z):
    return max(z, type(z)(_LEAK) * z)


@kernel
def leaky_relu_prime(a):
    return type(a)(1) if a > type(a)(0) else type(a)(_LEAK)


@kernel
def elu(z):
    zero = type(z)(0)
    return max(z, zero) + elementary.expm1(min(z, zero))


@kernel
def elu_prime(a):
    return min(a, type(a)(0)) + type(a)(1)


@kernel
def selu(z):
    zero = type(z)(0)
    below = type(z)(_SELU_SCALED_ALPHA) * elementary.expm1(min(z, zero))
    return multiply_add(type(z)(_SELU_SCALE), max(z, zero), below)


@kernel
def selu_prime(a):
    below = a + type(a)(_SELU_SCALED_ALPHA)
    return type(a)(_SELU_SCALE) if a > type(a)(0) else below


@kernel
def _normal_distribution(z):
    """Return the probability that a standard normal number is below `z`."""
    return multiply_add(
        type(z)(0.5), elementary.erf(type(z)(0.7071067811865476) * z), type(z)(0.5)
    )


@kernel
def gelu(z):
    return z * _normal_distribution(z)


@kernel
def gelu_prime(z):
    density = type(z)(0.3989422804014327) * elementary.exp(type(z)(-0.5) * z * z)
    return multiply_add(z, density, _normal_distribution(z))


@kernel
def _tanh_of_softplus(z):
    """Return tanh(log(1 + e^z)), which is ``n / (n + 2)`` with ``n = e^z (e^z + 2)``."""
    two = type(z)(2)
    w = elementary.exp(min(z, type(z)(20)))  # beyond, 1 to the last bit
    n = w * (w + two)
    return n / (n + two)


@kernel
def mish(z):
    return z * _tanh_of_softplus(z)


@kernel
def mish_prime(z):
    t = _tanh_of_softplus(z)
    return multiply_add(z * elementary.sigmoid(z), multiply_add(-t, t, type(z)(1)), t)


@kernel
def softplus(z):
    return elementary.softplus(z)


@kernel
def softplus_prime(z):
    return elementary.sigmoid(z)


@kernel
def hardswish(z):
    six, three = type(z)(6), type(z)(3)
    return z * (min(max(z + three, type(z)(0)), six) / six)


@kernel
def hardswish_prime(z):
    three = type(z)(3)
    if z <= -three:
        return type(z)(0)
    return type(z)(1) if z >= three else multiply_add(z, type(z)(2), three) / type(z)(6)


def _forward_in_place(g: Callable) -> Callable:
    def forward(Z, A):
        """Write ``g(A)`` into `A`; `Z` is the same memory as `A`."""
        a = vector(A, 0, A.size)
        for i in range(a.size):
            a[i] = g(a[i])

    return forward


def _backward_from_output(g_prime: Callable) -> Callable:
    def backward(Z, A, D, sums):
        """Multiply `D` by ``g'`` at output `A` and add its column sums to `sums`."""
        for i in range(D.shape[0]):
            for j in range(D.shape[1]):
                d = D[i, j] * g_prime(A[i, j])
                D[i, j] = d
                sums[j] += d

    return backward


def _forward_keeping_input(g: Callable) -> Callable:
    def forward(Z, A):
        """Write ``g(Z)`` into `A`."""
        z, a = vector(Z, 0, Z.size), vector(A, 0, A.size)
        for i in range(a.size):
            a[i] = g(z[i])

    return forward


def _backward_from_input(g_prime: Callable) -> Callable:
    def backward(Z, A, D, sums):
        """Multiply `D` by ``g'`` at input `Z` and add its column sums to `sums`."""
        for i in range(D.shape[0]):
            for j in range(D.shape[1]):
                d = D[i, j] * g_prime(Z[i, j])
                D[i, j] = d
                sums[j] += d

    return backward


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
def softmax_backward(Z, A, D, sums):
    """Turn `D` = dL/dA into dL/dZ, ``a (d - sum(a d))``; add column sums to `sums`."""
    n_classes = A.shape[1]
    for i in range(A.shape[0]):
        inner = A.dtype.type(0)
        for j in range(n_classes):
            inner = multiply_add(A[i, j], D[i, j], inner)
        for j in range(n_classes):
            d = A[i, j] * (D[i, j] - inner)
            D[i, j] = d
            sums[j] += d


#: What runs an activation: ``(Z, A)``, and ``(Z, A, D, sums)``.
FORWARD = Form("an activation", lambda real: (matrix(real), matrix(real)))
BACKWARD = Form(
    "the backward pass of an activation",
    lambda real: (matrix(real), matrix(real), matrix(real), vector_of(real)),
)


class Activation(NamedTuple):
    """One row of the table: how a layer runs an activation, and what may be left out.

    The properties allow the engine to do less; all of them may be False.
    """

    forward: Addressed
    """Kernel ``(Z, A)``."""
    backward: Addressed
    """Kernel ``(Z, A, D, sums)``: turns dL/dA into dL/dZ and adds up its columns."""
    keeps_input: bool = False
    """Whether the backward pass needs Z, so that the layer stores it beside A."""
    is_floor: bool = False
    """Whether it is ``max(z, 0)``, which the product that makes Z does by the way."""
    makes_zeros: bool = False
    """Whether so many outputs are zero that products may look for them and leave them out."""
    stops_gradient: bool = False
    """Whether the gradient is zero wherever the output is, and D itself elsewhere."""
    learns: bool = False
    """Whether it has a parameter of its own: then its kernels have the forms of
    `fastdnn.ops.transforms`, and it is for hidden layers only."""


def from_output(
    name: str | None, g: Callable, g_prime: Callable, **properties: bool
) -> Activation:
    """Make a row of two scalar functions, the prime one of the output ``a = g(z)``.

    Parameters
    ----------
    name : str or None
        What the compiled code is kept by, see `fastdnn.compiler.addressed.Addressed`.
    g, g_prime : callable
        Compiled by numba, of one float32 or float64 number.
    **properties : bool
        Of the row.
    """
    return _row(name, _forward_in_place(g), _backward_from_output(g_prime), **properties)


def from_input(
    name: str | None, g: Callable, g_prime: Callable, **properties: bool
) -> Activation:
    """Make a row of two scalar functions of the input z, as `from_output` does."""
    properties["keeps_input"] = True
    return _row(name, _forward_keeping_input(g), _backward_from_input(g_prime), **properties)


def _row(
    name: str | None, forward: Callable, backward: Callable, **properties: bool
) -> Activation:
    return Activation(
        Addressed(FORWARD, forward, name and f"activations.{name}.forward"),
        Addressed(BACKWARD, backward, name and f"activations.{name}.backward"),
        **properties,
    )


def _of_rows(name: str) -> Activation:
    """Make a row of two kernels of `fastdnn.ops.several_outputs`."""
    kernels = (getattr(several_outputs, f"{name}_{way}") for way in ("forward", "backward"))
    return _row(name, *kernels, keeps_input=True)


#: The activations by name.
ACTIVATIONS: dict[str, Activation] = {
    "identity": from_output("identity", identity, identity_prime),
    "sigmoid": from_output("sigmoid", sigmoid, sigmoid_prime),
    "tanh": from_output("tanh", tanh, tanh_prime),
    "relu": from_output(
        "relu", relu, relu_prime, is_floor=True, makes_zeros=True, stops_gradient=True
    ),
    "softmax": _row("softmax", softmax_forward, softmax_backward),
    "silu": from_input("silu", silu, silu_prime),
    "exp": from_output("exp", exp, exp_prime),
    "leaky_relu": from_output("leaky_relu", leaky_relu, leaky_relu_prime),
    "elu": from_output("elu", elu, elu_prime),
    "selu": from_output("selu", selu, selu_prime),
    "gelu": from_input("gelu", gelu, gelu_prime),
    "mish": from_input("mish", mish, mish_prime),
    "softplus": from_input("softplus", softplus, softplus_prime),
    "hardswish": from_input("hardswish", hardswish, hardswish_prime),
    "ascending": _of_rows("ascending"),
    "mean_and_variance": _of_rows("mean_and_variance"),
}


#: Those that learn, for hidden layers.
LEARNING_ACTIVATIONS: dict[str, Activation] = {
    "prelu": Activation(prelu, prelu_backward, keeps_input=True, learns=True),
}


def row_of(activation: Any) -> Activation:
    """Return the row of an activation: of a name, or a user's own.

    Parameters
    ----------
    activation : str or fastdnn.Activation
        A name in `ACTIVATIONS` or `LEARNING_ACTIVATIONS`, or the object.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(activation, str):
        row = ACTIVATIONS.get(activation) or LEARNING_ACTIVATIONS.get(activation)
    else:
        row = getattr(activation, "row", None)
    if not isinstance(row, Activation):
        raise ValueError(
            f"activation={activation!r} is unknown; choose one of "
            f"{[*ACTIVATIONS, *LEARNING_ACTIVATIONS]}, or make a fastdnn.Activation."
        )
    return row
