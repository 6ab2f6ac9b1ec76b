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

    def at_most(self, n_epochs: int, n_iter: int) -> int:
        """Return how many of some epochs may follow the first `n_iter` before one is due."""
        return int(max(1, min(n_epochs, self._n_iter + self._epochs - n_iter)))

    def is_due(self, n_iter: int) -> bool:
        """Return whether one is to be written after so many epochs."""
        is_late = time.monotonic() - self._written >= self._seconds
        return is_late or n_iter - self._n_iter >= self._epochs

    def write(self, n_iter: int) -> None:
        """Write one after so many epochs."""
        self._write()
        self._n_iter, self._written = n_iter, time.monotonic()


def deadline_of(options: Options) -> float:
    """Return when the time of a fit that begins now is up, on the monotonic clock."""
    if options.max_time is None:
        return math.inf
    return time.monotonic() + float(options.max_time)


def said_of_time(options: Options, n_iter: int) -> str:
    """Return the warning that the time was up after so many epochs."""
    unit = "iterations" if options.solver == "lbfgs" else "epochs"
    goes_on = "" if options.solver == "lbfgs" else ", or go on with warm_start='exact'"
    return (
        f"max_time={options.max_time} seconds were over after {n_iter} {unit}, and the "
        f"optimization hasn't converged yet. Raise it{goes_on}."
    )
