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
    return (_compiled_for(_floats("Z", Z)),)


def elementwise_backward(dA: Any, Z: Any) -> tuple[np.ndarray, np.ndarray]:
    """Check the arguments of an activation's backward step."""
    dA, Z = _floats("dA", dA), _floats("Z", Z)
    if dA.shape != Z.shape or dA.dtype != Z.dtype:
        raise (TypeError if dA.shape == Z.shape else ValueError)(
            f"dA must have the shape and the dtype of Z, {Z.shape} of {Z.dtype}, got "
            f"{dA.shape} of {dA.dtype}."
        )
    return _compiled_for(dA), _compiled_for(Z)


def layer(A_prev: Any, W: Any, b: Any) -> list[np.ndarray]:
    """Check the arguments of the linear part of a layer."""
    return _arrays(*_operands(A_prev, W, b))


def layer_with_activation(A_prev: Any, W: Any, b: Any, activation: Any) -> tuple:
    """Check the arguments of a layer."""
    return (*layer(A_prev, W, b), _code(activation))


def linear_gradients(dZ: Any, cache: Any) -> tuple[np.ndarray, tuple]:
    """Check the arguments of the backward step of the linear part of a layer."""
    *linear_cache, dZ = _arrays(*_cached(cache), ("dZ", dZ, ("samples", "outputs")))
    return dZ, tuple(linear_cache)


def layer_gradients(dA: Any, cache: Any, activation: Any) -> tuple[np.ndarray, tuple, int]:
    """Check the arguments of the backward step of a layer."""
    inner, Z = _parts(cache, "((A_prev, W, b), Z)")
    *linear_cache, Z, dA = _arrays(
        *_cached(inner),
        ("Z of the cache", Z, ("samples", "outputs")),
        ("dA", dA, ("samples", "outputs")),
    )
    return dA, (tuple(linear_cache), Z), _code(activation)


def probabilities_and_targets(AL: Any, Y: Any) -> list[np.ndarray]:
    """Check the arguments of the cross-entropy."""
    if type(Y) is np.ndarray and Y.dtype.kind in "biu":
        Y = Y.astype(_floats("AL", AL).dtype)
    checked = _arrays(("AL", AL, ("samples", "outputs")), ("Y", Y, ("samples", "outputs")))
    for name, array in zip(("AL", "Y"), checked, strict=True):
        lowest, highest = float(array.min()), float(array.max())
        if not 0.0 <= lowest <= highest <= 1.0 + _ROUNDINGS * np.finfo(array.dtype).eps:
            raise ValueError(
                f"{name} must lie between 0 and 1, got values from {lowest:g} to {highest:g}."
            )
    return checked


def step(W: Any, b: Any, dW: Any, db: Any, learning_rate: Any, decay: Any) -> tuple:
    """Check the arguments of a step of gradient descent."""
    *_, dW, db = _arrays(
        ("W", W, ("inputs", "outputs")),
        ("b", b, ("outputs",)),
        ("dW", dW, ("inputs", "outputs")),
        ("db", db, ("outputs",)),
    )
    for name, array in (("W", W), ("b", b)):
        if not array.flags.writeable or not array.flags.aligned:
            found = "not aligned" if array.flags.writeable else "read-only"
            raise ValueError(f"{name} is changed in place, but is {found}. Give a copy of it.")
    learning_rate = finite_number("learning_rate", learning_rate, W.dtype, above_zero=True)
    decay = finite_number("decay", decay, W.dtype)
    return np.asarray(W), np.asarray(b), dW, db, learning_rate, decay


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


def _cached(cache: Any) -> tuple:
    A_prev, W, b = _parts(cache, "(A_prev, W, b)")
    return _operands(A_prev, W, b, " of the cache")


def _operands(A_prev: Any, W: Any, b: Any, whose: str = "") -> tuple:
    return (
        (f"A_prev{whose}", A_prev, ("samples", "inputs")),
        (f"W{whose}", W, ("inputs", "outputs")),
        (f"b{whose}", b, ("outputs",)),
    )


def _arrays(*operands: tuple[str, Any, tuple[str, ...]]) -> list[np.ndarray]:
    """Return arrays that fit each other, laid out as code is compiled for.

    Parameters
    ----------
    *operands : tuple of (str, object, tuple of str)
        A name, what was given, and the names of its dimensions, each of one size for all.
    """
    checked: list[np.ndarray] = []
    sizes: dict[str, tuple[int, str]] = {}
    for name, value, dimensions in operands:
        array = _floats(name, value)
        if array.ndim != len(dimensions) or array.size == 0:
            raise ValueError(
                f"{name} must have the dimensions ({', '.join(dimensions)}) and not be empty, "
                f"got the shape {array.shape}."
            )
        for dimension, size in zip(dimensions, array.shape, strict=True):
            needed, other = sizes.setdefault(dimension, (size, name))
            if size != needed:
                raise ValueError(
                    f"{name} of shape {array.shape} has {size} {dimension}, but {other} has "
                    f"{needed}: they must be equal."
                )
        if checked and array.dtype != checked[0].dtype:
            raise TypeError(
                f"{name} is {array.dtype}, but {operands[0][0]} is {checked[0].dtype}: "
                "convert one of them with astype."
            )
        checked.append(_compiled_for(array))
    return checked


def _floats(name: str, value: Any) -> np.ndarray:
    """Return the array itself, if it is one of float32 or float64."""
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be a NumPy array of float32 or float64, got "
            f"{type(value).__name__}. Convert it with np.asarray(..., dtype=np.float64)."
        )
    if value.dtype not in _REALS:
        raise TypeError(
            f"{name} must be an array of float32 or float64, got {value.dtype!r}. Convert it "
            "with astype(np.float64)."
        )
    return value if type(value) is np.ndarray else np.asarray(value)


def _compiled_for(array: np.ndarray) -> np.ndarray:
    """Return the array in the layout that code is compiled for.

    Views that are transposed, strided or read-only are copied: numba would compile every
    kernel anew for each of these kinds of memory.
    """
    return array if array.flags.carray else np.require(array, None, ["C", "A", "W"])


def _parts(cache: Any, form: str) -> tuple:
    """Return the parts of a cache of the form of a tuple."""
    n_parts = 2 if form.startswith("((") else form.count(",") + 1
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
