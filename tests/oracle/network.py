"""A multi-layer perceptron in plain NumPy, as the formulas are written."""

import numpy as np

from tests.oracle.activations import ACTIVATIONS, backward
from tests.oracle.losses import CANONICAL, CANONICAL_SLOPES, OF_OUTPUTS, SLOPES, default_of
from tests.oracle.optimizers import Stepper


def layers_of(coefs, intercepts, activations, X):
    """Return Z and A of every layer."""
    A, layers = X, []
    for W, b, name in zip(coefs, intercepts, activations, strict=True):
        Z = A @ W + b
        A = ACTIVATIONS[name](Z)
        layers.append((Z, A))
    return layers


class NumpyNetwork:
    """A network and its training in float64.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
        Initial parameters; copied.
    activations : list of str
        Of every layer, outputs last.
    loss : str
        Of one sample the sum over its outputs.
    solver : str
        A name in `tests.oracle.optimizers.STEPS`.
    alpha : float
        Half of it times the squares of all weights is added to a batch's sum of losses.
    l1 : float
        It times the sizes of all weights is added, too.
    loss_parameter : float or None
        Of the loss; None for its default.
    loss_scale : float
        What a loss that is returned is multiplied by. Gradients are not: scikit-learn returns
        means over outputs, and trains by their sum.
    **of_steps
        Numbers of the solver and what a step does besides, see
        `tests.oracle.optimizers.Stepper`.
    """

    def __init__(
        self,
        coefs,
        intercepts,
        activations,
        loss,
        *,
        solver="adam",
        alpha=0.0,
        l1=0.0,
        loss_scale=1.0,
        loss_parameter=None,
        **of_steps,
    ):
        self.coefs = [np.array(W, np.float64) for W in coefs]
        self.intercepts = [np.array(b, np.float64) for b in intercepts]
        self.activations, self.loss = activations, loss
        self.alpha, self.l1, self.loss_scale = alpha, l1, loss_scale
        self.c = default_of(loss) if loss_parameter is None else loss_parameter
        self.stepper = Stepper(solver, **of_steps)

    @property
    def parameters(self):
        """The weights of all layers, then the biases of all layers."""
        return self.coefs + self.intercepts

    def loss_and_gradients(self, X, Y):
        """Return the mean loss with its penalty, and the gradients of `parameters`."""
        m, layers = len(X), layers_of(self.coefs, self.intercepts, self.activations, X)
        Z, A = layers[-1]
        pair = self.loss, self.activations[-1]
        if pair in CANONICAL:
            losses, D = CANONICAL[pair](Z, Y, self.c), CANONICAL_SLOPES[pair](Z, Y, self.c)
        else:
            losses = OF_OUTPUTS[self.loss](A, Y, self.c)
            D = backward(self.activations[-1], Z, SLOPES[self.loss](A, Y, self.c))
        penalty = 0.5 * self.alpha * sum((W**2).sum() for W in self.coefs)
        penalty += self.l1 * sum(np.abs(W).sum() for W in self.coefs)
        loss = (self.loss_scale * losses.sum() + penalty) / m
        of_weights, of_biases = [], []
        for l in reversed(range(len(layers))):
            A_prev = layers[l - 1][1] if l else X
            W = self.coefs[l]
            slopes = self.alpha * W + self.l1 * np.sign(W)
            of_weights.insert(0, (A_prev.T @ D + slopes) / m)
            of_biases.insert(0, D.mean(axis=0))
            if l:
                D = backward(self.activations[l - 1], layers[l - 1][0], D @ self.coefs[l].T)
        return loss, of_weights + of_biases

    def step(self, gradients):
        """Take one step against the gradients."""
        self.stepper.step(self.coefs, self.intercepts, gradients)

    def train_epoch(self, X, Y, order, batch_size):
        """Visit the rows once in the given order; return the mean loss before each step."""
        total = 0.0
        for first in range(0, len(order), batch_size):
            rows = order[first : first + batch_size]
            loss, gradients = self.loss_and_gradients(X[rows], Y[rows])
            total += loss * len(rows)
            self.step(gradients)
        return total / len(order)
