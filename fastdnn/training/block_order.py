"""The order in which the epochs of a stream visit its units, and the rows of a block."""

from collections.abc import Sequence

import numpy as np

from fastdnn.data.blocks import StreamedSamples
from fastdnn.data.samples import AS_THEY_LIE
from fastdnn.training.random_states import shuffle_epochs_like_numpy


class BlockOrder:
    """Draws the order of rows block after block, and that of units for each epoch.

    Rows are shuffled as in memory: each order from the one before. So a single block, whose
    units keep their order, is visited as its rows would be in memory.

    Parameters
    ----------
    samples : StreamedSamples
        The stream.
    random_state : RandomState or None
        Shuffles rows; None for all as they lie.
    seed : int or None
        With the number of an epoch it decides the order of units.
    before : ndarray of int64, optional
        The order of a block before, from which the next one is shuffled.

    Attributes
    ----------
    positions : ndarray of int64
        The order of the rows of a whole block, as `of_block` left it.
    """

    def __init__(
        self,
        samples: StreamedSamples,
        random_state: np.random.RandomState | None,
        seed: int | None,
        before: np.ndarray | None = None,
    ) -> None:
        self._random_state, self._seed = random_state, seed
        self._n_rows, self._n_blocks = samples.block_rows, samples.n_blocks
        self._n_units = len(samples.source.rows_of_units)
        self.positions = AS_THEY_LIE
        if random_state is not None:
            self.positions = np.arange(self._n_rows) if before is None else before.copy()

    def prepare(self, n_epochs: int) -> None:
        """Do nothing: blocks are put in order when it is their turn."""

    def of_block(self, n_rows: int) -> np.ndarray:
        """Return the order of the next block, which may have fewer rows than others."""
        if self._random_state is None:
            return AS_THEY_LIE
        epochs = self.positions.reshape(1, -1)
        shuffle_epochs_like_numpy(self._random_state, epochs, 0, 1)
        if n_rows == self._n_rows:
            return self.positions
        return self.positions[self.positions < n_rows]

    def of_units(self, epoch: int) -> Sequence[int]:
        """Return the order of the units in an epoch, counted from 0.

        It depends on nothing else: the first units of the next epoch are read while this one
        trains, which may turn out to be the last.
        """
        units = range(self._n_units)
        if self._random_state is None or self._n_blocks == 1:
            return units
        return np.random.RandomState([self._seed or 0, epoch]).permutation(units).tolist()

    def latest(self) -> np.ndarray:
        """Return a copy of the order of the last block."""
        if self.positions.size == 0:
            return np.arange(self._n_rows)
        return self.positions.copy()
