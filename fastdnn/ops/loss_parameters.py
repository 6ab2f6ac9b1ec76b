"""The numbers that losses have besides outputs and targets, and what those may be."""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

#: What a network says of its loss's parameter: one number, several, or None for the default.
Value = float | Sequence[float] | None


class LossParameter(NamedTuple):
    """A number that a loss has besides outputs and targets: above `low` and below `high`."""

    name: str
    default: float
    low: float = 0.0
    high: float = np.inf
    may_be_low: bool = False
    """Whether it may be `low` itself."""

    def numbers(self, loss: str, value: Any, n_outputs: int) -> tuple[float, ...]:
        """Return what the kernels are given, for a value or None.

        Raises
        ------
        ValueError
            If the parameter of that loss cannot have it.
        """
        if value is None:
            return (self.default,)
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        is_low_enough = is_number and value < self.high
        if is_low_enough and (value > self.low or (self.may_be_low and value == self.low)):
            return (float(value),)
        least = f"{'of at least' if self.may_be_low else 'above'} {self.low:g}"
        below = "finite" if np.isinf(self.high) else f"below {self.high:g}"
        raise ValueError(
            f"loss_parameter={value!r} must be a number {least} and {below}: it is the "
            f"{self.name} of {loss=}, by default {self.default:g}."
        )


class Levels(NamedTuple):
    """An ascending number between 0 and 1 for each output; by default evenly spaced ones."""

    name: str = "levels"

    def numbers(self, loss: str, value: Any, n_outputs: int) -> tuple[float, ...]:
        """Return what the kernels are given, for a sequence of numbers or None.

        Raises
        ------
        ValueError
            If the parameter of that loss cannot have it.
        """
        if value is None:
            return tuple((k + 1) / (n_outputs + 1) for k in range(n_outputs))
        levels = tuple(value) if isinstance(value, Sequence | np.ndarray) else ()
        are_numbers = all(isinstance(x, Real) and 0.0 < float(x) < 1.0 for x in levels)
        if len(levels) != n_outputs or not are_numbers or not are_ascending(levels):
            raise ValueError(
                f"loss_parameter={value!r} must be {n_outputs} ascending numbers between 0 "
                f"and 1: the {self.name} of {loss=}, one for each output."
            )
        return tuple(map(float, levels))


def are_ascending(numbers: Sequence[float]) -> bool:
    """Whether every number is larger than the one before."""
    return all(one < other for one, other in pairwise(numbers))
