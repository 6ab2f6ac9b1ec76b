"""Worker teams on Python threads."""

import threading
import time
from collections.abc import Callable

import numpy as np

from fastdnn._crowding import TeamRecord, Watch, crowding
from fastdnn.kernels.barrier import CLOSED, FAILED, LONG_WAITS


def _start(thread: threading.Thread) -> bool:
    """Start a thread; return False where the system or the interpreter has no more of them.

    Everything else that is raised here comes from elsewhere, such as a signal handler: then
    the thread may well be running.
    """
    try:
        thread.start()
    except MemoryError:
        return False
    except RuntimeError as error:
        if type(error) is not RuntimeError or "new thread" not in str(error):
            raise
        return False
    return True


class _Attendance:
    """Who of some threads is at work: none begins, and nobody is, once it is closed.

    That does not depend on what starting a thread seemed to do. The lock is that of one
    call or team: a signal handler that interrupts it never needs it.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.Lock())
        self.is_closed = False
        self._n_present = 0

    def enter(self) -> bool:
        """Begin; return False where nobody is to begin any more."""
        with self.changed:
            if self.is_closed:
                return False
            self._n_present += 1
            return True

    def leave(self) -> None:
        """End what began with `enter`."""
        with self.changed:
            self._n_present -= 1
            self.changed.notify_all()

    def close(self) -> None:
        """Let nobody begin, and wait until all have left."""
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()
            while self._n_present > 0:
                self.changed.wait()


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
        self._threads: list[threading.Thread] = []
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
            and not self._threads  # which would be counted as well
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
        are_awake = bool(self._threads)
        try:
            if not are_awake and not self._start():
                self._size = 1
                self._run_alone()
                return
            self._taking_part[0] = self._size
            with self._attendance.changed:
                self._n_runs += 1
                self._attendance.changed.notify_all()
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
            thread = threading.Thread(
                target=self._join_runs, args=(worker,), name=f"fastdnn-{worker}", daemon=True
            )
            if not _start(thread):
                self._dismiss()
                return False
            self._threads.append(thread)
        return True

    def _dismiss(self) -> None:
        """End all threads."""
        self._counters[CLOSED] = 1
        self._attendance.close()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _join_runs(self, worker: int) -> None:
        if not self._attendance.enter():
            return
        n_joined = 0
        try:
            while self._sleep_until_run(n_joined):
                n_joined = self._work(worker, n_joined)
        except BaseException as error:
            self._errors.append(error)
            self._counters[FAILED] = 1
        finally:
            self._attendance.leave()

    def _sleep_until_run(self, n_joined: int) -> bool:
        """Return True once a run is about to begin, False when the team is closed."""
        attendance = self._attendance
        with attendance.changed:
            while self._n_runs == n_joined and not attendance.is_closed:
                attendance.changed.wait()
        return not attendance.is_closed


def run_side_by_side(n_workers: int, work: Callable[[int], object]) -> None:
    """Call ``work(worker)`` once for every worker, worker 0 in the calling thread.

    Workers whose threads the system refuses to start, as under a limit or at the end of the
    interpreter, are left out: what they take their work from has to be common to all.

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
        if not attendance.enter():
            return
        try:
            work(worker)
        except BaseException as error:
            errors.append(error)
        finally:
            attendance.leave()

    threads = []
    try:
        for worker in range(1, n_workers):
            # A daemon: threads that are none are registered under a lock of the process.
            thread = threading.Thread(
                target=work_or_report, args=(worker,), name=f"fastdnn-{worker}", daemon=True
            )
            if not _start(thread):
                break
            threads.append(thread)
        work(0)
    finally:
        attendance.close()
    for thread in threads:  # which have nothing left to do
        thread.join()
    if errors:
        raise errors[0]
