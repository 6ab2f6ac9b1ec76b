"""Scores of validation rows, which decide when training stops: the same bits everywhere.

They are scikit-learn's, up to rounding. Its sums are NumPy's, whose order differs from one
version to another; `math.fsum` rounds once, whatever the order.
"""

import math
from collections.abc import Sequence

import numpy as np
from sklearn.utils.stats import _weighted_percentile


def mean_accuracy(correct: np.ndarray, weight: np.ndarray | None) -> float:
    """Return the weighted share of samples that are predicted right.

    Parameters
    ----------
    correct : ndarray of bool, shape (n_samples,)
        Which samples are.
    weight : ndarray of shape (n_samples,) or None
        Weight of each sample.
    """
    if weight is None:
        return int(np.count_nonzero(correct)) / correct.size
    total = _sum(weight)
    return _sum(weight[correct]) / total if total != 0.0 else math.nan


def r2(Y: np.ndarray, outputs: np.ndarray, weight: np.ndarray | None) -> float:
    """Return the coefficient of determination, meaned over the targets.

    Parameters
    ----------
    Y, outputs : ndarray of shape (n_samples, n_targets)
        Targets, and what is predicted.
    weight : ndarray of shape (n_samples,) or None
        Weight of each sample.

    Returns
    -------
    float
        As of `sklearn.metrics.r2_score`: of a target that is constant 1 if it is predicted
        exactly, and otherwise 0.
    """
    w = np.ones(len(Y)) if weight is None else weight.astype(np.float64)
    total, scores = _sum(w), []
    with np.errstate(over="ignore", invalid="ignore"):  # the score is not finite then
        for target, output in zip(
            Y.T.astype(np.float64), outputs.T.astype(np.float64), strict=True
        ):
            mean = _sum(w * target) / total if total != 0.0 else math.nan
            residual = _sum(w * np.square(target - output))
            spread = _sum(w * np.square(target - mean))
            if spread != 0.0:
                scores.append(1.0 - residual / spread)
            else:
                scores.append(1.0 if residual == 0.0 else 0.0)
    return math.fsum(scores) / len(scores)


def d2_pinball(
    Y: np.ndarray, outputs: np.ndarray, levels: Sequence[float], weight: np.ndarray | None
) -> float:
    """Return the share of pinball losses that is explained, meaned over levels or targets.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_targets)
        Targets: one, or with a single level any number.
    outputs : ndarray of shape (n_samples, n_outputs)
        What is predicted: a quantile for each level, or for each target.
    levels : sequence of float
        Of the quantiles.
    weight : ndarray of shape (n_samples,) or None
        Weight of each sample.

    Returns
    -------
    float
        As of `sklearn.metrics.d2_pinball_score`: 1 minus the loss over that of the best
        constant, the quantile of the targets.
    """
    n_outputs = outputs.shape[1]
    w = np.ones(len(Y)) if weight is None else weight.astype(np.float64)
    targets = np.broadcast_to(Y.astype(np.float64), (len(Y), n_outputs))
    scores = []
    for k in range(n_outputs):
        level, target = levels[k % len(levels)], targets[:, k]
        predicted = outputs[:, k].astype(np.float64)
        if weight is None:
            constant = float(np.quantile(target, level))
        else:
            constant = float(_weighted_percentile(target, w, 100.0 * level))
        with np.errstate(over="ignore", invalid="ignore"):  # the score is not finite then
            loss, most = (
                _sum(w * np.maximum(level * differences, (level - 1.0) * differences))
                for differences in (target - predicted, target - constant)
            )
        scores.append(1.0 - loss / most if most != 0.0 else float(loss == 0.0))
    return math.fsum(scores) / len(scores)


def _sum(numbers: np.ndarray) -> float:
    try:
        return math.fsum(numbers.tolist())
    except (OverflowError, ValueError):  # infinite, or infinities of both signs
        return math.nan
