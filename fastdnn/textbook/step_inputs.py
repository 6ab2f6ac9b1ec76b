"""What the steps of `DeepNeuralNetwork` accept: samples, targets, settings, earlier results.

What is given back to a step, such as caches and gradients, may come from anywhere: compiled
code reads it by the sizes of the network, so it is compared with them here.
"""

from collections.abc import Mapping
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils._param_validation import InvalidParameterError

from fastdnn.data.plain_arrays import has_engine_form
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops import losses
from fastdnn.textbook.costs import check_targets
from fastdnn.textbook.kernel_inputs import finite_number
from fastdnn.textbook.transforms import Learnt, shapes_of

Caches = list[tuple]

# Outputs may have been rounded to a little above 1.
_LARGEST_PROBABILITY = 1.0 + 1e-6


def as_positive(name: str, value: Any, dtype: np.dtype) -> float:
    """Return a setting that must be a number above 0 that `dtype` can hold."""
    return finite_number(name, value, dtype, above_zero=True, error=InvalidParameterError)


def as_not_negative(name: str, value: Any, dtype: np.dtype) -> float:
    """Return a setting that must be a finite number of 0 or more."""
    return finite_number(name, value, dtype, error=InvalidParameterError)


def as_count(name: str, value: Any, or_none: bool = False) -> Any:
    """Return a setting that must be a positive integer, or None where that is allowed."""
    if value is None and or_none:
        return None
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InvalidParameterError(
            f"{name}={value!r} must be a positive integer{' or None' if or_none else ''}."
        )
    return int(value)


def as_samples(X: Any, n_inputs: int, dtype: np.dtype) -> np.ndarray:
    """Return the samples as the engine takes them."""
    if has_engine_form(X, dtype, n_inputs) and np.isfinite(X).all():
        return X
    X = _validated("X", X, dtype)
    if X.shape[1] != n_inputs:
        raise ValueError(
            f"X has {X.shape[1]} features, but the network has {n_inputs} inputs."
        )
    return np.ascontiguousarray(X)


def as_targets(Y: Any, samples: np.ndarray, network: Network) -> np.ndarray:
    """Return the targets as the engine takes them, in memory of their own.

    Class positions stay positions: one column. They are a copy, since the engine finds memory
    by them and the user may change theirs meanwhile.
    """
    Y = as_columns(Y, samples, samples.dtype)
    check_targets(Y, network)
    return Y.copy() if Y.shape[1] < network.sizes[-1] else Y


def as_columns(Y: Any, samples: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return targets of any values as a matrix of one row for each sample."""
    columns = None
    with np.errstate(over="ignore", invalid="ignore"):
        if type(Y) is np.ndarray and Y.dtype.kind in "biuf" and 1 <= Y.ndim <= 2 and Y.size:
            columns = np.ascontiguousarray(Y.reshape(len(Y), -1), dtype=dtype)
        if columns is None or not np.isfinite(columns).all():
            Y = _validated("Y", Y, dtype, ensure_2d=False)
            columns = np.ascontiguousarray(Y.reshape(len(Y), -1))
    if len(columns) != len(samples):
        raise ValueError(
            f"Y has {len(columns)} rows, but there are {len(samples)} samples in X or AL."
        )
    return columns


def _validated(name: str, value: Any, dtype: np.dtype, **options: Any) -> Any:
    """Do scikit-learn's validation; what it says names what it is about."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be an array without a mask: fill or drop what it hides.")
    if isinstance(value, np.ndarray) and value.dtype.kind in "mM":  # would become numbers
        raise TypeError(f"{name} must be an array of real numbers, got {value.dtype}.")
    try:
        with np.errstate(over="ignore"):  # a number too large is reported as such
            return check_array(value, dtype=dtype, order="C", input_name=name, **options)
    except (TypeError, ValueError, OverflowError) as error:
        said = str(error)
        if f" {name} " in said:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} must be an array of real numbers. {said}") from error


def one_column_for_each(Y: np.ndarray, network: Network) -> np.ndarray:
    """Return targets with class positions turned into columns of zeros and ones."""
    n_outputs = network.sizes[-1]
    if Y.shape[1] == losses.row_of(network.loss).n_targets(n_outputs):
        return Y
    columns = np.zeros((len(Y), n_outputs), Y.dtype)
    columns[np.arange(len(Y)), Y.ravel().astype(np.int64)] = 1.0
    return columns


def as_outputs(AL: Any, network: Network, dtype: np.dtype) -> np.ndarray:
    """Return outputs of the last layer that were given back to a step."""
    n_outputs = network.sizes[-1]
    AL = AL if type(AL) is np.ndarray else _real_numbers("AL", AL)
    if AL.ndim != 2 or len(AL) == 0 or AL.shape[1] != n_outputs:
        raise ValueError(
            f"AL must have shape (n_samples, {n_outputs}), as `forward` returns it, got "
            f"{AL.shape}."
        )
    AL = as_floats("AL", AL, AL.shape, dtype)
    pairs, required = losses.row_of(network.loss).canonical, None
    if "sigmoid" in pairs and not 0.0 <= AL.min() <= AL.max() <= _LARGEST_PROBABILITY:
        required = "must be probabilities between 0 and 1"
    elif "exp" in pairs and AL.min() < 0.0:
        required = "must not be negative"
    if required is not None:
        raise ValueError(
            f"AL {required} for loss={network.loss!r}, got values from {AL.min():g} to "
            f"{AL.max():g}. Give the first result of `forward`."
        )
    return AL


