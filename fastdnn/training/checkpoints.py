"""When a fit writes its state down, and when its time is up."""

import math
import time
from collections.abc import Callable

from fastdnn.training.options import Options


class Checkpoints:
    """Writes the state of a fit at ends of epochs, when that is due.

    Parameters
    ----------
    options : Options
        Hyperparameters.
    write : callable
        Writes a checkpoint.
    n_iter : int
        Epochs that were done before.
    """

    def __init__(self, options: Options, write: Callable[[], None], n_iter: int) -> None:
        seconds, epochs = options.checkpoint_seconds, options.checkpoint_epochs
        self._write, self._n_iter = write, n_iter
        self._seconds = math.inf if seconds is None else float(seconds)
        self._epochs = math.inf if epochs is None else int(epochs)
        self._written = time.monotonic()

    def epochs_until_due(self, n_iter: int) -> float:
        """Return after how many more epochs one is due, whatever time they take."""
        return max(1, self._n_iter + self._epochs - n_iter)

    def is_due(self, n_iter: int) -> bool:
        """Return whether one is to be written after so many epochs."""
        is_late = time.monotonic() - self._written >= self._seconds
        return is_late or n_iter - self._n_iter >= self._epochs

    def write(self, n_iter: int) -> None:
        """Write one after so many epochs."""
        self._write()
        self._n_iter, self._written = n_iter, time.monotonic()


def deadline_of(options: Options, incremental: bool) -> float:
    """Return when the time of a fit that begins now is up, on the monotonic clock."""
    if options.max_time is None or incremental:
        return math.inf
    return time.monotonic() + float(options.max_time)
