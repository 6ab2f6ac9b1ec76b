"""scikit-learn's multi-layer perceptron, many times faster."""

from fastdnn import _old_names
from fastdnn._load import load
from fastdnn._version import VERSION
from fastdnn._warmup import warmup
from fastdnn.displays.loss_curve import LossCurveDisplay
from fastdnn.displays.network_picture import NetworkDisplay
from fastdnn.estimators.classifier import DNNClassifier
from fastdnn.estimators.regressor import DNNRegressor
from fastdnn.ops.own_functions import Activation, Loss
from fastdnn.storage.model_file import ModelFileError
from fastdnn.storage.pickles import SKOPS_TRUSTED
from fastdnn.textbook.network import DeepNeuralNetwork

__version__ = VERSION
_old_names.register()

__all__ = [
    "SKOPS_TRUSTED",
    "Activation",
    "DNNClassifier",
    "DNNRegressor",
    "DeepNeuralNetwork",
    "Loss",
    "LossCurveDisplay",
    "ModelFileError",
    "NetworkDisplay",
    "__version__",
    "load",
    "warmup",
]
