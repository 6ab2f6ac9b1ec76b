"""A multi-layer perceptron in plain NumPy: the baseline of benchmarks, the oracle of tests.

Written as a NumPy expert would for speed: float32, every array allocated once, every
operation with ``out=``, in-place activations, no temporary in the training step. It is
meant to be read beside the compiled kernels, line for line the same mathematics.
"""

from itertools import pairwise

import numpy as np


def glorot_uniform(layer_sizes, activation, draw):
    """Draw initial weights and biases like scikit-learn, in its order.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of every layer, inputs first.
    activation : {'relu', 'tanh', 'logistic', 'identity'}
        Activation of the hidden layers.
    draw : RandomState
        Source of the numbers.

    Returns
    -------
    coefs, intercepts : list of ndarray of float64
    """
    factor = 2.0 if activation == "logistic" else 6.0
    coefs, intercepts = [], []
    for n_in, n_out in pairwise(layer_sizes):
        bound = np.sqrt(factor / (n_in + n_out))
        coefs.append(draw.uniform(-bound, bound, (n_in, n_out)))
        intercepts.append(draw.uniform(-bound, bound, n_out))
    return coefs, intercepts


class NumpyMLP:
    """Multi-layer perceptron with mini-batch SGD or Adam.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
        Initial parameters; copied.
    activation : {'relu', 'tanh', 'logistic', 'identity'}
        Activation of the hidden layers.
    loss : {'softmax', 'logistic', 'squared_error'}
        Output activation with its log-loss, or identity with half the squared error.
    batch_size : int
        Samples a step.
    solver : {'adam', 'sgd'}
        'sgd' has momentum, Nesterov's if `nesterov`.
    learning_rate, alpha, momentum, beta_1, beta_2, epsilon : float
        As in scikit-learn.
    nesterov : bool
        Whether momentum is Nesterov's.
    dtype : dtype
        Precision of everything.
    """

    def __init__(
        self,
        coefs,
        intercepts,
        *,
        activation="relu",
        loss="softmax",
        batch_size=200,
        solver="adam",
        learning_rate=0.001,
        alpha=0.0001,
        momentum=0.9,
        nesterov=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        dtype=np.float32,
    ):
        self.coefs = [np.array(W, dtype=dtype, order="C") for W in coefs]
        self.intercepts = [np.array(b, dtype=dtype) for b in intercepts]
        self.activation, self.loss, self.solver = activation, loss, solver
        self.learning_rate, self.alpha = learning_rate, alpha
        self.momentum, self.nesterov = momentum, nesterov
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.batch_size, self.t = batch_size, 0
        sizes = [self.coefs[0].shape[0]] + [b.size for b in self.intercepts]
        self.X = np.empty((batch_size, sizes[0]), dtype)
        self.A = [np.empty((batch_size, n), dtype) for n in sizes[1:]]
        self.D = [np.empty((batch_size, n), dtype) for n in sizes[1:]]
        self.mask = [np.empty((batch_size, n), bool) for n in sizes[1:]]
        self.row = np.empty((batch_size, 1), dtype)
        self.parameters = self.coefs + self.intercepts
        self.grads = [np.empty_like(p) for p in self.parameters]
        self.scratch = [np.empty_like(p) for p in self.parameters]
        self.first = [np.zeros_like(p) for p in self.parameters]
        self.second = [np.zeros_like(p) for p in self.parameters]

    def forward(self, X):
        """Return the outputs for `X`, at most one batch of rows."""
        m = len(X)
        A_prev = X
        for l, (W, b) in enumerate(zip(self.coefs, self.intercepts, strict=True)):
            A = self.A[l][:m]
            np.dot(A_prev, W, out=A)
            A += b
            if l < len(self.coefs) - 1:
                self._activate(A)
            A_prev = A
        if self.loss == "softmax":
            np.max(A, axis=1, keepdims=True, out=self.row[:m])
            A -= self.row[:m]
            np.exp(A, out=A)
            np.sum(A, axis=1, keepdims=True, out=self.row[:m])
            A /= self.row[:m]
        elif self.loss == "logistic":
            self._logistic(A)
        return A

    def _activate(self, A):
        if self.activation == "relu":
            np.maximum(A, 0, out=A)
        elif self.activation == "tanh":
            np.tanh(A, out=A)
        elif self.activation == "logistic":
            self._logistic(A)

    @staticmethod
    def _logistic(A):
        # (1 + tanh(z / 2)) / 2: no overflow, and faster than exp with a division.
        A *= 0.5
        np.tanh(A, out=A)
        A += 1.0
        A *= 0.5

    def _multiply_by_prime(self, l, m):
        A, D = self.A[l][:m], self.D[l][:m]
        if self.activation == "relu":
            np.greater(A, 0, out=self.mask[l][:m])
            D *= self.mask[l][:m]
        elif self.activation == "tanh":
            np.multiply(A, A, out=A)  # A is not needed any more
            np.subtract(1, A, out=A)
            D *= A
        elif self.activation == "logistic":
            D *= A
            np.subtract(1, A, out=A)
            D *= A

    def loss_of_outputs(self, A, Y):
        """Return the mean loss of outputs `A`, without the L2 term."""
        tiny = np.finfo(A.dtype).eps
        if self.loss == "softmax":
            picked = A[np.arange(len(A)), Y]
            return -float(np.mean(np.log(np.maximum(picked, tiny))))
        if self.loss == "logistic":
            a = np.clip(A, tiny, 1 - tiny)
            return -float(np.sum(Y * np.log(a) + (1 - Y) * np.log1p(-a))) / len(A)
        return 0.5 * float(np.mean((A - Y) ** 2))

    def gradients(self, X, Y):
        """Run one batch forward and backward; return the loss with its L2 term.

        `Y` holds class positions (softmax) or a matrix like the outputs. The gradients of
        the mean loss are left in `grads`: those of the weights, then of the biases.
        """
        m, last = len(X), len(self.coefs) - 1
        A = self.forward(X)
        squares = sum(float(np.dot(W.ravel(), W.ravel())) for W in self.coefs)
        loss = self.loss_of_outputs(A, Y) + 0.5 * self.alpha * squares / m
        D = self.D[last][:m]
        if self.loss == "softmax":
            D[:] = A
            D[np.arange(m), Y] -= 1
        else:
            np.subtract(A, Y, out=D)
        for l in range(last, -1, -1):
            A_prev = self.A[l - 1][:m] if l else X
            dW, db = self.grads[l], self.grads[last + 1 + l]
            np.dot(A_prev.T, self.D[l][:m], out=dW)
            np.multiply(self.coefs[l], self.alpha, out=self.scratch[l])
            dW += self.scratch[l]
            dW /= m
            np.sum(self.D[l][:m], axis=0, out=db)
            db /= m
            if l:
                np.dot(self.D[l][:m], self.coefs[l].T, out=self.D[l - 1][:m])
                self._multiply_by_prime(l - 1, m)
        return loss

    def step(self):
        """Take one step along the gradients in `grads`."""
        self.t += 1
        if self.solver == "adam":
            bias = np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
            rate = self.learning_rate * bias
            for p, g, m, v, s in zip(
                self.parameters,
                self.grads,
                self.first,
                self.second,
                self.scratch,
                strict=True,
            ):
                m *= self.beta_1
                np.multiply(g, 1 - self.beta_1, out=s)
                m += s
                v *= self.beta_2
                np.multiply(g, g, out=s)
                s *= 1 - self.beta_2
                v += s
                np.sqrt(v, out=s)
                s += self.epsilon
                np.divide(m, s, out=s)
                s *= rate
                p -= s
            return
        for p, g, v, s in zip(
            self.parameters, self.grads, self.first, self.scratch, strict=True
        ):
            v *= self.momentum
            g *= self.learning_rate
            v -= g
            if self.nesterov:
                np.multiply(v, self.momentum, out=s)
                s -= g
                p += s
            else:
                p += v

    def train_epoch(self, X, Y, order):
        """Visit the rows once in the given order; return the mean loss before each step."""
        total = 0.0
        for first in range(0, len(order), self.batch_size):
            rows = order[first : first + self.batch_size]
            batch = self.X[: len(rows)]
            np.take(X, rows, axis=0, out=batch, mode="clip")
            total += self.gradients(batch, Y[rows]) * len(rows)
            self.step()
        return total / len(order)
