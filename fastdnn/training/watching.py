"""Who is told of each epoch while training runs, and may end it."""

from collections.abc import Sequence

from fastdnn.training.history import History


class Watch:
    """Is told of each epoch of a fit, or of each iteration of L-BFGS, one at a time.

    What it raises ends the fit. This one does nothing.
    """

    def begin_epoch(self) -> None:
        """Is called before an epoch, or before the rest of one that is gone on with."""

    def end_epoch(self, history: History) -> bool:
        """Is called after an epoch that is recorded; return whether training is to stop."""
        return False

    def leave_epoch(self) -> None:
        """Is called after an epoch that has begun and was not completed."""

    def close(self) -> None:
        """Is called when training is over, whatever was raised."""


class Watches(Watch):
    """Several of them: training stops when one wants it to.

    Parameters
    ----------
    watches : sequence of Watch
        In the order in which they are told.
    """

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches, self._is_open = list(watches), False

    def begin_epoch(self) -> None:
        """Tell all of them; an epoch that has begun already does not begin again."""
        if self._is_open:
            return
        self._is_open = True
        for watch in self._watches:
            watch.begin_epoch()

    def end_epoch(self, history: History) -> bool:
        """Tell all of them; return whether one wants training to stop."""
        self._is_open = False
        return any([watch.end_epoch(history) for watch in self._watches])

    def leave_epoch(self) -> None:
        """Tell all of them, if an epoch has begun."""
        if self._is_open:
            self._is_open = False
            for watch in self._watches:
                watch.leave_epoch()

    def close(self) -> None:
        """Tell all of them."""
        for watch in self._watches:
            watch.close()
