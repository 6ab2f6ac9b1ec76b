"""What predictions return, made from the logits of a block of rows while it is in cache.

The logits are of the network's type; results may be float64 where the network is float32.
How near to 0 and 1 they are right: ``scripts/docs/engine/numbers.md``.
"""

from typing import Any, NamedTuple

from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form, matrix
from fastdnn.compiler.jit import loop_kernel
from fastdnn.machine.views import vector
from fastdnn.ops import elementary
from fastdnn.ops.activations import softmax_forward
from fastdnn.ops.softmax_rows import subtract_largest
from fastdnn.products.sums import sum_of


@loop_kernel
def _copy(Z, out):
    """Write the elements of `Z` into `out`, in its type."""
    z, results = vector(Z, 0, Z.size), vector(out, 0, out.size)
    for i in range(z.size):
        results[i] = z[i]


@loop_kernel
def _exp(Z, out):
    """Write e^Z into `out`."""
    z, results = vector(Z, 0, Z.size), vector(out, 0, out.size)
    for i in range(z.size):
        results[i] = elementary.exp(out.dtype.type(z[i]))


@loop_kernel
def _sigmoid(Z, out):
    """Write the probability of every label into `out`."""
    z, results = vector(Z, 0, Z.size), vector(out, 0, out.size)
    for i in range(z.size):
        results[i] = elementary.sigmoid(out.dtype.type(z[i]))


@loop_kernel
def _log_sigmoid(Z, out):
    """Write the logarithms of the probabilities of labels into `out`."""
    z, results = vector(Z, 0, Z.size), vector(out, 0, out.size)
    for i in range(z.size):
        x = out.dtype.type(z[i])
        larger = elementary.log(elementary.sigmoid(abs(x)))
        results[i] = min(x, out.dtype.type(0)) + larger


@loop_kernel
def _two_sigmoids(Z, out):
    """Write the probabilities of two classes, with one logit, into the columns of `out`.

    The second is larger than 1/2 exactly where it is larger than the first.
    """
    z, results = vector(Z, 0, Z.size), vector(out, 0, out.size)
    one, half = out.dtype.type(1), out.dtype.type(0.5)
    for i in range(z.size):
        x = out.dtype.type(z[i])
        e = elementary.exp(-abs(x))
        larger = one / (one + e)
        # Near 1/2 the difference is exact, and a larger logit has no smaller probability.
        smaller = one - larger if e > half else e * larger
        results[2 * i] = smaller if x > 0 else larger
        results[2 * i + 1] = larger if x > 0 else smaller


@loop_kernel
def _two_log_sigmoids(Z, out):
    """Write the logarithms of the probabilities of two classes into the columns of `out`."""
    z, results = vector(Z, 0, Z.size), vector(out, 0, out.size)
    one, zero = out.dtype.type(1), out.dtype.type(0)
    for i in range(z.size):
        x = out.dtype.type(z[i])
        larger = elementary.log(one / (one + elementary.exp(-abs(x))))
        results[2 * i] = larger + min(-x, zero)
        results[2 * i + 1] = larger + min(x, zero)


@loop_kernel
def _softmax(Z, out):
    """Write the softmax of each row into `out`."""
    _copy(Z, out)
    softmax_forward(out, out)


@loop_kernel
def _log_softmax(Z, out):
    """Write the logarithm of the softmax of each row into `out`."""
    n_rows, n_classes = Z.shape
    z, powers = vector(Z, 0, Z.size), vector(out, 0, out.size)
    _copy(Z, out)
    for i in range(n_rows):
        subtract_largest(vector(out, i * n_classes, n_classes))
    for i in range(powers.size):
        powers[i] = elementary.exp(powers[i])
    for i in range(n_rows):
        row = vector(out, i * n_classes, n_classes)
        logits = vector(z, i * n_classes, n_classes)
        log_of_largest = elementary.log(out.dtype.type(1) / sum_of(row))
        largest = logits[0]
        for j in range(1, n_classes):
            largest = max(largest, logits[j])
        for j in range(n_classes):
            difference = out.dtype.type(logits[j]) - out.dtype.type(largest)
            row[j] = difference + log_of_largest


#: What writes results: ``(Z, out)``, in the network's type or in float64.
SAME_TYPE = Form("results", lambda real: (matrix(real), matrix(real)))
IN_DOUBLE = Form("results in float64", lambda real: (matrix(real), matrix(types.float64)))


class Results(NamedTuple):
    """One row of the table: a kind of results."""

    same_type: Addressed
    """Kernel ``(Z, out)``."""
    in_double: Addressed
    """The same for an `out` of float64."""
    columns_per_output: int = 1
    of_activations: bool = False
    """Whether it is given the last layer's activations for Z."""


def _row(name: str, kernel: Any, *others: Any) -> Results:
    name = f"results.{name.replace(' ', '_')}"
    return Results(
        Addressed(SAME_TYPE, kernel, name),
        Addressed(IN_DOUBLE, kernel, f"{name}.in_double"),
        *others,
    )


#: Each kind of results by name.
RESULTS: dict[str, Results] = {
    "activations": _row("activations", _copy, 1, True),
    "logits": _row("logits", _copy),
    "exp": _row("exp", _exp),
    "sigmoid": _row("sigmoid", _sigmoid),
    "two sigmoids": _row("two sigmoids", _two_sigmoids, 2),
    "softmax": _row("softmax", _softmax),
    "log sigmoid": _row("log sigmoid", _log_sigmoid),
    "two log sigmoids": _row("two log sigmoids", _two_log_sigmoids, 2),
    "log softmax": _row("log softmax", _log_softmax),
}
