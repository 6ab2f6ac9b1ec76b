"""What both searches share: candidates by folds in one pool of threads, and what is kept."""

import functools
import math
import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import joblib
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import indexable
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_method_params

from fastdnn.models.decorators import validating
from fastdnn.search.candidates import Candidate, network_of, prefix_of
from fastdnn.search.inputs import Fold, FitParams, Table
from fastdnn.search.lanes import Goal, Lane
from fastdnn.search.pool import Pool
from fastdnn.search.scoring import Scoring

_LEFT_BY_FITS = (
    *("best_estimator_", "best_index_", "best_score_", "best_params_", "refit_time_"),
    *("cv_results_", "feature_names_in_", "history_", "is_complete_"),
)


class BaseDNNSearchCV(BaseSearchCV):
    """A search whose candidates train side by side on one X; see the subclasses."""

    _parameter_constraints: dict = {
        **{k: v for k, v in BaseSearchCV._parameter_constraints.items() if k != "pre_dispatch"},
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
    }
    estimator: Any
    time_limit: float | None
    n_jobs: int | None

    def _require_fitting(self) -> None:
        """Raise where parameters do not fit each other."""
        network_of(self.estimator)
        if getattr(self, "_skl_callbacks", None):
            raise ValueError(
                f"{type(self).__name__} has no callbacks. Remove them by set_callbacks(); the "
                "curves of all candidates are in history_."
            )
        if isinstance(self.n_jobs, Integral) and self.n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning. Use None for as many as there are CPUs.")

    def _run(self, search: "Search") -> None:
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
            scorers, routed.scorer.score, self.return_train_score, self.error_score, X, y
        )
        fit_params = FitParams(self.estimator, routed.estimator.fit)
        whole = Table(X, y)
        folds = [Fold(whole, train, test, fit_params) for train, test in splits]
        search = Search(self, folds, scoring)
        try:
            self._run(search)
        except KeyboardInterrupt:
            search.pool.is_interrupted = True
        self._publish(search, scorers, refit_metric)
        self._refit(search, X, y, routed.estimator.fit)
        search.warn()
        return self

    def _publish(self, search: "Search", scorers: Any, refit_metric: Any) -> None:
        """Set what was found."""
        self.is_complete_ = search.is_complete
        self.history_ = search.histories()
        results = search.results
        if results is None:
            if search.pool.is_interrupted:
                raise KeyboardInterrupt
            raise ValueError(
                f"time_limit={self.time_limit} seconds were over before any candidate had a "
                "score in each fold. Raise it, or search among fewer candidates."
            )
        first = search.first_score
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

    def _refit(self, search: "Search", X: Any, y: Any, params: dict[str, Any]) -> None:
        """Set the best estimator: fitted anew to all samples, if there is time left."""
        if not self.refit:
            return
        start = time.time()
        best: Any = None
        if search.is_complete:
            best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
            network = network_of(best)
            own = network.max_time
            left = search.deadline - time.monotonic()
            if left < math.inf and (own is None or left < own):
                network.max_time = max(left, 1e-9)
            try:
                best.fit(X, y, **params)
                network.max_time = own
            except KeyboardInterrupt:
                best, self.is_complete_ = None, False
                search.pool.is_interrupted = True
        if best is None:
            best = search.estimator_at(self.best_index_)
        if best is None:
            raise KeyboardInterrupt
        self.best_estimator_, self.refit_time_ = best, time.time() - start
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_


