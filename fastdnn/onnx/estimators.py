"""Converters of `DNNClassifier` and `DNNRegressor`."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastdnn.models.consistency import checked_parameters
from fastdnn.onnx.activations import OUTPUTS
from fastdnn.onnx.classes import labels_at, set_shapes
from fastdnn.onnx.graph import Graph, Tensor
from fastdnn.onnx.inputs import dtype_of_results, n_rows_of, rows_of_numbers, type_of_results
from fastdnn.onnx.means import mean, scores
from fastdnn.onnx.network import logits
from fastdnn.ops.several_outputs import n_targets_of


def classifier_shapes(operator: Any) -> None:
    """Set the types of the outputs of a `DNNClassifier`."""
    model = operator.raw_operator
    check_is_fitted(model)
    set_shapes(operator, model._multilabel, max(2, model.n_outputs_))


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Write a `DNNClassifier`: labels, and probabilities, or scores if it has none.

    Of two classes, scores are those of both, of which the first is the second's negative.
    """
    model, graph = operator.raw_operator, Graph(scope, container)
    options = container.get_options(model, {"raw_scores": False, "nocl": False})
    dtype = dtype_of_results(operator)
    members = [z.cast(dtype) for z in _logits(graph, operator)]
    is_binary = model.n_outputs_ == 1 and not model._multilabel
    output = model.out_activation_
    outputs, between = mean([_outputs(z, output) for z in members]), 0.5
    if output == "identity":
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
    has_scores = output == "identity" or options["raw_scores"]
    if has_scores:
        outputs = scores(members, output)
    if is_binary:
        others = -outputs if has_scores else mean([(-z).sigmoid() for z in members])
        outputs = graph.concatenated([others, outputs])
    outputs.cast(dtype).put_out(operator.outputs[1])


def _outputs(z: Tensor, activation: str) -> Tensor:
    if activation == "identity":
        return z
    return z.softmax() if activation == "softmax" else z.sigmoid()


def regressor_shapes(operator: Any) -> None:
    """Set the type of the output of a `DNNRegressor`."""
    check_is_fitted(operator.raw_operator)
    kind = type_of_results(operator)
    operator.outputs[0].set_type(kind([n_rows_of(operator), _n_columns(operator)]))


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Write a `DNNRegressor`: what `predict` returns, a column for each target or quantile."""
    model, dtype = operator.raw_operator, dtype_of_results(operator)
    outputs_of, n_outputs = OUTPUTS[model.out_activation_], model.n_outputs_
    members = _logits(Graph(scope, container), operator)
    if model.out_activation_ == "exp":
        members = [z.cast(dtype) for z in members]  # as `predict` does: it returns float64
    outputs = mean([outputs_of(z, n_outputs) for z in members])
    if _n_columns(operator) < n_outputs:
        outputs = outputs.columns(range(_n_columns(operator)))
    outputs.cast(dtype).put_out(operator.outputs[0])


def _n_columns(operator: Any) -> int:
    model = operator.raw_operator
    if model.out_activation_ == "ascending":
        return model.n_outputs_
    return n_targets_of(model.out_activation_, model.n_outputs_)


def _logits(graph: Graph, operator: Any) -> list[Tensor]:
    """Return the logits of each network of an estimator, be it one only."""
    model = operator.raw_operator
    result = []
    for member in vars(model).get("estimators_", [model]):
        parameters = checked_parameters(member)
        x = rows_of_numbers(graph, operator, parameters.theta.dtype)
        result.append(logits(x, parameters, member._network(parameters)))
    return result
