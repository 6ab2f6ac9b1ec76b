"""What the public kernels accept from Python; called from compiled code they check nothing.

Each function takes the arguments of a kernel and returns them as the compiled code expects
them. NaN and infinity pass, as they do in NumPy, where the result shows them.
"""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from fastdnn.ops.activations import ACTIVATIONS

_REALS = np.dtype(np.float32), np.dtype(np.float64)
_SMALL, _LARGE = 1e-30, 1e30
# Probabilities may be rounded to a little above 1.
_ROUNDINGS = 8


def elementwise(Z: Any) -> tuple[np.ndarray]:
    """Check the argument of an activation or of its derivative."""
    return (_floats("Z", Z),)


def elementwise_backward(dA: Any, Z: Any) -> tuple[np.ndarray, np.ndarray]:
    """Check the arguments of an activation's backward step."""
    dA, Z = _floats("dA", dA), _floats("Z", Z)
    _require_like("dA", dA, "Z", Z)
    return dA, Z


def layer(A_prev: Any, W: Any, b: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check the arguments of the linear part of a layer."""
    return _layer(A_prev, W, b, "")


def layer_with_activation(A_prev: Any, W: Any, b: Any, activation: Any) -> tuple:
    """Check the arguments of a layer."""
    return (*_layer(A_prev, W, b, ""), _code(activation))


def linear_gradients(dZ: Any, cache: Any) -> tuple[np.ndarray, tuple]:
    """Check the arguments of the backward step of the linear part of a layer."""
    A_prev, W, _ = linear_cache = _cached_layer(cache)
    dZ = _matrix("dZ", dZ)
    _require_output_shape("dZ", dZ, A_prev, W)
    _require_dtype("dZ", dZ, "W of the cache", W)
    return dZ, linear_cache


def layer_gradients(dA: Any, cache: Any, activation: Any) -> tuple[np.ndarray, tuple, int]:
    """Check the arguments of the backward step of a layer."""
    inner, Z = _parts(cache, "((A_prev, W, b), Z)")
    A_prev, W, _ = linear_cache = _cached_layer(inner)
    dA, Z = _matrix("dA", dA), _matrix("Z of the cache", Z)
    for name, array in (("Z of the cache", Z), ("dA", dA)):
        _require_output_shape(name, array, A_prev, W)
        _require_dtype(name, array, "W of the cache", W)
    return dA, (linear_cache, Z), _code(activation)


def probabilities_and_targets(AL: Any, Y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Check the arguments of the cross-entropy."""
    AL = _matrix("AL", AL)
    if type(Y) is np.ndarray and Y.dtype.kind in "biu":
        Y = Y.astype(AL.dtype)
    Y = _matrix("Y", Y)
    _require_like("Y", Y, "AL", AL)
    for name, array in (("AL", AL), ("Y", Y)):
        lowest, highest = float(array.min()), float(array.max())
        if not 0.0 <= lowest <= highest <= 1.0 + _ROUNDINGS * np.finfo(AL.dtype).eps:
            raise ValueError(
                f"{name} must lie between 0 and 1, got values from {lowest:g} to {highest:g}."
            )
    return AL, Y


def step(W: Any, b: Any, dW: Any, db: Any, learning_rate: Any, decay: Any) -> tuple:
    """Check the arguments of a step of gradient descent."""
    W, b = _to_change("W", W, 2), _to_change("b", b, 1)
    _require_one_for_each_column("b", b, "W", W)
    _require_dtype("b", b, "W", W)
    dW, db = _floats("dW", dW), _floats("db", db)
    _require_like("dW", dW, "W", W)
    _require_like("db", db, "b", b)
    learning_rate = finite_number("learning_rate", learning_rate, W.dtype, above_zero=True)
    return W, b, dW, db, learning_rate, finite_number("decay", decay, W.dtype)


def finite_number(
    name: str, value: Any, dtype: np.dtype, above_zero: bool = False, error: Any = None
) -> float:
    """Return a setting as a float.

    Parameters
    ----------
    name : str
        Of the setting.
    value : object
        What the user gave.
    dtype : dtype
        The precision that is computed in.
    above_zero : bool, default=False
        Whether zero is refused.
    error : type, default=None
        The exception to raise: None for TypeError or ValueError.

    Raises
    ------
    TypeError, ValueError
        If it is not a number from 0 that is finite in that precision.
    """
    if type(value) is float and _SMALL < value < _LARGE:  # in either precision
        return value
    required = f"must be a finite number {'above 0' if above_zero else 'of 0 or more'}"
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        raise (error or TypeError)(f"{name}={value!r} {required}, got {type(value).__name__}.")
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        number = math.inf
    if not 0.0 <= number < math.inf or (above_zero and number == 0.0):
        raise (error or ValueError)(f"{name}={value!r} {required}.")
    smallest, largest = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    if number > largest or (above_zero and number < smallest):
        raise (error or ValueError)(
            f"{name}={value!r} {required} in {dtype}: choose a value from "
            f"{smallest:.1e} to {largest:.1e}."
        )
    return number


def _layer(
    A_prev: Any, W: Any, b: Any, whose: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    A_prev, W = _matrix(f"A_prev{whose}", A_prev), _matrix(f"W{whose}", W)
    b = _floats(f"b{whose}", b)
    if A_prev.shape[1] != W.shape[0]:
        raise ValueError(
            f"A_prev{whose} has {A_prev.shape[1]} columns and W{whose} has {W.shape[0]} "
            "rows: both must be the number of inputs of the layer."
        )
    _require_one_for_each_column(f"b{whose}", b, f"W{whose}", W)
    _require_dtype(f"A_prev{whose}", A_prev, f"W{whose}", W)
    _require_dtype(f"b{whose}", b, f"W{whose}", W)
    return A_prev, W, b


def _cached_layer(cache: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    A_prev, W, b = _parts(cache, "(A_prev, W, b)")
    return _layer(A_prev, W, b, " of the cache")


def _floats(name: str, value: Any) -> np.ndarray:
    """Return an array of float32 or float64 of any shape, laid out as code is compiled for.

    Views that are transposed, strided or read-only are copied: numba would compile every
    kernel anew for each of these kinds of memory.
    """
    array = _require_floats(name, value)
    return array if array.flags.carray else np.require(array, None, ["C", "A", "W"])


def _require_floats(name: str, value: Any) -> np.ndarray:
    if type(value) is not np.ndarray:
        if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
            raise TypeError(
                f"{name} must be a NumPy array of float32 or float64, got "
                f"{type(value).__name__}. Convert it with np.asarray(..., dtype=np.float64)."
            )
        value = np.asarray(value)
    if value.dtype not in _REALS:
        raise TypeError(
            f"{name} must be an array of float32 or float64, got {value.dtype!r}. Convert it "
            "with astype(np.float64)."
        )
    return value


def _matrix(name: str, value: Any) -> np.ndarray:
    value = _floats(name, value)
    if value.ndim != 2 or value.size == 0:
        raise ValueError(
            f"{name} must be a matrix of one or more rows and columns, got the shape "
            f"{value.shape}."
        )
    return value


def _to_change(name: str, value: Any, n_dimensions: int) -> np.ndarray:
    """Return the array itself, which is written to."""
    array = _require_floats(name, value)
    if array.ndim != n_dimensions or array.size == 0:
        raise ValueError(
            f"{name} must have {n_dimensions} dimensions and not be empty, got the shape "
            f"{array.shape}."
        )
    if not array.flags.writeable or not array.flags.aligned:
        raise ValueError(
            f"{name} is changed in place, but is "
            f"{'not aligned' if array.flags.writeable else 'read-only'}. Give a copy of it."
        )
    return array


def _require_like(name: str, array: np.ndarray, other_name: str, other: np.ndarray) -> None:
    if array.shape != other.shape:
        raise ValueError(
            f"{name} must have the shape of {other_name}, {other.shape}, got {array.shape}."
        )
    _require_dtype(name, array, other_name, other)


def _require_one_for_each_column(
    name: str, b: np.ndarray, matrix_name: str, W: np.ndarray
) -> None:
    if b.shape != W.shape[1:]:
        raise ValueError(
            f"{name} must have one number for each column of {matrix_name}, the shape "
            f"{W.shape[1:]}, got {b.shape}."
        )


def _require_output_shape(
    name: str, array: np.ndarray, A_prev: np.ndarray, W: np.ndarray
) -> None:
    if array.shape != (len(A_prev), W.shape[1]):
        raise ValueError(
            f"{name} must have the rows of A_prev and the columns of W, the shape "
            f"{(len(A_prev), W.shape[1])}, got {array.shape}."
        )


def _require_dtype(name: str, array: np.ndarray, other_name: str, other: np.ndarray) -> None:
    if array.dtype != other.dtype:
        raise TypeError(
            f"{name} is {array.dtype}, but {other_name} is {other.dtype}: convert one of "
            "them with astype."
        )


def _parts(cache: Any, form: str) -> tuple:
    """Return the parts of a cache of the form of a tuple."""
    n_parts = form.count(",") + 1 if form.count("(") == 1 else 2
    if not isinstance(cache, tuple | list) or len(cache) != n_parts:
        got = type(cache).__name__
        if isinstance(cache, tuple | list):
            got += f" of {len(cache)}"
        raise TypeError(
            f"cache must be the tuple {form} of the forward pass, or hold it, got {got}."
        )
    return tuple(cache)


def _code(activation: Any) -> int:
    is_integer = isinstance(activation, Integral) and not isinstance(activation, bool)
    if not is_integer or not 0 <= activation < len(ACTIVATIONS):
        names = ", ".join(name.upper() for name in ACTIVATIONS)
        error = ValueError if is_integer else TypeError
        raise error(
            f"activation={activation!r} must be a code from fastdnn.textbook: one of {names}."
        )
    return int(activation)
