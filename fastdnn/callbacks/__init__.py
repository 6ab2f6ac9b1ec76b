"""Callbacks: what scikit-learn tells of each epoch of a fit, and what can be made of it.

They are set by ``model.set_callbacks(...)``, with scikit-learn 1.9 or newer; `support` has
what estimators inherit for that, also with an older one. `epoch_callback` has the base class
of those here, and of your own: it is told of a fit, and of each epoch its numbers. `progress`
shows a `bar`, `tensorboard` and `mlflow_run` write the numbers where others show them,
`checkpoint` saves the model, `time_limit` ends training, and so does `optuna_pruning`.

To add one: a file with a subclass of `EpochCallback`, and its name here. Called by users and,
for the mixin and the bar, by the estimators.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastdnn.callbacks.checkpoint import Checkpoint
    from fastdnn.callbacks.epoch_callback import Epoch, EpochCallback
    from fastdnn.callbacks.mlflow_run import MLflow
    from fastdnn.callbacks.optuna_pruning import OptunaPruning
    from fastdnn.callbacks.progress import ProgressBar
    from fastdnn.callbacks.tensorboard import TensorBoard
    from fastdnn.callbacks.time_limit import TimeLimit

__all__ = [
    "Checkpoint",
    "Epoch",
    "EpochCallback",
    "MLflow",
    "OptunaPruning",
    "ProgressBar",
    "TensorBoard",
    "TimeLimit",
]

# Imported when they are asked for: the estimators, which import this room, need none of them.
_FILES = {
    "Checkpoint": "checkpoint",
    "Epoch": "epoch_callback",
    "EpochCallback": "epoch_callback",
    "MLflow": "mlflow_run",
    "OptunaPruning": "optuna_pruning",
    "ProgressBar": "progress",
    "TensorBoard": "tensorboard",
    "TimeLimit": "time_limit",
}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_FILES[name]}"), name)
    return globals().setdefault(name, found)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
