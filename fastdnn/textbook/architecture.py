"""The architecture of a network: its layers, its named parameters, and its stored state."""

import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, NoReturn

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError

from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import SCHEMES, Parameters
from fastdnn.ops.activations import ACTIVATIONS, LEARNING_ACTIVATIONS, row_of
from fastdnn.ops.own_functions import Loss
from fastdnn.prediction.predictor import Predictor
from fastdnn.storage.pickles import SavingMixin
from fastdnn.storage.tensors import count_parameters
from fastdnn.textbook.step_inputs import as_floats
from fastdnn.textbook.transforms import learnt_of

# Also what looks like the name of a parameter by mistake: it is never another attribute.
_PARAMETER_NAME = re.compile(r"(?:[WwBb]_?|gain|shift|slope)\d+")
_STORED = ("layer_sizes", "activations", "loss", "dtype")
# Earlier versions did not have these.
_STORED_LATER = {"loss_parameter": None, "normalizations": None}
_FIXED = (*_STORED, *_STORED_LATER, "n_layers")
_OWN = ("_parameters", "_network", "_predictor")
# Of states that earlier versions have stored.
_OLD = ("_activations", "_loss", "_canonical")


class Architecture(SavingMixin):
    """What `fastdnn.DeepNeuralNetwork` consists of; the parameters are described there."""

    _parameters: Parameters
    _network: Network
    _predictor: Predictor

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activation: Any = "relu",
        output_activation: Any = "sigmoid",
        loss: Any = "log_loss",
        dtype: str = "float64",
        *,
        loss_parameter: float | Sequence[float] | None = None,
        normalization: str | Sequence[str | None] | None = None,
    ) -> None:
        sizes = _checked_sizes(layer_sizes)
        hidden = _one_for_each("activation", activation, len(sizes) - 2)
        normalizations = _one_for_each("normalization", normalization, len(sizes) - 2)
        if not hidden and not isinstance(_listed(activation), list):
            _require_activation("activation", activation)  # also where no layer has it
        activations = [*hidden, output_activation]
        self.__dict__.update(
            _make_parts(sizes, activations, loss, dtype, loss_parameter, normalizations)
        )

    # -- what is fixed ------------------------------------------------------------------

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Units of every layer: inputs, hidden layers, outputs."""
        return self._parameters.layer_sizes

    @property
    def activations(self) -> tuple[Any, ...]:
        """Activation of every layer but the input."""
        return self._network.activations

    @property
    def loss(self) -> Any:
        """Name of the cost."""
        return self._network.loss

    @property
    def loss_parameter(self) -> Any:
        """The number, or numbers, of the cost; None for those that it has by default."""
        return self._network.loss_parameter

    @property
    def normalizations(self) -> tuple[str | None, ...]:
        """What comes before the activation of each hidden layer: 'layer' or None."""
        return tuple(layer.normalization for layer in self._network.layers[:-1])

    @property
    def dtype(self) -> np.dtype:
        """Precision of parameters and computation."""
        return self._parameters.theta.dtype

    @property
    def n_layers(self) -> int:
        """Number of layers with parameters."""
        return len(self.layer_sizes) - 1

    # -- parameters ---------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name in _OWN or name in _FIXED:
            raise AttributeError(
                f"this {type(self).__name__} has no {name!r}: it was made without its "
                "__init__, or its state was edited. Make a new one."
            )
        if _PARAMETER_NAME.fullmatch(name) is None:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        return self._view(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED or name in _OWN:
            _refuse_to_change(name)
        if _PARAMETER_NAME.fullmatch(name) is None:
            super().__setattr__(name, value)
            return
        view = self._view(name)
        view[...] = as_floats(name, value, view.shape, self.dtype)

    def __delattr__(self, name: str) -> None:
        if _is_our_own(name):
            _refuse_to_change(name)
        super().__delattr__(name)

    def _view(self, name: str) -> np.ndarray:
        """Return a new view of the parameter of a name."""
        named = self._named_views()
        if name not in named:
            others = [own for own in named if own[0] not in "Wb"]
            more = f", and {', '.join(others)}" if others else ""
            raise AttributeError(
                f"{type(self).__name__!r} has no parameter {name!r}: the parameters of its "
                f"{self.n_layers} layers are W1 to W{self.n_layers} and b1 to "
                f"b{self.n_layers}{more}."
            )
        return named[name]

    def _named_views(self) -> dict[str, np.ndarray]:
        """Return new views of all parameters by name, layer by layer."""
        parameters = self._parameters
        views = zip(self._views(parameters.theta), learnt_of(parameters), strict=True)
        named: dict[str, np.ndarray] = {}
        for l, ((W, b), learnt) in enumerate(views, start=1):
            named |= {f"W{l}": W, f"b{l}": b}
            named |= {f"{kind}{l}": value for kind, value in learnt.named().items()}
        return named

    def initialize_parameters(
        self, scheme: str = "he", random_state: int | np.random.RandomState | None = None
    ) -> None:
        """Draw the weights, and set biases and shifts to 0, gains to 1 and slopes to 1/4.

        Parameters
        ----------
        scheme : str, default='he'
            'he', 'xavier' (normal with variance 1 / n_in), 'glorot_uniform',
            'glorot_normal', 'lecun', or 'small_random' (0.01 times a standard normal,
            which stalls deep networks).
        random_state : int, RandomState or None, default=None
            Source of the numbers, drawn layer by layer.

        Raises
        ------
        ValueError
            If `scheme` is unknown, or `random_state` is no source of numbers. The
            parameters are then as before.
        """
        if not isinstance(scheme, str) or scheme not in SCHEMES:
            raise InvalidParameterError(
                f"scheme={scheme!r} is unknown; choose from {list(SCHEMES)}."
            )
        try:
            if isinstance(random_state, bool):
                raise ValueError("a bool is no seed")
            generator = check_random_state(random_state)
        except (ValueError, TypeError) as error:
            raise InvalidParameterError(
                f"random_state={random_state!r} must be an integer from 0 to 2**32 - 1, a "
                "numpy.random.RandomState, or None."
            ) from error
        drawn = _new_parameters(self._network, self.dtype)
        for W in drawn.coefs:
            W[...] = SCHEMES[scheme](generator, *W.shape)
        np.copyto(self._parameters.theta, drawn.theta)

    def _views(self, theta: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return W and b of each layer as new views into a vector of all parameters."""
        parameters = self._parameters.with_theta(theta)
        return list(zip(parameters.coefs, parameters.intercepts, strict=True))

    # -- storage ------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name not in _OWN}
        return state | {
            "layer_sizes": self.layer_sizes,
            "activations": self.activations,
            "loss": self.loss,
            "loss_parameter": self.loss_parameter,
            "normalizations": self.normalizations,
            "dtype": self.dtype.name,
            "theta": self._parameters.theta,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not isinstance(state, Mapping):
            _refuse_state(f"is no dictionary but {type(state).__name__}")
        try:
            # Up to version 0.1.0 the parameters were stored as an object.
            old = state.get("_parameters")
            theta = state["theta"] if old is None else old.theta
            sizes, activations, loss, dtype = (state[name] for name in _STORED)
        except (KeyError, AttributeError) as error:
            _refuse_state(f"is incomplete ({error})")
        later = {name: state.get(name, value) for name, value in _STORED_LATER.items()}
        known = {*_OWN, *_OLD, *_STORED, *later, "theta"}
        others = {name: value for name, value in state.items() if name not in known}
        for name in others:
            if not isinstance(name, str) or _is_our_own(name):
                _refuse_state(f"holds the attribute {name!r}")
        try:
            sizes = _checked_sizes(sizes)
            if not isinstance(activations, list | tuple) or len(activations) != len(sizes) - 1:
                raise ValueError(f"activations={activations!r} must be one for each layer.")
            parameter, normalizations = later.values()
            normalizations = _one_for_each("normalization", normalizations, len(sizes) - 2)
            parts = _make_parts(sizes, activations, loss, dtype, parameter, normalizations)
            _copy_vector(theta, parts["_parameters"].theta)
        except (TypeError, ValueError) as error:
            _refuse_state(f"does not fit together: {error}")
        self.__dict__ = others | parts


def _is_our_own(name: str) -> bool:
    return name in _FIXED or name in _OWN or _PARAMETER_NAME.fullmatch(name) is not None


def _copy_vector(stored: Any, theta: np.ndarray) -> None:
    """Take over a stored vector of parameters if it has their number and dtype."""
    is_array = isinstance(stored, np.ndarray) and not isinstance(stored, np.ma.MaskedArray)
    if not is_array or stored.shape != theta.shape:
        got = f"the shape {stored.shape}" if isinstance(stored, np.ndarray) else type(stored)
        raise ValueError(f"its layers have {theta.size} parameters, but stored is {got}.")
    if stored.dtype.newbyteorder("=") != theta.dtype:
        raise ValueError(f"dtype={theta.dtype!r}, but the parameters are {stored.dtype}.")
    np.copyto(theta, stored)


def _listed(values: Any) -> Any:
    """Return an iterable as a list, anything else as it is."""
    is_list = isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping)
    try:
        return list(values) if is_list else values
    except TypeError:  # an array without dimensions
        return values


