"""
Data larger than memory
=======================

``partial_fit`` trains on parts, which need not be in memory together: here on parts of a
memory map, read from the disk when they are needed.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastdnn import DNNClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)

# %%
# A file of rows stands for one that would not fit; each image is in it ten times, moved by
# some noise:
folder = TemporaryDirectory()
path = Path(folder.name) / "rows.npy"
n_rows = 10 * len(X_train)
rng = np.random.default_rng(0)
rows = np.lib.format.open_memmap(path, mode="w+", dtype="float32", shape=(n_rows, 64))
labels = np.tile(y_train, 10)
for begin in range(0, n_rows, len(X_train)):
    rows[begin : begin + len(X_train)] = X_train + rng.normal(scale=0.1, size=X_train.shape)
rows.flush()
print(f"{path.stat().st_size / 1e6:.1f} MB on the disk")

# %%
# Each pass visits the parts in another order. The first call is told of all classes, since a
# part may lack some. A part should have many batches: within it, ``partial_fit`` shuffles.
stored = np.load(path, mmap_mode="r")
model = DNNClassifier(hidden_layer_sizes=(64,), batch_size=128, random_state=0)
size = 2000
scores = []
for _ in range(5):
    for begin in rng.permutation(np.arange(0, n_rows, size)):
        part = slice(begin, begin + size)
        model.partial_fit(stored[part], labels[part], classes=np.arange(10))
    scores.append(model.score(X_test, y_test))
    print(f"accuracy on the test images: {scores[-1]:.3f}")
del stored, rows
folder.cleanup()

# %%
ax = plt.figure(figsize=(6, 3.5), layout="constrained").gca()
ax.plot(model.loss_curve_)
ax.set(xlabel="call of partial_fit", ylabel="loss", yscale="log")
plt.show()
