"""Members that share the weights of their hidden layers: one training of them all.

Gorishniy et al., TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling
(2025), in the form that they call "mini": what makes members differ are the signs that their
scales of inputs begin with, their biases, their last layer, and the rows that they see.
"""

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.planning.plan import plan_training
from fastdnn.tables.members import Member
from fastdnn.tables.recipe import Recipe, draw_parameters, steps_of_layers
from fastdnn.training.random_states import shuffle_epochs_like_numpy


def members_of(
    recipe: Recipe, samples: Samples, n_outputs: int, seeds: list[int], n_threads: int | None
) -> list[Member]:
    """Return what is to be trained: a member for each seed, or one for all of them."""
    if recipe.shares_weights and len(seeds) > 1 and not samples.is_sparse:
        return [SharedMembers(recipe, samples, n_outputs, seeds, n_threads)]
    return [Member(recipe, samples, n_outputs, seed) for seed in seeds]


class SharedMembers(Member):
    """Networks that share weights, as one member that stands for all of them.

    Parameters
    ----------
    recipe, samples, n_outputs
        As of a member; a step has so many rows for each network.
    seeds : list of int
        Of the networks; what they share is drawn by the first one.
    n_threads : int or None
        Threads that the user allows. The result does not depend on it.
    """

    def __init__(
        self,
        recipe: Recipe,
        samples: Samples,
        n_outputs: int,
        seeds: list[int],
        n_threads: int | None,
    ) -> None:
        self._states = [np.random.RandomState(seed) for seed in seeds]
        self._n_threads = n_threads
        super().__init__(recipe, samples, n_outputs, seeds[0])

    def _begin(self) -> None:
        samples, recipe, n_networks = self._samples, self._recipe, len(self._states)
        drawn = [draw_parameters(self._sizes, state) for state in self._states]
        signs = [2.0 * state.randint(0, 2, self._sizes[0]) - 1.0 for state in self._states]
        seed = int(self._states[0].randint(2**31 - 1))
        steps = steps_of_layers(self._sizes)
        steps.begin(drawn[0], OPTIMIZERS["adamw"], np.array(signs))
        size = recipe.batch_size
        orders = SharedOrders(samples, self._states, size)
        visited = samples.at(orders.positions)
        plan = plan_training(
            drawn[0],
            self.network,
            "adamw",
            batch_size=n_networks * size,
            samples=visited,
            gather=True,
            n_threads=self._n_threads,
            has_rates=True,
            layer_steps=steps,
            n_members=n_networks,
        )
        shared = [W.copy() for W in drawn[0].coefs]
        for theta, own, sign in zip(plan.thetas, drawn, signs, strict=True):
            theta[:] = own.theta
            network = Parameters(self._sizes, np.float32, theta)
            for W, of_all in zip(network.coefs[:-1], shared[:-1], strict=True):
                W[:] = of_all
            network.coefs[0][:] *= sign[:, np.newaxis]

        self._be_ready(plan, visited, orders.positions, seed, n_networks * size)
        self._prepare_epoch = orders.prepare


class SharedOrders:
    """The orders in which networks visit the rows, each its own, step by step side by side.

    Of each row there is one position for each network, also while an epoch is made: with many
    rows and few columns those are much of the memory of a fit.

    Parameters
    ----------
    samples : Samples
        The rows to train on.
    random_states : list of RandomState
        Of each network, which shuffles its rows.
    size : int
        Rows of a step for each network, at most all.

    Attributes
    ----------
    positions : ndarray of int64 of shape (n_steps * n_networks * size,)
        The rows to visit in an epoch, as `prepare` left them.
    """

    def __init__(
        self, samples: Samples, random_states: list[np.random.RandomState], size: int
    ) -> None:
        self._states, n_rows = random_states, samples.n_rows
        n_steps, n_networks = n_rows // size, len(random_states)
        rows = np.arange(n_rows) if samples.rows is None else samples.rows
        visited, left_out = rows[: n_steps * size], rows[n_steps * size :]
        self._steps = np.empty((n_steps, n_networks, size), np.int64)
        self._steps[:] = visited.reshape(n_steps, 1, size)
        self._left_out = np.tile(left_out, (n_networks, 1))
        self.positions = self._steps.reshape(-1)

    def prepare(self) -> None:
        """Write the orders of the next epoch, each shuffled from the one before."""
        n_visited = self._steps.shape[0] * self._steps.shape[2]
        rows = np.empty((1, n_visited + self._left_out.shape[1]), np.int64)
        visited, left_out = rows[0, :n_visited], rows[0, n_visited:]
        as_steps = visited.reshape(self._steps.shape[0], -1)
        for network, state in enumerate(self._states):
            as_steps[:], left_out[:] = self._steps[:, network], self._left_out[network]
            shuffle_epochs_like_numpy(state, rows, 0, 1)
            self._steps[:, network], self._left_out[network] = as_steps, left_out
