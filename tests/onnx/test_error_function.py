"""The error function in both precisions, against SciPy's."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from scipy import special

from fastdnn.onnx.error_function import erf
from fastdnn.onnx.graph import Graph, Tensor
from tests.onnx.sessions import session_of


class Nodes:
    """As much of skl2onnx as formulas need."""

    target_opset = 18

    def __init__(self):
        self.nodes, self.constants = [], []

    def get_unique_variable_name(self, name):
        return f"{name}_{len(self.nodes)}_{len(self.constants)}"

    get_unique_operator_name = get_unique_variable_name

    def add_node(self, kind, inputs, outputs, op_domain="", name=None, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, outputs, name, **attributes))

    def add_initializer(self, name, kind, shape, content):
        self.constants.append(content)


@pytest.mark.parametrize(
    ("dtype", "kind", "error"),
    [(np.float32, TensorProto.FLOAT, 5e-7), (np.float64, TensorProto.DOUBLE, 1e-14)],
)
def test_values(dtype, kind, error):
    nodes = Nodes()
    y = erf(Tensor(Graph(nodes, nodes), "x", dtype))
    graph = helper.make_graph(
        nodes.nodes,
        "erf",
        [helper.make_tensor_value_info("x", kind, [None])],
        [helper.make_tensor_value_info(y.name, kind, [None])],
        nodes.constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", nodes.target_opset)], ir_version=8
    )
    x = np.concatenate([np.linspace(-9.0, 9.0, 2001), [-1e200, 1e30, 0.0]])
    x = np.clip(x, np.finfo(dtype).min, None).astype(dtype)
    (found,) = session_of(model).run(None, {"x": x})
    np.testing.assert_allclose(found, special.erf(x.astype(np.float64)), rtol=0, atol=error)
