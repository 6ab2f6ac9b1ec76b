"""The order in which epochs visit the rows, made for several epochs at a time."""

import numpy as np

from fastdnn.data.samples import AS_THEY_LIE, Samples
from fastdnn.training.random import shuffle_epochs_like_numpy

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

    Attributes
    ----------
    positions : ndarray of int64
        The rows to visit, one epoch after the other, as `prepare` left them; empty for all
        rows as they lie.
    """

    def __init__(
        self, samples: Samples, random_state: np.random.RandomState | None, most_epochs: int
    ) -> None:
        self._random_state = random_state
        if random_state is None:
            self.positions = AS_THEY_LIE if samples.rows is None else samples.rows
            return
        n_rows = samples.n_rows
        n_epochs = max(1, min(most_epochs, _MOST_POSITIONS // n_rows))
        # In the first epoch's place the rows in order, without another array of them.
        self._epochs = np.arange(n_epochs * n_rows).reshape(n_epochs, n_rows)
        if samples.rows is not None:
            self._epochs[0] = samples.rows
        self._latest = 0
        self.positions = self._epochs.reshape(-1)

    def prepare(self, n_epochs: int) -> None:
        """Write the orders of the next epochs, each shuffled from the one before."""
        if self._random_state is None or n_epochs == 0:
            return
        shuffle_epochs_like_numpy(self._random_state, self._epochs, self._latest, n_epochs)
        self._latest = n_epochs - 1
