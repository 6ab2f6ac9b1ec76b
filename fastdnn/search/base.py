"""What both searches share: candidates by folds in one pool of threads, and what is kept."""

import math
import time
from numbers import Integral, Real
from typing import Any, ClassVar, Self

from sklearn.base import clone, is_classifier
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import indexable
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_method_params

from fastdnn.distributed.client import WithClient
from fastdnn.distributed.dask_imports import require_client
from fastdnn.models.decorators import validating
from fastdnn.models.documentation import DocumentationLink
from fastdnn.search.candidates import network_of
from fastdnn.search.contest import Contest
from fastdnn.search.inputs import FitParams, Fold, Table
from fastdnn.search.scoring import Scoring

_LEFT_BY_FITS = (
    *("best_estimator_", "best_index_", "best_score_", "best_params_", "refit_time_"),
    *("cv_results_", "feature_names_in_", "history_", "is_complete_"),
)


class BaseDNNSearchCV(WithClient, DocumentationLink, BaseSearchCV):
    """A search whose candidates train side by side on one X; see the subclasses."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseSearchCV._parameter_constraints,
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
    }
    _parameter_constraints.pop("pre_dispatch")
    estimator: Any
    time_limit: float | None
    n_jobs: int | None

    @classmethod
    def _get_param_names(cls) -> list[str]:
        # A client can be neither copied nor pickled: as a connection, it is no parameter.
        return [name for name in super()._get_param_names() if name != "client"]

    def _require_fitting(self) -> None:
        """Raise where parameters do not fit each other."""
        network_of(self.estimator)
        if self.client is not None:
            require_client(self.client, "threads of this process")
        if getattr(self, "_skl_callbacks", None):
            raise ValueError(
                f"{type(self).__name__} has no callbacks. Remove them by set_callbacks(); the "
                "curves of all candidates are in history_."
            )
        if isinstance(self.n_jobs, Integral) and self.n_jobs == 0:
            raise ValueError(
                "n_jobs == 0 has no meaning. Use None for as many as there are CPUs."
            )

    def _run(self, contest: Contest) -> None:
        """Let candidates advance until there are the results to choose from."""
        raise NotImplementedError

    @validating
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Try all candidates, and fit the best one to all samples.

        Ctrl-C, and a `time_limit` that is over, leave what has been done by then:
        `cv_results_` of the candidates that all folds have a score of, and as
        `best_estimator_` the network of the best one in the first fold, as it is, with a
        warning.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        **params : dict of str to object
            ``groups`` for the splitter; ``sample_weight``, ``X_val``, ``y_val`` and
            ``sample_weight_val`` for the network, in a pipeline after the name of the step
            and two underscores. With scikit-learn's metadata routing as that says.

        Returns
        -------
        DNNSearchCV or HalvingDNNSearchCV
            This search.

        Raises
        ------
        ValueError
            If a parameter is not valid, or all fits of a rung fail.
        TypeError
            If the estimator is none of ours.
        KeyboardInterrupt
            At Ctrl-C before any candidate has a score in each fold.
        """
        self._require_fitting()
        for name in _LEFT_BY_FITS:
            self.__dict__.pop(name, None)
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(cv.split(X, y, **routed.splitter.split))
        self.n_splits_ = len(splits)
        if not splits:
            raise ValueError(
                "No fits were performed. Was the CV iterator empty? Were there no candidates?"
            )
        scoring = Scoring(
            scorers, routed.scorer.score, self.return_train_score, self.error_score, X
        )
        fit_params = FitParams(self.estimator, routed.estimator.fit)
        whole = Table(X, y)
        folds = [Fold(whole, train, test, fit_params) for train, test in splits]
        contest = Contest(self, folds, scoring)
        try:
            self._run(contest)
        except KeyboardInterrupt:
            contest.pool.is_interrupted, contest.is_complete = True, False
        self._publish(contest, scorers, refit_metric)
        self._refit(contest, X, y, routed.estimator.fit)
        contest.warn()
        return self

    def _publish(self, contest: Contest, scorers: Any, refit_metric: Any) -> None:
        """Set what was found."""
        self.is_complete_ = contest.is_complete
        self.history_ = contest.histories()
        results = contest.results
        if results is None:
            if contest.pool.is_interrupted:
                raise KeyboardInterrupt
            raise ValueError(
                f"time_limit={self.time_limit} seconds were over before any candidate had a "
                "score in each fold. Raise it, or search among fewer candidates."
            )
        first = contest.first_score
        self.multimetric_ = isinstance(first, dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(first)
            refit_metric = self.refit
        self.cv_results_ = results
        is_multi = isinstance(scorers, _MultimetricScorer)
        self.scorer_ = scorers._scorers if is_multi else scorers
        if self.refit or not self.multimetric_:
            self.best_index_ = self._best_index(refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]

    def _best_index(self, refit_metric: Any, results: dict[str, Any]) -> int:
        return self._select_best_index(self.refit, refit_metric, results)

    def _refit(self, contest: Contest, X: Any, y: Any, params: dict[str, Any]) -> None:
        """Set the best estimator: fitted anew to all samples, if there is time left."""
        if not self.refit:
            return
        start = time.time()
        best: Any = None
        if contest.is_complete:
            best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
            network = network_of(best)
            own = network.max_time
            left = contest.deadline - time.monotonic()
            if left < math.inf and (own is None or left < own):
                network.max_time = max(left, 1e-9)
            try:
                best.fit(X, y, **params)
                network.max_time = own
            except KeyboardInterrupt:
                best, self.is_complete_ = None, False
                contest.pool.is_interrupted = True
        if best is None:
            best = contest.estimator_at(self.best_index_)
        if best is None:
            raise KeyboardInterrupt
        self.best_estimator_, self.refit_time_ = best, time.time() - start
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_
