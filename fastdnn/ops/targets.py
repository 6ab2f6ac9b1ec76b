"""What losses ask of their targets: checks of one-column-an-output targets.

Every function returns a check, which is given those and the output activation.
"""

from collections.abc import Callable

import numpy as np

# What the sum of probabilities that were written down with few digits may be off by.
_ROUNDED_SUM = 1e-2


#: Raises ValueError where targets do not fit.
TargetCheck = Callable[[np.ndarray, str], None]


def take_probabilities(loss: str, sums_to_one: str = "softmax") -> TargetCheck:
    """Refuse what is no probability, or does not sum to 1 with one output activation."""

    def check(Y: np.ndarray, output_activation: str) -> None:
        if Y.min() < 0.0 or Y.max() > 1.0:
            raise ValueError(
                f"Y must lie between 0 and 1 for {loss=}, got values from "
                f"{Y.min():g} to {Y.max():g}."
            )
        if output_activation == sums_to_one:
            sums = Y.sum(axis=1)
            if (np.abs(sums - 1.0) > _ROUNDED_SUM).any():
                row = int(np.argmax(np.abs(sums - 1.0)))
                raise ValueError(
                    f"Each row of Y must sum to 1 for a {sums_to_one} output with {loss=}, "
                    f"but row {row} sums to {sums[row]:g}."
                )

    return check


def take_not_negative(loss: str) -> TargetCheck:
    """Refuse targets below 0."""

    def check(Y: np.ndarray, output_activation: str) -> None:
        if Y.min() < 0.0:
            raise ValueError(f"Y must not be negative for {loss=}, got {Y.min():g}.")

    return check


def take_positive(loss: str) -> TargetCheck:
    """Refuse targets that are not above 0."""

    def check(Y: np.ndarray, output_activation: str) -> None:
        if Y.min() <= 0.0:
            raise ValueError(f"Y must be above 0 for {loss=}, got {Y.min():g}.")

    return check


def take_all(Y: np.ndarray, output_activation: str) -> None:
    """Refuse nothing: this one is itself a check."""