class Search:
    """The candidates of one fit, what has become of them, and by when.

    Parameters
    ----------
    owner : BaseDNNSearchCV
        With its parameters.
    folds : sequence of Fold
        The splits of X.
    scoring : Scoring
        How to score.

    Attributes
    ----------
    results : dict or None
        ``cv_results_``; None before a candidate has a score in each fold.
    is_complete : bool
        Whether all that was begun has been done.
    deadline : float
        When time is up, on the monotonic clock.
    """

    def __init__(self, owner: BaseDNNSearchCV, folds: Sequence[Fold], scoring: Scoring) -> None:
        self._owner, self._folds, self._scoring = owner, folds, scoring
        limit = owner.time_limit
        self.deadline = math.inf if limit is None else time.monotonic() + float(limit)
        self.pool = Pool(_threads(owner.n_jobs))
        self.results: dict[str, Any] | None = None
        self.is_complete, self.first_score = True, None
        self._lanes: list[list[Lane]] = []
        self._shown: list[int] = []  # the candidate of each row of the results
        self._params: list[dict[str, Any]] = []
        self._out: list[dict[str, Any]] = []
        self._more: dict[str, list] = defaultdict(list)
        self._said: dict[tuple, int] = {}

    def begin(self, params: Sequence[dict[str, Any]]) -> list[Candidate]:
        """Make the candidates."""
        candidates = [Candidate(self._owner.estimator, own) for own in params]
        self._lanes = [[Lane(one, fold) for fold in self._folds] for one in candidates]
        return candidates

    def advance(
        self,
        positions: Sequence[int],
        goals: Sequence[tuple[int, int]],
        params: Sequence[dict[str, Any]],
        more: dict[str, Any],
    ) -> bool:
        """Train candidates on and take in their scores; return whether all were done.

        Parameters
        ----------
        positions : sequence of int
            Which candidates.
        goals : sequence of tuple of int
            Of each, for how many epochs, and for which horizon.
        params : sequence of dict
            As the results show them.
        more : dict of str to object
            What else the results say of each.
        """
        if self._owner.verbose > 0:
            print(
                f"Fitting {len(self._folds)} folds for each of {len(positions)} candidates, "
                f"totalling {len(self._folds) * len(positions)} fits"
            )
        lanes = [lane for position in positions for lane in self._lanes[position]]
        outcomes = [None] * len(lanes)
        if self.pool.prepare(lanes, self.deadline):
            of_lanes = [
                Goal(*goal, self.deadline) for goal in goals for _ in self._folds
            ]
            outcomes = self.pool.run(
                [
                    functools.partial(lane.advance, goal, self._scoring, self.pool.stop)
                    for lane, goal in zip(lanes, of_lanes, strict=True)
                ]
            )
        n_folds = len(self._folds)
        for i, (position, shown) in enumerate(zip(positions, params, strict=True)):
            of_folds = outcomes[i * n_folds : (i + 1) * n_folds]
            if any(outcome is None for outcome in of_folds):
                self.is_complete = False
                continue
            self._shown.append(position)
            self._params.append(shown)
            self._out += [outcome.result for outcome in of_folds]
            for name, value in more.items():
                self._more[name].append(value)
            for notice in (one for outcome in of_folds for one in outcome.said):
                self._said[notice.message, notice.category] = (
                    self._said.get((notice.message, notice.category), 0) + 1
                )
        self._take_results([o.result for o in outcomes if o is not None])
        return self.is_complete

    def _take_results(self, new: list[dict[str, Any]]) -> None:
        if not self._params:
            return
        if new:
            _warn_or_raise_about_fit_failures(new, self._owner.error_score)
        if callable(self._owner.scoring):
            _insert_error_scores(self._out, self._owner.error_score)
        self.first_score = self._out[0]["test_scores"]
        self.results = self._owner._format_results(
            self._params, len(self._folds), self._out, self._more
        )

    def forget_others_than(self, positions: Sequence[int]) -> None:
        """Let go of the networks of candidates that do not go on."""
        kept = set(positions)
        for position, lanes in enumerate(self._lanes):
            for lane in lanes:
                if position not in kept:
                    lane.forget()
        self.pool.forget([lane for position in kept for lane in self._lanes[position]])

    def histories(self) -> list[dict[str, Any]]:
        """Return the curves of all candidates."""
        return [
            {"params": lanes[0].candidate.params, "folds": [lane.history for lane in lanes]}
            for lanes in self._lanes
        ]

    def position_of(self, row: int) -> int:
        """Return which candidate a row of the results is of."""
        return self._shown[row]

    def estimator_at(self, row: int) -> Any:
        """Return what the candidate of a row of the results has come to in a fold."""
        lanes = self._lanes[self.position_of(row)]
        made = (lane.estimator() for lane in lanes)
        return next((one for one in made if one is not None), None)

    def warn(self) -> None:
        """Say what is to be said of all fits."""
        n_fits = sum(len(lanes) for lanes in self._lanes)
        for (message, category), count in self._said.items():
            warnings.warn(f"{message} ({count} of {n_fits} fits.)", category, stacklevel=4)
        what = (
            f"{len(set(self._shown))} of {len(self._lanes)} candidates have scores, and "
            "best_estimator_ is the best one's network of one fold."
        )
        if self.pool.is_interrupted:
            warnings.warn(f"Search interrupted by user. {what}", stacklevel=4)
        elif not self.is_complete:
            warnings.warn(
                f"time_limit={self._owner.time_limit} seconds were over. {what} Raise it.",
                ConvergenceWarning,
                stacklevel=4,
            )


def _threads(n_jobs: int | None) -> int | None:
    """Return how many threads a parameter stands for; None for as many as there are CPUs."""
    if n_jobs is None:
        return None
    return n_jobs if n_jobs > 0 else max(1, joblib.cpu_count() + 1 + n_jobs)


def resource_of(estimator: Any) -> str:
    """Return the name of the parameter of a search's estimator that has its epochs."""
    return f"{prefix_of(estimator)}max_iter"

