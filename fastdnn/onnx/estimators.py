"""Converters of `DNNClassifier` and `DNNRegressor`."""

from typing import Any

import numpy as np

from fastdnn.models.consistency import checked_parameters
from fastdnn.onnx.activations import OUTPUTS
from fastdnn.onnx.classes import labels_at, set_shapes
from fastdnn.onnx.graph import Graph, Tensor
from fastdnn.onnx.inputs import dtype_of_results, n_rows_of, rows_of_numbers, type_of_results
from fastdnn.onnx.network import logits
from fastdnn.ops.several_outputs import n_targets_of


def classifier_shapes(operator: Any) -> None:
    """Set the types of the outputs of a `DNNClassifier`."""
    model = operator.raw_operator
    set_shapes(operator, model._multilabel, max(2, model.n_outputs_))


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Write a `DNNClassifier`: labels, and probabilities, or scores if it has none.

    Of two classes, scores are those of both, of which the first is the second's negative.
    """
    model, graph = operator.raw_operator, Graph(scope, container)
    options = container.get_options(model, {"raw_scores": False, "nocl": False})
    z = _logits(graph, operator).cast(dtype_of_results(operator))
    is_binary = model.n_outputs_ == 1 and not model._multilabel
    outputs, between = _outputs(z, model.out_activation_), 0.5
    if model.out_activation_ == "identity":
        between = 0.0
    if model._multilabel:
        labels = outputs.above(between).cast(np.int64)
    elif is_binary:
        # With a single class there is still one output; it cannot choose.
        positions = outputs.above(between).cast(np.int64).flat()
        positions = positions.at_most(len(model.classes_) - 1)
        labels = labels_at(graph, positions, model.classes_, options["nocl"])
    else:
        labels = labels_at(graph, outputs.argmax(), model.classes_, options["nocl"])
    labels.put_out(operator.outputs[0])
    if options["raw_scores"]:
        outputs = z
    if is_binary:
        is_probability = model.out_activation_ != "identity" and not options["raw_scores"]
        other = (-z).sigmoid() if is_probability else -outputs
        outputs = graph.concatenated([other, outputs])
    outputs.put_out(operator.outputs[1])


def _outputs(z: Tensor, activation: str) -> Tensor:
    if activation == "identity":
        return z
    return z.softmax() if activation == "softmax" else z.sigmoid()


def regressor_shapes(operator: Any) -> None:
    """Set the type of the output of a `DNNRegressor`."""
    kind = type_of_results(operator)
    operator.outputs[0].set_type(kind([n_rows_of(operator), _n_columns(operator)]))


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Write a `DNNRegressor`: what `predict` returns, a column for each target or quantile."""
    model, dtype = operator.raw_operator, dtype_of_results(operator)
    z = _logits(Graph(scope, container), operator)
    if model.out_activation_ == "exp":
        z = z.cast(dtype)  # as `predict` does, which returns float64
    outputs = OUTPUTS[model.out_activation_](z, model.n_outputs_)
    if _n_columns(operator) < model.n_outputs_:
        outputs = outputs.columns(range(_n_columns(operator)))
    outputs.cast(dtype).put_out(operator.outputs[0])


def _n_columns(operator: Any) -> int:
    model = operator.raw_operator
    if model.out_activation_ == "ascending":
        return model.n_outputs_
    return n_targets_of(model.out_activation_, model.n_outputs_)


def _logits(graph: Graph, operator: Any) -> Tensor:
    model = operator.raw_operator
    parameters = checked_parameters(model)
    x = rows_of_numbers(graph, operator, parameters.theta.dtype)
    return logits(x, parameters, model._network(parameters))
