"""A network in ONNX: from rows to what the output layer has before its activation."""

from collections.abc import Iterator

import numpy as np

from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters
from fastdnn.onnx.activations import formula_of, prelu
from fastdnn.onnx.graph import Tensor
from fastdnn.ops.activations import row_of
from fastdnn.ops.normalization import EPSILON


def logits(x: Tensor, parameters: Parameters, network: Network) -> Tensor:
    """Return the logits of rows.

    Parameters
    ----------
    x : Tensor
        Of shape (n_samples, n_features), in the type of the parameters.
    parameters : Parameters
        What the network has learnt.
    network : Network
        What it is.

    Raises
    ------
    ValueError
        If it has an activation of a user's own.
    """
    norms = zip(parameters.norm_gains, parameters.norm_shifts, strict=True)
    slopes = iter(parameters.prelu_slopes)
    *hidden, _ = network.layers
    *maps, last = zip(parameters.coefs, parameters.intercepts, strict=True)
    for layer, map_of_layer in zip(hidden, maps, strict=True):
        x = _mapped(x, *map_of_layer)
        if layer.normalization is not None:
            x = _normalized(x, *next(norms))
        x = _activated(x, layer, slopes)
    return _mapped(x, *last)


def _mapped(x: Tensor, W: np.ndarray, b: np.ndarray) -> Tensor:
    return x @ x.graph.constant(W, x.dtype) + x.graph.constant(b, x.dtype)


def _activated(x: Tensor, layer: Layer, slopes: Iterator[np.ndarray]) -> Tensor:
    if row_of(layer.activation).learns:
        return prelu(x, next(slopes))
    return formula_of(layer.activation)(x)


def _normalized(x: Tensor, gain: np.ndarray, shift: np.ndarray) -> Tensor:
    """Return rows with mean 0 and variance 1, times a gain and with a shift."""
    graph, n_units = x.graph, float(gain.size)
    deviations = x - x.sums() / n_units
    variances = (deviations * deviations).sums() / n_units
    normal = deviations / (variances + EPSILON).sqrt()
    return normal * graph.constant(gain, x.dtype) + graph.constant(shift, x.dtype)