def as_caches(caches: Any, n_samples: int, parameters: Parameters) -> Caches:
    """Return the caches of a forward pass of a network over so many samples."""
    layer_sizes, dtype = parameters.layer_sizes, parameters.theta.dtype
    n_layers = len(layer_sizes) - 1
    if not isinstance(caches, list | tuple) or len(caches) != n_layers:
        size = f" of {len(caches)}" if isinstance(caches, list | tuple) else ""
        raise ValueError(
            f"caches must be the list of {n_layers} that `forward` of this network returns, "
            f"one for each layer; got {type(caches).__name__}{size}."
        )
    checked: Caches = []
    learns = shapes_of(parameters)
    for l, (n_in, n_out) in enumerate(pairwise(layer_sizes)):
        learnt = ", (gain, shift, slope)" if learns[l] else ""
        try:
            (A_prev, W, b), Z, *own = caches[l]
            values = Learnt(*own[0]) if learns[l] else Learnt()
        except (TypeError, ValueError, IndexError):
            values, own = Learnt(), [None, None]
        if len(own) != bool(learns[l]):
            raise ValueError(
                f"caches[{l}] must be ((A_prev, W, b), Z{learnt}), as `forward` returns it."
            )
        *linear, Z = (
            as_floats(f"{name} of caches[{l}]", value, shape, dtype)
            for name, value, shape in (
                ("A_prev", A_prev, (n_samples, n_in)),
                ("W", W, (n_in, n_out)),
                ("b", b, (n_out,)),
                ("Z", Z, (n_samples, n_out)),
            )
        )
        if not learns[l]:
            checked.append((tuple(linear), Z))
            continue
        own = {
            kind: as_floats(f"{kind} of caches[{l}]", getattr(values, kind), shape, dtype)
            for kind, shape in learns[l].items()
        }
        checked.append((tuple(linear), Z, Learnt(**own)))
    return checked


def as_gradients(
    grads: Any, parameters: Parameters
) -> list[tuple[np.ndarray, np.ndarray, Learnt]]:
    """Return dW, db and the others of each layer; they may be NaN or infinite."""
    layer_sizes, dtype = parameters.layer_sizes, parameters.theta.dtype
    if not isinstance(grads, Mapping):
        raise TypeError(
            "grads must be the dictionary that `backward` returns, got "
            f"{type(grads).__name__}."
        )
    n_layers = len(layer_sizes) - 1
    checked, learns = [], shapes_of(parameters)
    for l, shape in enumerate(pairwise(layer_sizes), start=1):
        shapes: dict[str, Any] = {f"dW{l}": shape, f"db{l}": shape[1:]}
        shapes |= {f"d{kind}{l}": own for kind, own in learns[l - 1].items()}
        for name in shapes:
            if name not in grads:
                raise ValueError(
                    f"grads lacks {name!r}: it must hold dW1, db1, ... for the {n_layers} "
                    "layers of this network, as `backward` returns them."
                )
        given = [_as_floats(name, grads[name], of, dtype) for name, of in shapes.items()]
        own = dict(zip(learns[l - 1], given[2:], strict=True))
        checked.append((given[0], given[1], Learnt(**own)))
    for name in (f"dW{n_layers + 1}", f"db{n_layers + 1}"):
        if name in grads:
            raise ValueError(
                f"grads holds {name!r}, but this network has {n_layers} layers: it comes from "
                "another network."
            )
    return checked


def require_finite_gradients(
    gradients: list[tuple[np.ndarray, np.ndarray, Learnt]],
) -> None:
    """Raise if one of the gradients is not finite."""
    for l, (dW, db, learnt) in enumerate(gradients, start=1):
        _require_finite(f"dW{l}", dW)
        _require_finite(f"db{l}", db)
        for kind, gradient in learnt.named().items():
            _require_finite(f"d{kind}{l}", gradient)


def samples_of_gradients(grads: Mapping, n_units: int) -> int:
    """Return over how many samples the gradients were taken, which dA1 has as rows."""
    dA1 = grads.get("dA1")
    shape = getattr(dA1, "shape", None) if dA1 is None else np.shape(dA1)
    if shape is None or len(shape) != 2 or shape[0] == 0 or shape[1] != n_units:
        raise ValueError(
            f"grads must hold 'dA1' of shape (n_samples, {n_units}) for l2 > 0, which is "
            "divided by the number of samples; got "
            f"{'none' if shape is None else f'the shape {shape}'}."
        )
    return int(shape[0])


def as_floats(name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return finite numbers of a given shape as an array that compiled code takes.

    Numbers in another type are converted.

    Raises
    ------
    TypeError
        If they are no real numbers.
    ValueError
        If the shape is another one, or a number is NaN, infinite or too large for `dtype`.
    """
    array = _as_floats(name, value, shape, dtype)
    _require_finite(name, array)
    return array


def _as_floats(name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    array = value if type(value) is np.ndarray else _real_numbers(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}.")
    if array.dtype != dtype or not array.flags.carray:
        _require_real(name, array)
        with np.errstate(over="ignore", under="ignore"):
            array = np.require(array, dtype, ["C", "A", "W"])
    return array


def _real_numbers(name: str, value: Any) -> np.ndarray:
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be an array without a mask: fill or drop what it hides.")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of real numbers: {error}") from error
    _require_real(name, array)
    return array


def _require_real(name: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be an array of real numbers, got the dtype {array.dtype}."
        )


def _require_finite(name: str, array: np.ndarray) -> None:
    if np.isfinite(array).all():
        return
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    raise ValueError(
        f"{name} must be finite in {array.dtype}, got {array[index]} at "
        f"{index if len(index) != 1 else index[0]}."
    )
