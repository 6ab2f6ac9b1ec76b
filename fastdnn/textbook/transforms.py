"""What hidden layers learn besides weights and biases: its names, and the steps that use it.

Layer normalisation has a gain and a shift for each unit, which come before the activation;
'prelu' has a slope. The kernels are those that train a network in the engine.
"""

from typing import Any, NamedTuple

import numpy as np

from fastdnn.compiler.jit import divided_entry_point
from fastdnn.network.parameters import Parameters
from fastdnn.ops.activations import row_of
from fastdnn.ops.normalization import normalize, normalize_backward
from fastdnn.ops.prelu import prelu, prelu_backward
from fastdnn.ops.transforms import N_REMEMBERED, TRANSFORM, TRANSFORM_BACKWARD
from fastdnn.textbook import long_calls
from fastdnn.textbook.layer_kernels import activate, activate_backward

#: Names without the number of a layer, in the order of `Learnt`.
KINDS = "gain", "shift", "slope"

_transform, _transform_backward = TRANSFORM.call, TRANSFORM_BACKWARD.call
# Nothing is drawn at random; and the smallest number that comes out.
_NO_DRAW, _NO_FLOOR = (0, 0, 0, 0), -np.inf


class Learnt(NamedTuple):
    """What a layer has learnt, or the gradients by it; None where it learns none."""

    gain: Any = None
    shift: Any = None
    slope: Any = None

    @property
    def is_there(self) -> bool:
        """Whether it learns something."""
        return bool(self.named())

    def named(self) -> dict[str, np.ndarray]:
        """Return what there is by its name."""
        pairs = zip(KINDS, self, strict=True)
        return {kind: value for kind, value in pairs if value is not None}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Those of what there is, by name."""
        return {kind: value.shape for kind, value in self.named().items()}


def learnt_of(parameters: Parameters) -> list[Learnt]:
    """Return new views of what each layer learns besides weights and biases."""
    norms = zip(parameters.norm_gains, parameters.norm_shifts, strict=True)
    slopes = iter(parameters.prelu_slopes)
    of_layers = []
    for l in range(len(parameters.coefs)):
        gain, shift = next(norms) if l in parameters.normalized else (None, None)
        slope = next(slopes) if l in parameters.sloped else None
        of_layers.append(Learnt(gain, shift, slope))
    return of_layers


def shapes_of(parameters: Parameters) -> list[dict[str, tuple[int, ...]]]:
    """Return by name the shapes of what each layer learns so."""
    return [
        {
            kind: value.shape
            for kind, value in zip(KINDS, learnt, strict=True)
            if value is not None
        }
        for learnt in learnt_of(parameters)
    ]


@divided_entry_point(long_calls.by_rows_alone(3))
def _forward(X, Y, memory, own, draw, amount, address):
    _transform(address, (X, Y, memory, own, draw, amount))


@divided_entry_point(long_calls.by_rows_alone(4))
def _backward(X, Y, D, memory, own, own_gradient, sums, draw, amount, address):
    _transform_backward(address, (X, Y, D, memory, own, own_gradient, sums, draw, amount))


def _normalized(Z: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what gain and shift make of normalised rows, and what is to remember of them."""
    N, memory = np.empty_like(Z), _memory(Z)
    _forward(Z, N, memory, own, _NO_DRAW, _NO_FLOOR, normalize.address(Z.dtype))
    return N, memory


def _memory(Z: np.ndarray) -> np.ndarray:
    return np.empty((len(Z), N_REMEMBERED), Z.dtype)


def _own(learnt: Learnt) -> np.ndarray:
    return np.concatenate([learnt.gain, learnt.shift])


def outputs_of(activation: Any, Z: np.ndarray, learnt: Learnt) -> np.ndarray:
    """Return the outputs of a layer.

    Parameters
    ----------
    activation : str or fastdnn.Activation
        Of the layer.
    Z : ndarray of shape (n_samples, n_units)
        ``A_prev @ W + b``.
    learnt : Learnt
        What the layer has learnt besides.
    """
    if learnt.gain is not None:
        Z, _ = _normalized(Z, _own(learnt))
    if learnt.slope is None:
        return activate(row_of(activation), Z)
    A = np.empty_like(Z)
    _forward(Z.copy(), A, _memory(Z), learnt.slope, _NO_DRAW, 0.0, prelu.address(Z.dtype))
    return A


def gradients_of(
    activation: Any, Z: np.ndarray, learnt: Learnt, dA: np.ndarray
) -> tuple[np.ndarray, Learnt]:
    """Return the gradient of each sample's cost by Z, and of the mean cost by what is learnt.

    Parameters
    ----------
    activation, Z, learnt
        As for `outputs_of`.
    dA : ndarray of shape (n_samples, n_units)
        Gradient of each sample's cost by the outputs.
    """
    n_samples, n_units = Z.shape
    N, memory = Z, _memory(Z)
    if learnt.gain is not None:
        N, memory = _normalized(Z, _own(learnt))
    sums, of_slope = np.zeros(n_units, Z.dtype), None
    if learnt.slope is None:
        dN = activate_backward(row_of(activation), N, dA)
    else:
        dN, of_slope = dA.copy(), np.zeros(1, Z.dtype)
        arrays = N.copy(), N, dN, _memory(Z), learnt.slope, of_slope, sums
        _backward(*arrays, _NO_DRAW, 0.0, prelu_backward.address(Z.dtype))
        of_slope /= n_samples
    if learnt.gain is None:
        return dN, Learnt(slope=of_slope)
    of_shift, of_own = dN.mean(axis=0), np.zeros(2 * n_units, Z.dtype)
    arrays = Z.copy(), N, dN, memory, _own(learnt), of_own, sums
    _backward(*arrays, _NO_DRAW, _NO_FLOOR, normalize_backward.address(Z.dtype))
    return dN, Learnt(of_own[:n_units] / n_samples, of_shift, of_slope)
