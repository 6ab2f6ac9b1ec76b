"""
Members and intervals that keep their promise
=============================================

Five networks, each trained without another fifth of the samples. Together they predict better
than one, say what they are worth on samples that they have not seen, and give intervals that
contain as many targets as was asked for.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor

warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what is wanted

X, y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)
order = np.random.default_rng(0).permutation(len(y))
test, train = order[:142], order[142:]

settings = {"hidden_layer_sizes": (20,), "solver": "lbfgs", "alpha": 100.0, "random_state": 0}
alone = DNNRegressor(**settings).fit(X[train], y[train])
model = DNNRegressor(**settings, n_members=5, bagging="folds").fit(X[train], y[train])
print(f"R2 of one network {alone.score(X[test], y[test]):.3f}")
print(f"R2 of five        {model.score(X[test], y[test]):.3f}")
print(f"of samples that were left out, known without test data: {model.oof_score_:.3f}")

# %%
# Intervals for three levels:
for level in (0.5, 0.8, 0.95):
    low, high = model.predict_interval(X[test], level=level)
    inside = (low <= y[test]) & (y[test] <= high)
    print(f"{level:.0%} asked for, {inside.mean():.0%} of {len(test)} are inside")

low, high = model.predict_interval(X[test], level=0.8)
middle = model.predict(X[test])
rank = np.argsort(middle)
ax = plt.figure(figsize=(8, 4), layout="constrained").gca()
ax.fill_between(np.arange(len(test)), low[rank], high[rank], alpha=0.3, label="interval, 80 %")
ax.plot(middle[rank], label="predicted")
ax.scatter(np.arange(len(test)), y[test][rank], s=10, color="black", label="target")
ax.set(xlabel="test samples, by what is predicted", ylabel="progression")
ax.legend()
plt.show()

# %%
# Of classes there are sets, which are larger where the networks are in doubt. New samples
# have to come from where those of the fit did, hence the shuffled split: the images are in
# the order of who wrote them.
X, y = load_digits(return_X_y=True)
X, X_new, y, y_new = train_test_split(X / 16, y, test_size=400, random_state=0)
model = DNNClassifier((20,), solver="lbfgs", alpha=10.0, max_iter=40, random_state=0)
model.set_params(n_members=5, bagging="folds").fit(X, y)
for level in (0.9, 0.99):
    is_in = model.predict_set(X_new, level=level)
    covered = is_in[np.arange(len(y_new)), y_new].mean()
    sizes = np.bincount(is_in.sum(axis=1))
    print(f"{level:.0%} asked for, {covered:.1%} covered; sets by their size: {sizes}")
