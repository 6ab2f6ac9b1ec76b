"""
Data larger than memory
=======================

``fit`` trains on a stream of blocks, of which two are in memory: here of a memory map, whose
rows are read from the disk while the network trains.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastdnn import DNNClassifier
from fastdnn.training import Stream

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
del rows
print(f"{path.stat().st_size / 1e6:.1f} MB on the disk")

# %%
# Rows are shuffled within a block, which should have many batches; by default it has as many
# rows as take 128 MiB. Test images are in memory, and validate the network after each epoch.
stream = Stream(path, labels, block_rows=2000)
model = DNNClassifier(hidden_layer_sizes=(64,), batch_size=128, max_iter=8, random_state=0)
model.fit(stream, X_val=X_test, y_val=y_test)
print(f"accuracy on the test images: {model.validation_scores_[-1]:.3f}")

# %%
# A Parquet file is as easy: ``Stream("train.parquet", target="label")``. What is wrong with a
# file while it is read raises an error that says where, and the network so far is kept:
chunks = [(X_train[:600], y_train[:600]), (X_train[600:], y_train[600:])]
n_calls = 0


def last_chunk():
    """Return the second chunk; later it has been damaged."""
    global n_calls
    n_calls += 1
    X, y = chunks[1]
    return (X, y) if n_calls < 5 else (X[:-50], y[:-50])


model = DNNClassifier(batch_size=100, random_state=0)
try:
    model.fit(Stream([chunks[0], last_chunk], block_rows=400))
except ValueError as error:
    print(error)
print(f"{model.n_iter_} epochs, accuracy {model.score(X_test, y_test):.3f}")
folder.cleanup()

# %%
ax = plt.figure(figsize=(6, 3.5), layout="constrained").gca()
ax.plot(model.loss_curve_, marker="o")
ax.set(xlabel="epoch", ylabel="loss")
plt.show()
