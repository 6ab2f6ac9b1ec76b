"""The loop over rounds: synchronous steps at first, then steps of each shard, averaged.

A batch of the network has rows of all shards, of each a share. In a synchronous step they make
its gradient together. In a round of local steps each shard takes a step for each batch, by its
own share of it alone, and what they come to is averaged, with the optimiser's memory. The
fewer rows of a share make a noisier gradient, by whose size Adam and its kin divide: with K
shards local steps are the root of K times as long, so that their mean is as long as the step
of one machine. The step from one average to the next gets Nesterov's momentum.
"""

import time
import warnings
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastdnn.distributed.rounds import Job, gradient, local_steps
from fastdnn.distributed.sums import Sum, sum_of_means, sum_of_sums
from fastdnn.ops.given_gradient import step_by
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.training.notices import INTERRUPTED
from fastdnn.training.options import Options, rows_of_batch, weight_decay_of
from fastdnn.training.recording import Run, record
from fastdnn.training.schedules import Progress, first_rate, schedule_of
from fastdnn.training.state import OptimizerState, TrainingState, optimizer_name
from fastdnn.training.step_sizes import StepSizes
from fastdnn.training.stopping import is_to_stop

# Those whose steps are as long whatever the size of a gradient.
_LENGTH_IS_THE_RATE = frozenset(
    ("adam", "adamw", "amsgrad", "nadam", "radam", "adamax", "adagrad", "rmsprop", "lion")
)


class Timetable(NamedTuple):
    """When shards agree.

    Attributes
    ----------
    sync_epochs : float
        Epochs of synchronous steps.
    rounds_per_epoch : int
        Averages in each epoch after them.
    outer_momentum : float
        Of the step from one average to the next.
    """

    sync_epochs: float = 0.1
    rounds_per_epoch: int = 10
    outer_momentum: float = 0.3


class Team(Protocol):
    """Who does rounds with all shards."""

    def sizes(self) -> list[int]:
        """Return the rows of each shard."""

    def do(self, function: Any, add: Any, job: Job) -> Sum:
        """Do one thing with all shards, and add up in their order what comes of it."""

    def look_around(self) -> None:
        """Take in who has joined and who is gone, between two rounds."""


