"""`TabularDNNClassifier`: classes from a raw table."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, column_or_1d

from fastdnn.estimators.class_weights import weighted_by_class
from fastdnn.estimators.conformal_predictions import SetPredictions
from fastdnn.estimators.labels import positions_of, require_known_classes
from fastdnn.models.parameter_types import (
    Auto,
    Callbacks,
    Columns,
    Float,
    HiddenLayers,
    Int,
    NumericEncoding,
    RandomState,
    Splits,
    TableActivation,
    TableScoring,
)
from fastdnn.tables.base import BaseTabularDNN
from fastdnn.tables.declarations import constraints_of, described, hyperparameters_of
from fastdnn.tables.ensemble import Task
from fastdnn.tables.objects import is_missing
from fastdnn.training.scores import mean_accuracy


@described
class TabularDNNClassifier(ClassifierMixin, SetPredictions, BaseTabularDNN):
    """Networks for classes, from a raw table and without tuning.

    Numbers, categories, dates and missing values are encoded by `TableEncoder`. Some networks
    with different seeds are trained side by side, with a step size that falls to zero four
    times; validation rows decide which of the four make the ensemble, and how sure it is.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    {attributes}
    temperatures_ : ndarray of shape (n_cycles,)
        What the logits are divided by at the end of each cycle.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastdnn.tables import TabularDNNClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = TabularDNNClassifier(
    ...     n_members=2, hidden_layer_sizes=(16,), max_epochs=40, random_state=0
    ... )
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
    """

    _hyperparameters = hyperparameters_of("TabularDNNClassifier")
    _parameter_constraints: ClassVar[dict] = constraints_of("TabularDNNClassifier")

    def __init__(
        self,
        *,
        n_members: Int = 4,
        bagging: Literal["folds"] | None = None,
        shared_weights: bool | Auto = "auto",
        max_epochs: Int | Auto = "auto",
        max_time: Float | None = None,
        hidden_layer_sizes: HiddenLayers = (256, 256),
        activation: TableActivation = "relu",
        learning_rate: Float = 0.04,
        batch_size: Int | Auto = "auto",
        dropout: Float | Auto = "auto",
        weight_decay: Float | Auto = "auto",
        numeric_encoding: NumericEncoding = "auto",
        categorical_features: Columns = "from_dtype",
        class_weight: Mapping[Any, Float] | Literal["balanced"] | None = None,
        validation: Splits = 0.2,
        scoring: TableScoring = "loss",
        early_stopping: bool = True,
        random_state: RandomState = None,
        n_threads: Int | None = None,
        callbacks: Callbacks = None,
        verbose: Int = 0,
    ) -> None:
        self._keep(locals())

    def predict_members(self, X: Any) -> np.ndarray:
        """Return the probabilities by each member.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        ndarray of shape (n_members, n_samples, n_classes)
        """
        return self._predictions(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class: the mean over the members.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, float64.
        """
        return self.predict_members(X).mean(axis=0)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each sample.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        P = self.predict_proba(X)
        return self.classes_[P.argmax(axis=1)]

    def _probabilities(self, X: Any, of_members: bool) -> list[np.ndarray]:
        P = self._predictions(X)
        return list(P) if of_members else [P.mean(axis=0)]

    def _as_predicted(self, predictions: np.ndarray) -> np.ndarray:
        return predictions

    def _score_predictions(
        self, predictions: np.ndarray, y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        correct = predictions.argmax(axis=1) == positions_of(y, self.classes_)
        return mean_accuracy(correct, weight)

    def _conformal_scores(self, predictions: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 1.0 - predictions[np.arange(len(y)), positions_of(y, self.classes_)]

    def _known_targets(self, y: Any) -> np.ndarray:
        labels = np.asarray(y)
        n_missing = sum(map(is_missing, labels.ravel())) if labels.dtype == object else 0
        if n_missing > 0:
            raise ValueError(
                f"Input y contains NaN: {n_missing} of {len(labels)} labels are missing. "
                "Leave such samples out."
            )
        y = column_or_1d(_check_y(y, estimator=self), warn=True)
        check_classification_targets(y)
        return y

    def _require_known(self, y: np.ndarray) -> None:
        require_known_classes(y, self.classes_)

    def _learn_targets(self, y: np.ndarray, weight: np.ndarray | None) -> None:
        self.classes_, positions = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_[0]!r}: the data contains 1 class, but "
                "a classifier needs samples of two at least."
            )
        self._class_weight = None
        if self.class_weight is not None:
            weights: Any = weighted_by_class(
                self.class_weight, positions[:, np.newaxis], y, self.classes_, weight
            )
            of_classes = weights if weight is None else weights / weight
            self._class_weight = of_classes[np.unique(positions, return_index=True)[1]]

    def _weights(self, weight: np.ndarray | None, y: np.ndarray) -> np.ndarray | None:
        if self._class_weight is None:
            return weight
        of_class = self._class_weight[positions_of(y, self.classes_)]
        return of_class if weight is None else weight * of_class

    def _encode_targets(self, y: Any) -> np.ndarray:
        positions = positions_of(y, self.classes_)
        return positions.astype(np.float32).reshape(-1, 1)

    def _task(self) -> Task:
        return Task(len(self.classes_), True)

    def _classes_to_split(self, y: np.ndarray) -> np.ndarray:
        return positions_of(y, self.classes_)
