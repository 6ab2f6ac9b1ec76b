"""What a network is: its layers and its loss, found to fit each other as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastdnn.network.table_input import TableInput
from fastdnn.ops import activations, losses
from fastdnn.ops.loss_parameters import Value
from fastdnn.ops.own_functions import Activation, Loss

#: What may come before an activation.
NORMALIZATIONS = None, "layer"


class Layer(NamedTuple):
    """A linear map of all units of the layer before, and an activation of its outputs.

    Hidden layers may have more than that.
    """

    n_out: int
    """Units."""
    activation: str | Activation
    """A name that `fastdnn.ops.activations.row_of` knows, or a user's own."""
    normalization: str | None = None
    """'layer' for layer normalisation, with a learnt gain and shift, before the activation."""
    dropout: float = 0.0
    """Probability that an output is left out of a step of training."""


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
    input_dropout : float, default=0.0
        Probability that a number of the input is left out of a step of training.
    input_noise : float, default=0.0
        Standard deviation of normal noise that a step adds to the input before.

    table : TableInput, optional
        Where rows are those of a compact table, what they stand for.

    Raises
    ------
    ValueError
        If there is no layer, a name is unknown, the loss is not defined for the output's
        activation, its parameter cannot have that value, the output layer has what is for
        hidden ones, or a rate or a deviation is out of range.
    """

    n_in: int
    layers: tuple[Layer, ...]
    loss: str | Loss
    loss_scale: float = 1.0
    loss_parameter: Value = None
    input_dropout: float = 0.0
    input_noise: float = 0.0
    table: TableInput | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("A network needs one layer at least, its output.")
        for layer in self.layers:
            activations.row_of(layer.activation)
            if layer.normalization not in NORMALIZATIONS:
                raise ValueError(
                    f"normalization={layer.normalization!r} is unknown; choose one of "
                    f"{list(NORMALIZATIONS)}."
                )
            _require_rate("dropout", layer.dropout)
        _require_rate("input_dropout", self.input_dropout)
        if not 0.0 <= self.input_noise < np.inf:
            raise ValueError(
                f"input_noise={self.input_noise!r} must be a finite number of at least 0."
            )
        if self.table is not None and self.table.n_inputs != self.n_in:
            raise ValueError(
                f"The table stands for {self.table.n_inputs} inputs, but n_in={self.n_in}."
            )
        if self.table is not None and self.input_noise != 0.0:
            raise ValueError(
                f"input_noise={self.input_noise!r} is not for a table; it must be 0."
            )
        output = self.layers[-1]
        learns = activations.row_of(output.activation).learns
        if learns or output.normalization is not None or output.dropout != 0.0:
            raise ValueError(
                f"The output layer has activation={output.activation!r}, "
                f"normalization={output.normalization!r} and dropout={output.dropout!r}; an "
                "activation that learns, normalization and dropout are for hidden layers."
            )
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
    def n_columns(self) -> int:
        """Columns of the rows that it is given."""
        return self.n_in if self.table is None else self.table.n_columns

    @property
    def normalized(self) -> tuple[int, ...]:
        """The positions of layers with normalisation."""
        return tuple(l for l, layer in enumerate(self.layers) if layer.normalization)

    @property
    def sloped(self) -> tuple[int, ...]:
        """The positions of layers whose activation learns a slope."""
        return tuple(
            l
            for l, layer in enumerate(self.layers)
            if activations.row_of(layer.activation).learns
        )

    @property
    def draws(self) -> bool:
        """Whether steps of training draw random numbers."""
        return bool(
            self.input_noise or self.input_dropout or any(l.dropout for l in self.layers)
        )

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


def _require_rate(name: str, rate: float) -> None:
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"{name}={rate!r} must be a number of at least 0 and below 1.")
