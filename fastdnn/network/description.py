"""What a network is: its layers and its loss, found to fit each other as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastdnn.ops import activations, losses
from fastdnn.ops.loss_parameters import Value
from fastdnn.ops.own_functions import Activation, Loss


class Layer(NamedTuple):
    """A linear map of all units of the layer before, and an activation of its outputs."""

    n_out: int
    """Units."""
    activation: str | Activation
    """A name in `fastdnn.ops.activations.ACTIVATIONS`, or a user's own."""


@dataclass(frozen=True)
class Network:
    """The layers of a network from its input to its output, and what it is trained for.

    Parameters
    ----------
    n_in : int
        Features of the input.
    layers : tuple of Layer
        At least one; the last one is the output.
    loss : str or fastdnn.Loss
        A name in `fastdnn.ops.losses.LOSSES`, or a user's own.
    loss_scale : float, default=1.0
        Factor of the reported loss only.
    loss_parameter : float, sequence of float, or None, default=None
        The number, or numbers, that some losses have, such as the level of a quantile; None
        for those that the loss has by default.

    Raises
    ------
    ValueError
        If there is no layer, a name is unknown, the loss is not defined for the output's
        activation, or its parameter cannot have that value.
    """

    n_in: int
    layers: tuple[Layer, ...]
    loss: str | Loss
    loss_scale: float = 1.0
    loss_parameter: Value = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("A network needs one layer at least, its output.")
        for layer in self.layers:
            activations.row_of(layer.activation)
        losses.require_pair(self.loss, self.output_activation, self.layers[-1].n_out)
        _ = self.parameters_of_loss

    @classmethod
    def dense(
        cls,
        sizes: Sequence[int],
        activations: Sequence[str | Activation],
        loss: str | Loss,
        loss_scale: float = 1.0,
        loss_parameter: Value = None,
    ) -> "Network":
        """Make a network of linear layers.

        Parameters
        ----------
        sizes : sequence of int
            Units of every layer, the input first.
        activations : sequence of str or fastdnn.Activation
            The activation of every layer but the input.
        loss, loss_scale, loss_parameter
            As above.

        Raises
        ------
        ValueError
            As above, or if there are not as many activations as layers.
        """
        if len(activations) != len(sizes) - 1:
            raise ValueError(
                f"{len(activations)} activations do not fit a network of "
                f"{len(sizes) - 1} layers."
            )
        layers = tuple(
            Layer(int(n_out), activation)
            for n_out, activation in zip(sizes[1:], activations, strict=True)
        )
        return cls(int(sizes[0]), layers, loss, loss_scale, loss_parameter)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of every layer, the input first."""
        return (self.n_in, *(layer.n_out for layer in self.layers))

    @property
    def activations(self) -> tuple[str | Activation, ...]:
        """The activation of every layer but the input."""
        return tuple(layer.activation for layer in self.layers)

    @property
    def output_activation(self) -> Any:
        """The last layer's activation."""
        return self.layers[-1].activation

    @property
    def parameters_of_loss(self) -> tuple[float, ...]:
        """What the kernels of the loss are given besides."""
        n_outputs = self.layers[-1].n_out
        return losses.parameters_of(self.loss, self.loss_parameter, n_outputs)
