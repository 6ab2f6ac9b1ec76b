"""Worker teams on Python threads."""

import _thread
import time
from collections.abc import Callable

import numpy as np

from fastdnn._crowding import TeamRecord, Watch, crowding
from fastdnn.kernels.barrier import CLOSED, FAILED, LONG_WAITS

_start_new_thread = _thread.start_new_thread

# Seconds between two looks whether others are still at work: mostly they end together.
_LONGEST_PAUSE = 1e-3


def _start(work: Callable[[int], object], worker: int) -> bool:
    """Call ``work(worker)`` in a new thread; return False where there are no more of them.

    That is where the system has a limit, or the interpreter ends. What else is raised here
    comes from elsewhere, such as a signal handler: then the thread may well be running.
    """
    try:
        # Not `threading.Thread`: that takes locks of the process, which a frame that was
        # interrupted by a signal handler may hold.
        _start_new_thread(work, (worker,))
    except MemoryError:
        return False
    except RuntimeError as error:
        if "new thread" not in str(error):
            raise
        return False
    return True


class _Attendance:
    """Who of some threads is at work: none begins, and nobody is, once it is closed.

    That does not depend on what starting a thread seemed to do. There is no lock that an
    interrupted caller could leave locked: a thread adds itself and then looks whether it may,
    the one who closes says so and then looks who is there.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self._present: set[int] = set()

    def enter(self, worker: int) -> bool:
        """Begin; return False where nobody is to begin any more."""
        self._present.add(worker)
        if self.is_closed:
            self._present.discard(worker)
            return False
        return True

    def leave(self, worker: int) -> None:
        """End what began with `enter`."""
        self._present.discard(worker)

    def close(self) -> None:
        """Let nobody begin, and wait until all have left; interrupts are raised afterwards."""
        interrupt: BaseException | None = None
        self.is_closed, pause = True, 0.0
        while self._present:
            try:
                time.sleep(pause)
                pause = min(pause + 2e-5, _LONGEST_PAUSE)
            except BaseException as error:
                interrupt = interrupt or error
        if interrupt is not None:
            raise interrupt


class Team:
    """Workers that train together, run after run; a context manager.

    The calling thread is worker 0. The others are Python threads that start at the first
    run and live until the context ends. Between two runs they wait inside compiled code,
    without the interpreter's lock, so that the next run begins at once; when none comes
    for about a millisecond they sleep.

    Where other programs need the processors, or the system refuses to start so many threads,
    worker 0 does runs alone; the results are the same.

    Parameters
    ----------
    n_workers : ndarray of one int64
        Size of the team, from where the engine reads how many take part in a run.
    counters : ndarray of int64
        The team's counters, see `fastdnn.kernels.barrier`.
    work : callable
        ``work(worker, n_joined) -> n_joined``, with the rules of
        `fastdnn.kernels.engine.train`.
    """

    def __init__(
        self, n_workers: np.ndarray, counters: np.ndarray, work: Callable[[int, int], int]
    ) -> None:
        self._size, self._taking_part = int(n_workers[0]), n_workers
        self._counters, self._work = counters, work
        # For every thread a lock that it takes when there is nothing to do: then it sleeps.
        self._gates: list[_thread.LockType] = []
        self._errors: list[BaseException] = []
        self._attendance = _Attendance()
        self._n_runs = 0
        self._record, self._watch = TeamRecord(), Watch()
        self._is_kept_out = False

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, *error: object) -> None:
        self._dismiss()

    def run(self, n_batches: int) -> None:
        """Do one run of so many batches, with all workers or alone.

        Raises
        ------
        BaseException
            The first error of any worker.
        """
        if self._size == 1:
            self._work(0, 0)
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
            self._run_together(n_batches)

    def look_around(self) -> bool:
        """Whether the next run is done alone for what others do now: a short one will do."""
        self._is_kept_out = (
            self._size > 1
            and not self._gates  # threads that would be counted as well
            and crowding.may_compare()
            and self._watch.is_crowded(self._size)
        )
        return self._is_kept_out

    @property
    def is_to_compare(self) -> bool:
        """Whether the next run is done alone to see which is faster: a short one will do."""
        return self._record.is_suspicious and crowding.may_compare()

    def _run_alone(self) -> float:
        start = time.perf_counter()
        self._taking_part[0] = 1
        self._work(0, 0)
        return time.perf_counter() - start

    def _run_together(self, n_batches: int) -> None:
        counters = self._counters
        long_waits = int(counters[LONG_WAITS])
        start = time.perf_counter()
        are_awake = bool(self._gates)
        try:
            if not are_awake and not self._start():
                self._size = 1
                self._run_alone()
                return
            self._taking_part[0] = self._size
            self._n_runs += 1
            self._wake()
            self._work(0, 0)
        except BaseException:
            counters[FAILED] = 1  # those who started must not wait for ever
            raise
        if self._errors:
            raise self._errors[0]
        if are_awake:  # until threads and processors are, runs are slow for once
            self._record.add(
                n_batches,
                time.perf_counter() - start,
                int(counters[LONG_WAITS]) - long_waits,
            )

    def _start(self) -> bool:
        """Start all threads; return False, and leave none, where one of them cannot start."""
        for worker in range(1, self._size):
            gate = _thread.allocate_lock()
            gate.acquire()
            self._gates.append(gate)
            if not _start(self._join_runs, worker):
                self._dismiss()
                return False
        return True

    def _wake(self) -> None:
        """Let everybody look whether there is something to do."""
        for gate in self._gates:
            if gate.locked():  # only the calling thread opens gates
                gate.release()

    def _dismiss(self) -> None:
        """End all threads."""
        self._counters[CLOSED] = 1
        self._attendance.is_closed = True
        self._wake()
        self._attendance.close()
        self._gates = []

    def _join_runs(self, worker: int) -> None:
        if not self._attendance.enter(worker):
            return
        n_joined, gate = 0, self._gates[worker - 1]
        try:
            while self._sleep_until_run(n_joined, gate):
                n_joined = self._work(worker, n_joined)
        except BaseException as error:
            self._errors.append(error)
            self._counters[FAILED] = 1
        finally:
            self._attendance.leave(worker)

    def _sleep_until_run(self, n_joined: int, gate: "_thread.LockType") -> bool:
        """Return True once a run is about to begin, False when the team is closed."""
        while self._n_runs == n_joined and not self._attendance.is_closed:
            gate.acquire()
        return not self._attendance.is_closed


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
    attendance = _Attendance()

    def work_or_report(worker: int) -> None:
        if not attendance.enter(worker):
            return
        try:
            while work(worker) is True and not errors and not attendance.is_closed:
                pass
        except BaseException as error:
            errors.append(error)
        finally:
            attendance.leave(worker)

    try:
        for worker in range(1, n_workers):
            if not _start(work_or_report, worker):
                break
        while work(0) is True and not errors:
            pass
    finally:
        attendance.close()
    if errors:
        raise errors[0]
