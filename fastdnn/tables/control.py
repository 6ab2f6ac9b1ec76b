"""What ends training before its time, and who is told how it goes."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sklearn.exceptions import ConvergenceWarning

from fastdnn.training.notices import Notices


@dataclass(frozen=True)
class Progress:
    """How training goes, for callbacks.

    Attributes
    ----------
    stage : {'pilot', 'ensemble'}
        Whether the networks that decide are trained, or those that are kept.
    epoch : float
        Epochs that are done; cycles may end within one.
    n_epochs : int
        Epochs of the stage.
    cycle : int
        The cycle, from 1 on.
    loss : float
        Mean training loss since the last record, over the networks.
    validation_loss : float or None
        Of the networks at the end of a cycle, where there are validation rows.
    validation_score : float or None
        By `scoring`, then; minus the loss with ``scoring='loss'``.
    seconds : float
        Since `fit` began.
    """

    stage: str
    epoch: float
    n_epochs: int
    cycle: int
    loss: float
    validation_loss: float | None
    validation_score: float | None
    seconds: float


class Control:
    """When training ends before its time, and who is told how it goes.

    Parameters
    ----------
    max_time : float or None
        Seconds from now; None for as long as it takes.
    callbacks : sequence of callable
        Functions of a `Progress`; training ends where one returns True.
    verbose : int
        Whether to print the end of each cycle; more than 1: of each epoch.

    Attributes
    ----------
    notices : Notices
        Warnings to give when all is done.
    stage : str
        Of what is trained at the moment, see `Progress`.
    """

    def __init__(
        self,
        max_time: float | None = None,
        callbacks: Sequence[Callable] = (),
        verbose: int = 0,
    ) -> None:
        self._start = time.monotonic()
        self._deadline = math.inf if max_time is None else self._start + max_time
        self._callbacks, self._verbose = callbacks, int(verbose)
        self._is_stopped = threading.Event()
        self.notices, self.stage = Notices(), "ensemble"

    @property
    def is_over(self) -> bool:
        """Whether training has to end."""
        return self._is_stopped.is_set() or time.monotonic() >= self._deadline

    @property
    def wants_epochs(self) -> bool:
        """Whether somebody is to be told of epochs within a cycle."""
        return bool(self._callbacks) or self._verbose > 1

    def stop(self) -> None:
        """Let all that trains end at its next look."""
        self._is_stopped.set()

    def interrupt(self) -> None:
        """Stop, since the user wants that."""
        self.stop()
        self.notices.warn("Training interrupted by user.")

    def note_lack_of_time(self) -> None:
        """Warn of time that was too short, if nothing else has ended training."""
        if not self._is_stopped.is_set():
            self.notices.warn(
                "max_time was reached before training was over; the networks are what they "
                "had come to. Raise max_time, or lower max_epochs.",
                ConvergenceWarning,
            )

    def report(
        self,
        epoch: float,
        n_epochs: int,
        cycle: int,
        loss: float,
        validation: tuple[float, float] | None = None,
        is_end_of_cycle: bool = False,
    ) -> None:
        """Tell all who want to know; stop where one of them says so."""
        validation_loss, score = (None, None) if validation is None else validation
        seconds = time.monotonic() - self._start
        progress = Progress(
            self.stage, epoch, n_epochs, cycle, loss, validation_loss, score, seconds
        )
        if self._verbose > 1 or (self._verbose and is_end_of_cycle):
            print(_line(progress))
        # All of them are told, also after one that wants to stop.
        if any([callback(progress) is True for callback in self._callbacks]):
            self.stop()


def _line(progress: Progress) -> str:
    line = (
        f"{progress.stage}: epoch {progress.epoch:.4g} of {progress.n_epochs}, cycle "
        f"{progress.cycle}, loss {progress.loss:.6g}"
    )
    if progress.validation_loss is not None:
        line += f", validation loss {progress.validation_loss:.6g}"
        if progress.validation_score != -progress.validation_loss:
            line += f", score {progress.validation_score:.6g}"
    return f"{line}, {progress.seconds:.1f} s"
