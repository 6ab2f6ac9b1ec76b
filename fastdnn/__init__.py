"""scikit-learn's multi-layer perceptron, many times faster."""

import importlib
from typing import TYPE_CHECKING, Any

from fastdnn import _old_names
from fastdnn._load import load
from fastdnn._version import VERSION
from fastdnn._warmup import warmup
from fastdnn.estimators.classifier import DNNClassifier
from fastdnn.estimators.regressor import DNNRegressor
from fastdnn.ops.own_functions import Activation, Loss
from fastdnn.storage.model_file import ModelFileError
from fastdnn.storage.pickles import SKOPS_TRUSTED
from fastdnn.textbook.network import DeepNeuralNetwork

if TYPE_CHECKING:
    from fastdnn.displays.loss_curve import LossCurveDisplay
    from fastdnn.displays.network_picture import NetworkDisplay

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

# Imported when they are asked for.
_DISPLAYS = {"LossCurveDisplay": "loss_curve", "NetworkDisplay": "network_picture"}


def __getattr__(name: str) -> Any:
    if name not in _DISPLAYS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"fastdnn.displays.{_DISPLAYS[name]}"), name)
    return globals().setdefault(name, found)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
