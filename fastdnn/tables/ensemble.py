"""An ensemble of members at the ends of their cycles: how it is trained, decided and asked."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.prediction.predictor import Predictor
from fastdnn.tables.control import Control
from fastdnn.tables.members import Member, report, train_cycle
from fastdnn.tables.recipe import CYCLE_ENDS, Recipe
from fastdnn.tables.selection import (
    best_temperature,
    greedy_weights,
    log_loss,
    mean_square,
    probabilities,
)
from fastdnn.tables.shared_members import members_of

# Training ends after the third cycle if its loss is higher than the lowest by so much of it.
_WORSE, _CYCLE_TO_STOP_AT = 0.02, 3


class Decisions(NamedTuple):
    """What validation rows decide.

    Attributes
    ----------
    temperatures, weights : tuple of float
        Of each cycle that was trained; a weight of 0 leaves it out.
    scores : tuple of float
        Of each cycle that was validated, by what decides; the higher the better.
    """

    temperatures: tuple[float, ...]
    weights: tuple[float, ...]
    scores: tuple[float, ...] = ()

    @property
    def n_cycles(self) -> int:
        """How many cycles have to be trained for it."""
        return max(c + 1 for c, weight in enumerate(self.weights) if weight > 0.0)


#: Where nothing decides: all cycles are trained, and the last one counts.
THE_LAST = Decisions((1.0,) * len(CYCLE_ENDS), (0.0,) * (len(CYCLE_ENDS) - 1) + (1.0,))


class Judge(NamedTuple):
    """What validation decides by.

    Attributes
    ----------
    stops_early : bool
        Whether the last cycle is left out where the one before is worse than an earlier one.
    score : callable or None
        Of predictions for the validation rows, the higher the better; None: minus the loss.
    """

    stops_early: bool = True
    score: Callable[[np.ndarray], float] | None = None


class Trained(NamedTuple):
    """Networks that were trained, what they count, and whether for as long as was decided."""

    members: list[Member]
    decisions: Decisions
    is_complete: bool


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
        members = range(len(self.snapshots))
        return np.stack([self.predict_member(m, samples, n_threads) for m in members])

    def predict_member(
        self, position: int, samples: Samples, n_threads: int | None
    ) -> np.ndarray:
        """Return what one member predicts: (n_samples, n_outputs), float64."""
        total = np.zeros((samples.n_rows, self.task.n_outputs))
        snapshots = self.snapshots[position]
        for (weight, temperature), parameters in zip(self.cycles, snapshots, strict=True):
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
    judge: Judge,
) -> Trained:
    """Train members, and decide on other rows how long, and what each cycle counts."""
    members = members_of(recipe, samples, task.n_outputs, seeds, n_threads)
    rows = validation.to_predict()

    def outputs() -> np.ndarray:
        return np.concatenate([member.outputs(rows) for member in members])

    return train_and_decide(members, outputs, task, validation, control, n_threads, judge)


def train_and_decide(
    members: list[Member],
    outputs_of: Callable[[], np.ndarray],
    task: Task,
    validation: Samples,
    control: Control,
    n_threads: int | None,
    judge: Judge,
) -> Trained:
    """Train members, and decide by their outputs how long, and what each cycle counts.

    Parameters
    ----------
    members : list of Member
        Not trained yet.
    outputs_of : callable
        Returns what there is for the validation rows at the end of a cycle, before the output
        activation: (n_networks, n_samples, n_outputs).
    task : Task
        What is predicted.
    validation : Samples
        The validation rows; of their X nothing is read.
    control, n_threads
        As of `train_cycle`.
    judge : Judge
        What decides.
    """
    loss, score = task.loss_on(validation), judge.score
    found: list[tuple[np.ndarray, float, float]] = []
    weight = validation.weight

    def cost(predictions: np.ndarray) -> float:
        return loss(predictions) if score is None else -score(predictions)

    def validate() -> None:
        outputs, temperature = outputs_of(), 1.0
        if task.is_classifier:
            positions = validation.Y[:, 0].astype(np.int64)
            temperature = best_temperature(outputs, positions, weight)
        predictions = task.predictions(outputs, temperature)
        found.append((predictions, temperature, cost(predictions)))
        report(members, control, (loss(predictions), -found[-1][2]), is_end_of_cycle=True)

    is_complete = True
    with _at_work(members):
        for cycle in range(1, len(CYCLE_ENDS) + 1):
            is_complete = _trained(members, control, n_threads, validate)
            if not is_complete:
                break
            costs = [of_cycle for _, _, of_cycle in found]
            is_worse = costs[-1] - min(costs) > _WORSE * abs(min(costs))
            if cycle == _CYCLE_TO_STOP_AT and is_worse and judge.stops_early:
                break
    members = _with_what_they_learnt(members)
    if not found:
        return Trained(members, Decisions((1.0,), (1.0,)), is_complete)
    candidates, temperatures, costs = zip(*found, strict=True)
    try:
        weights = greedy_weights(candidates, cost)
    except KeyboardInterrupt:
        control.interrupt()
        weights, is_complete = np.eye(len(costs))[int(np.argmin(costs))], False
    scores = tuple(-of_cycle for of_cycle in costs)
    decisions = Decisions(tuple(temperatures), tuple(weights.tolist()), scores)
    return Trained(members, decisions, is_complete)


def train_by_decisions(
    task: Task,
    recipe: Recipe,
    samples: Samples,
    decisions: Decisions,
    seeds: list[int],
    control: Control,
    n_threads: int | None,
) -> Trained:
    """Train members as it was decided before, or as far as there is time."""
    members = members_of(recipe, samples, task.n_outputs, seeds, n_threads)
    n_done, tell = 0, functools.partial(report, members, control, is_end_of_cycle=True)
    with _at_work(members):
        for _ in range(decisions.n_cycles):
            if not _trained(members, control, n_threads, tell):
                break
            n_done += 1
    is_complete = n_done == decisions.n_cycles
    members = _with_what_they_learnt(members)
    if n_done == 0:
        return Trained(members, Decisions((1.0,), (1.0,), decisions.scores), is_complete)
    weights = np.array(decisions.weights[:n_done])
    if weights.sum() == 0.0:  # of cycles that there was no time for
        weights[-1] = 1.0
    weights /= weights.sum()
    temperatures = decisions.temperatures[:n_done]
    decided = Decisions(temperatures, tuple(weights.tolist()), decisions.scores)
    return Trained(members, decided, is_complete)


def ensemble_of(members: list[Member], decisions: Decisions, task: Task) -> Ensemble:
    """Return what members are to be kept as."""
    used = [c for c, weight in enumerate(decisions.weights) if weight > 0.0]
    snapshots = [
        list(cycles)
        for member in members
        for cycles in zip(*(member.snapshots[c] for c in used), strict=True)
    ]
    return Ensemble(task, members[0].network, decisions, snapshots)


@contextlib.contextmanager
def _at_work(members: list[Member]) -> Iterator[None]:
    """Let members have threads of their own until they are trained."""
    with contextlib.ExitStack() as stack:
        for member in members:
            stack.enter_context(member)
        yield


def _trained(
    members: list[Member],
    control: Control,
    n_threads: int | None,
    at_end: Callable[[], object],
) -> bool:
    """Train up to the end of a cycle and do what is to be done there; False if that ended."""
    try:
        is_done = train_cycle(members, control, n_threads)
        if is_done:
            at_end()
    except KeyboardInterrupt:
        if not any(member.has_learnt for member in members):
            raise
        control.interrupt()
        is_done = False
    if not all(member.is_finite for member in members):
        raise ValueError(
            "Training diverged: parameters are not finite. Lower learning_rate, or look for "
            "very large numbers in y."
        )
    if not is_done:
        control.note_lack_of_time()
    return is_done


def _with_what_they_learnt(members: list[Member]) -> list[Member]:
    """Return those that were trained furthest, all with as many snapshots.

    Before the end of the first cycle that are those that have learnt anything at all, as they
    are now.
    """
    most = max(len(member.snapshots) for member in members)
    if most == 0:
        members = [member for member in members if member.has_learnt] or members
        for member in members:
            member.keep()
        return members
    return [member for member in members if len(member.snapshots) == most]
