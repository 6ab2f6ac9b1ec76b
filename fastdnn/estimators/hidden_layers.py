"""The hidden layers that an estimator's parameters ask for, and what they learn and draw."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdnn.data.samples import Samples
from fastdnn.models.valid_combinations import activations_of, dropout_rates
from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters, glorot_uniform_like_sklearn
from fastdnn.ops.activations import row_of

# Names that scikit-learn gives to activations, in the words of the kernels.
_KERNEL_NAMES = {"logistic": "sigmoid"}


def kernel_name(activation: Any) -> Any:
    """Return an activation, by name or a user's own, as the engine knows it."""
    is_name = isinstance(activation, str)
    return _KERNEL_NAMES.get(activation, activation) if is_name else activation


def drawn_parameters(
    estimator: Any,
    layer_sizes: Sequence[int],
    dtype: np.dtype,
    random_state: np.random.RandomState,
) -> Parameters:
    """Return the parameters of a new network, drawn as scikit-learn does.

    Nothing is drawn for gains, shifts and slopes.
    """
    n_hidden = len(layer_sizes) - 2
    activations = activations_of(estimator.activation, n_hidden)
    normalized = range(n_hidden) if estimator.normalization is not None else ()
    sloped = [l for l, name in enumerate(activations) if row_of(kernel_name(name)).learns]
    parameters = Parameters(layer_sizes, dtype, normalized=normalized, sloped=sloped)
    # Without a hidden layer the output counts as what the parameter says.
    glorot_uniform_like_sklearn(parameters, random_state, activations or estimator.activation)
    return parameters


def described_layers(
    estimator: Any, parameters: Parameters
) -> tuple[tuple[Layer, ...], dict[str, Any]]:
    """Return the layers of a network, and what becomes of its input in training.

    Activations, dropout and noise are those that the parameters of the estimator say now.

    Raises
    ------
    ValueError
        If they are of a network that has other things to learn.
    """
    _, *hidden, n_outputs = parameters.layer_sizes
    activations = activations_of(estimator.activation, len(hidden))
    input_dropout, *rates = dropout_rates(estimator.dropout, len(hidden))
    layers = [
        Layer(n_out, kernel_name(activation), estimator.normalization, rate)
        for n_out, activation, rate in zip(hidden, activations, rates, strict=True)
    ]
    layers.append(Layer(n_outputs, kernel_name(estimator.out_activation_)))
    _require_learnt(estimator, parameters, layers)
    of_input = {"input_dropout": input_dropout, "input_noise": float(estimator.input_noise)}
    return tuple(layers), of_input


def _require_learnt(estimator: Any, parameters: Parameters, layers: list[Layer]) -> None:
    """Raise where layers need gains, shifts or slopes that parameters have not, or have more.

    The parameters of the estimator may have been set after a fit.
    """
    normalized = tuple(l for l, layer in enumerate(layers) if layer.normalization is not None)
    if normalized != parameters.normalized:
        raise ValueError(
            f"normalization={estimator.normalization!r} does not fit the network, of which "
            f"{len(parameters.normalized)} layers have learnt gains and shifts. Set it to "
            "what it was, or fit the estimator again with warm_start=False."
        )
    sloped = tuple(l for l, layer in enumerate(layers) if row_of(layer.activation).learns)
    if sloped != parameters.sloped:
        raise ValueError(
            f"activation={estimator.activation!r} does not fit the network, in which "
            f"'prelu' has learnt the slopes of the hidden layers {list(parameters.sloped)}. "
            "Set it to what it was, or fit the estimator again with warm_start=False."
        )


def require_room_for_noise(input_noise: float, X: Any) -> None:
    """Raise ValueError if noise is to be added to a sparse matrix."""
    if input_noise > 0.0 and not isinstance(X, np.ndarray):
        raise ValueError(
            f"input_noise={input_noise!r} needs a dense X, but X is sparse, and with noise "
            "has no zeros. Use input_noise=0, for instance with dropout of the input, or give "
            "X.toarray()."
        )


def seed_of_draws(
    network: Network,
    samples: Samples,
    random_state: np.random.RandomState,
    kept: int | None,
) -> int | None:
    """Return the seed of what steps draw, and of the order of what is read block by block.

    It is None where nothing draws by it.

    Parameters
    ----------
    network : Network
        What it is.
    samples : Samples
        What it is trained on.
    random_state : RandomState
        The estimator's, used only if there is something to draw.
    kept : int or None
        The seed of a training that goes on.
    """
    if not (network.draws or samples.rows_of_order < samples.n_rows):
        return kept
    return int(random_state.randint(2**31 - 1)) if kept is None else kept
