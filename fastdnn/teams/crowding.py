"""Whether a team of workers pays: not where other programs need the processors."""

import os
import threading
import time
from typing import ClassVar

from fastdnn.products.switched_off import switched_off
from fastdnn.products.switches import NO_CROWDING

_LOAD, _TASKS = "/proc/loadavg", "/proc/self/task"


def threads_running() -> int:
    """Return how many threads the system runs or would run, this one included; 0 if unknown.

    Linux tells at once, in some ten microseconds.
    """
    try:
        # As in "0.20 0.18 0.12 1/80 11206": the threads that run, and all that there are.
        return int(_read(_LOAD).split()[3].split(b"/")[0])
    except (OSError, ValueError, IndexError):
        return 0


class Crowding:
    """Whether other programs need the processors, as the teams of this process found it.

    While one worker alone is faster, teams work alone: from one try to the next twice as
    long. Where a team is faster although its workers wait, the next comparison comes after
    twice as long, too. Why so: ``scripts/docs/engine/teams.md``.
    """

    shortest, longest = 0.1, 0.8  # seconds alone
    shortest_pause, longest_pause = 0.4, 3.2  # seconds from one comparison to the next

    def __init__(self) -> None:
        self._alone_until, self._next_seconds = 0.0, self.shortest
        self._compare_from, self._next_pause = 0.0, self.shortest_pause

    def is_seen(self) -> bool:
        """Whether a run is better done alone."""
        return time.monotonic() < self._alone_until and not _is_off()

    def may_compare(self) -> bool:
        """Whether it is time to find out what one worker alone would take."""
        return time.monotonic() >= self._compare_from and not _is_off()

    def begin(self) -> None:
        """Take note that one worker alone was faster."""
        self._alone_until = time.monotonic() + self._next_seconds
        self._next_seconds = min(2.0 * self._next_seconds, self.longest)
        self._next_pause = self.shortest_pause

    def dismiss(self) -> None:
        """Take note that one worker alone was slower."""
        self._compare_from = time.monotonic() + self._next_pause
        self._next_pause = min(2.0 * self._next_pause, self.longest_pause)

    def end(self) -> None:
        """Take note that a team has worked as it should."""
        self._next_seconds = self.shortest


def _is_off() -> bool:
    return bool(switched_off() & NO_CROWDING)


#: What all teams of this process know.
crowding = Crowding()


class TeamRecord:
    """How fast a team has been lately, and how much of that time its workers waited."""

    # What a long wait lasts, about the turn of another program on the processor, and the
    # share of the time that may be lost like that.
    _seconds_of_long_wait, _tolerated = 2e-3, 0.1
    # A single long wait may be that of a thread that starts or wakes up.
    _waits_to_judge, _seconds_to_judge = 2, 0.02

    def __init__(self) -> None:
        self._n_batches, self._seconds, self._n_long_waits = 0, 0.0, 0

    def add(self, n_batches: int, seconds: float, n_long_waits: int) -> None:
        """Add a run."""
        self._n_batches += n_batches
        self._seconds += seconds
        self._n_long_waits += n_long_waits

    @property
    def is_complete(self) -> bool:
        """Whether it tells enough."""
        many = self._n_long_waits >= self._waits_to_judge
        return many or self._seconds >= self._seconds_to_judge

    @property
    def is_flawless(self) -> bool:
        """Whether no worker waited for long."""
        return self._n_long_waits == 0

    @property
    def is_suspicious(self) -> bool:
        """Whether workers waited so long that one alone may be faster."""
        if self._n_long_waits < self._waits_to_judge:
            return False
        lost = self._n_long_waits * self._seconds_of_long_wait
        return lost > self._tolerated * self._seconds

    @property
    def seconds_per_batch(self) -> float:
        """Mean time of a batch."""
        return self._seconds / max(1, self._n_batches)


class Watch:
    """Whether others keep processors at the beginning of a fit that its team would need.

    A team looks before its first run, and works alone, a little at a time, until the
    processors are free, or for as long as threads of BLAS spin after a call. It looks no more
    after that. For threads of other processes, all teams of this process together are alone
    no longer than that, until one of them finds the processors free. Why so:
    ``scripts/docs/engine/teams.md``.
    """

    longest = 0.15  # seconds alone
    _crowded_by_others_since: ClassVar[float | None] = None

    def __init__(self) -> None:
        self._since: float | None = None
        self._is_over = False

    def is_crowded(self, n_workers: int) -> bool:
        """Whether a run of so many workers, who are not at work yet, is better done alone."""
        if self._is_over:
            return False
        now = time.monotonic()
        # Twice: a thread that runs for microseconds is no reason.
        if not (_are_too_many(n_workers) and _are_too_many(n_workers)):
            Watch._crowded_by_others_since, self._is_over = None, True
        elif are_ours_running():
            self._since = now if self._since is None else self._since
            self._is_over = now - self._since >= self.longest
        else:
            since = Watch._crowded_by_others_since
            Watch._crowded_by_others_since = since = now if since is None else since
            self._is_over = now - since >= self.longest
        return not self._is_over


def _are_too_many(n_workers: int) -> bool:
    return threads_running() - 1 + n_workers > (os.cpu_count() or 1)


def are_ours_running() -> bool:
    """Whether a thread of this process runs besides the calling one; on Linux only."""
    mine = str(threading.get_native_id())
    try:
        for thread in os.listdir(_TASKS):
            # As in "1234 (python3) R 1 ...".
            if thread != mine and b") R " in _read(f"{_TASKS}/{thread}/stat"):
                return True
    except OSError:  # a thread that has just ended, or no such files
        pass
    return False


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 512)
    finally:
        os.close(file)
