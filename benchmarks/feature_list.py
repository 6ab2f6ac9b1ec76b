"""The features whose cost is measured: one table of what each is, as parameters.

PyTorch's contender (`benchmarks.torch_features`) reads the same parameters.
"""

from typing import Any, NamedTuple


class Feature(NamedTuple):
    """A row: what a training step may have besides, or instead."""

    name: str
    group: str
    options: dict[str, Any]
    """Parameters of the estimator; those of the base hold for the rest."""
    is_regression: bool = False
    """Whether it is compared with a regression by the squared error."""
    same_loss: bool = True
    """Whether PyTorch must come to the same loss, within 2 %, before times are taken."""
    in_torch: bool = True
    """Whether PyTorch has it."""
    validates: bool = False
    """Whether a validation set is given."""


#: What both contenders are told of the base: ReLU and Adam, and no penalty, since PyTorch's
#: optimisers differ in what they make of one.
BASE: dict[str, Any] = {"alpha": 0.0}

_ACTIVATIONS = (
    *("identity", "logistic", "tanh", "leaky_relu", "elu", "selu", "gelu", "silu", "mish"),
    *("softplus", "hardswish", "prelu"),
)
_SOLVERS = (
    *("sgd", "adamw", "amsgrad", "nadam", "radam", "adamax", "adagrad", "adadelta"),
    *("rmsprop", "lion"),
)


def _falling(fraction: float) -> float:
    return 1.0 - 0.5 * fraction


#: All of them.
FEATURES = [
    *(Feature(name, "activation", {"activation": name}) for name in _ACTIVATIONS),
    *(
        # PyTorch's NAdam has a schedule of its momentum, and Lion is not PyTorch's.
        Feature(name, "optimiser", {"solver": name}, in_torch=name != "lion")
        for name in _SOLVERS
    ),
    Feature("dropout 0.2", "layers", {"dropout": 0.2}, same_loss=False),
    Feature("input dropout 0.2", "layers", {"dropout": "input"}, same_loss=False),
    Feature("input noise", "layers", {"input_noise": 0.1}, same_loss=False),
    Feature("layer normalisation", "layers", {"normalization": "layer"}),
    Feature("L2 penalty", "step", {"alpha": 1e-4}),
    Feature("L1 penalty", "step", {"l1": 1e-3}),
    Feature("weight decay", "step", {"weight_decay": 0.01}),
    Feature("max norm", "step", {"max_norm": 1.0}),
    Feature("clipping by norm", "step", {"clip_norm": 0.1}),
    Feature("clipping by value", "step", {"clip_value": 0.01}),
    Feature("EMA", "step", {"ema_decay": 0.99}),
    Feature("SWA", "step", {"swa_start": 0.4}),
    Feature("cosine", "schedule", {"learning_rate": "cosine"}),
    Feature("one cycle", "schedule", {"learning_rate": "one_cycle"}, same_loss=False),
    Feature("exponential", "schedule", {"learning_rate": "exponential"}),
    Feature("steps", "schedule", {"learning_rate": "steps"}),
    Feature("plateau", "schedule", {"learning_rate": "plateau"}, same_loss=False),
    # Here the share of a step counts, there whole steps do: of few steps that is a difference.
    Feature("warm-up", "schedule", {"learning_rate_warmup": 0.2}, same_loss=False),
    Feature("callable", "schedule", {"learning_rate": _falling}),
    Feature("label smoothing", "loss", {"label_smoothing": 0.1}),
    Feature("focal", "loss", {"loss": "focal"}),
    Feature("hinge", "loss", {"loss": "hinge"}),
    *(
        Feature(loss, "loss", {"loss": loss}, is_regression=True)
        for loss in ("absolute_error", "huber", "log_cosh", "quantile")
    ),
    *(
        # Their constants and the scale of the variance differ.
        Feature(loss, "loss", {"loss": loss}, is_regression=True, same_loss=False)
        for loss in ("poisson", "gamma", "tweedie", "gaussian_nll")
    ),
    Feature("validation set", "control", {}, validates=True),
    Feature("early stopping", "control", {"early_stopping": True}, validates=True),
]
#: Is reported by itself: seconds for each time that it is written.
CHECKPOINT = "checkpoint"
