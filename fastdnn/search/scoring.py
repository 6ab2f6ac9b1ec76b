"""How the networks of a search are scored, as scikit-learn's searches score."""

from typing import Any, NamedTuple

from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer, _PassthroughScorer


class Scoring(NamedTuple):
    """How to score.

    Attributes
    ----------
    scorer : callable
        ``scorer(estimator, X, y)``.
    params : dict
        What it is given besides.
    return_train_score : bool
        Whether to score on the rows of training, too.
    error_score : 'raise' or float
        Of what fails.
    X : array-like
        All rows as given.
    """

    scorer: Any
    params: dict[str, Any]
    return_train_score: bool
    error_score: Any
    X: Any

    @property
    def takes_checked_rows(self) -> bool:
        """Whether the scorer does nothing with X but to let the estimator predict it."""
        scorers = [self.scorer]
        if isinstance(self.scorer, _MultimetricScorer):
            scorers = list(self.scorer._scorers.values())
        return all(isinstance(one, _BaseScorer | _PassthroughScorer) for one in scorers)

    def failed(self, seconds: float, error: str) -> dict[str, Any]:
        """Return the result of a fit that has failed after some time."""
        scores = self.error_score
        if isinstance(self.scorer, _MultimetricScorer):
            scores = dict.fromkeys(self.scorer._scorers, scores)
        result = {"fit_error": error, "fit_time": seconds, "score_time": 0.0}
        result["test_scores"] = scores.copy() if isinstance(scores, dict) else scores
        if self.return_train_score:
            result["train_scores"] = scores.copy() if isinstance(scores, dict) else scores
        return result
