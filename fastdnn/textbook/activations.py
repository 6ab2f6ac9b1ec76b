"""The textbook's activations on whole arrays, with their derivatives and backward steps.

Every function returns a new array and can be called from Python or from a user's own
``@njit`` function. float32 stays float32. What Python gives is checked: a TypeError or a
ValueError says which argument is no array of float32 or float64, or not of the shape of the
other. An ``@njit`` function has to give what fits: it is compiled without checks.
"""

import numpy as np

from fastdnn.compiler.jit import checked_entry_point, divided_entry_point
from fastdnn.ops import activations, elementary
from fastdnn.textbook import kernel_inputs as inputs
from fastdnn.textbook import long_calls


@checked_entry_point(inputs.elementwise)
def sigmoid(Z):
    """Return ``1 / (1 + exp(-Z))`` of each element.

    Parameters
    ----------
    Z : ndarray of float32 or float64

    Returns
    -------
    ndarray
        Same shape and dtype. Finite, and without warning, at any Z.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import sigmoid
    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).round(300)
    array([0. , 0.5, 1. ])
    """
    A = np.empty_like(Z)
    _sigmoid(Z, A)
    return A


@divided_entry_point(long_calls.by_numbers)
def _sigmoid(Z, A):
    for index, z in np.ndenumerate(Z):
        A[index] = elementary.sigmoid(z)


@checked_entry_point(inputs.elementwise)
def sigmoid_prime(Z):
    """Return the derivative of the sigmoid at each element of `Z`.

    Parameters
    ----------
    Z : ndarray of float32 or float64

    Returns
    -------
    ndarray
        ``s (1 - s)`` with ``s = sigmoid(Z)``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import sigmoid_prime
    >>> sigmoid_prime(np.array([0.0]))
    array([0.25])
    """
    slope = np.empty_like(Z)
    _sigmoid_prime(Z, slope)
    return slope


@divided_entry_point(long_calls.by_numbers)
def _sigmoid_prime(Z, slope):
    for index, z in np.ndenumerate(Z):
        slope[index] = activations.sigmoid_prime(elementary.sigmoid(z))


@checked_entry_point(inputs.elementwise)
def relu(Z):
    """Return ``max(Z, 0)`` of each element; NaN stays NaN.

    Parameters
    ----------
    Z : ndarray of float32 or float64

    Returns
    -------
    ndarray
        Same shape and dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import relu
    >>> relu(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    A = np.empty_like(Z)
    _relu(Z, A)
    return A


@divided_entry_point(long_calls.by_numbers)
def _relu(Z, A):
    for index, z in np.ndenumerate(Z):
        A[index] = activations.relu(z)


@checked_entry_point(inputs.elementwise)
def relu_prime(Z):
    """Return the derivative of ReLU at each element of `Z`; 0 at ``Z <= 0``.

    Parameters
    ----------
    Z : ndarray of float32 or float64

    Returns
    -------
    ndarray
        Zeros and ones.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import relu_prime
    >>> relu_prime(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 1.])
    """
    slope = np.empty_like(Z)
    _relu_prime(Z, slope)
    return slope


@divided_entry_point(long_calls.by_numbers)
def _relu_prime(Z, slope):
    for index, z in np.ndenumerate(Z):
        slope[index] = activations.relu_prime(z)


@checked_entry_point(inputs.elementwise_backward)
def sigmoid_backward(dA, Z):
    """Return dL/dZ of a sigmoid layer.

    Parameters
    ----------
    dA : ndarray
        Gradient of the cost with respect to ``sigmoid(Z)``.
    Z : ndarray
        What the layer's forward pass stored.

    Returns
    -------
    ndarray
        ``dA * sigmoid_prime(Z)``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import sigmoid_backward
    >>> sigmoid_backward(np.array([[2.0]]), np.array([[0.0]]))
    array([[0.5]])
    """
    dZ = np.empty_like(Z)
    _sigmoid_backward(dA, Z, dZ)
    return dZ


@divided_entry_point(long_calls.by_numbers)
def _sigmoid_backward(dA, Z, dZ):
    for index, z in np.ndenumerate(Z):
        dZ[index] = dA[index] * activations.sigmoid_prime(elementary.sigmoid(z))


@checked_entry_point(inputs.elementwise_backward)
def relu_backward(dA, Z):
    """Return dL/dZ of a ReLU layer.

    Parameters
    ----------
    dA : ndarray
        Gradient of the cost with respect to ``relu(Z)``.
    Z : ndarray
        What the layer's forward pass stored.

    Returns
    -------
    ndarray
        ``dA * relu_prime(Z)``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdnn.textbook import relu_backward
    >>> relu_backward(np.array([[2.0, 2.0]]), np.array([[-1.0, 1.0]]))
    array([[0., 2.]])
    """
    dZ = np.empty_like(Z)
    _relu_backward(dA, Z, dZ)
    return dZ


@divided_entry_point(long_calls.by_numbers)
def _relu_backward(dA, Z, dZ):
    for index, z in np.ndenumerate(Z):
        dZ[index] = dA[index] * activations.relu_prime(z)
