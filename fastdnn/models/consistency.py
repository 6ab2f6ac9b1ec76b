"""Whether what a fitted estimator holds fits together: checked before each use of it.

Attributes can be edited, exchanged or loaded from anywhere. The compiled engine finds
everything by address and believes the sizes that it is told; so it is only handed a network
whose arrays all were found to fit here.
"""

from numbers import Integral
from typing import Any

import numpy as np

from fastdnn.network.parameters import Parameters
from fastdnn.training.state import OptimizerState, TrainingState

#: What a network may learn besides weights and biases: attributes, and lists of views.
LEARNT_BESIDES = {
    "norm_gains_": "norm_gains",
    "norm_shifts_": "norm_shifts",
    "prelu_slopes_": "prelu_slopes",
}

_REFIT = "Put it right, or fit the estimator again."


def checked_parameters(model: Any) -> Parameters:
    """Return what a fitted estimator computes with, found to fit all else that it holds.

    Parameters
    ----------
    model : BaseDNN
        Fitted.

    Returns
    -------
    network : Parameters
        Those of the estimator itself; or new ones, where matrices or vectors were put in
        the place of some, be it of the same or of other sizes that fit each other.

    Raises
    ------
    ValueError
        If they do not fit each other, or the numbers of features, layers, outputs or
        classes.
    """
    if "estimators_" in vars(model):
        raise ValueError(
            f"This {type(model).__name__} has {len(model.estimators_)} members, and no "
            "network of its own. Use one of estimators_."
        )
    parameters, coefs, intercepts = _held_by(model), model.coefs_, model.intercepts_
    learnt = {name: getattr(model, name, []) for name in LEARNT_BESIDES}
    if not _are_views_of(parameters, coefs, intercepts, learnt):
        dtype, others = parameters.theta.dtype, (parameters.normalized, parameters.sloped)
        parameters = from_arrays(coefs, intercepts, dtype, *others)
        _take_over(parameters, learnt)
    sizes = parameters.layer_sizes
    for name, value, needed in (
        ("n_features_in_", model.n_features_in_, sizes[0]),
        ("n_layers_", model.n_layers_, len(sizes)),
        ("n_outputs_", model.n_outputs_, sizes[-1]),
    ):
        if not isinstance(value, Integral) or value != needed:
            raise ValueError(
                f"{name}={value!r} does not fit the network, whose coefs_ and intercepts_ "
                f"make it {needed}. {_REFIT}"
            )
    model._check_outputs(sizes[-1])
    return parameters


def _held_by(model: Any) -> Parameters:
    state = getattr(model, "_state", None)
    if not isinstance(state, TrainingState):
        raise ValueError(
            f"This {type(model).__name__} has coefs_ but was never fitted. Fit it, or make it "
            "by from_sklearn of a fitted one."
        )
    return state.parameters


def _are_views_of(
    parameters: Parameters, coefs: Any, intercepts: Any, learnt: dict[str, Any]
) -> bool:
    """Whether the arrays are the very ones of the parameters, as they were made."""
    for name, own in LEARNT_BESIDES.items():
        given, views = learnt[name], getattr(parameters, own)
        if type(given) is not list or len(given) != len(views):
            return False
        for array, view, size in zip(given, views, _sizes(parameters, own), strict=True):
            if array is not view or not _is_vector(array, size, parameters.theta.dtype):
                return False
    if type(coefs) is not list or type(intercepts) is not list:
        return False
    sizes, n_layers = parameters.layer_sizes, len(parameters.coefs)
    if len(coefs) != n_layers or len(intercepts) != n_layers:
        return False
    for l in range(n_layers):
        W, b = coefs[l], intercepts[l]
        if W is not parameters.coefs[l] or b is not parameters.intercepts[l]:
            return False
        # The shape of an array, its strides and its type can be changed in place.
        if W.shape != (sizes[l], sizes[l + 1]) or b.shape != (sizes[l + 1],):
            return False
        if not (W.flags.c_contiguous and b.flags.c_contiguous):
            return False
        if W.dtype != parameters.theta.dtype or b.dtype != parameters.theta.dtype:
            return False
    return True


def _sizes(parameters: Parameters, own: str) -> list[int]:
    """Return how long each of the vectors has to be that are learnt besides."""
    if own == "prelu_slopes":
        return [1] * len(parameters.sloped)
    return [parameters.layer_sizes[l + 1] for l in parameters.normalized]


def _is_vector(array: np.ndarray, size: int, dtype: np.dtype) -> bool:
    return array.shape == (size,) and array.dtype == dtype and array.flags.c_contiguous