class Training:
    """The training of one network by all shards.

    Parameters
    ----------
    team : Team
        Does the rounds.
    state : TrainingState
        Of a network that was drawn; it is gone on with in place.
    options : Options
        Hyperparameters.
    timetable : Timetable
        When shards agree.
    seed : int
        Of the orders of the rows, and of what steps draw.
    """

    def __init__(
        self,
        team: Team,
        state: TrainingState,
        options: Options,
        timetable: Timetable,
        seed: int,
    ) -> None:
        self._team, self._options, self._timetable = team, options, timetable
        self.state, self._seed, sizes = state, seed, team.sizes()
        self._n_shards, self._n_rows = len(sizes), sum(sizes)
        batch_size = rows_of_batch(options.batch_size, self._n_rows)
        self._n_batches = -(-self._n_rows // batch_size)
        name = optimizer_name(options.solver, options.nesterovs_momentum)
        self._schedule = schedule_of(options, name)
        memory = np.zeros(OPTIMIZERS[name].n_slots * state.parameters.theta.size, state.dtype)
        rate = first_rate(self._schedule, options)
        state.optimizer = self._optimizer = OptimizerState(name, memory, rate)
        self._sizes = StepSizes(self._schedule, options, self._optimizer, self._n_batches)
        self._velocity = np.zeros(state.parameters.theta.size)
        self._longer = self._n_shards**0.5 if name in _LENGTH_IS_THE_RATE else 1.0
        #: How many rounds there were, with synchronous steps.
        self.n_rounds = 0

    def run(self) -> list[Warning]:
        """Train until the rules of the estimators say stop; return the warnings to give.

        Raises
        ------
        ValueError
            If training diverges.
        KeyboardInterrupt
            At Ctrl-C in the first epoch; later it ends training.
        """
        options, history = self._options, self.state.history
        kept = self.state.copy()
        try:
            while history.n_iter < options.max_iter:
                self._epoch(history.n_iter)
                if is_to_stop(history, options, self._schedule, self._optimizer):
                    return []
                kept = self.state.copy()
        except KeyboardInterrupt:
            if kept.history.n_iter == 0:
                raise
            self.state = kept
            return [UserWarning(INTERRUPTED)]
        return [
            ConvergenceWarning(
                f"Stochastic Optimizer: Maximum iterations ({options.max_iter}) reached and "
                "the optimization hasn't converged yet."
            )
        ]

    def _epoch(self, epoch: int) -> None:
        start, n_batches = time.perf_counter(), self._n_batches
        self._team.look_around()
        n_sync = min(max(self._timetable.sync_epochs - epoch, 0.0), 1.0)
        n_sync = round(n_sync * n_batches)
        loss, n_rows = 0.0, 0
        for batch in range(n_sync):
            done = self._synchronous_step(epoch, batch)
            loss, n_rows = loss + done.loss, n_rows + done.n_rows
        rounds = min(n_batches - n_sync, self._timetable.rounds_per_epoch)
        for i in range(rounds):
            first, last = (n_sync + (n_batches - n_sync) * k // rounds for k in (i, i + 1))
            done = self._local_round(epoch, first, last)
            loss, n_rows = loss + done.loss, n_rows + done.n_rows
        optimizer, history = self._optimizer, self.state.history
        rates = self._sizes.at_ends_of_epochs(optimizer.t, 1)
        mean, seconds = loss / n_rows, time.perf_counter() - start
        run = Run([mean], n_rows, rates, seconds, None)
        record(run, self.state, self._options, self.state.parameters)
        if self._schedule.rate is not None:
            progress = Progress(history.t, history.n_iter / self._options.max_iter)
            optimizer.learning_rate = self._schedule.rate(self._options, progress)

    def _job(self, epoch: int, first: int, last: int, memory: np.ndarray) -> Job:
        optimizer = self._optimizer
        return Job(
            self.state.parameters.theta,
            memory,
            optimizer.optimizer,
            optimizer.learning_rate * self._longer,
            optimizer.t,
            self._seed,
            epoch,
            first,
            last,
            self._n_batches,
            self._n_rows,
        )

    def _synchronous_step(self, epoch: int, batch: int) -> Sum:
        """Take one step by the gradient of all shards."""
        optimizer, parameters = self._optimizer, self.state.parameters
        job = self._job(epoch, batch, batch + 1, np.zeros(0, self.state.dtype))
        done = self._team.do(gradient, sum_of_sums, job)
        self.n_rounds += 1
        if done.weight == 0.0:
            raise ZeroDivisionError(
                "Weights sum to zero, can't be normalized: sample_weight is zero in all of a "
                "batch. Leave such samples out or raise batch_size."
            )
        theta, n_weights = parameters.theta, parameters.n_weights
        decay, lasso = (
            strength / done.weight for strength in (self._options.alpha, self._options.l1)
        )
        weights = theta[:n_weights].astype(np.float64)
        loss = done.loss / done.weight
        loss += 0.5 * decay * float(weights @ weights) + lasso * float(np.abs(weights).sum())
        grad = done.vectors[0] / done.weight
        if self._clips() or lasso:
            grad[:n_weights] += decay * weights + lasso * np.sign(weights)
            grad, decay = self._clipped(grad), 0.0
        rate = float(self._sizes.rates(optimizer.t, 1)[0])
        optimizer.t += 1
        step_by(
            optimizer.optimizer,
            self._numbers() | {"learning_rate": rate},
            optimizer.t,
            theta,
            optimizer.memory,
            grad.astype(theta.dtype),
            n_weights,
            decay,
        )
        self._require_finite(loss)
        return done._replace(loss=loss * done.n_rows)

    def _clips(self) -> bool:
        return self._options.clip_value is not None or self._options.clip_norm is not None

    def _clipped(self, grad: np.ndarray) -> np.ndarray:
        limit, norm = self._options.clip_value, self._options.clip_norm
        if limit is not None:
            grad = np.clip(grad, -limit, limit)
        if norm is not None:
            grad = grad * min(1.0, norm / (float(np.sqrt((grad * grad).sum())) + 1e-6))
        return grad

    def _numbers(self) -> dict[str, float]:
        options = self._options
        names = ("momentum", "rho", "beta_1", "beta_2")
        tiny = float(np.finfo(self.state.dtype).tiny)
        return {name: float(getattr(options, name)) for name in names} | {
            "epsilon": max(float(options.epsilon), tiny),
            "weight_decay": weight_decay_of(options),
        }

    def _local_round(self, epoch: int, first: int, last: int) -> Sum:
        """Let each shard take its steps, and go on from their mean."""
        optimizer, theta = self._optimizer, self.state.parameters.theta
        job = self._job(epoch, first, last, optimizer.memory)
        done = self._team.do(local_steps, sum_of_means, job)
        self.n_rounds += 1
        mean, memory = (vector / done.weight for vector in done.vectors)
        momentum = self._timetable.outer_momentum
        step = mean - theta
        self._velocity = momentum * self._velocity + step
        theta += (step + momentum * self._velocity).astype(theta.dtype)
        optimizer.memory[:] = memory
        optimizer.t += last - first
        self._require_finite(done.loss)
        return done

    def _require_finite(self, loss: float) -> None:
        if not (np.isfinite(loss) and np.isfinite(self.state.parameters.theta).all()):
            raise ValueError(
                "Training on the cluster has diverged: the loss or the parameters are no "
                f"longer finite in epoch {self.state.history.n_iter + 1}. Scale X, for "
                f"instance to a variance of 1, or lower learning_rate_init="
                f"{self._options.learning_rate_init!r}; with outer_momentum="
                f"{self._timetable.outer_momentum!r} and {self._n_shards} shards steps are "
                "longer than on one machine."
            )


def give(notices: list[Warning], stacklevel: int) -> None:
    """Give warnings when all is done."""
    for notice in notices:
        warnings.warn(notice, stacklevel=stacklevel)


def finished(state: TrainingState) -> TrainingState:
    """Return what a local estimator holds of it."""
    return replace(state.without_order(), seed=None)
