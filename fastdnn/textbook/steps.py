"""The explicit steps of training a network: forward, cost, backward and update."""

from typing import Any, NoReturn

import numpy as np

from fastdnn.textbook import layers as textbook
from fastdnn.textbook import step_inputs as inputs
from fastdnn.textbook.architecture import Architecture
from fastdnn.textbook.costs import is_canonical, output_delta, output_gradient, total_cost
from fastdnn.textbook.step_inputs import Caches
from fastdnn.textbook.transforms import Learnt, gradients_of, learnt_of, outputs_of

# Overflow is reported when the result is there, and by name.
_QUIET: Any = {"over": "ignore", "under": "ignore", "divide": "ignore", "invalid": "ignore"}


class Steps(Architecture):
    """The methods of `fastdnn.DeepNeuralNetwork` that do one thing at a time."""

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
            For each layer ``((A_prev, W, b), Z)``, as `backward` needs it; of a layer with a
            gain and a shift or a slope ``((A_prev, W, b), Z, (gain, shift, slope))``, where
            None stands for what it has not.

        Raises
        ------
        ValueError
            If X has another number of columns than the network has inputs, or holds NaN
            or infinity; if parameters do, or a layer's numbers overflow.
        """
        A = inputs.as_samples(X, self.layer_sizes[0], self.dtype)
        if not A.flags.carray:  # for which no code is compiled ahead
            A = A.copy()
        caches: Caches = []
        learnt = learnt_of(self._parameters.with_theta(self._parameters.theta))
        views = self._views(self._parameters.theta)
        with np.errstate(**_QUIET):
            for (W, b), own, activation in zip(views, learnt, self.activations, strict=True):
                Z, cache = textbook.linear_forward.unchecked(A, W, b)
                A = outputs_of(activation, Z, own)
                if not (np.isfinite(Z).all() and np.isfinite(A).all()):
                    self._refuse_overflow(f"Z{len(caches) + 1}")
                caches.append((cache, Z, own) if own.is_there else (cache, Z))
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
            Finite.

        Raises
        ------
        ValueError
            If AL, Y or caches do not have the shapes and values of a forward pass through
            this network and of its targets, `l2` is negative or not finite, or the cost
            overflows.
        TypeError
            If AL or the caches are no real numbers.
        """
        AL, Y = self._outputs_and_targets(AL, Y)
        l2 = inputs.as_not_negative("l2", l2, self.dtype)
        Z = None
        if caches is not None:
            Z = inputs.as_caches(caches, len(AL), self._parameters)[-1][1]
        weights = self._parameters.theta[: self._parameters.n_weights]
        with np.errstate(**_QUIET):
            total = total_cost(self._network, AL, Y, Z)
            penalty = 0.5 * l2 * float(np.dot(weights, weights)) if l2 else 0.0
        cost = (total + penalty) / len(AL)
        if not np.isfinite(cost):
            self._refuse_overflow("the cost")
        return cost

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
            ``dW1``, ``db1``, ... of the mean cost, also ``dgain1``, ``dshift1`` and
            ``dslope1`` where there are such parameters, and ``dA1``, ...: the gradient of
            each sample's own cost with respect to the output of a layer.

        Raises
        ------
        ValueError
            If AL, Y or caches do not have the shapes and values of a forward pass through
            this network and of its targets, or a gradient overflows.
        TypeError
            If AL or the caches are no real numbers.
        """
        AL, Y = self._outputs_and_targets(AL, Y)
        caches = inputs.as_caches(caches, len(AL), self._parameters)
        with np.errstate(**_QUIET):
            grads = self._gradients(AL, Y, caches)
        for name, gradient in grads.items():
            if not np.isfinite(gradient).all():
                self._refuse_overflow(name)
        return grads

    def _gradients(
        self, AL: np.ndarray, Y: np.ndarray, caches: Caches
    ) -> dict[str, np.ndarray]:
        last = self.n_layers
        Z = caches[-1][1]
        grads = {f"dA{last}": output_gradient(self._network, AL, Y, Z)}
        for l in range(last, 0, -1):
            cache, Z, *own = caches[l - 1]
            if l == last and is_canonical(self._network):
                # As sigmoid and softmax with log-loss: dL/dZ = A - Y, without a quotient.
                dZ = output_delta(self._network, AL, Y, Z)
            else:
                learnt = own[0] if own else Learnt()
                activation, dA = self.activations[l - 1], grads[f"dA{l}"]
                dZ, of_learnt = gradients_of(activation, Z, learnt, dA)
                for kind, gradient in of_learnt.named().items():
                    grads[f"d{kind}{l}"] = gradient
            dA, dW, db = textbook.linear_backward.unchecked(dZ, cache)
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
            Step size, above 0.
        l2 : float, default=0
            lambda: ``W -= learning_rate * (dW + lambda / n_samples * W)``. All other
            parameters are not penalised.

        Raises
        ------
        ValueError
            If a gradient is missing, has another shape than its parameter or is not
            finite, `learning_rate` or `l2` is out of range, or a parameter would
            overflow. The parameters are then as before.
        TypeError
            If `grads` is no dictionary, or its gradients are no real numbers.
        """
        learning_rate = inputs.as_positive("learning_rate", learning_rate, self.dtype)
        l2 = inputs.as_not_negative("l2", l2, self.dtype)
        gradients = inputs.as_gradients(grads, self._parameters)
        decay = 0.0
        if l2:
            decay = l2 / inputs.samples_of_gradients(grads, self.layer_sizes[1])
        theta = self._parameters.theta.copy()
        with np.errstate(**_QUIET):
            learnt = learnt_of(self._parameters.with_theta(theta))
            steps = zip(self._views(theta), learnt, gradients, strict=True)
            for (W, b), own, (dW, db, of_own) in steps:
                textbook.update_parameters.unchecked(W, b, dW, db, learning_rate, decay)
                for kind, gradient in of_own.named().items():
                    value = getattr(own, kind)
                    value -= theta.dtype.type(learning_rate) * gradient
        if not np.isfinite(theta).all():
            inputs.require_finite_gradients(gradients)
            self._refuse_overflow(f"a parameter after a step of {learning_rate=}")
        # All at once: an interrupt finds either none or all layers changed.
        np.copyto(self._parameters.theta, theta)

    # -- checks -------------------------------------------------------------------------

    def _outputs_and_targets(self, AL: Any, Y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return both, the targets with one column for each, or for each class."""
        AL = inputs.as_outputs(AL, self._network, self.dtype)
        Y = inputs.as_targets(Y, AL, self._network)
        return AL, inputs.one_column_for_each(Y, self._network)

    def _refuse_overflow(self, name: str) -> NoReturn:
        """Raise because of a result that is NaN or infinite though what was given is not."""
        for parameter, view in self._named_views().items():
            if not np.isfinite(view).all():
                raise ValueError(
                    f"The parameter {parameter} holds NaN or infinity. Set it to finite "
                    "numbers or call initialize_parameters."
                )
        raise ValueError(
            f"{name[0].upper()}{name[1:]} is too large for {self.dtype}. Scale X and Y, make "
            "the parameters or the learning rate smaller, or use dtype='float64'."
        )