def _take_over(parameters: Parameters, learnt: dict[str, Any]) -> None:
    """Copy in gains, shifts and slopes, if they fit the layers.

    Raises
    ------
    ValueError
        If they do not.
    """
    for name, own in LEARNT_BESIDES.items():
        given, sizes = learnt[name], _sizes(parameters, own)
        if not isinstance(given, list | tuple) or len(given) != len(sizes):
            raise ValueError(
                f"{name} must be a list of {len(sizes)} vectors, one for each layer that "
                f"learns them, got {given!r}. {_REFIT}"
            )
        for i, size in enumerate(sizes):
            values = _numbers(f"{name}[{i}]", given[i], 1, parameters.theta.dtype)
            if values.size != size:
                raise ValueError(
                    f"{name}[{i}] has {values.size} numbers, but its layer needs {size}. "
                    f"{_REFIT}"
                )
            getattr(parameters, own)[i][:] = values


def from_arrays(
    coefs: Any,
    intercepts: Any,
    dtype: np.typing.DTypeLike,
    normalized: tuple[int, ...] = (),
    sloped: tuple[int, ...] = (),
) -> Parameters:
    """Make a network with the values of matrices and vectors, if they make a network.

    Gains, shifts and slopes of layers that have them are as before training.

    Parameters
    ----------
    coefs : list of array-like of shape (n_in, n_out)
        The weights of each layer.
    intercepts : list of array-like of shape (n_out,)
        The biases of each layer.
    dtype : dtype
        To compute in.
    normalized, sloped : tuple of int, default=()
        Positions of hidden layers with gains and shifts, and of those with a slope.

    Raises
    ------
    ValueError
        If they do not, or a number is NaN or infinite.
    """
    try:
        coefs, intercepts = list(coefs), list(intercepts)
    except TypeError:
        raise ValueError(
            f"coefs_ and intercepts_ must be lists of arrays, got {type(coefs).__name__} and "
            f"{type(intercepts).__name__}. {_REFIT}"
        ) from None
    if not coefs or len(coefs) != len(intercepts):
        raise ValueError(
            f"coefs_ has {len(coefs)} matrices and intercepts_ {len(intercepts)} vectors, but "
            f"each layer needs one of both. {_REFIT}"
        )
    matrices = [_numbers(f"coefs_[{l}]", W, 2, dtype) for l, W in enumerate(coefs)]
    vectors = [_numbers(f"intercepts_[{l}]", b, 1, dtype) for l, b in enumerate(intercepts)]
    for l, (W, b) in enumerate(zip(matrices, vectors, strict=True)):
        if b.size != W.shape[1]:
            raise ValueError(
                f"intercepts_[{l}] has {b.size} numbers, but coefs_[{l}] of shape {W.shape} "
                f"needs {W.shape[1]}. {_REFIT}"
            )
        if l > 0 and W.shape[0] != matrices[l - 1].shape[1]:
            raise ValueError(
                f"coefs_[{l}] of shape {W.shape} must have {matrices[l - 1].shape[1]} rows "
                f"to follow coefs_[{l - 1}] of shape {matrices[l - 1].shape}. {_REFIT}"
            )
    if max((*normalized, *sloped), default=-1) >= len(matrices) - 1:
        raise ValueError(
            f"coefs_ has {len(matrices)} matrices, but gains, shifts or slopes were learnt of "
            f"the hidden layers {sorted({*normalized, *sloped})}. {_REFIT}"
        )
    sizes = [len(matrices[0]), *(b.size for b in vectors)]
    parameters = Parameters(sizes, dtype, normalized=normalized, sloped=sloped)
    parameters.take_over(matrices, vectors)
    return parameters


def _numbers(name: str, given: Any, n_dimensions: int, dtype: Any) -> np.ndarray:
    """Return a copy of an array of finite numbers."""
    try:
        with np.errstate(over="ignore"):  # said below
            array = np.array(given, order="C")
            array = array.astype(
                dtype, casting="same_kind" if array.dtype != "O" else "unsafe"
            )
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of real numbers. {_REFIT}") from None
    if array.ndim != n_dimensions or array.size == 0:
        raise ValueError(
            f"{name} must be an array of {n_dimensions} dimension{'s'[: n_dimensions - 1]} "
            f"that is not empty, got shape {array.shape}. {_REFIT}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN, or a number too large for {array.dtype}. {_REFIT}")
    return array


def checked_optimizer(
    optimizer: OptimizerState | None, parameters: Parameters
) -> OptimizerState | None:
    """Return a copy of what an optimiser carries on, or None where it has to start anew.

    It has to where the network has got other sizes.

    Raises
    ------
    ValueError
        If it carries what no optimiser can have.
    """
    if optimizer is None:
        return None
    problem = optimizer.problem()
    if problem is not None:
        raise ValueError(f"The optimiser's state cannot be gone on from: {problem} {_REFIT}")
    return optimizer.beside(parameters.theta.dtype) if optimizer.fits(parameters) else None
