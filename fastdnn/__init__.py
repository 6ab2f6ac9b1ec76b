"""scikit-learn's multi-layer perceptron, many times faster."""

from fastdnn._model_files.errors import ModelFileError
from fastdnn._model_files.loading import load
from fastdnn._storage import SKOPS_TRUSTED
from fastdnn._version import VERSION
from fastdnn._warmup import warmup
from fastdnn.classifier import DNNClassifier
from fastdnn.network import DeepNeuralNetwork
from fastdnn.regressor import DNNRegressor

__version__ = VERSION

__all__ = [
    "SKOPS_TRUSTED",
    "DNNClassifier",
    "DNNRegressor",
    "DeepNeuralNetwork",
    "ModelFileError",
    "__version__",
    "load",
    "warmup",
]
