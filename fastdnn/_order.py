"""The order in which epochs visit the rows, made for several epochs at a time."""

import numpy as np

from fastdnn._random import shuffle_like_numpy
from fastdnn._samples import AS_THEY_LIE, Samples

# Positions that are made in advance at most: 1 MiB of them.
_MOST_POSITIONS = 2**17


class VisitOrder:
    """Draws the order of the rows, epoch after epoch.

    Parameters
    ----------
    samples : Samples
        The rows to train on.
    random_state : RandomState or None
        Shuffles the rows; they keep their order if it is None.
    most_epochs : int
        Epochs that will be asked for at a time; without shuffling always one.

    Attributes
    ----------
    most_epochs : int
        As many of them as have room.
    positions : ndarray of int64
        The rows to visit, one epoch after the other, as `prepare` left them; empty for all
        rows as they lie.
    """

    def __init__(
        self, samples: Samples, random_state: np.random.RandomState | None, most_epochs: int
    ) -> None:
        self._random_state, self._rows = random_state, samples.rows
        self.most_epochs = 1
        if random_state is None:
            self.positions = AS_THEY_LIE if samples.rows is None else samples.rows
            return
        n_rows = samples.n_rows
        self._order = np.arange(n_rows, dtype=np.int64)
        self.most_epochs = max(1, min(most_epochs, _MOST_POSITIONS // n_rows))
        if self.most_epochs == 1 and samples.rows is None:
            self.positions = self._order
        else:
            self.positions = np.empty(self.most_epochs * n_rows, dtype=np.int64)
        self._epochs = self.positions.reshape(self.most_epochs, n_rows)

    def prepare(self, n_epochs: int) -> None:
        """Write the orders of the next epochs."""
        if self._random_state is None:
            return
        for visited in self._epochs[:n_epochs]:
            shuffle_like_numpy(self._random_state, self._order)
            if self._rows is not None:
                np.take(self._rows, self._order, out=visited, mode="clip")
            elif self.positions is not self._order:
                visited[:] = self._order
