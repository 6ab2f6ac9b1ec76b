"""The score of a classifier: scikit-learn's accuracy, at once where labels are plain.

scikit-learn knows every kind of labels, and looks for each of them: several times as long as
a thousand samples take to predict, and a twelfth of a grid search over small networks.
"""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from fastdnn.estimators.soft_targets import are_soft, labels_of


def are_plain_labels(y: Any, predicted: Any) -> bool:
    """Return whether `y` has one label a sample, of the kind of those predicted."""
    return (
        type(y) is np.ndarray
        and type(predicted) is np.ndarray
        and y.ndim == 1
        and y.shape == predicted.shape
        and y.size > 0
        and y.dtype.kind == predicted.dtype.kind
        and y.dtype.kind in "biuU"
    )


class AccuracyMixin(ClassifierMixin):
    """A scikit-learn classifier whose `score` does not look for kinds of labels in vain."""

    classes_: np.ndarray

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy on the given samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Their classes, or rows of class probabilities, whose largest is the class.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.

        Returns
        -------
        float
            Share of the samples that are predicted right; of several labels a sample, all.
        """
        predicted = self.predict(X)
        if sample_weight is None and are_plain_labels(y, predicted):
            return float(np.average(predicted == y))
        if are_soft(y) and np.ndim(predicted) == 1:
            y = labels_of(y, self.classes_)
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))
