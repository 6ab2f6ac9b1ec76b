"""Conformal prediction: limits and sets that hold the truth of so many of all new samples.

Samples that a model has not seen have scores: how far the truth was from what was predicted.
Those of one group were predicted by the same model. With one group, of samples that were kept
apart, this is split conformal prediction (Vovk et al., 2005): of all new samples that come
from where those came from, a share of at least `level` is covered. With a group for each
member, of the samples that it left out, it is CV+ (Barber et al., 2021; for classes Romano,
Sesia and Candes, 2020): the share is at least 2 * level - 1, less about the root of 2 / n, in
the worst case, and close to `level` unless members differ wildly. Both hold for any model.
"""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

# The bisection ends: float64 has 53 bits, and an exponent that a few steps find.
_MOST_HALVINGS = 80


class Band(NamedTuple):
    """What one group's model says of samples: where a target is without any error.

    Attributes
    ----------
    low, high : ndarray of shape (n_samples, n_targets)
        Equal, unless it predicts two quantiles.
    scale : ndarray of shape (n_samples, n_targets) or float
        What errors are counted in.
    """

    low: np.ndarray
    high: np.ndarray
    scale: Any = 1.0

    def scores(self, Y: np.ndarray) -> np.ndarray:
        """Return how far targets lie outside of it; below 0 inside."""
        return np.maximum(self.low - Y, Y - self.high) / self.scale


def require_level(level: Any) -> None:
    """Raise ValueError unless `level` is a number between 0 and 1."""
    is_number = isinstance(level, Real) and not isinstance(level, bool | np.bool_)
    if not is_number or not 0.0 < level < 1.0:
        raise ValueError(f"level={level!r} must be a number between 0 and 1, such as 0.9.")


def rank_of(level: float, n_scores: int) -> int:
    """Return which of so many ascending scores, and one more, the level asks for."""
    return max(1, math.ceil(level * (n_scores + 1) - 1e-9))


def limits(
    bands: Sequence[Band], scores: Sequence[np.ndarray], level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the limits of each target of each sample.

    Parameters
    ----------
    bands : sequence of Band
        Of each group.
    scores : sequence of ndarray of shape (n_known, n_targets)
        Of each group's known samples, ascending in each column.
    level : float
        Share of the samples whose targets are to lie within.

    Returns
    -------
    low, high : ndarray of shape (n_samples, n_targets)
        Infinite where there are too few scores for the level.
    """
    upper = [(band.high, band.scale) for band in bands]
    lower = [(-band.low, band.scale) for band in bands]
    return -_upper_limits(lower, scores, level), _upper_limits(upper, scores, level)


def _upper_limits(
    ends: Sequence[tuple[np.ndarray, Any]], scores: Sequence[np.ndarray], level: float
) -> np.ndarray:
    """Return the lowest v with ``end + score * scale <= v`` for enough of all scores."""
    n_samples, n_targets = ends[0][0].shape
    out = np.empty((n_samples, n_targets))
    rank = rank_of(level, sum(map(len, scores)))
    for target in range(n_targets):
        groups = [
            (end[:, target], np.broadcast_to(scale, end.shape)[:, target], known[:, target])
            for (end, scale), known in zip(ends, scores, strict=True)
            if len(known)
        ]
        out[:, target] = _bisected(groups, rank, n_samples)
    return out


def _bisected(groups: list, rank: int, n_samples: int) -> np.ndarray:
    if rank > sum(len(known) for _, _, known in groups):
        return np.full(n_samples, np.inf)
    of_all = [end + known[[0, -1], np.newaxis] * scale for end, scale, known in groups]
    low = np.min([first for first, _ in of_all], axis=0)
    high = np.max([last for _, last in of_all], axis=0)
    for _ in range(_MOST_HALVINGS):
        middle = 0.5 * low + 0.5 * high
        counts = sum(
            np.searchsorted(known, (middle - end) / scale, side="right")
            for end, scale, known in groups
        )
        is_enough = counts >= rank
        if (is_enough & (middle == high) | ~is_enough & (middle == low)).all():
            break
        high, low = np.where(is_enough, middle, high), np.where(is_enough, low, middle)
    return high


def label_sets(
    P: Sequence[np.ndarray], scores: Sequence[np.ndarray], level: float
) -> np.ndarray:
    """Return which classes are in the set of each sample: those that are probable enough.

    A class scores 1 minus its probability, the least ambiguous sets (Sadinle et al., 2019).

    Parameters
    ----------
    P : sequence of ndarray of shape (n_samples, n_classes)
        Probabilities by each group's model.
    scores : sequence of ndarray of shape (n_known,)
        Of the true classes of each group's known samples, ascending.
    level : float
        Share of the samples whose class is to be in the set.

    Returns
    -------
    ndarray of bool of shape (n_samples, n_classes)
    """
    rank = rank_of(level, sum(map(len, scores)))
    n_below = np.zeros(P[0].shape, np.int64)
    for p, known in zip(P, scores, strict=True):
        n_below += np.searchsorted(known, 1.0 - p, side="left")
    return n_below < rank


def sorted_scores(scores: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Return scores in ascending order, without those of samples of no weight."""
    return np.sort(scores if weight is None else scores[weight != 0.0], axis=0)
