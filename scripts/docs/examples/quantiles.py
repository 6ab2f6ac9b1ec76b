"""
Quantiles and uncertainty
=========================

How a disease progresses within a year, predicted from the body mass index: not by one number,
but by quantiles that cannot cross, and by a mean with a standard deviation.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNRegressor

warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what is wanted

X, y = load_diabetes(return_X_y=True, scaled=False)
X = X[:, [2]]  # the body mass index
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
scaler = StandardScaler().fit(X_train)
grid = np.linspace(18, 42, 100)[:, None]
settings = {
    "hidden_layer_sizes": (32,),
    "activation": "tanh",
    "learning_rate_init": 0.01,
    "max_iter": 100,
    "n_iter_no_change": 100,
    "alpha": 0.1,
    "random_state": 0,
}

# %%
# One network learns three quantiles. Steps reach what has about the size of 1, so targets are
# scaled by hand and back:
size = y_train.std()
quantiles = DNNRegressor(loss="quantile", quantile=[0.1, 0.5, 0.9], **settings)
quantiles.fit(scaler.transform(X_train), y_train / size)
low, median, high = quantiles.predict(scaler.transform(grid)).T * size
bounds = quantiles.predict(scaler.transform(X_test)) * size
inside = (bounds[:, 0] <= y_test) & (y_test <= bounds[:, 2])
print(f"{inside.mean():.0%} of the test targets are between the outer quantiles (80 % asked)")
print(f"quantiles that cross: {(np.diff(bounds, axis=1) < 0).sum()}")

# %%
# The other learns a normal distribution for each sample:
normal = DNNRegressor(loss="gaussian_nll", **settings)
normal.fit(scaler.transform(X_train), y_train / size)
mean, deviation = normal.predict(scaler.transform(grid), return_std=True)

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax in axes:
    ax.scatter(X_train, y_train, s=8, color="0.6")
    ax.set(xlabel="body mass index")
axes[0].fill_between(grid[:, 0], low, high, alpha=0.3, label="10 % to 90 %")
axes[0].plot(grid, median, label="median")
axes[1].fill_between(
    grid[:, 0],
    (mean - 1.28 * deviation) * size,
    (mean + 1.28 * deviation) * size,
    alpha=0.3,
    label="mean, 1.28 deviations",
)
axes[1].plot(grid, mean * size, label="mean")
axes[0].set(ylabel="progression", title="three quantiles")
axes[1].set(title="a normal distribution")
for ax in axes:
    ax.legend()
plt.show()

# %%
# What is learnt by samples may be too narrow on others. Intervals that cover what they
# promise are made by samples that were left out: see the example on members.
