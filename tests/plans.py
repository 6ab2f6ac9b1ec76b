"""Plans with the settings that the estimators have by default, and small problems to plan."""

from typing import NamedTuple

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.network.parameters import Parameters
from fastdnn.planning.plan import plan_training
from fastdnn.training.epochs import EpochRunner
from tests.networks import network_of, random_parameters
from tests.oracle.network import layers_of

#: The order of samples that are taken as they lie.
IN_ORDER = np.zeros(0, dtype=np.int64)


def plan(parameters, activations, loss, optimizer, samples, **options):
    """Plan a training, unless told otherwise of one worker and without a penalty."""
    options = {"gather": False, "n_threads": 1, "alpha": 0.0} | options
    alpha = options.pop("alpha")
    network = network_of(parameters, activations, loss)
    made = plan_training(parameters, network, optimizer, samples=samples, **options)
    made.set_numbers(learning_rate=0.01, momentum=0.9, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    made.table["alpha"] = alpha
    return made


class Problem(NamedTuple):
    """A small network with samples, away from every kink."""

    parameters: Parameters
    activations: list
    loss: str
    samples: Samples

    def astype(self, dtype):
        """Return the same numbers in another precision."""
        return self._replace(
            parameters=self.parameters.astype(dtype), samples=self.samples.astype(dtype)
        )

    def loss_and_gradient(self):
        """Return the reported mean loss with its L2 term, and what the engine derives."""
        n_samples = self.samples.n_rows
        made = plan(*self[:3], "gradient", self.samples, batch_size=n_samples, alpha=0.5)
        with EpochRunner(made, self.samples, IN_ORDER) as runner:
            loss = runner.run()[0]
        return loss, made.memory.state


def problem(depth, hidden, output, loss):
    """Make up a problem of so many layers."""
    rng = np.random.default_rng(0)
    n_samples, sizes = 7, (4, *(5, 3, 4)[: depth - 1], 3)
    activations = [hidden] * (depth - 1) + [output]
    while True:
        parameters = random_parameters(rng, sizes)
        X = rng.standard_normal((n_samples, sizes[0])).astype(np.float32)
        views = parameters.coefs, parameters.intercepts
        layers = layers_of(*views, activations, X.astype(np.float64))
        kinked = [
            np.abs(Z).min()
            for (Z, _), name in zip(layers, activations, strict=True)
            if name == "relu"
        ]
        if min(kinked, default=1.0) > 1e-3:
            break
    A = layers[-1][1]
    if (loss, output) == ("log_loss", "softmax"):
        Y = rng.integers(0, sizes[-1], (n_samples, 1))
    elif loss == "poisson":
        Y = rng.poisson(2.0, A.shape)
    elif loss == "log_loss":
        Y = rng.integers(0, 2, A.shape)
    else:  # at least 0.5 away from the kink of the absolute error
        Y = A + rng.choice([-1.0, 1.0], A.shape) * rng.uniform(0.5, 1.5, A.shape)
    weight = rng.uniform(0.5, 2.0, n_samples)
    samples = Samples(X, Y.astype(np.float32), weight.astype(np.float32))
    return Problem(parameters, activations, loss, samples.astype(np.float64))
