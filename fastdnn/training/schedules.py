"""How the learning rate changes: a table of schedules by name.

What can be foreseen is a function of how far training has come, and is computed ahead: of
every step a factor of the rate, or of every epoch the rate itself, as scikit-learn has it.
That the loss no longer falls cannot be. Powers and cosines are made of sums and products, or
rounded once: those of C libraries differ in their last bit.
"""

import decimal
import math
from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from fastdnn.training.options import Options

# 'adaptive' lowers the rate no further.
_SMALLEST_RATE = 1e-6
# Of one cycle (Smith and Topin, 2018), as PyTorch has them: the share of training in which the
# rate rises, the highest rate by the first, and the first by the last.
_RISE, _FIRST, _LAST = 0.3, 25.0, 1e4
_LOG_2 = 0.6931471805599453


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


class Steps(NamedTuple):
    """Some steps of training.

    Attributes
    ----------
    before : ndarray of float64
        How many steps there are before each of them.
    total : int
        Steps of ``max_iter`` epochs.
    """

    before: np.ndarray
    total: int

    @property
    def fractions(self) -> np.ndarray:
        """What is done of training before each step; 1 in what goes on after its end."""
        return np.minimum(self.before / self.total, 1.0)


#: Before the first step of an optimiser.
START = Progress(0, 0.0)


