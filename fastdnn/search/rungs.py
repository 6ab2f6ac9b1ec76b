"""How many candidates train for how many epochs: scikit-learn's rule, and where rungs lie.

Where the step size depends on how far training has come, a rung lies where it is annealed: a
network in the middle of a cycle says little of what it will be at its end.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastdnn.training.options import Options
from fastdnn.training.schedules import Steps, factors_of, has_factors, schedule_of
from fastdnn.training.state import optimizer_name

# Step sizes are looked at as if an epoch had so many steps; up to this share of the largest
# one they are as good as zero.
_STEPS, _AS_GOOD_AS_ZERO = 1000, 0.05
# Choices of rungs that are compared at most.
_MOST_CHOICES = 100_000


class Rungs(NamedTuple):
    """The rungs of a search.

    Attributes
    ----------
    n_resources : list of int
        Epochs that a network has trained for at the end of each rung.
    n_required, n_possible : int
        Rungs until less than ``factor`` candidates are left, and those that there are
        epochs for.
    smallest : int
        Epochs of the first one, by the rule.
    """

    n_resources: list[int]
    n_required: int
    n_possible: int
    smallest: int


def rungs_of(
    n_candidates: int, factor: float, smallest: int, largest: int, *, exhausts: bool, all: bool
) -> Rungs:
    """Return the rungs as scikit-learn's halving searches have them.

    Parameters
    ----------
    n_candidates : int
        In the first rung.
    factor : float
        By which candidates become fewer, and epochs more.
    smallest, largest : int
        Epochs of the first rung, and of the last one at most.
    exhausts : bool
        Whether the first rung is to be as long as lets the last one have all epochs.
    all : bool
        Whether rungs that there are no epochs for repeat the first one.
    """
    n_required = 1 + math.floor(math.log(n_candidates, factor))
    if exhausts:
        smallest = max(smallest, int(largest // factor ** (n_required - 1)))
    n_possible = 1 + math.floor(math.log(largest // smallest, factor))
    n_rungs = n_required if all else min(n_possible, n_required)
    n_resources = []
    for rung in range(n_rungs):
        power = max(0, rung - n_required + n_possible) if all else rung
        n_resources.append(min(int(factor**power * smallest), largest))
    return Rungs(n_resources, n_required, n_possible, smallest)


def depends_on_horizon(options: Options) -> bool:
    """Whether a network after some epochs is another one where training goes on longer."""
    return options.swa_start is not None or has_factors(_schedule(options), options)


def annealed_epochs(options: Options, horizon: int) -> set[int]:
    """Return after which epochs the step size has come down to zero, and the last one.

    That it has, and then rises again, is what makes a cycle.
    """
    schedule = _schedule(options)
    if not has_factors(schedule, options):
        return {horizon}
    before = np.arange(1, horizon + 1) * _STEPS - 1
    total = horizon * _STEPS
    ends = factors_of(schedule, options, Steps(before.astype(np.float64), total))
    middles = factors_of(schedule, options, Steps(before - 0.5 * _STEPS, total))
    largest = max(ends.max(), middles.max())
    is_low = ends <= _AS_GOOD_AS_ZERO * largest
    is_low[1:] &= ends[1:] <= ends[:-1]
    is_low[:-1] &= ends[:-1] < ends[1:]
    return {*(np.flatnonzero(is_low) + 1).tolist(), horizon}


def _schedule(options: Options) -> Any:
    name = optimizer_name(options.solver, options.nesterovs_momentum)
    return schedule_of(options, name)


def at_annealed(n_resources: Sequence[int], annealed: set[int], horizon: int) -> list[int]:
    """Return rungs that lie where step sizes are zero, as near as can be; the last at the end.

    Rungs that repeat each other stay together. Where there are not as many such epochs as
    rungs, the first rungs stay where they are.

    Parameters
    ----------
    n_resources : sequence of int
        Epochs of each rung by the rule.
    annealed : set of int
        Where step sizes are zero.
    horizon : int
        The last epoch.
    """
    wanted = sorted(set(n_resources))
    places = sorted(place for place in annealed if place < horizon)
    n_moved = min(len(wanted) - 1, len(places))
    kept, moved = wanted[: len(wanted) - 1 - n_moved], wanted[len(wanted) - 1 - n_moved : -1]
    places = [place for place in places if not kept or place > kept[-1]]
    while len(places) < len(moved):
        kept, moved = [*kept, moved[0]], moved[1:]
        places = [place for place in places if place > kept[-1]]
    choices = itertools.islice(itertools.combinations(places, len(moved)), _MOST_CHOICES)
    nearest = min(choices, key=lambda choice: _distance(choice, moved))
    new = [*kept, *nearest, horizon]
    return [new[wanted.index(n)] for n in n_resources]


def _distance(places: Sequence[int], wanted: Sequence[int]) -> float:
    return sum(abs(math.log(a / b)) for a, b in zip(places, wanted, strict=True))
