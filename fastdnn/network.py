"""`DeepNeuralNetwork`: the network as the textbooks write it, one explicit step at a time."""

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_array, check_random_state

from fastdnn._costs import check_targets, output_gradient, total_cost
from fastdnn._parameters import SCHEMES, Parameters
from fastdnn._plan import plan_training
from fastdnn._prediction import Predictor
from fastdnn._samples import AS_THEY_LIE, Samples, is_ready
from fastdnn._training import NON_FINITE_MESSAGE, EpochRunner
from fastdnn.kernels import textbook_layers as textbook
from fastdnn.kernels.activations import ACTIVATION_CODES
from fastdnn.kernels.losses import loss_code

_PARAMETER_NAME = re.compile(r"([Wb])([1-9]\d*)")
_PROBABILITIES = ("sigmoid", "softmax")

Caches = list[tuple]


class DeepNeuralNetwork:
    """A multi-layer perceptron with every step of its training in the open.

    Samples are rows. Layer ``l`` computes ``A_l = g(A_{l-1} @ W_l + b_l)``;
    its parameters are the attributes ``W1``, ``b1``, ``W2``, ..., which can be read and set.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of every layer: inputs, hidden layers, outputs.
    activation : str or sequence of str, default='relu'
        Activation of the hidden layers, one for all or one for each: 'relu', 'sigmoid',
        'tanh', 'identity', 'softmax' or 'silu'.
    output_activation : str, default='sigmoid'
        Activation of the output layer.
    loss : {'log_loss', 'squared_error', 'absolute_error'}, default='log_loss'
        Cost of one sample, summed over its outputs. 'log_loss' is the cross-entropy: of
        each output with 'sigmoid', of the classes with 'softmax'. 'squared_error' is
        ``sum((a - y)**2)``, without the factor 1/2 that the estimators follow
        scikit-learn in.
    dtype : {'float64', 'float32'}, default='float64'
        Precision of parameters and computation.

    Examples
    --------
    One step of training on the exclusive or:

    >>> import numpy as np
    >>> from fastdnn import DeepNeuralNetwork
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> Y = np.array([0, 1, 1, 0])
    >>> network = DeepNeuralNetwork([2, 8, 1], activation="tanh")
    >>> network.initialize_parameters("xavier", random_state=1)
    >>> AL, caches = network.forward(X)
    >>> before = network.cost(AL, Y)
    >>> grads = network.backward(AL, Y, caches)
    >>> network.update_parameters(grads, learning_rate=0.5)
    >>> network.cost(network.forward(X)[0], Y) < before
    True

    Many of them:

    >>> costs = network.gradient_descent(X, Y, learning_rate=0.5, n_iterations=2000)
    >>> network.predict(X)
    array([0, 1, 1, 0])
    """

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

    # -- the steps ----------------------------------------------------------------------

    def forward(self, X: Any) -> tuple[np.ndarray, Caches]:
        """Run the samples through all layers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples.

        Returns
        -------
        AL : ndarray of shape (n_samples, n_outputs)
            Output of the last layer.
        caches : list
            For each layer ``((A_prev, W, b), Z)``, as `backward` needs it.
        """
        A = self._check_X(X)
        caches = []
        for W, b, name in self._layers():
            A, cache = textbook.linear_activation_forward(A, W, b, ACTIVATION_CODES[name])
            caches.append(cache)
        return A, caches

    def cost(
        self, AL: np.ndarray, Y: Any, l2: float = 0.0, caches: Caches | None = None
    ) -> float:
        """Return the mean cost over the samples plus the L2 penalty.

        Parameters
        ----------
        AL : ndarray of shape (n_samples, n_outputs)
            Outputs of `forward`.
        Y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; with softmax also the positions of the classes.
        l2 : float, default=0
            lambda of the penalty ``lambda / (2 n_samples) * sum(W**2)``.
        caches : list, optional
            Of the same forward pass. With it the cross-entropy is computed from Z and
            exact at any Z; without it, from AL, a probability that was rounded to 0 or 1
            counts as the nearest number in between.

        Returns
        -------
        float
            Finite for finite parameters and samples.
        """
        n_samples = AL.shape[0]
        Y = self._dense_targets(Y, n_samples)
        Z = None if caches is None else caches[-1][1]
        total = total_cost(self.loss, self.activations[-1], AL, Y, Z)
        weights = self._parameters.theta[: self._parameters.n_weights]
        penalty = 0.5 * l2 * float(np.dot(weights, weights)) if l2 else 0.0
        return (total + penalty) / n_samples

    def backward(self, AL: np.ndarray, Y: Any, caches: Caches) -> dict[str, np.ndarray]:
        """Return the gradients of the mean cost, without the L2 term.

        Parameters
        ----------
        AL : ndarray of shape (n_samples, n_outputs)
            Outputs of `forward`.
        Y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        caches : list
            Of the same forward pass.

        Returns
        -------
        dict
            ``dW1``, ``db1``, ... of the mean cost, and ``dA1``, ...: the gradient of each
            sample's own cost with respect to the output of a layer.
        """
        Y = self._dense_targets(Y, AL.shape[0])
        last = self.n_layers
        grads = {f"dA{last}": output_gradient(self.loss, self.activations[-1], AL, Y)}
        for l in range(last, 0, -1):
            code = ACTIVATION_CODES[self.activations[l - 1]]
            if l == last and self._canonical:
                # Sigmoid and softmax with log-loss: dL/dZ = A - Y, without a quotient.
                dA, dW, db = textbook.linear_backward(AL - Y, caches[l - 1][0])
            else:
                dA, dW, db = textbook.linear_activation_backward(
                    grads[f"dA{l}"], caches[l - 1], code
                )
            grads[f"dW{l}"], grads[f"db{l}"] = dW, db
            if l > 1:
                grads[f"dA{l - 1}"] = dA
        return grads

    def update_parameters(
        self, grads: dict[str, np.ndarray], learning_rate: float, l2: float = 0.0
    ) -> None:
        """Take one step of gradient descent.

        Parameters
        ----------
        grads : dict
            From `backward`.
        learning_rate : float
            Step size.
        l2 : float, default=0
            lambda: ``W -= learning_rate * (dW + lambda / n_samples * W)``. Biases are not
            penalised.
        """
        decay = l2 / grads["dA1"].shape[0]
        for l, (W, b, _) in enumerate(self._layers(), start=1):
            dW, db = grads[f"dW{l}"], grads[f"db{l}"]
            textbook.update_parameters(W, b, dW, db, float(learning_rate), float(decay))

    def gradient_descent(
        self,
        X: Any,
        Y: Any,
        *,
        learning_rate: float,
        n_iterations: int,
        batch_size: int | None = None,
        l2: float = 0.0,
        record_every: int = 1,
        n_threads: int | None = None,
    ) -> list[float]:
        """Train by gradient descent in the compiled engine.

        The same numbers as the explicit steps, up to rounding, in a fraction of the time.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples, visited in the order given.
        Y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        learning_rate : float
            Step size.
        n_iterations : int
            Passes over the samples.
        batch_size : int, default=None
            Samples a step; all of them if None.
        l2 : float, default=0
            lambda of the L2 penalty.
        record_every : int, default=1
            Passes from one recorded cost to the next.
        n_threads : int or None, default=None
            Threads offered. The result does not depend on it.

        Returns
        -------
        list of float
            Cost of the passes 0, `record_every`, ...: the mean over the samples of the
            cost of their batch before its step.

        Raises
        ------
        ValueError
            If training diverges.
        """
        X = self._check_X(X)
        samples = Samples(X, self._targets(Y, X.shape[0]))
        if batch_size is None:
            batch_size = X.shape[0]
        for name, value in (
            ("n_iterations", n_iterations),
            ("batch_size", batch_size),
            ("record_every", record_every),
        ):
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name}={value!r} must be a positive integer.")
        plan = plan_training(
            self._parameters,
            self.activations,
            self.loss,
            "sgd",
            batch_size=min(batch_size, X.shape[0]),
            samples=samples,
            gather=False,
            n_threads=n_threads,
        )
        plan.settings.learning_rate = learning_rate
        plan.settings.alpha = l2
        costs = []
        with EpochRunner(plan, samples, AS_THEY_LIE) as runner:
            for iteration in range(n_iterations):
                cost = runner.run()
                if iteration % record_every == 0:
                    costs.append(cost)
        if not np.isfinite(self._parameters.theta).all():
            raise ValueError(NON_FINITE_MESSAGE)
        return costs

    # -- prediction ---------------------------------------------------------------------

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the output of the last layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            Probabilities with a sigmoid or softmax output, otherwise predicted values.
        """
        return self._predictor(Samples(self._check_X(X)))

    def predict(self, X: Any) -> np.ndarray:
        """Return classes with a sigmoid or softmax output, otherwise predicted values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            One number a sample where there is one output or softmax.
        """
        AL = self.predict_proba(X)
        if self.activations[-1] == "softmax":
            return AL.argmax(axis=1)
        if self.activations[-1] == "sigmoid":
            AL = (AL > 0.5).astype(np.int64)
        return AL.ravel() if AL.shape[1] == 1 else AL

    def score(self, X: Any, Y: Any) -> float:
        """Return the accuracy with a sigmoid or softmax output, otherwise R2.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples.
        Y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        Returns
        -------
        float
            At most 1.
        """
        predicted = self.predict(X)
        Y = np.asarray(Y)
        if self.activations[-1] == "softmax" and Y.ndim == 2 and Y.shape[1] > 1:
            Y = Y.argmax(axis=1)
        Y = Y.reshape(predicted.shape)
        if self.activations[-1] in _PROBABILITIES:
            return float(accuracy_score(Y, predicted))
        return float(r2_score(Y, predicted))

    # -- checks -------------------------------------------------------------------------

    def _layers(self) -> list[tuple[np.ndarray, np.ndarray, str]]:
        views = self._parameters
        return list(zip(views.coefs, views.intercepts, self.activations, strict=True))

    def _check_X(self, X: Any) -> np.ndarray:
        if is_ready(X, self.dtype, self.layer_sizes[0]):
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
