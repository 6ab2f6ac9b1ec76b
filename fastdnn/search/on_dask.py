"""A search on a Dask cluster: tasks train the lanes, whose state stays on the workers.

The folds are sent once. A task of a rung takes the state that the task of the rung before has
left, where it lies, and leaves the next one; only scores and curves come back. So what a
worker had that dies, Dask makes again by the same chain of tasks, with the same bits.
"""

import dataclasses
import time
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from sklearn import config_context, get_config

from fastdnn.distributed.cluster import workers_of
from fastdnn.distributed.dask_imports import dask_module
from fastdnn.distributed.places import placed
from fastdnn.search.candidates import Candidate
from fastdnn.search.inputs import Fold, FoldInput, key_of
from fastdnn.search.lanes import Goal, Lane, Outcome
from fastdnn.search.scoring import Scoring
from fastdnn.teams.cpus import at_most


@dataclasses.dataclass
class Shared:
    """What all lanes need: one object, so that a worker has X once."""

    folds: Sequence[Fold]
    scoring: Scoring
    config: dict[str, Any]
    """Of scikit-learn, where `fit` was called."""


@dataclasses.dataclass
class State:
    """What stays of a lane on a worker."""

    lane: Lane
    """Without its fold and its input."""
    outcome: Outcome | None = None


class Report(NamedTuple):
    """What comes back of a lane."""

    outcome: Outcome | None
    history: Any


class FarLane:
    """A lane on a cluster: what is known of it here, and its state there.

    Parameters
    ----------
    pool : DaskPool
        Where it trains.
    candidate : Candidate
        What is trained.
    at : int
        In which fold.
    start : State
        Before the first rung.

    Attributes
    ----------
    state : State, distributed.Future of one, or None
        After the last rung that it has come to the end of; None where it is forgotten.
    input : distributed.Future or None
        What is fitted for it and others of its fold; None where that is nothing.
    history : DataFrame-like or None
        The curves.
    """

    def __init__(self, pool: "DaskPool", candidate: Candidate, at: int, start: State) -> None:
        self._pool, self.candidate, self.at = pool, candidate, at
        self.state: Any = start
        self.input: Any = None
        self.history: Any = None

    @property
    def key(self) -> tuple:
        """Equal for lanes with the same input."""
        return self.at, *key_of(self.candidate)

    def forget(self) -> None:
        """Let go of all but the curves: it does not go on."""
        self.state = self.input = None

    def estimator(self) -> Any:
        """Return what was trained last as a fitted estimator; None if nothing was."""
        return self._pool.estimator_of(self)


