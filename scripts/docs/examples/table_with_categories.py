"""
A table with categories and missing values
==========================================

A data frame as it comes: strings, numbers, holes. Gradient boosting takes it without
preparation, and so do the table estimators here.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor, StackingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import PredictionErrorDisplay
from sklearn.model_selection import train_test_split

from fastdnn.tables import TabularDNNRegressor

table, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)

# %%
# The data is real; to make the table as most are, the sex gets names, the age is given by
# decades, and one number in ten is missing.
rng = np.random.default_rng(0)
numbers = table.columns.drop(["sex", "age"])
table[numbers] = table[numbers].mask(rng.random(table[numbers].shape) < 0.1)
table["sex"] = table["sex"].map({1.0: "one", 2.0: "other"}).astype("category")
decades = pd.cut(table.pop("age"), [0, 30, 40, 50, 60, 100], right=False)
table["age"] = decades.astype(str).astype("category")
print(table.head(3).to_string())

# %%
# Both take it as it is, with hardly a parameter:
X_train, X_test, y_train, y_test = train_test_split(table, y, random_state=0)
trees = HistGradientBoostingRegressor(early_stopping=True, random_state=0)
networks = TabularDNNRegressor(n_members=2, max_epochs=60, random_state=0)
for model in (trees, networks):
    model.fit(X_train, y_train)
    print(f"{type(model).__name__:30} R2 {model.score(X_test, y_test):.3f}")

# %%
# On few rows with about linear effects networks are ahead; on other tables trees are. Where
# they err on other rows, both together are better than either, so it is worth trying:
stack = StackingRegressor([("trees", trees), ("networks", networks)], RidgeCV(), cv=3)
stack.fit(X_train, y_train)
print(
    f"{'both':30} R2 {stack.score(X_test, y_test):.3f}, weights {stack.final_estimator_.coef_}"
)

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for ax, model in zip(axes, (trees, networks), strict=True):
    PredictionErrorDisplay.from_estimator(
        model, X_test, y_test, kind="actual_vs_predicted", ax=ax
    )
    ax.set(title=type(model).__name__)
plt.show()
