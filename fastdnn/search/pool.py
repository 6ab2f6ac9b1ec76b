"""One pool of threads for all fits of a search, and for what they share."""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

from sklearn import config_context, get_config

from fastdnn.search.candidates import Candidate
from fastdnn.search.inputs import Fold, key_of
from fastdnn.search.lanes import Goal, Lane, Outcome
from fastdnn.search.scoring import Scoring
from fastdnn.teams.jobs import Jobs


class Pool:
    """Does what a search has to do, side by side.

    Parameters
    ----------
    n_threads : int or None
        Threads at most; None for as many as there are CPUs.

    Attributes
    ----------
    is_interrupted : bool
        Whether Ctrl-C came.
    """

    def __init__(self, n_threads: int | None) -> None:
        self._n_threads, self.is_interrupted = n_threads, False
        self._jobs: Jobs | None = None
        self._inputs: dict[tuple, Any] = {}

    def lanes_of(self, candidate: Candidate, folds: Sequence[Fold]) -> list[Lane]:
        """Return the lanes of a candidate, one in each fold."""
        return [Lane(candidate, fold) for fold in folds]

    def advance(
        self, lanes: Sequence[Lane], goals: Sequence[Goal], scoring: Scoring
    ) -> list[Outcome | None]:
        """Train lanes on to their goals; return what has come of each, None if it is late."""
        if not self.prepare(lanes, goals[0].deadline):
            return [None] * len(lanes)
        return self.run(
            [
                functools.partial(lane.advance, goal, scoring, self.stop)
                for lane, goal in zip(lanes, goals, strict=True)
            ]
        )

    def stop(self) -> None:
        """Let no further job begin."""
        if self._jobs is not None:
            self._jobs.begin_no_more()

    def run(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Return the results of jobs, None of those that an interrupt has kept from ending.

        Raises
        ------
        Exception
            The first one of a job.
        """
        config = get_config()  # each thread has one of its own

        def configured(job: Callable[[], Any]) -> Callable[[], Any]:
            def call() -> Any:
                with config_context(**config):
                    return job()

            return call

        self._jobs = Jobs([configured(job) for job in jobs], self._n_threads)
        self._jobs.run()
        self.is_interrupted = self.is_interrupted or self._jobs.is_interrupted
        return self._jobs.results

    def prepare(self, lanes: Sequence[Lane], deadline: float) -> bool:
        """Make ready what lanes are trained on, each once; return whether all is there.

        It is not after an interrupt, or where time is up before.
        """
        groups: dict[tuple, list[Lane]] = {}
        for lane in lanes:
            groups.setdefault(_key(lane), []).append(lane)
        missing = [key for key in groups if key not in self._inputs]
        made = self.run([_maker(groups[key][0], deadline) for key in missing])
        if self.is_interrupted or any(one is None for one in made):
            return False
        self._inputs.update(zip(missing, made, strict=True))
        for key, of_group in groups.items():
            for lane in of_group:
                lane.input = self._inputs[key]
        self._check(lanes)
        return True

    def _check(self, lanes: Sequence[Lane]) -> None:
        """Check X once for each precision; who shares an X that is not valid shares that."""
        for lane in lanes:
            if isinstance(lane.input, Exception):
                continue
            try:
                lane.input.check(lane.candidate.network)
            except Exception as error:
                lane.input = error

    def forget(self, lanes: Sequence[Lane]) -> None:
        """Let go of what only others than these lanes are trained on."""
        kept = {_key(lane) for lane in lanes}
        self._inputs = {key: made for key, made in self._inputs.items() if key in kept}


def _key(lane: Lane) -> tuple:
    return id(lane.fold), *key_of(lane.candidate)


def _maker(lane: Lane, deadline: float) -> Callable[[], Any]:
    """Return what makes the input of a lane, the error in its place, or None: it is late."""

    def make() -> Any:
        if time.monotonic() >= deadline:
            return None
        try:
            return lane.fold.input_for(lane.candidate)
        except Exception as error:
            return error

    return make
