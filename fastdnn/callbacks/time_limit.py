"""`TimeLimit`: ends training when a whole search has taken too long."""

import datetime
from numbers import Real
from typing import Any

from fastdnn.callbacks.epoch_callback import Epoch, EpochCallback


class TimeLimit(EpochCallback):
    """Ends training after the first epoch that ends so long after the outermost fit began.

    The parameter ``max_time`` limits one fit, and looks in the middle of an epoch, too. This
    limits all fits of a search, or the steps of a pipeline, together: once it is over, each
    further fit is ended after its first epoch.

    Parameters
    ----------
    seconds : float
        From the beginning of the outermost `fit`.

    Examples
    --------
    >>> from fastdnn.callbacks import TimeLimit
    >>> limit = TimeLimit(3600)
    >>> limit.seconds
    3600
    """

    def __init__(self, seconds: float) -> None:
        is_number = isinstance(seconds, Real) and not isinstance(seconds, bool)
        if not is_number or not seconds > 0:
            raise ValueError(f"seconds={seconds!r} must be a number above 0.")
        self.seconds = seconds

    def begin_fit(self, estimator: Any, context: Any) -> datetime.datetime:
        """Return when the time will be over; in another process, too, by its clock."""
        while context.parent is not None:
            context = context.parent
        return context.init_time + datetime.timedelta(seconds=float(self.seconds))

    def end_epoch(self, estimator: Any, epoch: Epoch, run: datetime.datetime) -> bool:
        """Say whether it is over."""
        return _now() >= run


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
