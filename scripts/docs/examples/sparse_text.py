"""
Sparse text
===========

A corpus that is already on the machine: scikit-learn's own docstrings. From a paragraph,
which of its modules is it about? Words become a sparse matrix, which the network takes as it
is: what is zero costs nothing.
"""

import importlib
import inspect
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline

from fastdnn import DNNClassifier

warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what is wanted

MODULES = ["cluster", "datasets", "ensemble", "linear_model", "metrics", "preprocessing"]
texts, labels, sources = [], [], []
for module in MODULES:
    contents = importlib.import_module(f"sklearn.{module}")
    for name in contents.__all__:
        docstring = inspect.getdoc(getattr(contents, name)) or ""
        for paragraph in docstring.split("\n\n"):
            if len(paragraph) > 80:
                texts.append(paragraph)
                labels.append(module)
                sources.append(name)
texts, labels = np.array(texts), np.array(labels)
print(f"{len(texts)} paragraphs, such as: {' '.join(texts[3].split())[:70]}...")

# %%
# Paragraphs of one docstring are much alike, so none of those that are tested on is from one
# that was trained on:
split = GroupShuffleSplit(1, test_size=0.25, random_state=0)
train, test = next(split.split(texts, groups=sources))

words = TfidfVectorizer(sublinear_tf=True, min_df=2)
network = DNNClassifier(
    hidden_layer_sizes=(64,),
    dropout=[0.2, 0.5],  # of words, and of hidden units
    max_iter=12,
    n_iter_no_change=12,
    batch_size=64,
    random_state=0,
)
model = make_pipeline(words, network).fit(texts[train], labels[train])
linear = make_pipeline(words, LogisticRegression(C=10)).fit(texts[train], labels[train])

X = model[0].transform(texts[test])
print(f"{X.shape[1]} columns, of which {X.nnz / np.prod(X.shape):.2%} are not zero")
print(f"network:    {model.score(texts[test], labels[test]):.3f}")
print(f"linear one: {linear.score(texts[test], labels[test]):.3f}")

# %%
# Of single words a linear model is hard to beat: try one first.
#
# The network's say on a sentence that stands nowhere:
sentence = ["Fits many trees to random parts of the samples and averages their votes."]
probabilities = model.predict_proba(sentence)[0]
ax = plt.figure(figsize=(6, 3), layout="constrained").gca()
ax.barh(model.classes_, probabilities)
ax.set(xlabel="probability", xlim=(0, 1))
plt.show()
