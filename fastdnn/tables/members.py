"""Trains the members of an ensemble side by side, and keeps what they are after each cycle."""

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Self

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.planning.plan import Plan, plan_training
from fastdnn.prediction.predictor import Predictor
from fastdnn.tables.control import Control
from fastdnn.tables.recipe import (
    CYCLE_ENDS,
    Recipe,
    draw_parameters,
    rates_of,
    steps_of_layers,
)
from fastdnn.teams.cpus import threads_offered
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.order import VisitOrder

# Adam's; squares are forgotten sooner than by default, since training is short.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.95, 1e-8


class Member:
    """One network, and what it was at the end of each cycle; a context to train it in.

    Parameters
    ----------
    recipe : Recipe
        How it is trained.
    samples : Samples
        What it is trained on, in float32; `Y` are positions of classes, or numbers.
    n_outputs : int
        Of the network.
    seed : int
        Of all that it draws.

    Attributes
    ----------
    snapshots : list of list of Parameters
        After each cycle the network that it is, or those that it stands for.
    """

    def __init__(self, recipe: Recipe, samples: Samples, n_outputs: int, seed: int) -> None:
        self._recipe, self._samples = recipe, samples
        self._random_state = np.random.RandomState(seed)
        table = recipe.table
        n_features = samples.X.shape[1] if table is None else table.n_inputs
        self._sizes = [n_features, *recipe.hidden_layer_sizes, n_outputs]
        self.network = network_of(recipe, n_features, n_outputs, samples.n_targets == 1)
        self.snapshots: list[list[Parameters]] = []
        self._begin()

    def _begin(self) -> None:
        samples, recipe = self._samples, self._recipe
        parameters = draw_parameters(self._sizes, self._random_state)
        seed = int(self._random_state.randint(2**31 - 1))
        order = VisitOrder(samples, self._random_state, 1)
        steps = steps_of_layers(self._sizes)
        steps.begin(parameters, OPTIMIZERS["adamw"])
        plan = plan_training(
            parameters,
            self.network,
            "adamw",
            batch_size=recipe.batch_size,
            samples=samples,
            gather=True,
            n_threads=1,
            has_rates=True,
            layer_steps=steps,
        )
        self._be_ready(plan, samples, order.positions, seed, recipe.batch_size)
        self._prepare_epoch: Callable[[], None] = functools.partial(order.prepare, 1)

    def _be_ready(
        self, plan: Plan, samples: Samples, order: np.ndarray, seed: int, rows_of_step: int
    ) -> None:
        """Begin training by a plan, in an order of rows that is written anew each epoch."""
        recipe = self._recipe
        plan.set_numbers(
            weight_decay=recipe.weight_decay, beta_1=_BETA_1, beta_2=_BETA_2, epsilon=_EPSILON
        )
        plan.table["seed"] = seed
        self._plan, self._rows_of_step = plan, rows_of_step
        # The last rows of an epoch make no step where they are fewer than a batch.
        self._batches = max(1, samples.n_rows // rows_of_step)
        self._n_steps, self._step = recipe.n_epochs * self._batches, 0
        self._losses, self._rows, self._rows_of_epoch = 0.0, 0, samples.n_rows
        n_steps, rates = self._n_steps, functools.partial(rates_of, recipe.learning_rate)

        def next_rates(first: int, n_next: int) -> np.ndarray:
            return rates(first, n_next, n_steps)

        self._runner = EpochRunner(plan, samples, order, next_rates)

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._runner.__exit__(*error)

    @property
    def is_at_end_of_cycle(self) -> bool:
        """Whether all steps of the cycle are done, and it is not yet kept."""
        return self._step >= self._end_of_cycle

    @property
    def _end_of_cycle(self) -> int:
        return round(CYCLE_ENDS[len(self.snapshots)] * self._n_steps)

    @property
    def has_learnt(self) -> bool:
        """Whether it has made a step."""
        return int(self._plan.columns["t"][0]) > 0

    @property
    def epochs_done(self) -> float:
        """How many epochs it was trained for."""
        return self._step / self._batches

    @property
    def n_epochs(self) -> int:
        """Epochs of a whole training."""
        return self._recipe.n_epochs

    def take_loss(self) -> float:
        """Return the mean training loss since this was last asked."""
        loss = self._losses / max(1, self._rows)
        self._losses, self._rows = 0.0, 0
        return loss

    def train(self, control: Control, by_epochs: bool = False) -> bool:
        """Train up to the end of the cycle, or of the epoch, if that is sooner.

        Returns
        -------
        bool
            False if training had to end before.
        """
        end, size = self._end_of_cycle, self._rows_of_step
        if by_epochs:
            end = min(end, (self._step // self._batches + 1) * self._batches)
        while self._step < end:
            first = self._step % self._batches
            if first == 0:
                self._prepare_epoch()
            last = min(self._batches, first + end - self._step)
            rows = min(last * size, self._rows_of_epoch)
            while first < last:
                if control.is_over:
                    return False
                row, losses = self._runner.run_rows(first * size, rows, deadline=0.0)
                self._losses += losses
                self._rows += row - first * size
                done = -(-row // size) - first
                first, self._step = first + done, self._step + done
        return True

    def keep(self) -> None:
        """Keep the network as it is now: at the end of a cycle, or where training ends."""
        self.snapshots.append(
            [Parameters(self._sizes, np.float32, theta.copy()) for theta in self._plan.thetas]
        )

    @property
    def is_finite(self) -> bool:
        """Whether all that it has come to is finite."""
        return all(bool(np.isfinite(theta).all()) for theta in self._plan.thetas)

    def outputs(self, samples: Samples) -> np.ndarray:
        """Return what the last networks give before their output activation.

        Returns
        -------
        ndarray of shape (n_networks, n_samples, n_outputs)
        """
        return np.stack(
            [Predictor(p, self.network)(samples, 1, "logits") for p in self.snapshots[-1]]
        )


def network_of(recipe: Recipe, n_features: int, n_outputs: int, positions: bool) -> Network:
    """Describe the network of a member: of classes, if there are several outputs."""
    hidden = [
        Layer(n_units, activation, dropout=recipe.dropout)
        for n_units, activation in zip(
            recipe.hidden_layer_sizes, recipe.layer_activations, strict=True
        )
    ]
    is_classifier = positions and n_outputs > 1
    output = Layer(n_outputs, "softmax" if is_classifier else "identity")
    smooths = is_classifier and recipe.label_smoothing > 0.0
    if is_classifier:
        loss = "smoothed_log_loss" if smooths else "log_loss"
    else:
        loss = "half_squared_error"
    return Network(
        n_features,
        (*hidden, output),
        loss,
        loss_parameter=recipe.label_smoothing if smooths else None,
        input_dropout=recipe.input_dropout,
        table=recipe.table,
    )


def train_cycle(members: list[Member], control: Control, n_threads: int | None) -> bool:
    """Train all members up to the end of their next cycle, in as many threads as are offered.

    What they come to does not depend on the number of threads. Where somebody wants to know,
    they wait for each other after each epoch.

    Returns
    -------
    bool
        False if training had to end before; what the members have come to is then not kept.

    Raises
    ------
    KeyboardInterrupt
        After all of them have been told to stop, and have.
    """
    n_workers = min(len(members), threads_offered(n_threads, pays=True))
    by_epochs = control.wants_epochs
    with ThreadPoolExecutor(n_workers) as pool:
        while True:
            if n_workers <= 1:
                are_done = [member.train(control, by_epochs) for member in members]
            else:
                are_done = _in_threads(pool, members, control, by_epochs)
            if not all(are_done):
                return False
            if all(member.is_at_end_of_cycle for member in members):
                break
            report(members, control)
    for member in members:
        member.keep()
    return True


def _in_threads(
    pool: ThreadPoolExecutor, members: list[Member], control: Control, by_epochs: bool
) -> list[bool]:
    futures: list[Future] = [pool.submit(m.train, control, by_epochs) for m in members]
    try:
        wait(futures)
    except BaseException:
        control.stop()
        raise
    return [future.result() for future in futures]


def report(
    members: list[Member],
    control: Control,
    validation: tuple[float, float] | None = None,
    is_end_of_cycle: bool = False,
) -> None:
    """Tell how members were trained up to now; ask `Control.report` of the rest."""
    losses = [member.take_loss() for member in members]
    first = members[0]
    control.report(
        first.epochs_done,
        first.n_epochs,
        len(first.snapshots) + (not is_end_of_cycle),
        float(np.mean(losses)),
        validation,
        is_end_of_cycle,
    )