def _checked_sizes(given: Any) -> list[int]:
    sizes = _listed(given)
    is_valid = isinstance(sizes, list) and len(sizes) >= 2
    if not is_valid or any(
        not isinstance(size, Integral) or isinstance(size, bool) or size < 1 for size in sizes
    ):
        raise InvalidParameterError(
            f"layer_sizes={sizes!r} must hold two or more positive integers: "
            "inputs, hidden layers, outputs."
        )
    return [int(size) for size in sizes]


def _one_for_each(parameter: str, given: Any, n_hidden: int) -> list[Any]:
    """Return a parameter that is one for all hidden layers, or one for each, as a list."""
    values = _listed(given)
    if not isinstance(values, list):
        return [given] * n_hidden
    if len(values) != n_hidden:
        raise InvalidParameterError(
            f"{parameter}={given!r} must be one name, or one for each of the {n_hidden} "
            "hidden layers."
        )
    return values


def _require_activation(parameter: str, name: Any) -> None:
    try:
        row_of(name)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(
            f"{parameter} {name!r} is unknown; choose one of "
            f"{[*ACTIVATIONS, *LEARNING_ACTIVATIONS]}, or make a fastdnn.Activation."
        ) from error


def _new_parameters(network: Network, dtype: np.dtype) -> Parameters:
    """Return parameters of a network before any is drawn."""
    normalized, sloped = network.normalized, network.sloped
    return Parameters(network.sizes, dtype, normalized=normalized, sloped=sloped)


