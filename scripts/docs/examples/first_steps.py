"""
First steps
===========

Handwritten digits, from the images to a model that is kept: a pipeline, its accuracy, what it
gets wrong, and how training went.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastdnn

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
print(f"{len(X_train)} images to train on, {len(X_test)} to test, {X.shape[1]} pixels each")

# %%
# A network learns much faster from columns of about the size of 1, so there is a scaler
# before it. The parameters are those of scikit-learn's ``MLPClassifier``.
network = fastdnn.DNNClassifier(hidden_layer_sizes=(100,), random_state=0)
model = make_pipeline(StandardScaler(), network)
model.fit(X_train, y_train)
print(f"accuracy on the test images: {model.score(X_test, y_test):.3f}")

# %%
# The loss of each epoch, and which digits are taken for others:
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
fastdnn.LossCurveDisplay.from_estimator(model, ax=left, log_scale=True)
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=right, colorbar=False)
plt.show()

# %%
# A network is kept in a file without code; a pipeline goes to pickle, joblib or skops.
with TemporaryDirectory() as folder:
    path = Path(folder) / "digits.safetensors"
    model[-1].save(path)
    loaded = fastdnn.load(path)
scaled = model[:-1].transform(X_test)
print((loaded.predict(scaled) == model.predict(X_test)).all())
