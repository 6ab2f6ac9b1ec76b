"""Step sizes of layers, and a learnt scale of each input: what a plan is told, and memory."""

from dataclasses import dataclass

import numpy as np

from fastdnn.engine.layer_steps import step_of_layer
from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import Optimizer
from fastdnn.planning.program import Operation


@dataclass
class LayerSteps:
    """How the steps of layers differ, and what the first layer's weights are a product of.

    Attributes
    ----------
    factors : sequence of float
        Of the optimiser's step size, for the weights of each layer.
    of_tail : float
        The same for biases and all else that is no weight.
    of_scales : float or None
        The same for the scales of the inputs; None: there are none.
    unscaled : ndarray of shape (n_parameters,)
        The first layer's weights before they are scaled, at their position in theta; other
        numbers mean nothing.
    scales : ndarray of shape (n_inputs,) or (n_members, n_inputs)
        Of each row of them.
    """

    factors: tuple[float, ...]
    of_tail: float = 1.0
    of_scales: float | None = None
    unscaled: np.ndarray | None = None
    scales: np.ndarray | None = None
    _memory: np.ndarray | None = None

    def begin(
        self, parameters: Parameters, row: Optimizer, scales: np.ndarray | None = None
    ) -> None:
        """Begin with scales of 1, or others, if there are to be any.

        Parameters
        ----------
        parameters : Parameters
            With weights before they are scaled; where scales are given, the caller brings
            them up to date.
        row : Optimizer
            That steps them.
        scales : ndarray of shape (n_members, n_inputs), optional
            Of members that share weights.
        """
        theta = parameters.theta
        if self.of_scales is None:
            return
        n_in = parameters.layer_sizes[0]
        n_members = 1 if scales is None else len(scales)
        # Of each member scales, their gradient and state.
        memory = np.zeros((n_members, 2 + row.n_slots, n_in), theta.dtype)
        memory[:, 0] = 1.0 if scales is None else scales
        self.unscaled, self._memory = theta.copy(), memory.reshape(-1)
        self.scales = memory[0, 0] if scales is None else memory[:, 0]

    def write(
        self, table: np.ndarray, rows: list[Operation], dtype: np.dtype
    ) -> dict[str, np.ndarray]:
        """Write into the record what the engine needs; return the arrays, for `Memory`."""
        linear = [o for o, operation in enumerate(rows) if operation.is_linear]
        factors = np.ones(len(rows) + 2)
        factors[linear] = self.factors
        factors[-2:] = self.of_tail, self.of_scales or 1.0
        table["step_of_layer"] = step_of_layer.address(dtype)
        table["scaled_operation"] = linear[0]
        arrays = {"step_factors": factors}
        if self.unscaled is not None and self._memory is not None:
            arrays |= {"unscaled": self.unscaled, "scales": self._memory}
        return arrays