def _make_parts(
    sizes: list[int],
    activations: Sequence[Any],
    loss: Any,
    dtype: Any,
    loss_parameter: Any,
    normalizations: Sequence[Any],
) -> dict[str, Any]:
    """Return the attributes of a network with an activation for each of its layers."""
    *hidden, output = activations
    for name in hidden:
        _require_activation("activation", name)
    _require_activation("output_activation", output)
    if not isinstance(dtype, str | np.dtype) or str(dtype) not in ("float32", "float64"):
        raise InvalidParameterError(f"dtype={dtype!r} must be 'float64' or 'float32'.")
    if not isinstance(loss, str | Loss):
        raise InvalidParameterError(
            f"loss={loss!r} must be the name of a loss, or a fastdnn.Loss."
        )
    layers = tuple(
        Layer(n_out, activation, normalization)
        for n_out, activation, normalization in zip(
            sizes[1:], activations, [*normalizations, None], strict=True
        )
    )
    network = Network(sizes[0], layers, loss, loss_parameter=loss_parameter)
    try:
        parameters = _new_parameters(network, np.dtype(str(dtype)))
    except (ValueError, OverflowError) as error:
        raise InvalidParameterError(
            f"layer_sizes={sizes!r} make a network of {count_parameters(sizes)} parameters, "
            "more than an array can hold. Choose smaller layers."
        ) from error
    return {
        "_parameters": parameters,
        "_network": network,
        "_predictor": Predictor(parameters, network),
    }


def _refuse_to_change(name: str) -> NoReturn:
    raise AttributeError(
        f"{name!r} of a network cannot be replaced or deleted. Make a new DeepNeuralNetwork; "
        "parameters such as W1 can be set to arrays of their shape."
    )


def _refuse_state(reason: str) -> NoReturn:
    raise ValueError(
        f"The state of a DeepNeuralNetwork {reason}. It was edited or damaged; restore it "
        "from what __getstate__ or pickle made."
    )
