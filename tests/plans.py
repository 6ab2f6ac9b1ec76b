"""Plans with the settings that the estimators have by default, and small problems to plan."""

from typing import NamedTuple

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.network.parameters import Parameters
from fastdnn.ops.losses import LOSSES
from fastdnn.planning.plan import plan_training
from fastdnn.training.epochs import EpochRunner
from tests.networks import network_of, random_parameters
from tests.oracle.network import layers_of

#: The order of samples that are taken as they lie.
IN_ORDER = np.zeros(0, dtype=np.int64)


def plan(parameters, activations, loss, optimizer, samples, **options):
    """Plan a training, unless told otherwise of one worker and without a penalty."""
    defaults = {"gather": False, "n_threads": 1, "alpha": 0.0, "loss_parameter": None}
    options = defaults | options
    alpha, loss_parameter = options.pop("alpha"), options.pop("loss_parameter")
    weight_decay = options.pop("weight_decay", 0.0)
    network = network_of(parameters, activations, loss, loss_parameter)
    made = plan_training(parameters, network, optimizer, samples=samples, **options)
    made.set_numbers(learning_rate=0.01, momentum=0.9, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    made.set_numbers(weight_decay=weight_decay, rho=0.9)
    made.table["alpha"] = alpha
    return made


class Problem(NamedTuple):
    """A small network with samples, away from every kink."""

    parameters: Parameters
    activations: list
    loss: str
    samples: Samples
    loss_parameter: float | None = None

    def astype(self, dtype):
        """Return the same numbers in another precision."""
        return self._replace(
            parameters=self.parameters.astype(dtype), samples=self.samples.astype(dtype)
        )

    def loss_and_gradient(self):
        """Return the reported mean loss with its L2 term, and what the engine derives."""
        n_samples = self.samples.n_rows
        options = {"batch_size": n_samples, "loss_parameter": self.loss_parameter}
        made = plan(*self[:3], "gradient", self.samples, alpha=0.5, **options)
        with EpochRunner(made, self.samples, IN_ORDER) as runner:
            loss = runner.run()[0]
        return loss, made.memory.state


#: Where the slope of an activation jumps.
_KINKS = {"relu": [0.0], "leaky_relu": [0.0], "selu": [0.0], "hardswish": [-3.0, 3.0]}


def targets_of(rng, loss, output, shape):
    """Draw targets that fit a loss and an output activation, of so many rows and outputs."""
    shape = shape[0], LOSSES[loss].n_targets(shape[1])
    if LOSSES[loss].positions_with == output:
        return rng.integers(0, shape[1], (shape[0], 1))
    if loss in ("poisson", "tweedie"):
        return rng.poisson(2.0, shape)
    if loss == "gamma":
        return rng.gamma(2.0, size=shape)
    if LOSSES[loss].of_outputs is None and LOSSES[loss].of_classes:
        return rng.integers(0, 2, shape)
    return rng.standard_normal(shape)


def problem(depth, hidden, output, loss, loss_parameter=None):
    """Make up a problem of so many layers."""
    rng = np.random.default_rng(0)
    n_outputs = 2 if LOSSES[loss].outputs_per_target == 2 else 3
    n_samples, sizes = 7, (4, *(5, 3, 4)[: depth - 1], n_outputs)
    activations = [hidden] * (depth - 1) + [output]
    while True:
        parameters = random_parameters(rng, sizes)
        X = rng.standard_normal((n_samples, sizes[0])).astype(np.float32)
        views = parameters.coefs, parameters.intercepts
        layers = layers_of(*views, activations, X.astype(np.float64))
        kinked = [
            np.abs(Z - kink).min()
            for (Z, _), name in zip(layers, activations, strict=True)
            for kink in _KINKS.get(name, [])
        ]
        if min(kinked, default=1.0) > 1e-3:
            break
    A = layers[-1][1]
    if LOSSES[loss].of_outputs is None:
        Y = targets_of(rng, loss, output, A.shape)
    else:  # at least 0.5 away from the kink of the absolute error
        Y = A + rng.choice([-1.0, 1.0], A.shape) * rng.uniform(0.5, 1.5, A.shape)
    weight = rng.uniform(0.5, 2.0, n_samples)
    samples = Samples(X, Y.astype(np.float32), weight.astype(np.float32))
    samples = samples.astype(np.float64)
    return Problem(parameters, activations, loss, samples, loss_parameter)
