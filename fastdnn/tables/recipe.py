"""How a network for tables is built and trained: what depends on the data and what does not.

The parametrisation is that of "neural tangents": a layer is ``x @ W / sqrt(n_in) + b`` with W
and b from the standard normal distribution, and all weights have steps of one size. Here
``W / sqrt(n_in)`` are the weights, so that their steps are as much smaller; the last layer
starts at zero. The step size goes through four cycles of a cosine, each twice as long as the
one before; where it is zero, the network is a candidate to be kept.
"""

from typing import Any, NamedTuple

import numpy as np

from fastdnn.models.valid_values import hidden_units
from fastdnn.network.parameters import Parameters
from fastdnn.network.table_input import TableInput
from fastdnn.planning.layer_steps import LayerSteps
from fastdnn.training.schedules import half_cosine

# Of the step size, for biases and for the scales of inputs.
_OF_BIASES, _OF_SCALES = 0.1, 6.0
#: Shares of training at which cycles end.
CYCLE_ENDS = 1 / 15, 3 / 15, 7 / 15, 1.0
# Epochs and steps at least; rows of a batch.
_FEWEST_EPOCHS, _FEWEST_STEPS, _BATCH = 24, 250, 256
# Steps of an epoch of few rows, and rows of a batch then at least.
_STEPS_OF_FEW, _SMALLEST_BATCH = 8, 32
# From so many rows on, batches grow and epochs become fewer.
_MANY_ROWS, _LARGEST_BATCH = 100_000, 2048


class Recipe(NamedTuple):
    """The hyperparameters of members, and what a compact table stands for."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    learning_rate: float
    dropout: float
    input_dropout: float
    weight_decay: float
    label_smoothing: float
    batch_size: int
    n_epochs: int
    table: TableInput | None = None
    shares_weights: bool = False

    @property
    def layer_activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        return (self.activation,) * len(self.hidden_layer_sizes)


def recipe_of(model: Any, n_rows: int) -> Recipe:
    """Return the recipe by an estimator's parameters, for so many rows to train on."""
    task = model._task()
    dropout, decay = model.dropout, model.weight_decay
    if isinstance(dropout, str):
        dropout = 0.15 if task.is_classifier else 0.0
    if isinstance(decay, str):
        decay = 0.02 if task.is_classifier else 0.0
    batch = model.batch_size
    if isinstance(batch, str):
        batch = rows_of_batch(n_rows, task.is_classifier)
    batch = min(batch, n_rows)
    shares = model.shared_weights
    if isinstance(shares, str):
        shares = not task.is_classifier
    n_epochs = model.max_epochs
    if isinstance(n_epochs, str):
        n_epochs = epochs_of(n_rows, batch)
    return Recipe(
        hidden_layer_sizes=tuple(hidden_units(model.hidden_layer_sizes)),
        activation=model.activation,
        learning_rate=float(model.learning_rate),
        dropout=float(dropout),
        input_dropout=float(dropout) * 2.0 / 3.0,
        weight_decay=float(decay),
        label_smoothing=smoothing_of(task.n_outputs if task.is_classifier else 0),
        batch_size=int(batch),
        n_epochs=int(n_epochs),
        shares_weights=bool(shares),
    )


def smoothing_of(n_classes: int) -> float:
    """Return what share of its probability a class gives to all; of numbers 0."""
    if n_classes > 2:
        return 0.05
    return 0.02 if n_classes == 2 else 0.0


def rows_of_batch(n_rows: int, is_classifier: bool) -> int:
    """Return how many rows a step has: more of very many, so that epochs stay short.

    Of few rows with classes they are fewer: the noise of steps keeps networks from certainty.
    """
    if is_classifier and n_rows < _BATCH * _STEPS_OF_FEW:
        return min(n_rows, max(_SMALLEST_BATCH, n_rows // _STEPS_OF_FEW))
    if n_rows <= _MANY_ROWS:
        return min(_BATCH, n_rows)
    growth = int(np.ceil(np.log2(n_rows / _MANY_ROWS)))
    return min(_LARGEST_BATCH, _BATCH << growth)


def epochs_of(n_rows: int, batch_size: int) -> int:
    """Return how many epochs the training of a member has."""
    fewest = _FEWEST_EPOCHS
    if n_rows > _MANY_ROWS:
        fewest = max(4, int(np.ceil(_FEWEST_EPOCHS * np.sqrt(_MANY_ROWS / n_rows))))
    return max(fewest, -(-_FEWEST_STEPS // max(1, n_rows // batch_size)))


def rates_of(learning_rate: float, first: int, n_next: int, n_steps: int) -> np.ndarray:
    """Return the sizes of the next steps from step `first` of so many."""
    t = (np.arange(first, first + n_next) + 0.5) / n_steps
    cycles = _log2(1.0 + 15.0 * t)
    place = cycles - np.floor(cycles)  # within a cycle
    half_turns = np.where(place > 0.5, 2.0 - 2.0 * place, 2.0 * place)
    return learning_rate * (1.0 - half_cosine(half_turns))


def _log2(x: np.ndarray) -> np.ndarray:
    """Return the logarithm of numbers from 1 on, by sums and products: the same everywhere."""
    mantissa, exponent = np.frexp(x)
    u = (mantissa - 1.0) / (mantissa + 1.0)  # from -1/3 to 0
    total, square = np.zeros_like(u), u * u
    for k in range(33, 0, -2):
        total = total * square + 1.0 / k
    return exponent + 2.0 * u * total / 0.6931471805599453


def draw_parameters(sizes: list[int], random_state: np.random.RandomState) -> Parameters:
    """Draw the parameters of a member, in float32."""
    parameters = Parameters(sizes, np.float32)
    for W, b in zip(parameters.coefs[:-1], parameters.intercepts[:-1], strict=True):
        W[:] = random_state.standard_normal(W.shape) / np.sqrt(len(W))
        b[:] = random_state.standard_normal(b.shape)
    return parameters


def steps_of_layers(sizes: list[int]) -> LayerSteps:
    """Return how the steps of the layers differ."""
    factors = tuple(1.0 / float(np.sqrt(n_in)) for n_in in sizes[:-1])
    return LayerSteps(factors, _OF_BIASES, _OF_SCALES)
