"""
Coming from MLPClassifier
=========================

One import is changed. In double precision and from the same ``random_state`` the loss curve is
scikit-learn's; in single precision, the default, it is close and takes less time.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from fastdnn import DNNClassifier

warnings.simplefilter("ignore", ConvergenceWarning)  # 30 epochs are what is wanted here

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
settings = {"hidden_layer_sizes": (100, 50), "max_iter": 30, "random_state": 0}
DNNClassifier(**settings).fit(X_train, y_train)  # compiles, if no process has done so yet

models = {
    "scikit-learn": MLPClassifier(**settings),
    "fastdnn, float64": DNNClassifier(**settings, dtype="float64"),
    "fastdnn": DNNClassifier(**settings),
}
for name, model in models.items():
    begin = time.perf_counter()
    model.fit(X_train, y_train)
    seconds = time.perf_counter() - begin
    print(f"{name:17} {seconds:.2f} s, test accuracy {model.score(X_test, y_test):.4f}")

# %%
# The curves lie on top of each other; how far apart they are, relative to the loss:
theirs = np.array(models["scikit-learn"].loss_curve_)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
for (name, model), style in zip(models.items(), ("-", "--", ":"), strict=True):
    left.plot(model.loss_curve_, style, label=name)
    if name != "scikit-learn":
        right.semilogy(np.abs(np.array(model.loss_curve_) / theirs - 1), style, label=name)
left.set(xlabel="epoch", ylabel="loss")
right.set(xlabel="epoch", ylabel="relative difference")
left.legend()
right.legend()
plt.show()

# %%
# A fitted model goes over to the other side, both ways:
back = models["fastdnn, float64"].to_sklearn()
print(type(back).__name__, back.score(X_test, y_test))
