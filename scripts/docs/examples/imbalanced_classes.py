"""
Imbalanced classes
==================

One digit against nine others, of which most were left out, so that one sample in fifty is of
the class that matters. Accuracy says little there: who never finds one is right in 98 of 100
cases.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    PrecisionRecallDisplay,
    average_precision_score,
    balanced_accuracy_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier

warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what is wanted

X, y = load_digits(return_X_y=True)
X = X[:, 16:48]  # half of each image, so that there is something to confuse
is_eight = y == 8
rng = np.random.default_rng(0)
kept = ~is_eight | (rng.random(len(y)) < 0.2)
X_train, X_test, y_train, y_test = train_test_split(
    X[kept], is_eight[kept], test_size=0.5, random_state=0, stratify=is_eight[kept]
)
print(f"{y_train.sum()} of {len(y_train)} samples are eights")

# %%
# Four ways: as they are; each class with the same weight; the focal loss, which cares for
# samples that are not yet right; and a threshold that is chosen afterwards by
# cross-validation.
settings = {"hidden_layer_sizes": (50,), "max_iter": 60, "alpha": 0.01, "random_state": 0}
settings |= {"n_iter_no_change": 60}  # all of them train for 60 epochs


def network(**more):
    """Return a pipeline with a network of these settings and more."""
    return make_pipeline(StandardScaler(), DNNClassifier(**settings, **more))


models = {
    "as they are": network(),
    "balanced weights": network(class_weight="balanced"),
    "focal loss": network(loss="focal", focal_gamma=2.0),
    "tuned threshold": TunedThresholdClassifierCV(
        network(), scoring="balanced_accuracy", cv=3, thresholds=50
    ),
}
axes = plt.figure(layout="constrained").gca()
for name, model in models.items():
    model.fit(X_train, y_train)
    precision = average_precision_score(y_test, model.predict_proba(X_test)[:, 1])
    accuracy = balanced_accuracy_score(y_test, model.predict(X_test))
    print(f"{name:17} average precision {precision:.3f}, balanced accuracy {accuracy:.3f}")
    if name != "tuned threshold":  # whose curve is that of the first
        PrecisionRecallDisplay.from_estimator(model, X_test, y_test, ax=axes, name=name)
plt.show()

# %%
# Weights and a threshold trade false alarms for what would be missed. Neither says much more
# about which samples are likely to be eights than the plain network does: that is what the
# average precision measures.
