"""`TabularDNNClassifier`: classes from a raw table."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_is_fitted, column_or_1d

from fastdnn.estimators.labels import require_known_classes
from fastdnn.tables.base import CONSTRAINTS, BaseTabularDNN
from fastdnn.tables.ensemble import Task


class TabularDNNClassifier(ClassifierMixin, BaseTabularDNN):
    """Networks for classes, from a raw table and without tuning.

    Numbers, categories, dates and missing values are encoded by `TableEncoder`. Some networks
    with different seeds are trained side by side, with a step size that falls to zero four
    times; validation rows decide which of the four make the ensemble, and how sure it is.

    Parameters
    ----------
    n_members : int, default=4
        Networks of the ensemble.
    max_epochs : int or 'auto', default='auto'
        Epochs of each; 'auto' are 24, more of few rows and fewer of very many.
    max_time : float or None, default=None
        Seconds after which `fit` ends with what it has, and a warning.
    hidden_layer_sizes : int or array-like of int, default=(256, 256)
        Units of each hidden layer.
    activation : {'relu', 'silu', 'gelu', 'mish', 'tanh', 'leaky_relu'}, default='relu'
        Of the hidden layers.
    learning_rate : float, default=0.04
        Largest step size, of weights that are divided by the root of a layer's inputs.
    batch_size : int or 'auto', default='auto'
        Samples of a step; 'auto' are 256, and more of very many.
    dropout : float or 'auto', default='auto'
        Of hidden layers, and two thirds of it of the input; 'auto' is 0.15.
    weight_decay : float or 'auto', default='auto'
        Decoupled decay of the weights; 'auto' is 0.02.
    numeric_encoding : {'auto', 'quantile', 'tree', 'linear'}, default='auto'
        As of `TableEncoder`.
    categorical_features : 'from_dtype', None or array-like, default='from_dtype'
        As of `TableEncoder`.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, which multiply those of the samples.
    validation_fraction : float, default=0.2
        Share of the samples that a pilot is validated on where no `X_val` is given.
    random_state : int, RandomState instance or None, default=None
        Source of all that is drawn.
    n_threads : int or None, default=None
        Threads offered; None: as many CPUs as this process may use. The result does not
        depend on it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    encoder_ : TableEncoder
        Fitted.
    n_features_in_ : int
        Columns of the table.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all are strings.
    n_epochs_ : int
        Epochs of a whole training.
    cycle_weights_, temperatures_ : ndarray of shape (n_cycles,)
        What the networks count at the end of each cycle, and what their logits are divided
        by.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastdnn.tables import TabularDNNClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = TabularDNNClassifier(n_members=2, max_epochs=30, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict] = CONSTRAINTS | {
        "class_weight": [dict, str, None],
    }

    def __init__(
        self,
        *,
        n_members=4,
        max_epochs="auto",
        max_time=None,
        hidden_layer_sizes=(256, 256),
        activation="relu",
        learning_rate=0.04,
        batch_size="auto",
        dropout="auto",
        weight_decay="auto",
        numeric_encoding="auto",
        categorical_features="from_dtype",
        class_weight=None,
        validation_fraction=0.2,
        random_state=None,
        n_threads=None,
    ):
        self.n_members = n_members
        self.max_epochs = max_epochs
        self.max_time = max_time
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.numeric_encoding = numeric_encoding
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.n_threads = n_threads

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> "TabularDNNClassifier":
        """Train the ensemble.

        Ctrl-C after the first cycle ends training with a warning.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.
        X_val, y_val, sample_weight_val : as those without ``_val``, default=None
            Rows that decide how long training is and what its cycles count. Without them a
            pilot decides on a part of X, and then all rows are trained on.

        Returns
        -------
        TabularDNNClassifier
            This estimator.

        Raises
        ------
        ValueError
            If the input is not valid, or training diverges.
        """
        self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self

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
        check_is_fitted(self)
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

    def _known_targets(self, y: Any) -> np.ndarray:
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
            of_classes = compute_sample_weight(self.class_weight, y)
            first = np.unique(positions, return_index=True)[1]
            self._class_weight = of_classes[first]

    def _weights(self, weight: np.ndarray | None, y: np.ndarray) -> np.ndarray | None:
        if self._class_weight is None:
            return weight
        of_class = self._class_weight[np.searchsorted(self.classes_, y)]
        return of_class if weight is None else weight * of_class

    def _encode_targets(self, y: Any) -> np.ndarray:
        positions = np.searchsorted(self.classes_, y)
        return positions.astype(np.float32).reshape(-1, 1)

    def _task(self) -> Task:
        return Task(len(self.classes_), True)

    def _stratify(self, y: np.ndarray) -> np.ndarray | None:
        counts = np.unique(y, return_counts=True)[1]
        n_held_out = int(np.ceil(self.validation_fraction * len(y)))
        return y if counts.min() > 1 and n_held_out >= len(counts) else None
