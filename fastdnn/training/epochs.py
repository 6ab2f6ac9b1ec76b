"""Epochs over the compiled engine, in runs of about the same length."""

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastdnn.compiler.jit import make_ready
from fastdnn.data.samples import Samples
from fastdnn.engine.loop import train
from fastdnn.planning.plan import Plan
from fastdnn.teams.threads import Team
from fastdnn.training.long_batches import LongBatches

# The engine is left this often, so that Ctrl-C and progress reports work.
_SECONDS_PER_RUN = 0.08
# While other threads keep its processors, a team looks this often whether they still do.
_SECONDS_TO_LOOK = 0.008
# Assumed before the first run has been timed; of a team less, so that it is soon timed.
_FLOPS_PER_SECOND, _FLOPS_PER_SECOND_OF_TEAM = 2.5e10, 1e10
# What a batch takes besides its products, as so many operations.
_FLOPS_OF_BATCH = 5e4
# Epochs of a run over rows that are visited as they lie.
_MOST_EPOCHS = 1000


class EpochRunner:
    """Runs epochs of one plan: slices of a long one, or several short ones, at a time.

    Compiles what it needs when it is made. An interrupt in a run is raised soon, and leaves
    the network as it was after a whole batch: the plan's `t` counts which.

    Parameters
    ----------
    plan : Plan
        From `plan_training`.
    samples : Samples
        The rows to train on.
    order : ndarray of int64
        The rows in the order to visit, of one epoch or of several, one after the other;
        read anew in every run. Empty for all rows as they lie.
    rates : callable, optional
        ``rates(t, n_steps)`` returns the learning rates of steps after the first `t`, where
        the plan has room for them.
    """

    def __init__(
        self,
        plan: Plan,
        samples: Samples,
        order: np.ndarray,
        rates: Callable[[int, int], np.ndarray] | None = None,
    ) -> None:
        self._plan, memory = plan, plan.memory  # kept alive: the table holds addresses
        self._first, self._last = plan.columns["first"], plan.columns["last"]
        self._batch_size = int(plan.table["batch_size"][0])
        self._is_total = bool(plan.table["total_weight"][0] > 0.0)
        self._n_rows = samples.n_rows
        self._batches_per_epoch = -(-self._n_rows // self._batch_size)
        self._rates, self._t = rates, plan.columns["t"]
        self._most_batches = sys.maxsize if rates is None else plan.steps_at_once
        self._most_epochs = order.size // self._n_rows or _MOST_EPOCHS
        self._losses = np.zeros(self._most_epochs)
        # Kept alive as well, and by threads, whatever becomes of this object.
        self._kept_alive: list[Any] = [plan]
        self._point_to(samples, order, self._n_rows)
        real = memory.theta.dtype.type(0)
        make_ready(train, plan.address, real, 0, 0)
        kept_alive = self._kept_alive

        def work(worker: int, n_joined: int) -> int:
            return train(kept_alive[0].address, real, worker, n_joined)

        self._team = Team(plan.columns["n_workers"], memory.team, work)
        n_weights = int(plan.table["n_weights"][0])
        plan.table["weight_squares"] = -1.0  # to be summed up at the first batch
        flops = 6.0 * n_weights * self._batch_size + _FLOPS_OF_BATCH
        rate = _FLOPS_PER_SECOND if plan.n_workers == 1 else _FLOPS_PER_SECOND_OF_TEAM
        self._batches_per_run = max(1, int(rate * _SECONDS_PER_RUN / flops))
        self._batches_asked_for = self._batches_per_run
        self._long_batches = LongBatches(plan, samples)

    def _point_to(self, samples: Samples, order: np.ndarray, n_rows: int) -> None:
        """Let the engine read samples, of which so many make an epoch."""
        data = samples.data(order, self._plan.memory.theta.dtype, self._losses)
        self._plan.point_to(data)
        self._plan.table["epoch_rows"] = n_rows
        self._kept_alive[1:] = [data]

    def __enter__(self) -> "EpochRunner":
        self._team.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._team.__exit__(*error)

    @property
    def epochs_at_once(self) -> int:
        """How many epochs one run may take: as there is an order for, and time."""
        return max(1, min(self._most_epochs, self._batches() // self._batches_per_epoch))

    def run(self, n_epochs: int = 1) -> list[float]:
        """Train on every row once an epoch.

        Parameters
        ----------
        n_epochs : int
            At most `epochs_at_once`.

        Returns
        -------
        list of float
            For each epoch the mean over the rows of the loss of their batch, each taken
            before its step; with a total weight, the sum of all losses divided by it.
        """
        self._losses[:n_epochs] = 0.0
        if n_epochs > 1:
            self._run(0, n_epochs * self._n_rows, n_epochs * self._batches_per_epoch)
        else:
            self.run_rows(0, self._n_rows)
        losses = self._losses[:n_epochs]
        return (losses if self._is_total else losses / self._n_rows).tolist()

    def run_rows(
        self,
        first: int,
        last: int,
        loss_sum: float = 0.0,
        deadline: float = math.inf,
    ) -> tuple[int, float]:
        """Train on a part of an epoch.

        Parameters
        ----------
        first, last : int
            Where it begins and ends in the order: between two batches.
        loss_sum : float
            What was returned for the rows before.
        deadline : float
            When to leave it, on the monotonic clock.

        Returns
        -------
        int
            The row that it came to; training goes on from there.
        float
            The losses of the batches up to there, each times its rows.
        """
        self._losses[0] = loss_sum
        while first < last:
            end = min(last, first + self._batches() * self._batch_size)
            self._run(first, end, -(-(end - first) // self._batch_size))
            first = end
            if time.monotonic() >= deadline:
                break
        return first, float(self._losses[0])

    def _batches(self) -> int:
        """Return how many batches the next run has at most."""
        share = 1.0
        if self._team.look_around():
            share = _SECONDS_TO_LOOK / _SECONDS_PER_RUN
        elif self._team.is_to_compare:
            share = 0.25
        wanted = max(1, int(share * self._batches_per_run))
        self._batches_asked_for = min(wanted, self._most_batches)
        return self._batches_asked_for

    def _run(self, first: int, last: int, n_batches: int) -> None:
        if self._rates is not None:
            self._plan.set_rates(self._rates(int(self._t[0]), n_batches))
        self._first[0], self._last[0] = first, last
        if self._long_batches.are_expected:
            seconds = self._long_batches.run(self._team, n_batches)
        else:
            seconds = self._team.run(n_batches)
        if 2 * (last - first) >= self._batch_size:  # much fewer rows say little
            self._long_batches.seconds = seconds * self._batch_size / (last - first)
        # A short run says little; never grow by much from a single timing.
        if 2 * n_batches >= self._batches_asked_for:
            batches = n_batches * _SECONDS_PER_RUN / max(seconds, 1e-9)
            self._batches_per_run = max(1, int(min(batches, 2.0 * self._batches_per_run)))
