"""The hyperparameters of one fit, and what two of them stand for."""

import warnings
from types import SimpleNamespace
from typing import Any

# From the warning below up to the line that called `fit`.
_FRAMES_TO_USER = 11


class Options(SimpleNamespace):
    """The hyperparameters of training, each an attribute with its name in the estimators.

    `fastdnn.models.hyperparameters` declares which they are.

    Attributes
    ----------
    horizon : int or None
        Epochs that schedules are made for, where training is to stop before their end; None
        for ``max_iter``.
    """

    horizon: int | None = None


def horizon_of(options: Options) -> int:
    """Return how many epochs training has in all: after them schedules have ended."""
    return int(options.max_iter if options.horizon is None else options.horizon)


# Where the parameter is None, as PyTorch has it.
_WEIGHT_DECAY_OF_ADAMW = 0.01


def weight_decay_of(options: Options) -> float:
    """Return the decoupled weight decay that the parameter of that name stands for."""
    if options.weight_decay is None:
        return _WEIGHT_DECAY_OF_ADAMW if options.solver == "adamw" else 0.0
    return float(options.weight_decay)


def rows_of_batch(batch_size: Any, n_rows: int) -> int:
    """Return how many samples a step has.

    Parameters
    ----------
    batch_size : int or 'auto'
        The parameter of that name; a warning says that one above `n_rows` is clipped.
    n_rows : int
        All samples.
    """
    if batch_size == "auto":
        return min(200, n_rows)
    if batch_size > n_rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going "
            "to be clipped",
            stacklevel=_FRAMES_TO_USER,
        )
    return int(min(batch_size, n_rows))
