"""What tests of pictures share: small fits, and a look at what was drawn."""

import functools
import warnings

import numpy as np

from fastdnn import DNNClassifier, DNNRegressor

X = np.random.default_rng(0).standard_normal((90, 4))
LABELS = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
TARGETS = X[:, 0] - X[:, 1] ** 2
SMALL = {"hidden_layer_sizes": (5, 3), "max_iter": 6, "random_state": 0, "batch_size": 30}


def fitted(model, *args, **kwargs):
    """Return a model that is fitted without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*args, **kwargs)


@functools.cache
def classifier(early_stopping=True, activation="relu"):
    """Return a classifier that is fitted once."""
    options = {"early_stopping": early_stopping, "activation": activation}
    return fitted(DNNClassifier(**SMALL, **options), X, LABELS)


@functools.cache
def regressor(solver="adam"):
    """Return a regressor that is fitted once, with samples to validate on."""
    model = DNNRegressor(**SMALL, solver=solver)
    return fitted(model, X, TARGETS, X_val=X[:20], y_val=TARGETS[:20])


def pixels_of(figure):
    """Draw a figure; return its pixels: (height, width, 3)."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[:, :, :3]
