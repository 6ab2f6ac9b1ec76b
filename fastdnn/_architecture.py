"""The architecture of a network: its layers, named parameters, and checks of its input."""

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from fastdnn._costs import check_targets
from fastdnn._parameters import SCHEMES, Parameters
from fastdnn._prediction import Predictor
from fastdnn._storage import SavingMixin, network_state, restore_network
from fastdnn._validation import has_engine_form
from fastdnn.kernels.activations import ACTIVATION_CODES
from fastdnn.kernels.losses import loss_code

_PARAMETER_NAME = re.compile(r"([Wb])([1-9]\d*)")


class Architecture(SavingMixin):
    """What `fastdnn.DeepNeuralNetwork` consists of; the parameters are described there."""

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activation: str | Sequence[str] = "relu",
        output_activation: str = "sigmoid",
        loss: str = "log_loss",
        dtype: str = "float64",
    ) -> None:
        sizes = list(layer_sizes)
        if len(sizes) < 2 or any(not isinstance(size, Integral) or size < 1 for size in sizes):
            raise ValueError(
                f"layer_sizes={layer_sizes!r} must hold two or more positive integers: "
                "inputs, hidden layers, outputs."
            )
        n_hidden = len(sizes) - 2
        hidden = [activation] * n_hidden if isinstance(activation, str) else activation
        activations = [*hidden, output_activation]
        if len(activations) != n_hidden + 1:
            raise ValueError(
                f"activation={activation!r} must be one name, or one for each of the "
                f"{n_hidden} hidden layers."
            )
        for name in activations:
            if name not in ACTIVATION_CODES:
                raise ValueError(
                    f"activation {name!r} is unknown; choose one of {list(ACTIVATION_CODES)}."
                )
        if str(dtype) not in ("float32", "float64"):
            raise ValueError(f"dtype={dtype!r} must be 'float64' or 'float32'.")
        self._canonical, _ = loss_code(loss, output_activation)
        self.layer_sizes = tuple(int(size) for size in sizes)
        self.activations = tuple(activations)
        self.loss = loss
        self.dtype = np.dtype(dtype)
        self._parameters = Parameters(sizes, self.dtype)
        self._predictor = Predictor(self._parameters, self.activations)

    @property
    def n_layers(self) -> int:
        """Number of layers with parameters."""
        return len(self.layer_sizes) - 1

    # -- parameters ---------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        view = self._parameter_view(name)
        if view is None:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        return view

    def __setattr__(self, name: str, value: Any) -> None:
        view = self._parameter_view(name)
        if view is None:
            super().__setattr__(name, value)
            return
        new = np.asarray(value)
        if new.shape != view.shape:
            raise ValueError(f"{name} must have shape {view.shape}, got {new.shape}.")
        view[...] = new

    def _parameter_view(self, name: str) -> np.ndarray | None:
        match = _PARAMETER_NAME.fullmatch(name)
        if match is None or int(match[2]) > self.n_layers:
            return None
        views = self._parameters.coefs if match[1] == "W" else self._parameters.intercepts
        return views[int(match[2]) - 1]

    def initialize_parameters(
        self, scheme: str = "he", random_state: int | np.random.RandomState | None = None
    ) -> None:
        """Draw the weights and set the biases to zero.

        Parameters
        ----------
        scheme : str, default='he'
            'he', 'xavier' (normal with variance 1 / n_in), 'glorot_uniform',
            'glorot_normal', 'lecun', or 'small_random' (0.01 times a standard normal,
            which stalls deep networks).
        random_state : int, RandomState or None, default=None
            Source of the numbers, drawn layer by layer.
        """
        if scheme not in SCHEMES:
            raise ValueError(f"scheme={scheme!r} is unknown; choose from {list(SCHEMES)}.")
        generator = check_random_state(random_state)
        for W, b in zip(self._parameters.coefs, self._parameters.intercepts, strict=True):
            W[...] = SCHEMES[scheme](generator, *W.shape)
            b[...] = 0.0

    # -- storage ------------------------------------------------------------------------

    def __getstate__(self) -> dict:
        return network_state(self)

    def __setstate__(self, state: dict) -> None:
        restore_network(self, state, Architecture.__init__)

    # -- checks -------------------------------------------------------------------------

    def _layers(self) -> list[tuple[np.ndarray, np.ndarray, str]]:
        views = self._parameters
        return list(zip(views.coefs, views.intercepts, self.activations, strict=True))

    def _check_X(self, X: Any) -> np.ndarray:
        if has_engine_form(X, self.dtype, self.layer_sizes[0]) and np.isfinite(X).all():
            return X
        X = check_array(X, dtype=self.dtype, order="C", input_name="X")
        if X.shape[1] != self.layer_sizes[0]:
            raise ValueError(
                f"X has {X.shape[1]} features, but the network has "
                f"{self.layer_sizes[0]} inputs."
            )
        return np.ascontiguousarray(X)

    def _targets(self, Y: Any, n_samples: int) -> np.ndarray:
        """Return the targets as the engine takes them: positions stay positions."""
        Y = check_array(Y, dtype=self.dtype, order="C", ensure_2d=False, input_name="Y")
        Y = np.ascontiguousarray(Y.reshape(len(Y), -1))
        if len(Y) != n_samples:
            raise ValueError(f"Y has {len(Y)} rows, but there are {n_samples} samples.")
        check_targets(Y, self.loss, self.activations[-1], self.layer_sizes[-1])
        return Y

    def _dense_targets(self, Y: Any, n_samples: int) -> np.ndarray:
        Y = self._targets(Y, n_samples)
        if Y.shape[1] == self.layer_sizes[-1]:
            return Y
        return np.eye(self.layer_sizes[-1], dtype=self.dtype)[Y.ravel().astype(np.int64)]
