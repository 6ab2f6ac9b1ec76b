"""What the installed scikit-learn's perceptrons have: not all versions have all."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor


def _stops_early_on_strings():
    model = MLPClassifier((), early_stopping=True, validation_fraction=0.5, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(np.arange(8.0).reshape(8, 1), np.array(["no", "yes"] * 4))
        except TypeError:
            return False
    return True


#: Whether `fit` takes the weights of samples, from scikit-learn 1.7 on.
HAVE_WEIGHTS = "sample_weight" in inspect.signature(MLPClassifier.fit).parameters
#: Whether a regressor has other losses than the squared one, from scikit-learn 1.7 on.
HAVE_LOSSES = "loss" in inspect.signature(MLPRegressor).parameters
#: Whether early stopping works with classes that are strings, from scikit-learn 1.9 on:
#: before, predictions are looked through for NaN, which strings cannot be. No signature
#: shows it.
STOP_EARLY_ON_STRINGS = _stops_early_on_strings()

needs_weights = pytest.mark.skipif(
    not HAVE_WEIGHTS, reason="this scikit-learn's perceptrons take no sample_weight"
)
needs_losses = pytest.mark.skipif(
    not HAVE_LOSSES, reason="this scikit-learn's MLPRegressor has the squared loss only"
)


def weights(weight):
    """Return the keywords by which a fit of either side is given `weight`, if any."""
    return {} if weight is None else {"sample_weight": weight}
