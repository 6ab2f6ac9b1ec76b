"""What the installed scikit-learn's perceptrons have: not all versions have all."""

import inspect

import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

#: Whether `fit` takes the weights of samples, from scikit-learn 1.7 on.
HAVE_WEIGHTS = "sample_weight" in inspect.signature(MLPClassifier.fit).parameters
#: Whether a regressor has other losses than the squared one, from scikit-learn 1.7 on.
HAVE_LOSSES = "loss" in inspect.signature(MLPRegressor).parameters
#: Whether early stopping works with classes that are strings. It came with the weights;
#: before, predictions are looked through for NaN, which strings cannot be.
STOP_EARLY_ON_STRINGS = HAVE_WEIGHTS

needs_weights = pytest.mark.skipif(
    not HAVE_WEIGHTS, reason="this scikit-learn's perceptrons take no sample_weight"
)
needs_losses = pytest.mark.skipif(
    not HAVE_LOSSES, reason="this scikit-learn's MLPRegressor has the squared loss only"
)


def weights(weight):
    """Return the keywords by which a fit of either side is given `weight`, if any."""
    return {} if weight is None else {"sample_weight": weight}
