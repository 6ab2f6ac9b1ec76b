"""Converters of `TableEncoder`, `TabularDNNClassifier` and `TabularDNNRegressor`."""

from typing import Any

import numpy as np
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.utils.validation import check_is_fitted

from fastdnn.onnx.classes import labels_at, set_shapes
from fastdnn.onnx.encoder import encoded
from fastdnn.onnx.graph import Graph, Tensor
from fastdnn.onnx.inputs import dtype_of_results, n_rows_of, type_of_results
from fastdnn.onnx.means import mean, total
from fastdnn.onnx.network import logits
from fastdnn.tables.encoder import TableEncoder
from fastdnn.tables.ensemble import Ensemble


def parse_encoder(scope: Any, encoder: TableEncoder, inputs: list, **others: Any) -> list:
    """Declare the output of a `TableEncoder`, whose type is that of its parameter."""
    operator = scope.declare_local_operator("FastdnnTableEncoder", encoder)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("variable", _type_of(encoder)()))
    return operator.outputs


def encoder_shapes(operator: Any) -> None:
    """Set the type of the output of a `TableEncoder`."""
    encoder = operator.raw_operator
    check_is_fitted(encoder)
    shape = [n_rows_of(operator), encoder.n_features_out_]
    operator.outputs[0].set_type(_type_of(encoder)(shape))


def _type_of(encoder: TableEncoder) -> type:
    return DoubleTensorType if encoder.dtype == "float64" else FloatTensorType


def convert_encoder(scope: Any, operator: Any, container: Any) -> None:
    """Write a `TableEncoder`: what `transform` returns, as a dense matrix."""
    x = encoded(Graph(scope, container), operator, operator.raw_operator)
    x.put_out(operator.outputs[0])


def classifier_shapes(operator: Any) -> None:
    """Set the types of the outputs of a `TabularDNNClassifier`."""
    check_is_fitted(operator.raw_operator)
    set_shapes(operator, False, len(operator.raw_operator.classes_))


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Write a `TabularDNNClassifier`: labels and probabilities."""
    model, graph = operator.raw_operator, Graph(scope, container)
    options = container.get_options(model, {"nocl": False})
    probabilities = _predictions(graph, operator)
    positions = probabilities.argmax()
    labels = labels_at(graph, positions, model.classes_, options["nocl"])
    labels.put_out(operator.outputs[0])
    probabilities.cast(dtype_of_results(operator)).put_out(operator.outputs[1])


def regressor_shapes(operator: Any) -> None:
    """Set the type of the output of a `TabularDNNRegressor`."""
    check_is_fitted(operator.raw_operator)
    n_targets = operator.raw_operator._ensemble.task.n_outputs
    operator.outputs[0].set_type(type_of_results(operator)([n_rows_of(operator), n_targets]))


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Write a `TabularDNNRegressor`: what `predict` returns, a column for each target."""
    model, graph = operator.raw_operator, Graph(scope, container)
    spread = graph.constant(model._spread, np.float64)
    y = _predictions(graph, operator) * spread + graph.constant(model._mean, np.float64)
    y.cast(dtype_of_results(operator)).put_out(operator.outputs[0])


def _predictions(graph: Graph, operator: Any) -> Tensor:
    """Return the mean over the members, in float64 and in the units of training."""
    model = operator.raw_operator
    ensemble = model._ensemble
    is_compact = ensemble.network.table is not None
    x = encoded(graph, operator, model.encoder_, is_compact)
    members = [_of_member(x, ensemble, member) for member in ensemble.snapshots]
    return mean(members)


def _of_member(x: Tensor, ensemble: Ensemble, member: list) -> Tensor:
    task, parts = ensemble.task, []
    for (weight, temperature), parameters in zip(ensemble.cycles, member, strict=True):
        z = logits(x, parameters, ensemble.network).cast(np.float64)
        if task.is_classifier:
            prediction = (z / temperature).softmax()
        elif task.low is None:
            prediction = z
        else:
            limits = task.low, task.high
            low, high = (x.graph.constant(limit, np.float64) for limit in limits)
            prediction = z.at_least(low).at_most(high)
        parts.append(weight * prediction)
    return total(parts)
