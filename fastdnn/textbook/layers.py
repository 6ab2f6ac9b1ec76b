"""The textbook's steps for whole layers: forward, backward, cost and update.

Samples are rows: ``Z = A_prev @ W + b`` with ``A_prev`` of shape (n_samples, n_in), ``W``
of shape (n_in, n_out) and ``b`` of shape (n_out,). Every function returns new arrays and
can be called from Python or from a user's own ``@njit`` function. float32 stays float32.

An activation is given by its code, ``fastdnn.textbook.RELU`` and so on.

What Python gives is checked: a TypeError or a ValueError names the argument whose type, dtype,
shape or value does not fit, before anything is changed. An ``@njit`` function has to give what
fits: it is compiled without checks, and a wrong shape there reads or writes foreign memory.
"""

import math

import numpy as np

from fastdnn.compiler.jit import checked_entry_point, entry_point
from fastdnn.textbook import kernel_inputs as inputs
from fastdnn.textbook.layer_kernels import (
    ACTIVATION_CODES,
    backward_by_code,
    backward_of_linear,
    forward_by_code,
    forward_of_linear,
)

IDENTITY = ACTIVATION_CODES["identity"]
SIGMOID = ACTIVATION_CODES["sigmoid"]
TANH = ACTIVATION_CODES["tanh"]
RELU = ACTIVATION_CODES["relu"]
SOFTMAX = ACTIVATION_CODES["softmax"]
SILU = ACTIVATION_CODES["silu"]
EXP = ACTIVATION_CODES["exp"]
LEAKY_RELU = ACTIVATION_CODES["leaky_relu"]
ELU = ACTIVATION_CODES["elu"]
SELU = ACTIVATION_CODES["selu"]
GELU = ACTIVATION_CODES["gelu"]
MISH = ACTIVATION_CODES["mish"]
SOFTPLUS = ACTIVATION_CODES["softplus"]
HARDSWISH = ACTIVATION_CODES["hardswish"]
ASCENDING = ACTIVATION_CODES["ascending"]
MEAN_AND_VARIANCE = ACTIVATION_CODES["mean_and_variance"]


@checked_entry_point(inputs.layer)
def linear_forward(A_prev, W, b):
    """Return the linear part of a layer and what its backward pass needs.

    Parameters
    ----------
    A_prev : ndarray of shape (n_samples, n_in)
        Output of the layer before.
    W : ndarray of shape (n_in, n_out)
        Weights.
    b : ndarray of shape (n_out,)
        Biases.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_out)
        ``A_prev @ W + b``.
    cache : tuple
        ``(A_prev, W, b)``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import linear_forward
    >>> Z, cache = linear_forward(np.ones((1, 2)), np.full((2, 1), 3.0), np.ones(1))
    >>> Z
    array([[7.]])
    """
    Z = np.empty((A_prev.shape[0], W.shape[1]), A_prev.dtype)
    forward_of_linear(A_prev, Z, W, b, 0)
    return Z, (A_prev, W, b)


@checked_entry_point(inputs.linear_gradients)
def linear_backward(dZ, cache):
    """Return the gradients of the linear part of a layer.

    Parameters
    ----------
    dZ : ndarray of shape (n_samples, n_out)
        Gradient of each sample's loss with respect to Z.
    cache : tuple
        ``(A_prev, W, b)`` of the forward pass.

    Returns
    -------
    dA_prev : ndarray of shape (n_samples, n_in)
        ``dZ @ W.T``.
    dW : ndarray of shape (n_in, n_out)
        ``A_prev.T @ dZ / n_samples``: of the mean loss.
    db : ndarray of shape (n_out,)
        Mean of `dZ` over the samples.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import linear_backward
    >>> cache = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.zeros(1)
    >>> dA_prev, dW, db = linear_backward(np.array([[1.0]]), cache)
    >>> dA_prev, dW.ravel(), db
    (array([[3., 4.]]), array([1., 2.]), array([1.]))
    """
    A_prev, W, _ = cache
    dA_prev = np.empty(A_prev.shape, dZ.dtype)
    dW, db = np.empty(W.shape, dZ.dtype), np.empty(dZ.shape[1], dZ.dtype)
    backward_of_linear(dZ, A_prev, dA_prev, W, dW, db, dZ.shape[0], 0)
    return dA_prev, dW, db


