"""Members: several networks of one estimator, trained side by side on the same samples.

Each is an estimator with one network, as if it had been fitted alone with a seed of its own:
whatever training can do it does for members. No result depends on how many threads there are.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from fastdnn.data.folds import deal_out, others_than
from fastdnn.data.samples import Samples
from fastdnn.estimators.conformal import sorted_scores
from fastdnn.estimators.ready import Ready
from fastdnn.models.consistency import LEARNT_BESIDES
from fastdnn.models.hyperparameters import training_options
from fastdnn.models.transaction import twin_of
from fastdnn.teams.jobs import Jobs
from fastdnn.training.checkpoints import said_of_time
from fastdnn.training.history import History
from fastdnn.training.notices import INTERRUPTED, Notice, Notices

_OF_MEMBERS = "estimators_", "oof_prediction_", "oof_score_", "_calibration"
_OF_ONE_NETWORK = (
    *("_state", "_resumable", "_predictor", "coefs_", "intercepts_", *LEARNT_BESIDES),
    *History().shown(),
)


class _Trained(NamedTuple):
    """A member whose training is over."""

    estimator: Any
    notices: Notices
    is_late: bool
    left_out: np.ndarray | None
    """Rows that it was not trained on."""
    outputs: np.ndarray | None
    """What it predicts for these."""


def forget_members(model: Any) -> None:
    """Remove what a fit with members has left."""
    for name in _OF_MEMBERS:
        model.__dict__.pop(name, None)


def require_no_callbacks(model: Any) -> None:
    """Raise ValueError where callbacks would be told of the epochs of several networks."""
    if model.n_members > 1 and getattr(model, "_skl_callbacks", None):
        raise ValueError(
            "Callbacks are told of the epochs of one network, but "
            f"n_members={model.n_members}. Remove them by set_callbacks(), or use n_members=1."
        )


def fit_members(model: Any, ready: Ready) -> Notices:
    """Train the members of an estimator, and make it what they are together.

    Ctrl-C, and a time that is up, leave the members that have come to something by then.

    Parameters
    ----------
    model : BaseDNN
        With ``n_members`` of 2 at least; it gets the fitted attributes.
    ready : Ready
        What they are trained on.

    Returns
    -------
    Notices
        The warnings to give, each of them once.

    Raises
    ------
    ValueError
        If the training of a member diverges.
    KeyboardInterrupt
        If none has come to anything.
    """
    for name in (*_OF_ONE_NETWORK, *_OF_MEMBERS):
        model.__dict__.pop(name, None)
    random_state = check_random_state(model.random_state)
    seeds = random_state.randint(np.iinfo(np.int32).max, size=model.n_members).tolist()
    folds: list[np.ndarray | None] = [None] * len(seeds)
    if model.bagging == "folds":
        folds = _folds(model, ready, random_state)
    notices, ready = Notices(), ready.for_several(model.solver)
    _warn_of_large_batches(model, ready, notices)
    members = [
        _Member(model, ready, position, seed, left_out)
        for position, (seed, left_out) in enumerate(zip(seeds, folds, strict=True))
    ]
    jobs = Jobs([member.train for member in members], model.n_threads)
    clock = _Clock(model.max_time, len(members), jobs.n_workers)
    for member in members:
        member.begin(clock, jobs)
    jobs.run()
    trained = [result for result in jobs.results if result is not None]
    if not trained:
        raise KeyboardInterrupt
    _publish(model, trained)
    if model.bagging == "folds":
        _take_what_was_left_out(model, ready, trained)
    elif ready.validation is not None:
        _take_validation(model, ready)
    _collect(notices, trained, model, jobs.is_interrupted)
    return notices


class _Clock:
    """Shares out the time of a fit to members that are trained one after the other."""

    def __init__(self, max_time: float | None, n_members: int, n_workers: int) -> None:
        self._end = math.inf if max_time is None else time.monotonic() + max_time
        self._n_members, self._n_workers = n_members, n_workers

    def share(self, position: int) -> float | None:
        """Return the seconds of a member that begins now, or None for as many as it needs."""
        if self._end == math.inf:
            return None
        n_rounds = -(-self._n_members // self._n_workers) - position // self._n_workers
        return max(0.0, self._end - time.monotonic()) / n_rounds


class _Member:
    """The training of one member."""

    def __init__(
        self, model: Any, ready: Ready, position: int, seed: int, left_out: np.ndarray | None
    ) -> None:
        self._model, self._ready, self._left_out = model, ready, left_out
        self._position, self._seed = position, seed

    def begin(self, clock: _Clock, jobs: Jobs) -> None:
        """Note by what clock it is trained, and beside what other jobs."""
        self._clock, self._jobs = clock, jobs

    def train(self) -> _Trained:
        """Train it; this is done in a thread of its own."""
        model, ready, left_out = self._model, self._ready, self._left_out
        member = twin_of(model)
        member.n_members, member.bagging, member.random_state = 1, None, self._seed
        if left_out is not None:
            ready = ready.at(others_than(left_out, ready.samples.n_rows), member)
        options = training_options(member)
        options.verbose, options.max_time = False, self._clock.share(self._position)
        if options.solver != "lbfgs" and options.batch_size != "auto":
            options.batch_size = min(options.batch_size, ready.samples.n_rows)
        try:
            notices = member._train(ready, options)
        except (ValueError, ZeroDivisionError) as error:
            raise self._named(error) from error
        if notices.have_said(INTERRUPTED):
            self._jobs.begin_no_more()
        is_late = notices.have_said(said_of_time(options, member.n_iter_))
        outputs = None
        if left_out is not None:
            outputs = _predicted(member, self._ready, left_out)
        if model.verbose:
            print(
                f"Member {self._position + 1} of {model.n_members}: "
                f"{member.n_iter_} iterations, loss = {member.loss_:.8f}"
            )
        return _Trained(member, notices, is_late, left_out, outputs)

    def _named(self, error: Exception) -> Exception:
        kind = ZeroDivisionError if isinstance(error, ZeroDivisionError) else ValueError
        which = f"Member {self._position + 1} of {self._model.n_members}"
        return kind(f"{which} (random_state={self._seed}): {error}")


def _folds(
    model: Any, ready: Ready, random_state: np.random.RandomState
) -> list[np.ndarray | None]:
    """Return the rows that each member leaves out, of each class as many."""
    positions = None
    if is_classifier(model) and ready.encoded.dtype.kind in "iu":
        positions = ready.encoded.ravel()
    return list(deal_out(ready.samples.n_rows, model.n_members, random_state, positions))


def _warn_of_large_batches(model: Any, ready: Ready, notices: Notices) -> None:
    """Say once what each member would say."""
    if model.solver == "lbfgs" or model.batch_size == "auto":
        return
    if model.batch_size > ready.samples.n_rows:
        notices.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be "
            "clipped"
        )


def _predicted(member: Any, ready: Ready, rows: np.ndarray) -> np.ndarray:
    """Return what a member predicts for rows of the samples, as `predict` would."""
    samples = ready.samples.to_predict().at(rows)
    predictor, kind = member._current_predictor(), member._kind_of_predictions()
    return member._results_of(samples, ready.X, kind, predictor, member.n_threads)


def _publish(model: Any, trained: list[_Trained]) -> None:
    """Set the fitted attributes of an estimator with members."""
    model.estimators_ = [member.estimator for member in trained]
    for name in ("n_layers_", "n_outputs_", "out_activation_"):
        setattr(model, name, getattr(model.estimators_[0], name))
    model.n_iter_ = max(member.n_iter_ for member in model.estimators_)
    model.loss_ = float(np.mean([member.loss_ for member in model.estimators_]))


def _take_what_was_left_out(model: Any, ready: Ready, trained: list[_Trained]) -> None:
    """Set what members predict for the samples that they were not trained on.

    It is NaN of samples that only members have left out that were not trained in the end.
    """
    first: Any = trained[0].outputs
    outputs = np.full((ready.samples.n_rows, first.shape[1]), np.nan, first.dtype)
    is_known = np.zeros(len(outputs), dtype=bool)
    weight, scores = ready.sample_weight, []
    for member in trained:
        rows: Any = member.left_out
        outputs[rows], is_known[rows] = member.outputs, True
        found = model._conformal_scores(member.outputs, ready.y[rows])
        if found is not None:
            scores.append(sorted_scores(found, None if weight is None else weight[rows]))
    if scores:
        model._calibration = {"of_members": True, "scores": scores}
    if weight is not None:
        is_known &= weight != 0.0
    model.oof_prediction_ = model._as_predicted(outputs)
    model.oof_score_ = math.nan
    if is_known.any():
        of_known = None if weight is None else weight[is_known]
        model.oof_score_ = model._score_predictions(
            outputs[is_known], ready.samples.Y[is_known], of_known
        )


def _take_validation(model: Any, ready: Ready) -> None:
    """Keep how far the members together are from what they were validated on."""
    validation: Any = ready.validation
    samples, y, weight = validation
    kind = model._kind_of_predictions()
    outputs = model._results_on(samples.to_predict(), ready.given.X, kind)
    scores = model._conformal_scores(outputs, y)
    if scores is not None:
        scores = [sorted_scores(scores, weight)]
        model._calibration = {"of_members": False, "scores": scores}


def _collect(
    notices: Notices, trained: list[_Trained], model: Any, is_interrupted: bool
) -> None:
    """Add the warnings of all members, each of them once where its text is known."""
    n_members, counts = model.n_members, dict[Notice, int]()
    for notice in (one for member in trained for one in member.notices):
        if isinstance(notice, Notice):
            counts[notice] = counts.get(notice, 0) + 1
        else:
            notices.append(notice)
    n_late = sum(member.is_late for member in trained)
    for said, count in counts.items():
        message, category = said.message, said.category
        if message != INTERRUPTED and not (n_late and message.startswith("max_time=")):
            notices.warn(f"{message} ({count} of {n_members} members.)", category)
    if n_late:
        notices.warn(
            f"max_time={model.max_time} seconds were over before {n_late} of {n_members} "
            "members had converged. Raise it.",
            ConvergenceWarning,
        )
    if is_interrupted:
        notices.warn(f"{INTERRUPTED} {len(trained)} of {n_members} members are kept.")


# -- prediction ---------------------------------------------------------------------------


def results_of_members(model: Any, X: Any, kind: str) -> Iterator[np.ndarray]:
    """Return the results of each network of an estimator, be it one only.

    X is checked and converted once.
    """
    members = model.__dict__.get("estimators_", [model])
    samples = members[0]._validate_for_prediction(X)
    return each_on(members, samples, X, model.n_threads)(kind)


def each_on(
    members: list[Any], samples: Samples, X: Any, n_threads: int | None
) -> Callable[[str], Iterator[np.ndarray]]:
    """Return what yields the results of each member for samples, which are `X`."""

    def each(kind: str) -> Iterator[np.ndarray]:
        for member in members:
            predictor = member._current_predictor()
            yield member._results_of(samples, X, kind, predictor, n_threads)

    return each
