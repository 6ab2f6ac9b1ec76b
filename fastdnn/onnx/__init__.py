"""ONNX: models that run wherever onnxruntime does, without Python.

`registration` has `register` and `to_onnx`; `converters` lists what is converted, and
`samples` has `inputs_of`, which feeds a converted model.

A `graph` lets converters write formulas with tensors. `activations`, of which one needs an
`error_function`, make a `network`, and `means` are those of several; `inputs` and `classes`
are what goes in and out. `estimators` has the converters of the estimators, `tables`,
`encoder` and `levels` those of tables.

On top of all other rooms. skl2onnx and onnx are imported by a call, never by an import.
"""

from fastdnn.onnx.registration import register, to_onnx
from fastdnn.onnx.samples import inputs_of

__all__ = ["inputs_of", "register", "to_onnx"]
