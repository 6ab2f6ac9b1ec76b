"""Where pickles of fastdnn 0.2 look for classes and functions that lie elsewhere now."""

import sys

from fastdnn import network
from fastdnn.estimators import classifier, regressor
from fastdnn.network import parameters
from fastdnn.prediction import predictor
from fastdnn.textbook.network import DeepNeuralNetwork
from fastdnn.training import history, state

_MOVED = {
    "fastdnn._history": history,
    "fastdnn._prediction": predictor,
    "fastdnn._parameters": parameters,
    "fastdnn._training": state,
    "fastdnn.classifier": classifier,
    "fastdnn.regressor": regressor,
}


def register() -> None:
    """Let the names of old modules stand for the new ones."""
    for name, module in _MOVED.items():
        sys.modules.setdefault(name, module)
    # The old module of this name is a room now, which type checkers do not know to have it.
    network.DeepNeuralNetwork = DeepNeuralNetwork  # type: ignore[attr-defined]
