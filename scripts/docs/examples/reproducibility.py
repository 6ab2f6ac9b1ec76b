"""
The same bits
=============

A fit depends on its data, its parameters and ``random_state``, and on nothing else: not on the
number of threads, and not on whether it was interrupted, stored and continued.
"""

import hashlib
import pickle
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier

warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs are enough here

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)


def digest(model):
    """Return a fingerprint of all that a network has learnt."""
    parts = [*model.coefs_, *model.intercepts_, np.array(model.loss_curve_)]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


settings = {"hidden_layer_sizes": (64, 32), "dropout": 0.2, "max_iter": 20, "random_state": 0}
for n_threads in (1, 2, 4):
    model = DNNClassifier(**settings, n_threads=n_threads).fit(X, y)
    print(f"{n_threads} threads: {digest(model)}")

# %%
# Half of it, stored, loaded and continued, here or in another process:
half = DNNClassifier(**settings, warm_start="exact").set_params(max_iter=10).fit(X, y)
continued = pickle.loads(pickle.dumps(half)).set_params(max_iter=20).fit(X, y)
print(f"in two parts: {digest(continued)}")

# %%
# Another seed is another network. How much that matters is worth knowing before one setting is
# called better than another:
scores = [
    DNNClassifier(**settings | {"random_state": seed}).fit(X[:400], y[:400])
    for seed in range(10)
]
scores = np.array([model.score(X[400:], y[400:]) for model in scores])
print(f"ten seeds: from {scores.min():.3f} to {scores.max():.3f}")

ax = plt.figure(figsize=(6, 2), layout="constrained").gca()
ax.plot(scores, np.zeros(len(scores)), "|", markersize=40)
ax.set(xlabel="accuracy on 169 samples, of ten seeds", yticks=[])
plt.show()
