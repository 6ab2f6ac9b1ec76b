"""Whether a team of workers pays: not where other programs need the processors."""

import time


class Crowding:
    """Whether other programs need the processors, as the teams of this process found it.

    Workers that wait for one that is not being run are slower than one worker alone. While
    that is so, teams work alone: from one try to the next twice as long. Where a team is
    faster although its workers wait, the next comparison comes after twice as long, too.
    """

    shortest, longest = 0.1, 0.8  # seconds alone
    shortest_pause, longest_pause = 0.4, 3.2  # seconds from one comparison to the next

    def __init__(self) -> None:
        self._alone_until, self._next_seconds = 0.0, self.shortest
        self._compare_from, self._next_pause = 0.0, self.shortest_pause

    def is_seen(self) -> bool:
        """Whether a run is better done alone."""
        return time.monotonic() < self._alone_until

    def may_compare(self) -> bool:
        """Whether it is time to find out what one worker alone would take."""
        return time.monotonic() >= self._compare_from

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
