"""Every converter, beside what it converts."""

from skl2onnx import update_registered_converter

from fastdnn.estimators.classifier import DNNClassifier
from fastdnn.estimators.regressor import DNNRegressor
from fastdnn.onnx import estimators, tables
from fastdnn.onnx.classes import OPTIONS
from fastdnn.tables import TableEncoder, TabularDNNClassifier, TabularDNNRegressor

# What has no scores but probabilities cannot be asked for them.
_OPTIONS_OF_TABLES = {name: values for name, values in OPTIONS.items() if name != "raw_scores"}

# Class, shapes of what is put out, converter, and what else skl2onnx is told.
_CONVERTERS: list[tuple] = [
    (
        DNNClassifier,
        estimators.classifier_shapes,
        estimators.convert_classifier,
        {"options": OPTIONS},
    ),
    (DNNRegressor, estimators.regressor_shapes, estimators.convert_regressor, {}),
    (
        TabularDNNClassifier,
        tables.classifier_shapes,
        tables.convert_classifier,
        {"options": _OPTIONS_OF_TABLES},
    ),
    (TabularDNNRegressor, tables.regressor_shapes, tables.convert_regressor, {}),
    (
        TableEncoder,
        tables.encoder_shapes,
        tables.convert_encoder,
        {"parser": tables.parse_encoder},
    ),
]


def register_all() -> None:
    """Tell skl2onnx of all of them."""
    for model, shapes, convert, others in _CONVERTERS:
        update_registered_converter(
            model, f"Fastdnn{model.__name__}", shapes, convert, **others
        )
