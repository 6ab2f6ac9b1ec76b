"""Epochs of a stream over the compiled engine: one block of rows after the other."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastdnn.data.blocks import Block, StreamedSamples
from fastdnn.data.samples import AS_THEY_LIE, Samples
from fastdnn.planning.plan import Plan
from fastdnn.teams.cpus import usable_cpus
from fastdnn.training.block_order import BlockOrder
from fastdnn.training.block_reader import BlockReader
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.order import VisitOrder


class BlockRunner(EpochRunner):
    """Runs epochs of one plan over a stream, whose blocks a thread reads meanwhile.

    Blocks are multiples of batches, but for the last one of an epoch: the steps of an epoch
    are as many, and as large, as those of samples in memory.

    Parameters
    ----------
    plan : Plan
        From `plan_training`.
    samples : StreamedSamples
        The stream.
    order : BlockOrder
        Of units and rows.
    rates : callable or None
        As of `EpochRunner`.
    first_epoch, n_epochs : int
        The number of the first epoch, counted from 0, and how many there may be.

    Attributes
    ----------
    done, loss_sum : int, float
        The rows of the epoch that were trained on, and the losses of their batches, each
        times its rows.
    """

    def __init__(
        self,
        plan: Plan,
        samples: StreamedSamples,
        order: BlockOrder,
        rates: Callable[[int, int], np.ndarray] | None,
        first_epoch: int,
        n_epochs: int,
    ) -> None:
        super().__init__(plan, samples.head, AS_THEY_LIE, rates)
        self._n_rows, self._block_order = samples.n_rows, order
        self._n_blocks, self.done, self.loss_sum = samples.n_blocks, 0, 0.0
        if samples.n_blocks == 1:
            n_epochs = 1  # a single block stays in memory
        self._reader = BlockReader(samples, order.of_units, first_epoch, n_epochs)
        self._only: Block | None = None
        if plan.n_workers + 1 > usable_cpus():
            self._team.gives_way = self._reader.is_at_work

    def __enter__(self) -> "BlockRunner":
        super().__enter__()
        self._reader.start()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._reader.close()
        finally:
            super().__exit__(*error)

    @property
    def epochs_at_once(self) -> int:
        """How many epochs one run may take."""
        return 1

    def run_rows(
        self,
        first: int,
        last: int,
        loss_sum: float = 0.0,
        deadline: float = math.inf,
    ) -> tuple[int, float]:
        """Train on an epoch, from its beginning up to its end, or to the deadline.

        Returns
        -------
        int
            How many rows were trained on.
        float
            The losses of the batches, each times its rows.

        Raises
        ------
        StreamError
            If a block could not be read. Then `done` and `loss_sum` tell of those before.
        """
        self.done, self.loss_sum = 0, 0.0
        while self.done < last:
            # Something is trained, however short the time.
            block = self._only or self._reader.next(deadline if self.done else math.inf)
            if block is None:
                break
            order = self._block_order.of_block(block.n_rows)
            self._point_to(block.samples(), order, block.n_rows)
            n_rows, self.loss_sum = super().run_rows(0, block.n_rows, self.loss_sum, deadline)
            self.done += n_rows
            if self._n_blocks == 1:
                self._only = block
            elif n_rows == block.n_rows:
                self._reader.give_back(block)
            if n_rows < block.n_rows or time.monotonic() >= deadline:
                break
        return self.done, self.loss_sum


def runner_for(
    plan: Plan,
    samples: Samples,
    order: VisitOrder | BlockOrder,
    rates: Callable[[int, int], np.ndarray] | None,
    first_epoch: int,
    n_epochs: int,
) -> EpochRunner:
    """Return what runs epochs over samples, in memory or not."""
    if isinstance(order, BlockOrder):
        assert isinstance(samples, StreamedSamples)
        return BlockRunner(plan, samples, order, rates, first_epoch, n_epochs)
    return EpochRunner(plan, samples, order.positions, rates)


def order_for(
    samples: Samples, random_state: np.random.RandomState | None, most_epochs: int, state: Any
) -> VisitOrder | BlockOrder:
    """Return what draws the order of samples, in memory or not, for a state that goes on."""
    if isinstance(samples, StreamedSamples):
        return BlockOrder(samples, random_state, state.seed, state.order)
    return VisitOrder(samples, random_state, most_epochs, state.order)
