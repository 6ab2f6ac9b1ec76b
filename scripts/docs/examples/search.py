"""
Searching for parameters
========================

scikit-learn's searches work as with any estimator. Halving gives many candidates few epochs
and the best ones more; that of ``fastdnn.search`` has the same results in less time, since
networks go on from where they stopped.
"""

import warnings

import matplotlib.pyplot as plt
import pandas as pd
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier
from fastdnn.search import HalvingDNNSearchCV

warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what is wanted

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

network = DNNClassifier(max_iter=40, n_iter_no_change=40, solver="adamw", random_state=0)
model = make_pipeline(StandardScaler(), network)
candidates = {
    "dnnclassifier__hidden_layer_sizes": [(64,), (128,), (64, 64)],
    "dnnclassifier__activation": ["relu", "gelu", "tanh"],
    "dnnclassifier__learning_rate_init": loguniform(1e-4, 1e-1),
    "dnnclassifier__weight_decay": loguniform(1e-4, 1),
    "dnnclassifier__dropout": [0.0, 0.2, 0.4],
}
search = HalvingDNNSearchCV(
    model,
    candidates,
    n_candidates=18,
    min_resources=4,
    max_resources=36,
    factor=3,
    cv=3,
    random_state=0,
)
search.fit(X_train, y_train)
print(f"test accuracy of the best: {search.score(X_test, y_test):.3f}")
for name, value in search.best_params_.items():
    print(f"  {name.removeprefix('dnnclassifier__')}: {value}")

# %%
# Which step sizes were tried, and how long they stayed:
results = pd.DataFrame(search.cv_results_)
ax = plt.figure(layout="constrained").gca()
for n_epochs, group in results.groupby("n_resources"):
    rates = group["param_dnnclassifier__learning_rate_init"].astype(float)
    ax.scatter(rates, group["mean_test_score"], label=f"{n_epochs} epochs")
ax.set(xscale="log", xlabel="learning_rate_init", ylabel="accuracy in cross-validation")
ax.legend()
plt.show()
