"""Worker teams on Python threads."""

import _thread
import time
import weakref
from collections.abc import Callable

import numpy as np

from fastdnn.engine.barrier import CLOSED, FAILED, LONG_WAITS, STOP, is_given_up, reset
from fastdnn.system.interruptible import Attendance, start_thread
from fastdnn.teams.crowding import TeamRecord, Watch, crowding

# Seconds after which a sleeping worker looks whether its team is still there.
_SECONDS_TO_LOOK = 1.0


class Stopped(Exception):
    """A team was told to stop: it may have done a part of its run only."""


class _Crew:
    """The threads of a team, which sleep between runs. They do not keep the team alive.

    So they end even where an interrupt has kept the team from dismissing them.
    """

    def __init__(
        self, team: "Team", counters: np.ndarray, work: Callable[[int, int], int]
    ) -> None:
        self._team, self._counters, self._work = weakref.ref(team), counters, work
        # For every thread a lock that it takes when there is nothing to do: then it sleeps.
        self.gates: list[_thread.LockType] = []
        self.errors: list[BaseException] = []
        self.n_runs = 0
        self._attendance = Attendance()

    def start(self, n_threads: int) -> bool:
        """Start all threads; return False, and leave none, where one of them cannot start."""
        for worker in range(1, n_threads + 1):
            gate = _thread.allocate_lock()
            gate.acquire()
            self.gates.append(gate)
            if not start_thread(self._join_runs, worker, self._attendance, self._report):
                self.dismiss()
                return False
        return True

    def wake(self) -> None:
        """Let everybody look whether there is something to do."""
        for gate in self.gates:
            if gate.locked():  # only the calling thread opens gates
                gate.release()

    def dismiss(self) -> None:
        """End all threads."""
        try:
            if self.gates:
                self._dismiss()
        finally:  # again: an interrupt may have come at any point of it
            if self.gates:
                self._dismiss()

    def _dismiss(self) -> None:
        self._counters[CLOSED] = 1
        self._attendance.is_closed = True
        self.wake()
        self._attendance.close()
        self.gates = []

    def _join_runs(self, worker: int) -> None:
        n_joined, gate = 0, self.gates[worker - 1]
        while self._sleep_until_run(n_joined, gate):
            n_joined = self._work(worker, n_joined)

    def _report(self, error: BaseException) -> None:
        self.errors.append(error)
        self._counters[FAILED] = 1

    def _sleep_until_run(self, n_joined: int, gate: "_thread.LockType") -> bool:
        """Return True once a run is about to begin, False when there will be none."""
        while not self._attendance.is_closed:
            if self.n_runs > n_joined and not self._counters[FAILED]:
                return True
            if not gate.acquire(timeout=_SECONDS_TO_LOOK) and self._team() is None:
                return False
        return False