@checked_entry_point(inputs.layer_with_activation)
def linear_activation_forward(A_prev, W, b, activation):
    """Return the output of a layer and what its backward pass needs.

    Parameters
    ----------
    A_prev : ndarray of shape (n_samples, n_in)
        Output of the layer before.
    W : ndarray of shape (n_in, n_out)
        Weights.
    b : ndarray of shape (n_out,)
        Biases.
    activation : int
        Code of the activation, such as ``fastdnn.textbook.RELU``.

    Returns
    -------
    A : ndarray of shape (n_samples, n_out)
        ``g(A_prev @ W + b)``.
    cache : tuple
        ``(linear_cache, Z)`` with ``linear_cache = (A_prev, W, b)``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import RELU, linear_activation_forward
    >>> X, W, b = np.array([[1.0]]), np.array([[2.0, -2.0]]), np.zeros(2)
    >>> A, cache = linear_activation_forward(X, W, b, RELU)
    >>> A
    array([[2., 0.]])
    """
    Z = np.empty((A_prev.shape[0], W.shape[1]), A_prev.dtype)
    A = np.empty_like(Z)
    forward_by_code(A_prev, Z, A, W, b, activation)
    return A, ((A_prev, W, b), Z)


@checked_entry_point(inputs.layer_gradients)
def linear_activation_backward(dA, cache, activation):
    """Return the gradients of a layer.

    Parameters
    ----------
    dA : ndarray of shape (n_samples, n_out)
        Gradient of each sample's loss with respect to the layer's output.
    cache : tuple
        ``(linear_cache, Z)`` of the forward pass.
    activation : int
        Code of the activation.

    Returns
    -------
    dA_prev : ndarray of shape (n_samples, n_in)
        Gradient with respect to the layer's input.
    dW : ndarray of shape (n_in, n_out)
        Gradient of the mean loss with respect to the weights.
    db : ndarray of shape (n_out,)
        Gradient of the mean loss with respect to the biases.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import RELU, linear_activation_backward
    >>> cache = (np.array([[1.0]]), np.array([[2.0]]), np.zeros(1)), np.array([[2.0]])
    >>> dA_prev, dW, db = linear_activation_backward(np.array([[1.0]]), cache, RELU)
    >>> dA_prev, dW, db
    (array([[2.]]), array([[1.]]), array([1.]))
    """
    (A_prev, W, _), Z = cache
    dA_prev = np.empty(A_prev.shape, dA.dtype)
    dW, db = np.empty(W.shape, dA.dtype), np.empty(dA.shape[1], dA.dtype)
    backward_by_code(dA, Z, A_prev, dA_prev, W, dW, db, activation)
    return dA_prev, dW, db


@checked_entry_point(inputs.probabilities_and_targets)
def compute_cost(AL, Y):
    """Return the cross-entropy cost of predicted probabilities.

    One column is the probability of class 1 (binary); several are the probabilities of
    the classes.

    Parameters
    ----------
    AL : ndarray of shape (n_samples, n_outputs)
        Predicted probabilities.
    Y : ndarray of shape (n_samples, n_outputs)
        Targets, 0 or 1, in the dtype of `AL`.

    Returns
    -------
    float
        Mean over the samples. A probability that has been rounded to 0 or 1 counts as the
        nearest number in between, so the cost is finite; `DeepNeuralNetwork.cost` is
        exact there, since it goes by Z.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import compute_cost
    >>> round(compute_cost(np.array([[0.5], [0.5]]), np.array([[1.0], [0.0]])), 4)
    0.6931
    """
    return _mean_cost(AL, Y)


@entry_point
def _mean_cost(AL, Y):
    n_samples, n_outputs = AL.shape
    smallest = np.finfo(AL.dtype).tiny
    largest = 1.0 - np.finfo(AL.dtype).eps / 2.0
    total = 0.0
    for i in range(n_samples):
        for j in range(n_outputs):
            y = float(Y[i, j])
            a = min(max(float(AL[i, j]), float(smallest)), float(largest))
            if y != 0.0:
                total -= y * math.log(a)
            if n_outputs == 1 and y != 1.0:
                total -= (1.0 - y) * math.log1p(-a)
    return total / n_samples


@checked_entry_point(inputs.step)
def update_parameters(W, b, dW, db, learning_rate, decay):
    """Take one step of gradient descent on a layer, in place.

    Parameters
    ----------
    W : ndarray of shape (n_in, n_out)
        Weights, changed to ``W - learning_rate * (dW + decay * W)``.
    b : ndarray of shape (n_out,)
        Biases, changed to ``b - learning_rate * db``.
    dW, db : ndarray
        Gradients of the mean loss, shaped like `W` and `b`.
    learning_rate : float
        Step size.
    decay : float
        L2 coefficient divided by the number of samples.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import update_parameters
    >>> W, b = np.ones((1, 1)), np.ones(1)
    >>> update_parameters(W, b, np.ones((1, 1)), np.ones(1), 0.1, 0.0)
    >>> W, b
    (array([[0.9]]), array([0.9]))
    """
    _step(W, b, dW, db, learning_rate, decay)


@entry_point
def _step(W, b, dW, db, learning_rate, decay):
    real = W.dtype.type
    step, shrink = real(learning_rate), real(decay)
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            W[i, j] -= step * (dW[i, j] + shrink * W[i, j])
    for j in range(b.size):
        b[j] -= step * db[j]
