"""What a fit is to reach: a low loss of a network on samples, and a high score."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.network.description import Network

_LOG_2 = 0.6931471805599453


@dataclass
class Objective:
    """The loss of a network's outputs on samples, and how outputs are scored.

    Attributes
    ----------
    samples : Samples
        The rows to train on.
    network : Network
        The layers and the loss.
    score : callable
        ``score(outputs, Y, weight)`` says how good outputs are, for early stopping.
    is_stratified : bool
        Whether samples that are held out have the classes of all.
    """

    samples: Samples
    network: Network
    score: Callable[[np.ndarray, np.ndarray, np.ndarray | None], float]
    is_stratified: bool = False

    def on(self, samples: Samples) -> "Objective":
        """Return the same objective on other samples."""
        return replace(self, samples=samples)


def log_loss_cap(dtype: np.dtype) -> float:
    """Return the highest log-loss that scikit-learn reports: of a probability of eps."""
    return float(dtype.type(np.finfo(dtype).nmant * _LOG_2))
