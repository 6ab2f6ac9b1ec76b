"""Results of several networks together, as `fastdnn.estimators.member_results` has them."""

import functools
import operator

import numpy as np

from fastdnn.onnx.activations import softplus
from fastdnn.onnx.graph import Tensor


def mean(tensors: list[Tensor]) -> Tensor:
    """Return the mean of some tensors, of several in float64."""
    if len(tensors) == 1:
        return tensors[0]
    return total([tensor.cast(np.float64) for tensor in tensors]) / float(len(tensors))


def total(tensors: list[Tensor]) -> Tensor:
    """Return the sum of some tensors."""
    return functools.reduce(operator.add, tensors)


def scores(members: list[Tensor], activation: str) -> Tensor:
    """Return the logits of the mean probabilities; of scores their mean.

    Parameters
    ----------
    members : list of Tensor
        The logits of each network.
    activation : {'identity', 'softmax', 'logistic'}
        Of the outputs.
    """
    if len(members) == 1 or activation == "identity":
        return mean(members)
    if activation == "softmax":
        return _log_mean([z.log_softmax() for z in members])
    ones = _log_mean([-softplus(-z) for z in members])
    return ones - _log_mean([-softplus(z) for z in members])


def _log_mean(logarithms: list[Tensor]) -> Tensor:
    """Return the logarithm of the mean of what has these logarithms, without underflow."""
    logarithms = [tensor.cast(np.float64) for tensor in logarithms]
    largest = functools.reduce(Tensor.at_least, logarithms)
    return mean([(tensor - largest).exp() for tensor in logarithms]).log() + largest
