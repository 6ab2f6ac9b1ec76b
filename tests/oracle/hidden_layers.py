"""Networks with layer normalisation, slopes that are learnt, dropout and noise, in NumPy."""

import numpy as np

from tests.oracle.activations import ACTIVATIONS, backward
from tests.oracle.losses import CANONICAL, CANONICAL_SLOPES, OF_OUTPUTS, SLOPES
from tests.oracle.network import NumpyNetwork

# As PyTorch's LayerNorm has it by default.
EPSILON = 1e-5


def normalized(Z):
    """Return the rows with mean 0 and variance 1."""
    centred = Z - Z.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPSILON)


def normalized_backward(Z, D):
    """Return dL/dZ from the derivative with respect to the normalised rows."""
    n = Z.shape[1]
    centred = Z - Z.mean(axis=1, keepdims=True)
    root = np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPSILON)
    gradient = np.empty_like(Z)
    for i in range(len(Z)):  # the Jacobian of each row, from the quotient rule
        of_root = centred[i] / (n * root[i])
        jacobian = (np.eye(n) - 1 / n) / root[i] - np.outer(centred[i], of_root) / root[i] ** 2
        gradient[i] = jacobian.T @ D[i]
    return gradient


def prelu(Z, slope):
    """Return the leaky ReLU with a slope."""
    return np.where(Z > 0, Z, slope * Z)


class NumpyLayers(NumpyNetwork):
    """A network whose hidden layers may normalise, learn a slope, and leave out units.

    Parameters
    ----------
    parameters : Parameters
        Copied.
    activations, loss, **options
        As of `NumpyNetwork`; 'prelu' is one, too.
    """

    def __init__(self, parameters, activations, loss, **options):
        views = {"gain": {}, "shift": {}, "slope": {}}
        for i, l in enumerate(parameters.normalized):
            views["gain"][l] = np.array(parameters.norm_gains[i], np.float64)
            views["shift"][l] = np.array(parameters.norm_shifts[i], np.float64)
        for i, l in enumerate(parameters.sloped):
            views["slope"][l] = np.array(parameters.prelu_slopes[i], np.float64)
        self.own = views
        super().__init__(parameters.coefs, parameters.intercepts, activations, loss, **options)

    @property
    def parameters(self):
        """Everything in the order of theta."""
        return self.coefs + self._tail

    @property
    def _tail(self):
        """What is neither decayed nor penalised: biases, gains, shifts and slopes."""
        own = [
            self.own[kind][l]
            for l in range(len(self.coefs))
            for kind in ("gain", "shift", "slope")
            if l in self.own[kind]
        ]
        return self.intercepts + own

    def step(self, gradients):
        """Take one step against the gradients."""
        self.stepper.step(self.coefs, self._tail, gradients)

    def layers(self, X, masks):
        """Return, of each layer, its input, the product, what is activated, and the output.

        `masks` are what the input and the output of each hidden layer are multiplied by, or
        None.
        """
        A, layers = X if masks[0] is None else X * masks[0], []
        for l, name in enumerate(self.activations):
            before = A
            P = before @ self.coefs[l] + self.intercepts[l]
            Z = P
            if l in self.own["gain"]:
                Z = normalized(P) * self.own["gain"][l] + self.own["shift"][l]
            A = prelu(Z, self.own["slope"][l]) if name == "prelu" else ACTIVATIONS[name](Z)
            if l + 1 < len(masks) and masks[l + 1] is not None:
                A = A * masks[l + 1]
            layers.append((before, P, Z, A))
        return layers

    def loss_and_gradients(self, X, Y, masks=None, weight=None):
        """Return the mean loss with its penalty, and the gradients of `parameters`."""
        masks = [None] * len(self.coefs) if masks is None else masks
        weight = np.ones(len(X)) if weight is None else weight
        layers = self.layers(X, masks)
        _, _, Z, A = layers[-1]
        pair = self.loss, self.activations[-1]
        if pair in CANONICAL:
            losses, D = CANONICAL[pair](Z, Y, self.c), CANONICAL_SLOPES[pair](Z, Y, self.c)
        else:
            losses = OF_OUTPUTS[self.loss](A, Y, self.c)
            D = backward(self.activations[-1], Z, SLOPES[self.loss](A, Y, self.c))
        total = weight.sum()
        penalty = 0.5 * self.alpha * sum((W**2).sum() for W in self.coefs)
        penalty += self.l1 * sum(np.abs(W).sum() for W in self.coefs)
        loss = (self.loss_scale * (losses * weight[:, None]).sum() + penalty) / total
        D = D * weight[:, None]
        of = {name: {} for name in ("weights", "biases", "gain", "shift", "slope")}
        for l in reversed(range(len(layers))):
            before, P, Z, _ = layers[l]
            if l < len(layers) - 1:
                D = D if masks[l + 1] is None else D * masks[l + 1]
                if self.activations[l] == "prelu":
                    of["slope"][l] = np.array([(D * np.minimum(Z, 0)).sum()]) / total
                    D = D * np.where(Z > 0, 1.0, self.own["slope"][l])
                else:
                    D = backward(self.activations[l], Z, D)
            if l in self.own["gain"]:
                of["gain"][l] = (D * normalized(P)).sum(axis=0) / total
                of["shift"][l] = D.sum(axis=0) / total
                D = normalized_backward(P, D * self.own["gain"][l])
            of_penalty = self.alpha * self.coefs[l] + self.l1 * np.sign(self.coefs[l])
            of["weights"][l] = (before.T @ D + of_penalty) / total
            of["biases"][l] = D.sum(axis=0) / total
            D = D @ self.coefs[l].T
        n_layers = len(layers)
        own = [
            of[kind][l]
            for l in range(n_layers)
            for kind in ("gain", "shift", "slope")
            if l in of[kind]
        ]
        of_layers = [of[kind][l] for kind in ("weights", "biases") for l in range(n_layers)]
        return loss, of_layers + own
