"""A multi-layer perceptron in plain NumPy, as the formulas are written."""

import numpy as np

from tests.oracle.activations import ACTIVATIONS, backward
from tests.oracle.losses import CANONICAL, CANONICAL_SLOPES, OF_OUTPUTS, SLOPES, default_of


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
    solver : {'sgd', 'momentum', 'nesterov', 'adam'}
    learning_rate, momentum, beta_1, beta_2, epsilon : float
        Of the solver, as in scikit-learn.
    weight_decay : float
        Weights, not biases, are multiplied by 1 minus the learning rate times it before each
        step.
    alpha : float
        Half of it times the squares of all weights is added to a batch's sum of losses.
    loss_parameter : float or None
        Of the loss; None for its default.
    loss_scale : float
        What a loss that is returned is multiplied by. Gradients are not: scikit-learn returns
        means over outputs, and trains by their sum.
    """

    def __init__(
        self,
        coefs,
        intercepts,
        activations,
        loss,
        *,
        solver="adam",
        learning_rate=0.01,
        momentum=0.9,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        alpha=0.0,
        weight_decay=0.0,
        loss_scale=1.0,
        loss_parameter=None,
    ):
        self.coefs = [np.array(W, np.float64) for W in coefs]
        self.intercepts = [np.array(b, np.float64) for b in intercepts]
        self.activations, self.loss, self.solver = activations, loss, solver
        self.learning_rate, self.momentum = learning_rate, momentum
        self.weight_decay = weight_decay
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.alpha, self.loss_scale, self.t = alpha, loss_scale, 0
        self.c = default_of(loss) if loss_parameter is None else loss_parameter
        self.velocity = [np.zeros_like(each) for each in self.parameters]
        self.squares = [np.zeros_like(each) for each in self.parameters]

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
        loss = (self.loss_scale * losses.sum() + penalty) / m
        of_weights, of_biases = [], []
        for l in reversed(range(len(layers))):
            A_prev = layers[l - 1][1] if l else X
            of_weights.insert(0, (A_prev.T @ D + self.alpha * self.coefs[l]) / m)
            of_biases.insert(0, D.mean(axis=0))
            if l:
                D = backward(self.activations[l - 1], layers[l - 1][0], D @ self.coefs[l].T)
        return loss, of_weights + of_biases

    def step(self, gradients):
        """Take one step against the gradients."""
        self.t += 1
        for W in self.coefs:
            W *= 1.0 - self.learning_rate * self.weight_decay
        memory = zip(self.parameters, gradients, self.velocity, self.squares, strict=True)
        for p, g, v, s in memory:
            if self.solver == "adam":
                v[:] = self.beta_1 * v + (1 - self.beta_1) * g
                s[:] = self.beta_2 * s + (1 - self.beta_2) * g**2
                root = np.sqrt(1 - self.beta_2**self.t)
                rate = self.learning_rate * root / (1 - self.beta_1**self.t)
                p -= rate * v / (np.sqrt(s) + self.epsilon)
            elif self.solver == "sgd":
                p -= self.learning_rate * g
            else:
                v[:] = self.momentum * v - self.learning_rate * g
                is_nesterov = self.solver == "nesterov"
                p += self.momentum * v - self.learning_rate * g if is_nesterov else v

    def train_epoch(self, X, Y, order, batch_size):
        """Visit the rows once in the given order; return the mean loss before each step."""
        total = 0.0
        for first in range(0, len(order), batch_size):
            rows = order[first : first + batch_size]
            loss, gradients = self.loss_and_gradients(X[rows], Y[rows])
            total += loss * len(rows)
            self.step(gradients)
        return total / len(order)