class DaskPool:
    """Does what a search has to do on the workers of a client.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    folds : sequence of Fold
        The splits of X.
    scoring : Scoring
        How to score.

    Attributes
    ----------
    is_interrupted : bool
        Whether Ctrl-C came.

    Raises
    ------
    TypeError
        If the scorer cannot be sent.
    """

    def __init__(self, client: Any, folds: Sequence[Fold], scoring: Scoring) -> None:
        self._client, self._folds, self.is_interrupted = client, folds, False
        _require_sendable("scoring", scoring.scorer)
        # A task and not scattered: whatever dies, it is there again.
        self._shared = self._submit(_itself, None, Shared(folds, scoring, get_config()))
        self._inputs: dict[tuple, Any] = {}

    def lanes_of(self, candidate: Candidate, folds: Sequence[Fold]) -> list[FarLane]:
        """Return the lanes of a candidate, one in each fold."""
        _require_sendable("estimator or its parameters", candidate)
        return [
            FarLane(self, candidate, at, State(Lane(candidate, fold).detached()))
            for at, fold in enumerate(folds)
        ]

    def advance(
        self, lanes: Sequence[FarLane], goals: Sequence[Goal], scoring: Scoring
    ) -> list[Outcome | None]:
        """Train lanes on to their goals; return what has come of each, None if it is late."""
        deadline = goals[0].deadline
        left = deadline - time.monotonic()
        if left <= 0.0:
            return [None] * len(lanes)
        workers = workers_of(self._client)
        n_threads = max(1, sum(workers.values()) // len(lanes))
        # Other machines have another monotonic clock.
        over = time.time() + left
        states, told = [], []
        for lane, goal, place in zip(lanes, goals, self._places(lanes, workers), strict=True):
            self._give_input(lane, place)
            args = lane.state, self._shared, lane.input, lane.at
            goal = goal._replace(deadline=over)
            states.append(self._submit(advanced, place, *args, goal, n_threads))
            told.append(self._submit(report_of, place, states[-1]))
        reports = self._reports(told, states, deadline)
        for lane, state, report in zip(lanes, states, reports, strict=True):
            if report is not None:
                lane.state, lane.history = state, report.history
        return [None if report is None else report.outcome for report in reports]

    def _places(self, lanes: Sequence[FarLane], workers: dict[str, int]) -> list[str | None]:
        """Return where lanes train: where their state lies, or beside those of their input."""
        if not workers:  # those to come will do all
            return [None] * len(lanes)
        begun = [lane.state for lane in lanes if not isinstance(lane.state, State)]
        found = self._client.who_has(begun) if begun else {}
        order = sorted(range(len(lanes)), key=lambda i: (lanes[i].at, str(lanes[i].key)))
        holders: list[str | None] = []
        for i in order:
            state = lanes[i].state
            has = [] if isinstance(state, State) else sorted(found.get(state.key, ()))
            holders.append(has[0] if has else None)
        places = dict(zip(order, placed(holders, workers), strict=True))
        return [places[i] for i in range(len(lanes))]

    def _give_input(self, lane: FarLane, place: str | None) -> None:
        """Let what comes before a network be fitted, once for all that need it."""
        _, needs_rows = key_of(lane.candidate)
        if lane.candidate.before is None and not needs_rows:
            return
        if lane.key not in self._inputs:
            args = lane.candidate, self._shared, lane.at
            self._inputs[lane.key] = self._submit(made_input, place, *args)
        lane.input = self._inputs[lane.key]

    def _reports(
        self, told: Sequence[Any], states: Sequence[Any], deadline: float
    ) -> list[Report | None]:
        """Return the reports of lanes that came to their end in time; cancel all others.

        Raises
        ------
        Exception
            The first one of a task.
        """
        first_error = self._wait(told, deadline)
        if first_error is not None:
            try:
                told[first_error].result()
            finally:
                self._client.cancel([*told, *states])
        reports = {i: future for i, future in enumerate(told) if future.status == "finished"}
        unsaid = {i: states[i] for i in range(len(told)) if i not in reports}
        if unsaid:  # workers may be busy: what is there is taken without a task
            holders = self._client.who_has(list(unsaid.values()))
            unsaid = {i: state for i, state in unsaid.items() if holders.get(state.key)}
        late = [i for i in range(len(told)) if i not in reports and i not in unsaid]
        self._client.cancel([future for i in late for future in (told[i], states[i])])
        found = self._client.gather(reports)
        found |= {i: report_of(state) for i, state in self._client.gather(unsaid).items()}
        return [found.get(i) for i in range(len(told))]

    def _wait(self, told: Sequence[Any], deadline: float) -> int | None:
        """Wait for reports until they are there, or time is up, or Ctrl-C comes.

        Returns
        -------
        int or None
            The first one that is an error; those before it have come then.
        """
        positions = {future.key: i for i, future in enumerate(told)}
        waiting, first_error = set(positions.values()), len(told)
        left = deadline - time.monotonic()
        timeout = None if left == float("inf") else max(left, 1e-3)
        distributed = dask_module("distributed")
        try:
            for future in distributed.as_completed(told, timeout=timeout):
                position = positions[future.key]
                waiting.discard(position)
                if future.status != "finished":
                    first_error = min(first_error, position)
                if all(one > first_error for one in waiting):
                    break
        except TimeoutError:
            pass
        except KeyboardInterrupt:
            self.is_interrupted = True
        return first_error if first_error < len(told) else None

    def forget(self, lanes: Sequence[FarLane]) -> None:
        """Let go of what only others than these lanes are trained on."""
        kept = {lane.key for lane in lanes}
        self._inputs = {key: made for key, made in self._inputs.items() if key in kept}

    def estimator_of(self, lane: FarLane) -> Any:
        """Return what a lane has come to, with what is fitted before it; without a task."""
        if isinstance(lane.state, State):
            return None
        state, made = self._client.gather([lane.state, lane.input])
        fold = self._folds[lane.at]
        if made is None:
            made = fold.input_for(lane.candidate)
        return state.lane.attached(fold, made).estimator()

    def _submit(self, function: Any, place: str | None, *args: Any) -> Any:
        """Let a task be done, at a place if that is still there."""
        pinned: dict[str, Any] = {}
        if place is not None:
            pinned = {"workers": [place], "allow_other_workers": True}
        with warnings.catch_warnings():  # X is as large as it is, and goes once
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._client.submit(function, *args, pure=False, **pinned)


def advanced(
    state: State, shared: Shared, made: Any, at: int, goal: Goal, n_threads: int
) -> State:
    """Return the state of a lane that has trained on to a goal, as a task."""
    goal = goal._replace(deadline=time.monotonic() + goal.deadline - time.time())
    with config_context(**shared.config), at_most(n_threads):
        lane = _attached(state.lane, shared, made, at)
        outcome = lane.advance(goal, shared.scoring, _nothing)
    return State(lane.detached(), outcome)


def report_of(state: State) -> Report:
    """Return what the search has to know of a lane, as a task."""
    return Report(state.outcome, state.lane.history)


def made_input(candidate: Candidate, shared: Shared, at: int) -> FoldInput | Exception:
    """Return what lanes of a setting are trained on in a fold, or the error, as a task."""
    with config_context(**shared.config):
        try:
            return shared.folds[at].input_for(candidate)
        except Exception as error:
            return error


def _attached(lane: Lane, shared: Shared, made: Any, at: int) -> Lane:
    """Return a lane with its input, checked for it, or with the error in its place."""
    if made is None:
        made = shared.folds[at].input_for(lane.candidate)
    if not isinstance(made, Exception):
        try:
            made.check(lane.candidate.network)
        except Exception as error:
            made = error
    return lane.attached(shared.folds[at], made)


def _itself(shared: Shared) -> Shared:
    return shared


def _nothing() -> None:
    """Interrupts of workers end no search."""


def _require_sendable(name: str, value: Any) -> None:
    """Raise TypeError where a value cannot be pickled."""
    try:
        dask_module("cloudpickle").dumps(value)
    except Exception as error:
        raise TypeError(
            f"{name} cannot be sent to the workers of client: {type(error).__name__}: "
            f"{error}. Leave out what cannot be pickled, such as locks, open files and "
            "connections, or search without a client."
        ) from error
