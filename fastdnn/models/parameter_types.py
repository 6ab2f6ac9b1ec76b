"""The types that hyperparameters have in signatures, for type checkers."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from fastdnn.ops.own_functions import Activation, Loss

Float: TypeAlias = float | np.floating[Any]
Int: TypeAlias = int | np.integer[Any]
Auto: TypeAlias = Literal["auto"]
HiddenLayers: TypeAlias = Int | Sequence[Int] | np.ndarray
ActivationName: TypeAlias = Literal[
    "identity",
    "logistic",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "hardswish",
    "prelu",
]
OneActivation: TypeAlias = ActivationName | Activation
Activations: TypeAlias = OneActivation | Sequence[OneActivation]
ClassifierLoss: TypeAlias = Literal["log_loss", "focal", "hinge"] | Loss
RegressorLoss: TypeAlias = (
    Literal[
        "squared_error",
        "absolute_error",
        "huber",
        "log_cosh",
        "quantile",
        "poisson",
        "gamma",
        "tweedie",
        "gaussian_nll",
    ]
    | Loss
)
Floats: TypeAlias = Float | Sequence[Float] | np.ndarray
Solver: TypeAlias = Literal[
    "lbfgs",
    "sgd",
    "adam",
    "adamw",
    "amsgrad",
    "nadam",
    "radam",
    "adamax",
    "adagrad",
    "adadelta",
    "rmsprop",
    "lion",
]
Schedule: TypeAlias = (
    Literal[
        "constant",
        "invscaling",
        "adaptive",
        "cosine",
        "one_cycle",
        "exponential",
        "steps",
        "plateau",
    ]
    | Callable[[float], float]
)
RandomState: TypeAlias = Int | np.random.RandomState | None
Path: TypeAlias = str | os.PathLike[str] | None
#: Cross-validators of scikit-learn, which has no types.
Splits: TypeAlias = Float | Iterable[Any] | Any
Scoring: TypeAlias = str | Callable[..., Any] | Sequence[Any] | Mapping[str, Any] | None
ClassWeight: TypeAlias = (
    Mapping[Any, Float] | Sequence[Mapping[Any, Float]] | Literal["balanced"] | None
)
Precision: TypeAlias = Literal["float32", "float64", "auto"]
TableActivation: TypeAlias = Literal["relu", "silu", "gelu", "mish", "tanh", "leaky_relu"]
NumericEncoding: TypeAlias = Literal["auto", "quantile", "tree", "linear"]
Columns: TypeAlias = Literal["from_dtype"] | Sequence[Any] | np.ndarray | None
TableScoring: TypeAlias = str | Callable[..., Any] | None
Callbacks: TypeAlias = Sequence[Callable[..., Any]] | None
