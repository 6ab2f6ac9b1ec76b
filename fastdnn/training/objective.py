"""What a fit is to reach: a low loss of a network on samples, and a high score."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters

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
    validation : Samples or None
        Rows to validate the network on; otherwise early stopping holds some out.
    split : pair of ndarray of int64 or None
        The rows to train on and those to hold out; None to draw them.
    score_by : callable or None
        ``score_by(parameters, samples)`` returns what scores those parameters, whatever
        values they have by then, on validation samples: a function of the score above and
        of the loss, which returns the score that decides, and others by their names. None
        for the score above alone.
    """

    samples: Samples
    network: Network
    score: Callable[[np.ndarray, np.ndarray, np.ndarray | None], float]
    is_stratified: bool = False
    validation: Samples | None = None
    split: tuple[np.ndarray, np.ndarray] | None = None
    score_by: Callable[[Parameters, Samples], Callable] | None = None

    def on(self, samples: Samples) -> "Objective":
        """Return the same objective on other samples."""
        return replace(self, samples=samples)

    def astype(self, dtype: np.typing.DTypeLike) -> "Objective":
        """Return the same objective with its samples in another precision."""
        validation = None if self.validation is None else self.validation.astype(dtype)
        return replace(self, samples=self.samples.astype(dtype), validation=validation)


def log_loss_cap(dtype: np.dtype) -> float:
    """Return the highest log-loss that scikit-learn reports: of a probability of eps."""
    return float(dtype.type(np.finfo(dtype).nmant * _LOG_2))
