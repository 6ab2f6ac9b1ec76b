"""`DeepNeuralNetwork`: the network as the textbooks write it, one explicit step at a time."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score

from fastdnn._architecture import Architecture
from fastdnn._costs import output_gradient, total_cost
from fastdnn._divergence import NON_FINITE_MESSAGE
from fastdnn._epochs import EpochRunner
from fastdnn._plan import plan_training
from fastdnn._prediction import FEW_NUMBERS
from fastdnn._samples import AS_THEY_LIE, Samples
from fastdnn._validation import has_engine_form
from fastdnn.kernels import textbook_layers as textbook
from fastdnn.kernels.activations import ACTIVATION_CODES

_PROBABILITIES = ("sigmoid", "softmax")

Caches = list[tuple]


class DeepNeuralNetwork(Architecture):
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
            Threads offered, as in `DNNClassifier`. The result does not depend on it.

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
        plan.table["learning_rate"] = learning_rate
        plan.table["alpha"] = l2
        costs: list[float] = []
        with EpochRunner(plan, samples, AS_THEY_LIE) as runner:
            while len(costs) < n_iterations:
                costs += runner.run(min(runner.epochs_at_once, n_iterations - len(costs)))
        if not np.isfinite(self._parameters.theta).all():
            raise ValueError(NON_FINITE_MESSAGE)
        return costs[::record_every]

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
        if has_engine_form(X, self.dtype, self.layer_sizes[0]) and X.size <= FEW_NUMBERS:
            outputs = self._predictor.predict_few(X)
            if outputs is not None:
                return outputs
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