class Schedule(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    rate : callable or None
        ``rate(options, progress)`` of each epoch, with options of training; None if the rate
        stays.
    factors : callable or None
        ``factors(options, steps)`` is what the rate of each step is multiplied by.
    on_plateau : callable or None
        ``on_plateau(rate)`` is the rate to go on with where training would stop, as too many
        epochs brought no improvement; it returns None to stop all the same.
    on_patience : callable or None
        ``on_patience(options, rate)`` is the rate to go on with whenever
        ``learning_rate_patience`` epochs brought no improvement.
    warms_up : bool
        Whether the factors are multiplied by those of ``learning_rate_warmup``; otherwise they
        know of it.
    """

    rate: Callable[[Options, Progress], float] | None = None
    factors: Callable[[Options, Steps], np.ndarray] | None = None
    on_plateau: Callable[[float], float | None] | None = None
    on_patience: Callable[[Options, float], float] | None = None
    warms_up: bool = True


def _inverse_scaling(options: Options, progress: Progress) -> float:
    decay = _power(progress.n_samples + 1, options.power_t)
    return float(options.learning_rate_init) / decay


def _power(base: float, exponent: float) -> float:
    """Return a power, rounded once."""
    with decimal.localcontext() as context:
        context.prec, context.traps = 25, dict.fromkeys(context.traps, False)
        return float(decimal.Decimal(base) ** decimal.Decimal(float(exponent)))


def _fifth(rate: float) -> float | None:
    return rate / 5.0 if rate > _SMALLEST_RATE else None


def _lowered(options: Options, rate: float) -> float:
    return rate * float(options.learning_rate_factor)


# -- factors of steps ---------------------------------------------------------------------


def _series(x: np.ndarray, first: float, n_terms: int, divisor: Callable) -> np.ndarray:
    """Return ``first * (1 + x / divisor(1) * (1 + x / divisor(2) * (1 + ...)))``."""
    total = np.ones_like(x)
    for k in range(n_terms, 0, -1):
        total = 1.0 + x / divisor(k) * total
    return first * total


def half_cosine(x: np.ndarray) -> np.ndarray:
    """Return ``(1 + cos(pi * x)) / 2`` for `x` from 0 to 1.

    It is the square of a cosine, and near 1 that of a sine, so that it ends with 0.
    """
    near_end = x > 0.5
    angle = 0.5 * math.pi * np.where(near_end, 1.0 - x, x)
    # Terms of the sine up to angle**21 / 21!, which is below a rounding up to pi / 4.
    sine = angle * _series(-angle * angle, 1.0, 10, lambda k: 2.0 * k * (2.0 * k + 1.0))
    return np.where(near_end, sine * sine, 1.0 - sine * sine)


def power_of(base: float, x: np.ndarray) -> np.ndarray:
    """Return powers of a `base` above 0."""
    with decimal.localcontext() as context:
        context.prec = 25
        in_twos = float(decimal.Decimal(base).ln() / decimal.Decimal(2).ln())
    y = x * in_twos
    whole = np.rint(y)
    # exp(z) for z up to log(2) / 2, up to z**16 / 16!, which is below a rounding.
    z = (y - whole) * _LOG_2
    return np.ldexp(_series(z, 1.0, 16, float), whole.astype(np.int64))


def _cosine(options: Options, steps: Steps) -> np.ndarray:
    return half_cosine(steps.fractions)


def _one_cycle(options: Options, steps: Steps) -> np.ndarray:
    rise, last = options.learning_rate_warmup or _RISE, steps.total - 1.0
    before, peak = np.minimum(steps.before, last), rise * steps.total - 1.0
    low, lowest = 1.0 / _FIRST, 1.0 / _FIRST / _LAST
    up = 1.0 - half_cosine(np.clip(before / peak, 0.0, 1.0)) if peak > 0.0 else 1.0
    down = half_cosine(np.clip((before - peak) / (last - peak), 0.0, 1.0))
    rising, falling = low + (1.0 - low) * up, lowest + (1.0 - lowest) * down
    return np.where(before <= peak, rising, falling)


def _exponential(options: Options, steps: Steps) -> np.ndarray:
    return power_of(float(options.learning_rate_factor), steps.fractions)


def _steps(options: Options, steps: Steps) -> np.ndarray:
    thresholds = np.asarray(options.learning_rate_steps, np.float64)
    factor = float(options.learning_rate_factor)
    factors = np.array([_power(factor, n) for n in range(thresholds.size + 1)])
    return factors[np.searchsorted(thresholds, steps.fractions, side="right")]


def _of_callable(factor_of: Callable[[float], Any]) -> Schedule:
    """Return the schedule of a user's own function of the fraction of training done."""

    def factors(options: Options, steps: Steps) -> np.ndarray:
        values = np.empty(steps.before.size)
        for i, fraction in enumerate(steps.fractions.tolist()):
            value = factor_of(fraction)
            is_number = isinstance(value, Real) and not isinstance(value, bool)
            if not is_number or not 0.0 <= float(value) < math.inf:
                raise ValueError(
                    f"learning_rate={factor_of!r} returned {value!r} for step "
                    f"{int(steps.before[i]) + 1} of {steps.total}, at {fraction:g} of "
                    "training, but must return the factor of learning_rate_init there: a "
                    "finite number >= 0."
                )
            values[i] = value
        return values

    return Schedule(factors=factors)


#: The values of the parameter ``learning_rate``.
SCHEDULES = {
    "constant": Schedule(),
    "invscaling": Schedule(rate=_inverse_scaling),
    "adaptive": Schedule(on_plateau=_fifth),
    "cosine": Schedule(factors=_cosine),
    "one_cycle": Schedule(factors=_one_cycle, warms_up=False),
    "exponential": Schedule(factors=_exponential),
    "steps": Schedule(factors=_steps),
    "plateau": Schedule(on_patience=_lowered),
}
# Schedules of scikit-learn's that are not for Adam there.
_NOT_OF_ADAM = "invscaling", "adaptive"


def schedule_of(options: Options, optimizer: str) -> Schedule:
    """Return the schedule of an optimiser: as in scikit-learn, Adam ignores two of them."""
    name = options.learning_rate
    if callable(name):
        return _of_callable(name)
    return SCHEDULES["constant" if optimizer == "adam" and name in _NOT_OF_ADAM else name]


def first_rate(schedule: Schedule, options: Options) -> float:
    """Return the learning rate that the first steps start from."""
    if schedule.rate is None:
        return float(options.learning_rate_init)
    return schedule.rate(options, START)


def has_factors(schedule: Schedule, options: Options) -> bool:
    """Whether steps have learning rates of their own."""
    return schedule.factors is not None or _warms_up(schedule, options)


def factors_of(schedule: Schedule, options: Options, steps: Steps) -> np.ndarray:
    """Return what the learning rate of each of some steps is multiplied by."""
    factors = np.ones(steps.before.size)
    if schedule.factors is not None:
        factors = schedule.factors(options, steps)
    if _warms_up(schedule, options):
        of_warmup = (steps.before + 1.0) / (options.learning_rate_warmup * steps.total)
        factors = factors * np.minimum(of_warmup, 1.0)
    return factors


def _warms_up(schedule: Schedule, options: Options) -> bool:
    return schedule.warms_up and options.learning_rate_warmup > 0.0
