"""Scores predictions for validation rows by the parameter `scoring`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastdnn.estimators.scorers import Metric, metrics_of, require_scorable, takes_weights
from fastdnn.models.transaction import twin_of


def metric_of(estimator: Any) -> Metric | None:
    """Return what the parameter `scoring` asks for; None for the loss.

    Raises
    ------
    ValueError
        If there is no such scorer, or it needs what the estimator does not have.
    """
    (metric,) = metrics_of(estimator.scoring)
    if isinstance(metric.scorer, str):
        return None
    require_scorable(estimator, [metric])
    return metric


def score_by(
    metric: Metric, estimator: Any, X: Any, y: np.ndarray, weight: np.ndarray | None
) -> Callable[[np.ndarray], float]:
    """Return what scores predictions for rows of a table.

    Scorers ask estimators: they are given a twin of this one, which knows targets but has no
    networks, and predicts what is to be scored.

    Parameters
    ----------
    metric : Metric
        From `metric_of`.
    estimator : BaseTabularDNN
        With fitted targets.
    X, y : table, ndarray
        The validation rows, as the user gave them.
    weight : ndarray or None
        Their weights, for scorers that take some.
    """
    keywords = {}
    scorer = type(estimator).score if metric.scorer is None else metric.scorer
    if weight is not None and takes_weights(scorer):
        keywords["sample_weight"] = weight

    def score(predictions: np.ndarray) -> float:
        view: Any = twin_of(estimator)
        vars(view)["_predictions"] = lambda given: predictions[np.newaxis]
        try:
            value = float(scorer(view, X, y, **keywords))
        except Exception as error:
            raise ValueError(
                f"scoring={estimator.scoring!r} failed on the {len(y)} validation samples "
                f"with {type(error).__name__}: {error}"
            ) from error
        if np.isnan(value):
            raise ValueError(
                f"scoring={estimator.scoring!r} is nan on the {len(y)} validation samples, "
                "and nothing can be decided by that. Use another score, or validation "
                "samples that it is defined for."
            )
        return value

    return score
