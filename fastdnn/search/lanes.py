"""A lane: one candidate in one fold, whose training goes on from rung to rung."""

import copy
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from sklearn.model_selection._validation import _score
from sklearn.utils.validation import _check_method_params

from fastdnn.estimators.ready import Ready
from fastdnn.models.hyperparameters import training_options
from fastdnn.models.transaction import twin_of
from fastdnn.search.candidates import Candidate
from fastdnn.search.inputs import Fold, FoldInput
from fastdnn.search.scoring import Scoring
from fastdnn.training.checkpoints import said_of_time
from fastdnn.training.notices import INTERRUPTED, Notice, Notices

_SET_MEANWHILE = {"warm_start": "exact", "checkpoint": None, "verbose": False}


class Goal(NamedTuple):
    """How far to train.

    Attributes
    ----------
    n_epochs : int
        In all, from the first rung on.
    horizon : int
        Epochs that schedules are made for.
    deadline : float
        When time is up, on the monotonic clock.
    """

    n_epochs: int
    horizon: int
    deadline: float


class Outcome(NamedTuple):
    """What a lane has come to at the end of a rung."""

    result: dict[str, Any]
    """As scikit-learn's searches collect it."""
    said: list[Notice]
    """Warnings of training, but for those that a rung causes by its end."""


class Lane:
    """One candidate in one fold.

    Parameters
    ----------
    candidate : Candidate
        What is trained.
    fold : Fold
        Where.

    Attributes
    ----------
    network : BaseDNN or None
        As it was at the end of the last rung; None before the first one, and where training
        has failed.
    input : FoldInput or Exception
        What it is trained on, or why there is nothing. Has to be set before `advance`.
    """

    fold: Fold
    input: FoldInput | Exception

    def __init__(self, candidate: Candidate, fold: Fold) -> None:
        self.candidate, self.fold = candidate, fold
        self.network: Any = None
        self._outcome: Outcome | None = None
        self._curves: Any = None
        self._n_epochs, self._has_failed = 0, False

    @property
    def history(self) -> Any:
        """The curves, or None."""
        return self._curves if self.network is None else self.network.history_

    def advance(
        self, goal: Goal, scoring: Scoring, stop: Callable[[], object]
    ) -> Outcome | None:
        """Train on to a goal and score; return None where it was not reached.

        Parameters
        ----------
        goal : Goal
            How far.
        scoring : Scoring
            How to score.
        stop : callable
            Is called where an interrupt has ended training.

        Raises
        ------
        Exception
            If training fails, and ``error_score='raise'``.
        """
        is_there = self._outcome is not None and self._n_epochs == goal.n_epochs
        if is_there or self._has_failed:
            return self._outcome
        if time.monotonic() >= goal.deadline:
            return None
        start = time.time()
        try:
            if isinstance(self.input, Exception):
                raise self.input
            network, ready, said = self._train(goal)
        except Exception:
            if scoring.error_score == "raise":
                raise
            self._has_failed, self.network = True, None
            failed = scoring.failed(time.time() - start, traceback.format_exc())
            self._outcome = Outcome(failed | {"n_test_samples": len(self.fold.test)}, [])
            return self._outcome
        if said.have_said(INTERRUPTED):
            stop()
            return None
        if network is None:
            return None
        result = self._scored(network, ready, scoring, time.time() - start)
        notices = [one for one in said if isinstance(one, Notice)]
        notices = [one for one in notices if "Maximum iterations" not in one.message]
        self.network, self._n_epochs = network, goal.n_epochs
        self._outcome = Outcome(result, notices)
        return self._outcome

    def _train(self, goal: Goal) -> tuple[Any, Ready, Notices]:
        """Return the network, or None where time was up before, and what is to be said."""
        goes_on = self.network is not None and self.candidate.network.solver != "lbfgs"
        network = twin_of(self.network if goes_on else self.candidate.network)
        if not goes_on:
            network._validate_params()
        network.warm_start = False  # classes are found, not compared with those of before
        # Not an error, which `advance` raises, as type checkers cannot know.
        ready = self.input.ready(network)  # type: ignore[union-attr]
        vars(network).update(_SET_MEANWHILE, max_iter=goal.n_epochs)
        start = network._go_on(False) if goes_on else None
        options = training_options(network)
        options.horizon = goal.horizon
        left = goal.deadline - time.monotonic()
        is_limited = options.max_time is None or left < options.max_time
        if left < float("inf") and is_limited:
            options.max_time = max(left, 1e-9)
        if options.solver != "lbfgs" and options.batch_size != "auto":
            options.batch_size = min(options.batch_size, ready.samples.n_rows)
        notices = network._train(ready, options, start=start)
        is_late = notices.have_said(said_of_time(options, network.n_iter_))
        if is_late and time.monotonic() >= goal.deadline:
            return None, ready, notices
        return network, ready, notices

    def _scored(
        self, network: Any, ready: Ready, scoring: Scoring, seconds: float
    ) -> dict[str, Any]:
        result: dict[str, Any] = {
            "fit_error": None,
            "fit_time": seconds,
            "n_test_samples": len(self.fold.test),
        }
        start = time.time()
        result["test_scores"] = self._score(network, scoring, is_train=False)
        result["score_time"] = time.time() - start
        if scoring.return_train_score:
            result["train_scores"] = self._score(network, scoring, is_train=True)
        return result

    def _score(self, network: Any, scoring: Scoring, is_train: bool) -> Any:
        of_input: Any = self.input
        rows = self.fold.train if is_train else self.fold.test
        y = self.fold.y_train if is_train else self.fold.y_test
        if scoring.takes_checked_rows:
            estimator, X = network, of_input.to_score(network, is_train)
        else:
            estimator = self.candidate.assembled(of_input.before, network)
            X = self.fold.rows_of(scoring.X, is_train=is_train)
        params = _check_method_params(scoring.X, params=scoring.params, indices=rows)
        return _score(estimator, X, y, scoring.scorer, params, scoring.error_score)

    def attached(self, fold: Fold, given: FoldInput | Exception) -> "Lane":
        """Return the same lane with a fold and an input, where it had none."""
        made = copy.copy(self)
        made.fold, made.input = fold, given
        return made

    def detached(self) -> "Lane":
        """Return the same lane without what others share, as it goes to another process."""
        made = copy.copy(self)
        for name in ("fold", "input"):
            vars(made).pop(name, None)
        return made

    def forget(self) -> None:
        """Let go of all but the curves: it does not go on."""
        self._curves, self.network = self.history, None
        vars(self).pop("input", None)

    def estimator(self) -> Any:
        """Return what was trained last as a fitted estimator; None if nothing was."""
        if self.network is None:
            return None
        of_input: Any = self.input
        network = twin_of(self.network)
        given = vars(self.candidate.network)
        vars(network).update({name: given[name] for name in _SET_MEANWHILE})
        if network.warm_start != "exact" and network.checkpoint is None:
            vars(network).pop("_resumable", None)
        return self.candidate.assembled(of_input.before, network)
