"""Writes formulas into an ONNX graph: tensors with Python's operators.

Only operators that onnxruntime has for float64 as well are used, of the versions that they
have had since opset 13.
"""

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
from onnx import TensorProto, helper, numpy_helper

#: The earliest version of ONNX's operators that is written.
FIRST_OPSET = 13

_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.bool_): TensorProto.BOOL,
}

Operand = Union["Tensor", float]


class Graph:
    """The part of a graph that one converter of skl2onnx writes.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
        Gives names.
    container : skl2onnx.common._container.ModelComponentContainer
        Takes nodes and constants.

    Raises
    ------
    ValueError
        If operators of an earlier version are asked for.
    """

    def __init__(self, scope: Any, container: Any) -> None:
        if container.target_opset < FIRST_OPSET:
            raise ValueError(
                f"target_opset={container.target_opset} is too early for the networks of "
                f"fastdnn. Give {FIRST_OPSET} or more, or leave it out."
            )
        self._scope, self._container = scope, container

    def node(
        self,
        kind: str,
        inputs: Sequence["Tensor"],
        dtype: Any,
        domain: str = "",
        output: str | None = None,
        **attributes: Any,
    ) -> "Tensor":
        """Add a node; return its output, which has another name unless one is given."""
        name = output or self._scope.get_unique_variable_name(f"fastdnn_{kind.lower()}")
        self._container.add_node(
            kind,
            [tensor.name for tensor in inputs],
            [name],
            op_domain=domain,
            name=self._scope.get_unique_operator_name(f"fastdnn_{kind}"),
            **attributes,
        )
        return Tensor(self, name, dtype)

    def constant(self, values: Any, dtype: Any) -> "Tensor":
        """Add a constant: an array of numbers, or of strings."""
        name = self._scope.get_unique_variable_name("fastdnn_constant")
        if dtype is str:
            texts = [text.encode() for text in np.ravel(values).tolist()]
            tensor = helper.make_tensor(name, TensorProto.STRING, np.shape(values), texts)
            self._container.initializers.append(tensor)
        else:
            array = np.ascontiguousarray(values, dtype=dtype).reshape(np.shape(values))
            content = numpy_helper.from_array(array, name)
            self._container.add_initializer(name, None, None, content)
        return Tensor(self, name, dtype)

    def concatenated(self, tensors: Sequence["Tensor"]) -> "Tensor":
        """Return the columns of all tensors, of one type, beside each other."""
        if len(tensors) == 1:
            return tensors[0]
        return self.node("Concat", tensors, tensors[0].dtype, axis=1)


class Tensor:
    """What a node puts out, or a constant; rows are samples.

    Parameters
    ----------
    graph : Graph
        Where it is.
    name : str
        In the graph.
    dtype : dtype, or str
        Of its elements.
    """

    def __init__(self, graph: Graph, name: str, dtype: Any) -> None:
        self.graph, self.name = graph, name
        self.dtype = dtype if dtype is str else np.dtype(dtype)

    def _node(self, kind: str, *others: Operand, dtype: Any = None, **attributes: Any) -> Any:
        inputs = [self._like(other) for other in (self, *others)]
        return self.graph.node(kind, inputs, dtype or self.dtype, **attributes)

    def _like(self, other: Operand) -> "Tensor":
        return other if isinstance(other, Tensor) else self.graph.constant(other, self.dtype)

    #: Lets numbers of NumPy leave arithmetic to this class.
    __array_ufunc__ = None

    def __add__(self, other: Operand) -> "Tensor":
        return self._node("Add", other)

    def __radd__(self, other: Operand) -> "Tensor":
        return self._node("Add", other)

    def __mul__(self, other: Operand) -> "Tensor":
        return self._node("Mul", other)

    def __rmul__(self, other: Operand) -> "Tensor":
        return self._node("Mul", other)

    def __sub__(self, other: Operand) -> "Tensor":
        return self._node("Sub", other)

    def __rsub__(self, other: Operand) -> "Tensor":
        return self._like(other)._node("Sub", self)

    def __truediv__(self, other: Operand) -> "Tensor":
        return self._node("Div", other)

    def __rtruediv__(self, other: Operand) -> "Tensor":
        return self._like(other)._node("Div", self)

    def __neg__(self) -> "Tensor":
        return self._node("Neg")

    def __abs__(self) -> "Tensor":
        return self._node("Abs")

    def __matmul__(self, other: "Tensor") -> "Tensor":
        return self._node("MatMul", other)

    def above(self, other: Operand) -> "Tensor":
        """Return whether elements are above others, as bool."""
        return self._node("Greater", other, dtype=np.bool_)

    def equals(self, other: Operand) -> "Tensor":
        """Return whether elements are equal to others, as bool."""
        return self._node("Equal", other, dtype=np.bool_)

    def is_nan(self) -> "Tensor":
        """Return whether elements are NaN, as bool."""
        return self._node("IsNaN", dtype=np.bool_)

    def chosen(self, where_true: "Tensor", where_false: "Tensor") -> "Tensor":
        """Return elements of one or the other, by a tensor of bool."""
        return self._node("Where", where_true, where_false, dtype=where_true.dtype)

    def at_least(self, bound: Operand) -> "Tensor":
        """Return the larger of elements and others."""
        return self._node("Max", bound)

    def at_most(self, bound: Operand) -> "Tensor":
        """Return the smaller of elements and others."""
        return self._node("Min", bound)

    def exp(self) -> "Tensor":
        """Return e to the power of elements."""
        return self._node("Exp")

    def log(self) -> "Tensor":
        """Return natural logarithms."""
        return self._node("Log")

    def sqrt(self) -> "Tensor":
        """Return square roots."""
        return self._node("Sqrt")

    def sigmoid(self) -> "Tensor":
        """Return 1 / (1 + exp(-x))."""
        return self._node("Sigmoid")

    def tanh(self) -> "Tensor":
        """Return hyperbolic tangents."""
        return self._node("Tanh")

    def erf_single(self) -> "Tensor":
        """Return the error function, of float32 only."""
        return self._node("Erf")

    def softmax(self) -> "Tensor":
        """Return the softmax of each row."""
        return self._node("Softmax", axis=1)

    def log_softmax(self) -> "Tensor":
        """Return the logarithm of the softmax of each row."""
        return self._node("LogSoftmax", axis=1)

    def sums(self) -> "Tensor":
        """Return the sum of each row, as a column."""
        axes = self.graph.constant([1], np.int64)
        return self._node("ReduceSum", axes, keepdims=1)

    def argmax(self) -> "Tensor":
        """Return the position of the first largest element of each row, without a column."""
        return self._node("ArgMax", dtype=np.int64, axis=1, keepdims=0)

    def columns(self, positions: Any) -> "Tensor":
        """Return the columns at some positions."""
        return self._node("Gather", self.graph.constant(positions, np.int64), axis=1)

    def rows(self, positions: "Tensor") -> "Tensor":
        """Return the rows at some positions."""
        return self._node("Gather", positions, axis=0)

    def flat(self) -> "Tensor":
        """Return all elements as a vector."""
        return self._node("Reshape", self.graph.constant([-1], np.int64))

    def cast(self, dtype: Any) -> "Tensor":
        """Return elements in another type."""
        if self.dtype == np.dtype(dtype):
            return self
        return self._node("Cast", dtype=dtype, to=_TYPES[np.dtype(dtype)])

    def put_out(self, variable: Any) -> None:
        """Let an output of the converter be this tensor."""
        self._node("Identity", output=variable.full_name)
