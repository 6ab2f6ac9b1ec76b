"""
One network on a Dask cluster
=============================

The workers of a cluster train one network, each with the part of the data that it has. Here
the cluster is two threads of this process; ``Client("tcp://scheduler:8786")`` would be one of
many machines, with the same network to the last bit.
"""

import dask.array as da
import matplotlib.pyplot as plt
from distributed import Client
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastdnn import DNNClassifier
from fastdnn.distributed import DaskDNNClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
client = Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None)

# %%
# Four chunks are four shards of the data. In the first steps they make each gradient
# together; then each takes steps of its own, and ten times in an epoch these are averaged.
options = {"hidden_layer_sizes": (64,), "batch_size": 100, "max_iter": 15, "random_state": 0}
chunked = da.from_array(X_train, chunks=(337, 64)), da.from_array(y_train, chunks=337)
model = DaskDNNClassifier(**options).fit(*chunked)
print(f"{model.n_rounds_} rounds, accuracy {model.score(X_test, y_test):.3f}")

# %%
# Predictions for a Dask array are one, too. ``to_local`` gives a plain estimator, which is
# saved, exported and trained on as any.
print(model.predict_proba(chunked[0]))
local = model.to_local()
print(local)
client.close()

# %%
# One machine, with the same parameters:
alone = DNNClassifier(**options).fit(X_train, y_train)
print(f"accuracy {alone.score(X_test, y_test):.3f}")
ax = plt.figure(figsize=(6, 3.5), layout="constrained").gca()
ax.plot(alone.loss_curve_, marker="o", label="one machine")
ax.plot(model.loss_curve_, marker="o", label="four shards")
ax.set(xlabel="epoch", ylabel="loss")
ax.legend()
plt.show()
