"""The candidates of one search, and what has become of them so far."""

import math
import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import joblib
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)

from fastdnn.search.candidates import Candidate
from fastdnn.search.inputs import Fold
from fastdnn.search.lanes import Goal, Lane, Outcome
from fastdnn.search.on_dask import DaskPool, FarLane
from fastdnn.search.pool import Pool
from fastdnn.search.scoring import Scoring


class Contest:
    """The candidates of one fit, what has become of them, and by when.

    Parameters
    ----------
    owner : BaseDNNSearchCV
        The search, with its parameters.
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

    def __init__(self, owner: Any, folds: Sequence[Fold], scoring: Scoring) -> None:
        self._owner, self._folds, self._scoring = owner, folds, scoring
        limit = owner.time_limit
        self.deadline = math.inf if limit is None else time.monotonic() + float(limit)
        self.pool: Any = (
            Pool(_threads(owner.n_jobs))
            if owner.client is None
            else DaskPool(owner.client, folds, scoring)
        )
        self.results: dict[str, Any] | None = None
        self.is_complete, self.first_score = True, None
        self._lanes: list[list[Lane | FarLane]] = []
        self._shown: list[int] = []  # the candidate of each row of the results
        self._params: list[dict[str, Any]] = []
        self._out: list[dict[str, Any]] = []
        self._more: dict[str, list] = defaultdict(list)
        self._said: dict[tuple, int] = {}

    def begin(self, params: Sequence[dict[str, Any]]) -> list[Candidate]:
        """Make the candidates."""
        candidates = [Candidate(self._owner.estimator, own) for own in params]
        self._lanes = [self.pool.lanes_of(one, self._folds) for one in candidates]
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
        of_lanes = [Goal(*goal, self.deadline) for goal in goals for _ in self._folds]
        outcomes: list[Outcome | None] = self.pool.advance(lanes, of_lanes, self._scoring)
        n_folds = len(self._folds)
        for i, (position, shown) in enumerate(zip(positions, params, strict=True)):
            of_folds = outcomes[i * n_folds : (i + 1) * n_folds]
            done = [outcome for outcome in of_folds if outcome is not None]
            if len(done) < n_folds:
                self.is_complete = False
                continue
            self._shown.append(position)
            self._params.append(shown)
            self._out += [outcome.result for outcome in done]
            for name, value in more.items():
                self._more[name].append(value)
            for notice in (one for outcome in done for one in outcome.said):
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
