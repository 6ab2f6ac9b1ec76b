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
from fastdnn.training.order import VisitOrder


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
        orders = [VisitOrder(samples, state, 1) for state in self._states]
        steps = steps_of_layers(self._sizes)
        steps.begin(drawn[0], OPTIMIZERS["adamw"], np.array(signs))
        size = recipe.batch_size
        n_batches = max(1, samples.n_rows // size)
        order = np.zeros((n_batches, n_networks, size), np.int64)
        visited = samples.at(order.reshape(-1))
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

        def prepare_epoch() -> None:
            for member, of_member in enumerate(orders):
                of_member.prepare(1)
                rows = of_member.positions[: n_batches * size]
                order[:, member] = rows.reshape(n_batches, size)

        self._be_ready(plan, visited, order.reshape(-1), seed, n_networks * size)
        self._prepare_epoch = prepare_epoch
