"""
What a network has learnt, drawn
================================

scikit-learn's displays take the estimators. Here: where three species of iris are told apart,
by networks with and without a penalty, and what such a network looks like.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import DecisionBoundaryDisplay

from fastdnn import DNNClassifier, NetworkDisplay

warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what is wanted

X, y = load_iris(return_X_y=True, as_frame=True)
X = X[["petal length (cm)", "petal width (cm)"]]
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True, layout="constrained")
for ax, alpha in zip(axes, (0.0001, 1.0, 30.0), strict=True):
    model = DNNClassifier((16, 16), solver="lbfgs", alpha=alpha, max_iter=300, random_state=0)
    model.fit(X, y)
    DecisionBoundaryDisplay.from_estimator(
        model, X, response_method="predict", alpha=0.4, ax=ax
    )
    ax.scatter(*X.to_numpy().T, c=y, edgecolor="black", s=20)
    ax.set(title=f"alpha={alpha:g}, accuracy {model.score(X, y):.3f}")
plt.show()

# %%
# Blue lines are positive weights, red ones negative; wide ones are large beside the others of
# their layer.
display = NetworkDisplay.from_estimator(model)
print(f"{sum(w.size for w in model.coefs_)} weights in {len(model.coefs_)} layers")
