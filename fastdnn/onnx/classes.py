"""What classifiers put out in ONNX: labels, and probabilities or scores."""

from typing import Any

import numpy as np
from skl2onnx.common.data_types import Int64TensorType, StringTensorType

from fastdnn.onnx.graph import Graph, Tensor
from fastdnn.onnx.inputs import n_rows_of, type_of_results

#: What skl2onnx's own classifiers can be told.
OPTIONS = {
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],
    "nocl": [True, False],
}


def labels_of(classes: np.ndarray) -> np.ndarray:
    """Return class labels as ONNX can have them: int64, or an array of object with strings.

    Raises
    ------
    ValueError
        If it cannot.
    """
    if classes.dtype.kind in "biu":
        return classes.astype(np.int64)
    values = classes.tolist()
    if classes.dtype.kind == "f" and all(value.is_integer() for value in values):
        return classes.astype(np.int64)
    if all(isinstance(value, str) for value in values):
        return classes.astype(object)
    raise ValueError(
        f"Classes {values[:5]} cannot be converted to ONNX, which has labels of integers and "
        "of strings. Fit with such labels."
    )


def set_shapes(operator: Any, is_multilabel: bool, n_columns: int) -> None:
    """Set the types of both outputs."""
    n_rows, model = n_rows_of(operator), operator.raw_operator
    options = operator.scope_inst.get_options(model, {"nocl": False})
    has_texts = labels_of(model.classes_).dtype == object and not options["nocl"]
    label_type = StringTensorType if has_texts else Int64TensorType
    of_labels = [n_rows, n_columns] if is_multilabel else [n_rows]
    operator.outputs[0].set_type(label_type(of_labels))
    operator.outputs[1].set_type(type_of_results(operator)([n_rows, n_columns]))


def labels_at(
    graph: Graph, positions: Tensor, classes: np.ndarray, as_positions: bool
) -> Tensor:
    """Return the labels of classes at some positions, or positions in the place of labels."""
    if as_positions:
        return positions
    labels = labels_of(classes)
    dtype = str if labels.dtype == object else np.int64
    return graph.constant(labels, dtype).rows(positions)
