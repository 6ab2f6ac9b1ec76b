"""What shards have to say, added up: always in their order, so that the bits are the same."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastdnn.distributed.rounds import Part

#: So many are added up at a time, where there are many shards. It is part of the result.
FAN_IN = 8


class Sum(NamedTuple):
    """The sum of some parts, in float64."""

    vectors: tuple[np.ndarray, ...]
    """Of means each times its weight."""
    loss: float
    """Of all rows."""
    weight: float
    """Of all rows."""
    n_rows: int
    """Rows seen."""


def sum_of_means(parts: Sequence[Part]) -> Sum:
    """Add up what are means over rows, each times the weight of its rows."""
    return _sum(parts, lambda part: part.weight)


def sum_of_sums(parts: Sequence[Part | Sum]) -> Sum:
    """Add up what are sums already."""
    return _sum(parts, lambda part: 1.0)


def _sum(parts: Sequence[Part | Sum], factor: Callable[[Any], float]) -> Sum:
    totals = [np.zeros(vector.shape, np.float64) for vector in parts[0].vectors]
    loss, weight, n_rows = 0.0, 0.0, 0
    for part in parts:
        for total, vector in zip(totals, part.vectors, strict=True):
            total += vector.astype(np.float64) * factor(part)
        loss, weight, n_rows = loss + part.loss, weight + part.weight, n_rows + part.n_rows
    return Sum(tuple(totals), loss, weight, n_rows)


def added_up(
    parts: list[Any], first: Callable, call: Callable[[Callable, list[Any]], Any]
) -> Any:
    """Add up parts in groups, and these in groups, until there is one.

    Parameters
    ----------
    parts : list
        In the order of the shards; or stand-ins for them, such as futures.
    first : callable
        Adds up some of them: `sum_of_means` or `sum_of_sums`.
    call : callable
        ``call(function, group)`` does that, or lets it be done.
    """
    add = first
    while True:
        parts = [call(add, parts[i : i + FAN_IN]) for i in range(0, len(parts), FAN_IN)]
        if len(parts) == 1:
            return parts[0]
        add = sum_of_sums