class Team:
    """Workers that train together, run after run; a context manager.

    The calling thread is worker 0. The others are Python threads that start at the first
    run and live until the context ends, which is entered once. Between two runs they wait
    inside compiled code, without the interpreter's lock, so that the next run begins at once;
    when none comes for about a millisecond they sleep.

    Where other programs need the processors, the system refuses to start so many threads, or
    one of them does not begin within about a second, worker 0 does runs alone; the results
    are the same.

    Parameters
    ----------
    n_workers : ndarray of one int64
        Size of the team, from where the engine reads how many take part in a run.
    counters : ndarray of int64
        The team's counters, see `fastdnn.engine.barrier`.
    work : callable
        ``work(worker, n_joined) -> n_joined``, with the rules of
        `fastdnn.engine.loop.train`. It keeps alive what it works on, but not the team.

    Attributes
    ----------
    gives_way : callable
        Says whether a thread of ours now needs a processor that the team would have. Workers
        wait for each other: one without a processor holds up all, and one alone goes on.
    """

    def __init__(
        self, n_workers: np.ndarray, counters: np.ndarray, work: Callable[[int, int], int]
    ) -> None:
        self._size, self._taking_part = int(n_workers[0]), n_workers
        self._counters, self._work = counters, work
        self._crew = _Crew(self, counters, work)
        self._record, self._watch = TeamRecord(), Watch()
        self._is_kept_out = False
        self.gives_way: Callable[[], bool] = _never
        self._is_entered = self._is_left = False

    def __enter__(self) -> "Team":
        if self._is_entered:
            raise RuntimeError(
                "This team has been entered before, and its threads end with the context: "
                "make a new Team for each `with`."
            )
        self._is_entered = True
        return self

    def __exit__(self, *error: object) -> None:
        self._is_left = True
        self._crew.dismiss()

    def stop(self) -> None:
        """Let the run that another thread does end early, and no further one be done."""
        self._counters[STOP] = 1

    def run(self, n_batches: int) -> float:
        """Do one run of so many batches, with all workers or alone.

        Returns
        -------
        float
            The seconds that it took, without those for which workers were waited for in vain.

        Raises
        ------
        BaseException
            The first error of any worker.
        Stopped
            After `stop`.
        RuntimeError
            After the context has ended.
        """
        if self._is_left:  # nobody would come: a team of several would wait for ever
            raise RuntimeError(
                "This team's context has ended, and its threads with it: call run inside of "
                "`with`, or make a new Team."
            )
        start = time.perf_counter()
        if self._size == 1:
            self._do_own_part()
        elif self._is_kept_out or crowding.is_seen():
            self._run_alone()
        elif self.is_to_compare:
            seconds = self._run_alone()
            if seconds < n_batches * self._record.seconds_per_batch:
                crowding.begin()
            else:
                crowding.dismiss()
            self._record = TeamRecord()
        else:
            if self._record.is_complete:
                if self._record.is_flawless:
                    crowding.end()
                self._record = TeamRecord()
            if not self._run_together(n_batches):
                self._size = 1
                return self._run_alone()
        return time.perf_counter() - start

    def look_around(self) -> bool:
        """Whether the next run is done alone for what others do now: a short one will do."""
        self._is_kept_out = self._size > 1 and (self.gives_way() or self._is_crowded_out())
        return self._is_kept_out

    def _is_crowded_out(self) -> bool:
        return (
            not self._crew.gates  # threads that would be counted as well
            and crowding.may_compare()
            and self._watch.is_crowded(self._size)
        )

    @property
    def is_to_compare(self) -> bool:
        """Whether the next run is done alone to see which is faster: a short one will do."""
        return self._record.is_suspicious and crowding.may_compare()

    def _do_own_part(self) -> None:
        self._work(0, 0)
        if self._counters[STOP]:
            raise Stopped

    def _run_alone(self) -> float:
        start = time.perf_counter()
        self._taking_part[0] = 1
        self._do_own_part()
        return time.perf_counter() - start

    def _run_together(self, n_batches: int) -> bool:
        """Return False, with nothing done, where the others cannot start or do not begin."""
        counters, crew = self._counters, self._crew
        long_waits = int(counters[LONG_WAITS])
        start = time.perf_counter()
        are_awake = bool(crew.gates)
        try:
            if not are_awake and not crew.start(self._size - 1):
                return False
            self._taking_part[0] = self._size
            crew.n_runs += 1
            crew.wake()
            self._do_own_part()
            if is_given_up(counters):
                crew.dismiss()
        except BaseException:
            counters[FAILED] = 1  # those who started must not wait for ever
            raise
        if crew.errors:
            raise crew.errors[0]
        if is_given_up(counters):
            reset(counters)
            return False
        if are_awake:  # until threads and processors are, runs are slow for once
            self._record.add(
                n_batches,
                time.perf_counter() - start,
                int(counters[LONG_WAITS]) - long_waits,
            )
        return True


def _never() -> bool:
    return False


def run_side_by_side(n_workers: int, work: Callable[[int], object]) -> None:
    """Call ``work(worker)`` for workers 0, 1..., worker 0 in the calling thread.

    Each is called again as long as it returns True, until worker 0 has done or is
    interrupted, or one of them has raised an error. What they take their work from has to be
    common to all: those are left out whose threads begin when worker 0 has done, or which the
    system refuses to start, as under a limit or at the end of the interpreter.

    No lock is held meanwhile that another call would need: one may come from a signal handler
    in the middle of this.

    Raises
    ------
    BaseException
        The error of worker 0, or the first one of another.
    """
    errors: list[BaseException] = []
    attendance = Attendance()

    def work_on(worker: int) -> None:
        while work(worker) is True and not errors and not attendance.is_closed:
            pass

    try:
        try:
            for worker in range(1, n_workers):
                if not start_thread(work_on, worker, attendance, errors.append):
                    break
            work_on(0)
        finally:
            attendance.close()
    finally:  # again, where an interrupt came before the first one waited
        attendance.close()
    if errors:
        raise errors[0]
