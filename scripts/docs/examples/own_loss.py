"""
A loss of your own
==================

Two functions that numba compiles, the loss of a number and its slope, become a part of the
training step. Here: an error that costs twice as much where too little was predicted, without
a kink.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
from numba import njit
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastdnn


@njit
def lopsided(a, y):
    """Return about |a - y|, twice that where a is below y."""
    e = a - y
    weight = 2.0 if e < 0 else 1.0
    return weight * (math.sqrt(e * e + 0.01) - 0.1)


@njit
def lopsided_slope(a, y):
    """Return its derivative by a."""
    e = a - y
    weight = 2.0 if e < 0 else 1.0
    return weight * e / math.sqrt(e * e + 0.01)


loss = fastdnn.Loss(lopsided, lopsided_slope, name="lopsided")

# %%
# The slope was compared with differences of the loss: a wrong one is refused at once.
try:
    fastdnn.Loss(lopsided, lopsided)
except ValueError as error:
    print(error)

# %%
# Beside the absolute error, which cares for both sides alike:
X, y = load_diabetes(return_X_y=True)
y = (y - y.mean()) / y.std()
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
ax = plt.figure(layout="constrained").gca()
for chosen in ("absolute_error", loss):
    network = fastdnn.DNNRegressor(
        loss=chosen, hidden_layer_sizes=(16,), max_iter=300, random_state=0
    )
    model = make_pipeline(StandardScaler(), network).fit(X_train, y_train)
    errors = model.predict(X_test) - y_test
    name = getattr(chosen, "name", chosen)
    print(f"{name}: {np.mean(errors < 0):.0%} of the predictions are too low")
    ax.hist(errors, bins=np.linspace(-2.5, 2.5, 26), alpha=0.5, label=name)
ax.axvline(0, color="black", linewidth=1)
ax.set(xlabel="predicted minus true")
ax.legend()
plt.show()
