"""What a converter is given: inputs of the graph as tensors, and the type of its results."""

from typing import Any

import numpy as np
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int32TensorType,
    Int64TensorType,
    StringTensorType,
)

from fastdnn.onnx.graph import Graph, Tensor
from fastdnn.onnx.samples import inputs_of

_DTYPES: dict[type, Any] = {
    FloatTensorType: np.float32,
    DoubleTensorType: np.float64,
    Int64TensorType: np.int64,
    Int32TensorType: np.int32,
    BooleanTensorType: np.bool_,
    StringTensorType: str,
}


def initial_types(X: Any) -> list[tuple[str, Any]]:
    """Return the types of all inputs, by samples, as skl2onnx is told of them."""
    kinds = {str if dtype is str else np.dtype(dtype): kind for kind, dtype in _DTYPES.items()}
    return [
        (name, kinds[str if array.dtype == object else array.dtype]([None, array.shape[1]]))
        for name, array in inputs_of(X).items()
    ]


def given(graph: Graph, operator: Any) -> list[Tensor]:
    """Return the inputs of a converter.

    Raises
    ------
    ValueError
        If one has a type that is not converted.
    """
    tensors = []
    for variable in operator.inputs:
        if type(variable.type) not in _DTYPES:
            raise ValueError(
                f"Input {variable.raw_name!r} has the type {type(variable.type).__name__}; it "
                f"must have one of {[kind.__name__ for kind in _DTYPES]}."
            )
        tensors.append(Tensor(graph, variable.full_name, _DTYPES[type(variable.type)]))
    return tensors


def rows_of_numbers(graph: Graph, operator: Any, dtype: Any) -> Tensor:
    """Return all inputs beside each other, as numbers of a type.

    Raises
    ------
    ValueError
        If one of them has strings.
    """
    tensors = given(graph, operator)
    for tensor, variable in zip(tensors, operator.inputs, strict=True):
        if tensor.dtype is str:
            kind = type(operator.raw_operator).__name__
            raise ValueError(
                f"Input {variable.raw_name!r} has strings, but {kind} takes numbers. Encode "
                "it, for instance by fastdnn.tables.TableEncoder in a Pipeline."
            )
    return graph.concatenated([tensor.cast(dtype) for tensor in tensors])


def n_rows_of(operator: Any) -> Any:
    """Return how many samples there are, or None for any number."""
    return operator.inputs[0].get_first_dimension()


def type_of_results(operator: Any) -> type:
    """Return the type of the numbers that are put out: that of float inputs, or float32.

    It is what skl2onnx's own converters have, which other ones rely on.
    """
    is_double = isinstance(operator.inputs[0].type, DoubleTensorType)
    return DoubleTensorType if is_double else FloatTensorType


def dtype_of_results(operator: Any) -> Any:
    """Return the same as a type of NumPy."""
    return _DTYPES[type_of_results(operator)]
