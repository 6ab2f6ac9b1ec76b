"""What a network is: its layers and its loss, found to fit each other as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fastdnn.ops.activations import ACTIVATIONS
from fastdnn.ops.losses import parameter_of, require_pair


class Layer(NamedTuple):
    """A linear map of all units of the layer before, and an activation of its outputs."""

    n_out: int
    """Units."""
    activation: str
    """A name in `fastdnn.ops.activations.ACTIVATIONS`."""


@dataclass(frozen=True)
class Network:
    """The layers of a network from its input to its output, and what it is trained for.

    Parameters
    ----------
    n_in : int
        Features of the input.
    layers : tuple of Layer
        At least one; the last one is the output.
    loss : str
        A name in `fastdnn.ops.losses.LOSSES`.
    loss_scale : float, default=1.0
        Factor of the reported loss only.
    loss_parameter : float or None, default=None
        The number that some losses have, such as the level of a quantile; None for the one
        that the loss has by default.

    Raises
    ------
    ValueError
        If there is no layer, a name is unknown, the loss is not defined for the output's
        activation, or its parameter cannot have that value.
    """

    n_in: int
    layers: tuple[Layer, ...]
    loss: str
    loss_scale: float = 1.0
    loss_parameter: float | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("A network needs one layer at least, its output.")
        for layer in self.layers:
            if layer.activation not in ACTIVATIONS:
                raise ValueError(
                    f"activation={layer.activation!r} is unknown; choose one of "
                    f"{list(ACTIVATIONS)}."
                )
        require_pair(self.loss, self.output_activation)
        parameter_of(self.loss, self.loss_parameter)

    @classmethod
    def dense(
        cls,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        loss_scale: float = 1.0,
        loss_parameter: float | None = None,
    ) -> "Network":
        """Make a network of linear layers.

        Parameters
        ----------
        sizes : sequence of int
            Units of every layer, the input first.
        activations : sequence of str
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
    def activations(self) -> tuple[str, ...]:
        """The activation of every layer but the input."""
        return tuple(layer.activation for layer in self.layers)

    @property
    def output_activation(self) -> str:
        """The last layer's activation."""
        return self.layers[-1].activation

    @property
    def parameter_of_loss(self) -> float:
        """What the kernels of the loss are given besides."""
        return parameter_of(self.loss, self.loss_parameter)
