"""An ensemble of members at the ends of their cycles: how it is trained, decided and asked."""

import threading
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastdnn.data.samples import Samples
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.prediction.predictor import Predictor
from fastdnn.tables.members import Control, Member, train_cycle
from fastdnn.tables.recipe import CYCLE_ENDS, Recipe
from fastdnn.tables.selection import (
    best_temperature,
    greedy_weights,
    log_loss,
    mean_square,
    probabilities,
)

# Training ends after the third cycle if its loss is so many times the lowest one.
_WORSE, _CYCLE_TO_STOP_AT = 1.02, 3
# From the line that warns up to the one that called `fit`.
_FRAMES_TO_USER = 5


class Decisions(NamedTuple):
    """What validation rows decide.

    Attributes
    ----------
    temperatures, weights : tuple of float
        Of each cycle that was trained; a weight of 0 leaves it out.
    """

    temperatures: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def n_cycles(self) -> int:
        """How many cycles have to be trained for it."""
        return max(c + 1 for c, weight in enumerate(self.weights) if weight > 0.0)


class Task(NamedTuple):
    """What is to be predicted, and how predictions are made of outputs.

    Attributes
    ----------
    n_outputs : int
        Of the networks.
    is_classifier : bool
        Whether they are logits of classes.
    low, high : ndarray of shape (n_outputs,) or None
        Limits of what is predicted, for regression, in the units of training.
    """

    n_outputs: int
    is_classifier: bool
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    def predictions(self, outputs: np.ndarray, temperature: float = 1.0) -> np.ndarray:
        """Return the members' mean prediction.

        Parameters
        ----------
        outputs : ndarray of shape (n_members, n_samples, n_outputs)
            Of the networks, before the output activation.
        temperature : float
            Of a classifier.
        """
        if self.is_classifier:
            return probabilities(outputs, temperature)
        return self.limited(outputs.astype(np.float64)).mean(axis=0)

    def limited(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs of a regression within the limits."""
        return outputs if self.low is None else np.clip(outputs, self.low, self.high)

    def loss_on(self, samples: Samples) -> Callable[[np.ndarray], float]:
        """Return what says how good predictions for some samples are."""
        weight = None if samples.weight is None else samples.weight.astype(np.float64)
        if self.is_classifier:
            positions = samples.Y[:, 0].astype(np.int64)
            return lambda P: log_loss(P, positions, weight)
        Y = samples.Y.astype(np.float64)
        return lambda A: mean_square(A, Y, weight)


class Ensemble:
    """Members, each of them at the ends of some cycles, and what these count.

    Parameters
    ----------
    task : Task
        What is predicted.
    network : Network
        Of each member.
    decisions : Decisions
        Of the cycles.
    snapshots : list of list of Parameters
        Of each member after each cycle that has a weight.
    """

    def __init__(
        self,
        task: Task,
        network: Network,
        decisions: Decisions,
        snapshots: list[list[Parameters]],
    ) -> None:
        self.task, self.network, self.snapshots = task, network, snapshots
        pairs = zip(decisions.weights, decisions.temperatures, strict=True)
        self.cycles = [(weight, t) for weight, t in pairs if weight > 0.0]

    def predict_members(self, samples: Samples, n_threads: int | None) -> np.ndarray:
        """Return what each member predicts: (n_members, n_samples, n_outputs), float64."""
        return np.stack(
            [self._of_member(member, samples, n_threads) for member in self.snapshots]
        )

    def _of_member(
        self, member: list[Parameters], samples: Samples, n_threads: int | None
    ) -> np.ndarray:
        total = np.zeros((samples.n_rows, self.task.n_outputs))
        for (weight, temperature), parameters in zip(self.cycles, member, strict=True):
            outputs = Predictor(parameters, self.network)(samples, n_threads, "logits")
            total += weight * self.task.predictions(outputs[np.newaxis], temperature)
        return total


def train_with_validation(
    task: Task,
    recipe: Recipe,
    samples: Samples,
    validation: Samples,
    seeds: list[int],
    control: Control,
    n_threads: int | None,
) -> tuple[list[Member], Decisions]:
    """Train members, and decide on other rows how long, and what each cycle counts."""
    members = [Member(recipe, samples, task.n_outputs, seed) for seed in seeds]
    loss, losses = task.loss_on(validation), []
    temperatures, candidates = [], []
    rows, weight = validation.to_predict(), validation.weight
    for cycle in range(1, len(CYCLE_ENDS) + 1):
        if not _train_cycle(members, control, n_threads):
            break
        outputs = np.stack([member.outputs(rows) for member in members])
        temperature = 1.0
        if task.is_classifier:
            positions = validation.Y[:, 0].astype(np.int64)
            temperature = best_temperature(outputs, positions, weight)
        temperatures.append(temperature)
        candidates.append(task.predictions(outputs, temperature))
        losses.append(loss(candidates[-1]))
        is_worse = losses[-1] > _WORSE * min(losses)
        if (cycle == _CYCLE_TO_STOP_AT and is_worse) or control.is_over:
            break
    _require_snapshots(members)
    if not candidates:
        return members, Decisions((1.0,), (1.0,))
    weights = greedy_weights(candidates, loss)
    return members, Decisions(tuple(temperatures), tuple(weights.tolist()))


def train_by_decisions(
    task: Task,
    recipe: Recipe,
    samples: Samples,
    decisions: Decisions,
    seeds: list[int],
    control: Control,
    n_threads: int | None,
) -> tuple[list[Member], Decisions]:
    """Train members as it was decided before, or as far as there is time."""
    members = [Member(recipe, samples, task.n_outputs, seed) for seed in seeds]
    n_done = 0
    for _ in range(decisions.n_cycles):
        if not _train_cycle(members, control, n_threads):
            break
        n_done += 1
    _require_snapshots(members)
    if n_done == 0:
        return members, Decisions((1.0,), (1.0,))
    weights = np.array(decisions.weights[:n_done])
    if weights.sum() == 0.0:  # of cycles that there was no time for
        weights[-1] = 1.0
    weights /= weights.sum()
    return members, Decisions(decisions.temperatures[:n_done], tuple(weights.tolist()))


def ensemble_of(members: list[Member], decisions: Decisions, task: Task) -> Ensemble:
    """Return what members are to be kept as."""
    used = [c for c, weight in enumerate(decisions.weights) if weight > 0.0]
    snapshots = [[member.snapshots[c] for c in used] for member in members]
    return Ensemble(task, members[0].network, decisions, snapshots)


def control_of(max_time: float | None) -> Control:
    """Return what ends training after so many seconds from now, or None for never."""
    deadline = np.inf if max_time is None else time.monotonic() + max_time
    return Control(deadline, threading.Event())


def _train_cycle(members: list[Member], control: Control, n_threads: int | None) -> bool:
    try:
        is_done = train_cycle(members, control, n_threads)
    except KeyboardInterrupt:
        if not any(member.snapshots for member in members):
            raise
        warnings.warn("Training interrupted by user.", stacklevel=_FRAMES_TO_USER)
        return False
    if not all(member.is_finite for member in members):
        raise ValueError(
            "Training diverged: parameters are not finite. Lower learning_rate, or look for "
            "very large numbers in y."
        )
    if not is_done:
        warnings.warn(
            "max_time was reached before training was over; the networks are what they had "
            "come to. Raise max_time, or lower max_epochs.",
            ConvergenceWarning,
            stacklevel=_FRAMES_TO_USER,
        )
    return is_done


def _require_snapshots(members: list[Member]) -> None:
    """Let all members have as many snapshots: those of all, or what they are now."""
    n_common = min(len(member.snapshots) for member in members)
    for member in members:
        if n_common == 0:
            member.keep_what_there_is()
        del member.snapshots[max(1, n_common) :]
