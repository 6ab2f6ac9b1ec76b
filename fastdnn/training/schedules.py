"""How the learning rate changes: a table of schedules by name.

What can be foreseen is a function of how far training has come, so that it can be computed
ahead for any step; that the loss no longer falls cannot be.
"""

import decimal
from collections.abc import Callable
from typing import NamedTuple

from fastdnn.training.options import Options

# Plateaus lower the rate no further.
_SMALLEST_RATE = 1e-6


class Progress(NamedTuple):
    """How far training has come.

    Attributes
    ----------
    n_samples : int
        Samples seen, in all fits that went on from each other.
    fraction : float
        Done of the epochs of this fit, from 0 to 1.
    """

    n_samples: int
    fraction: float


#: Before the first step of an optimiser.
START = Progress(0, 0.0)


class Schedule(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    rate : callable or None
        ``rate(options, progress)``, with options of training; None if the rate stays.
    on_plateau : callable or None
        ``on_plateau(rate)`` is the rate to go on with where training would stop, as too many
        epochs brought no improvement; it returns None to stop all the same.
    """

    rate: Callable[[Options, Progress], float] | None = None
    on_plateau: Callable[[float], float | None] | None = None


def _inverse_scaling(options: Options, progress: Progress) -> float:
    decay = _power(progress.n_samples + 1, options.power_t)
    return float(options.learning_rate_init) / decay


def _power(base: float, exponent: float) -> float:
    """Return a power, rounded once: those of C libraries differ in their last bit."""
    with decimal.localcontext() as context:
        context.prec, context.traps = 25, dict.fromkeys(context.traps, False)
        return float(decimal.Decimal(base) ** decimal.Decimal(float(exponent)))


def _fifth(rate: float) -> float | None:
    return rate / 5.0 if rate > _SMALLEST_RATE else None


#: The values of the parameter ``learning_rate``.
SCHEDULES = {
    "constant": Schedule(),
    "invscaling": Schedule(rate=_inverse_scaling),
    "adaptive": Schedule(on_plateau=_fifth),
}


def schedule_of(options: Options, optimizer: str) -> Schedule:
    """Return the schedule of an optimiser: as in scikit-learn, Adam's rate is constant."""
    return SCHEDULES["constant" if optimizer == "adam" else options.learning_rate]


def first_rate(schedule: Schedule, options: Options) -> float:
    """Return the learning rate of the first step."""
    if schedule.rate is None:
        return float(options.learning_rate_init)
    return schedule.rate(options, START)
