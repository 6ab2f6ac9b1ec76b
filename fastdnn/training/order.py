"""The order in which epochs visit the rows, made for several epochs at a time."""

import numpy as np

from fastdnn.data.samples import AS_THEY_LIE, Samples
from fastdnn.training.random_states import shuffle_epochs_like_numpy

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
        Epochs that will be asked for at a time, if there is room; without shuffling one.
    before : ndarray of int64, optional
        The order of an epoch before, from which the next one is shuffled.

    Attributes
    ----------
    positions : ndarray of int64
        The rows to visit, one epoch after the other, as `prepare` left them; empty for all
        rows as they lie.
    """

    def __init__(
        self,
        samples: Samples,
        random_state: np.random.RandomState | None,
        most_epochs: int,
        before: np.ndarray | None = None,
    ) -> None:
        self._random_state, self._n_rows, self._latest = random_state, samples.n_rows, 0
        if random_state is None:
            self.positions = AS_THEY_LIE if samples.rows is None else samples.rows
            return
        n_rows = samples.n_rows
        n_epochs = max(1, min(most_epochs, _MOST_POSITIONS // n_rows))
        # In the first epoch's place the rows in order, without another array of them.
        self._epochs = np.arange(n_epochs * n_rows).reshape(n_epochs, n_rows)
        first = samples.rows if before is None else before
        if first is not None:
            self._epochs[0] = first
        self.positions = self._epochs.reshape(-1)

    def prepare(self, n_epochs: int) -> None:
        """Write the orders of the next epochs, each shuffled from the one before."""
        if self._random_state is None or n_epochs == 0:
            return
        shuffle_epochs_like_numpy(self._random_state, self._epochs, self._latest, n_epochs)
        self._latest = n_epochs - 1

    def latest(self) -> np.ndarray:
        """Return a copy of the order of the last epoch that was prepared."""
        if self.positions.size == 0:
            return np.arange(self._n_rows)
        first = self._latest * self._n_rows
        return self.positions[first : first + self._n_rows].copy()
