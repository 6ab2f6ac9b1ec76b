"""`TabularDNNRegressor`: numbers from a raw table."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils.validation import _check_y, check_is_fitted, column_or_1d

from fastdnn.tables.base import CONSTRAINTS, BaseTabularDNN
from fastdnn.tables.ensemble import Task


class TabularDNNRegressor(RegressorMixin, BaseTabularDNN):
    """Networks for numbers, from a raw table and without tuning.

    As `TabularDNNClassifier`; targets are standardised, and predictions stay within the range
    of those that were trained on.

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
        Of hidden layers, and two thirds of it of the input; 'auto' is 0.
    weight_decay : float or 'auto', default='auto'
        Decoupled decay of the weights; 'auto' is 0.
    numeric_encoding : {'auto', 'quantile', 'tree', 'linear'}, default='auto'
        As of `TableEncoder`.
    categorical_features : 'from_dtype', None or array-like, default='from_dtype'
        As of `TableEncoder`.
    validation_fraction : float, default=0.2
        Share of the samples that a pilot is validated on where no `X_val` is given.
    random_state : int, RandomState instance or None, default=None
        Source of all that is drawn.
    n_threads : int or None, default=None
        Threads offered; None: as many CPUs as this process may use. The result does not
        depend on it.

    Attributes
    ----------
    encoder_ : TableEncoder
        Fitted.
    n_features_in_ : int
        Columns of the table.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all are strings.
    n_epochs_ : int
        Epochs of a whole training.
    cycle_weights_ : ndarray of shape (n_cycles,)
        What the networks count at the end of each cycle.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from fastdnn.tables import TabularDNNRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = TabularDNNRegressor(n_members=2, max_epochs=30, random_state=0).fit(X, y)
    >>> mean, deviation = model.predict(X, return_std=True)
    >>> mean.shape == deviation.shape == y.shape
    True
    """

    _parameter_constraints: ClassVar[dict] = CONSTRAINTS

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
    ) -> "TabularDNNRegressor":
        """Train the ensemble.

        Ctrl-C after the first cycle ends training with a warning.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.
        X_val, y_val, sample_weight_val : as those without ``_val``, default=None
            Rows that decide how long training is and what its cycles count. Without them a
            pilot decides on a part of X, and then all rows are trained on.

        Returns
        -------
        TabularDNNRegressor
            This estimator.

        Raises
        ------
        ValueError
            If the input is not valid, or training diverges.
        """
        self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self

    def predict_members(self, X: Any) -> np.ndarray:
        """Return the predictions of each member.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        ndarray of shape (n_members, n_samples) or (n_members, n_samples, n_targets)
            In units of y.
        """
        check_is_fitted(self)
        A = self._predictions(X) * self._spread + self._mean
        return A[:, :, 0] if self._is_single else A

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the predicted targets of each sample: the mean over the members.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.
        return_std : bool, default=False
            Whether to return the standard deviation over the members as well.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In units of y, float64.
        deviation : ndarray of the same shape
            Only with `return_std`; of the members, not of the noise in y.
        """
        members = self.predict_members(X)
        mean = members.mean(axis=0)
        return (mean, members.std(axis=0)) if return_std else mean

    def _learn_targets(self, y: np.ndarray, weight: np.ndarray | None) -> None:
        self._is_single = y.ndim == 1
        Y = y.reshape(len(y), -1)
        if weight is not None:
            Y, weight = Y[weight > 0.0], weight[weight > 0.0]
        with np.errstate(over="ignore", invalid="ignore"):  # said below
            self._mean = np.average(Y, axis=0, weights=weight)
            spread = np.sqrt(np.average(np.square(Y - self._mean), axis=0, weights=weight))
        self._spread = np.where(spread > 0.0, spread, 1.0)
        if not (np.isfinite(self._mean).all() and np.isfinite(self._spread).all()):
            raise ValueError(
                f"y has values of up to {np.abs(Y).max():.3g}, whose variance overflows. "
                "Scale it."
            )
        Z = (Y - self._mean) / self._spread
        self._low, self._high = Z.min(axis=0), Z.max(axis=0)

    def _known_targets(self, y: Any) -> np.ndarray:
        y = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return y.astype(np.float64)

    def _encode_targets(self, y: Any) -> np.ndarray:
        Z = (y.reshape(len(y), -1) - self._mean) / self._spread
        return np.ascontiguousarray(Z, dtype=np.float32)

    def _task(self) -> Task:
        return Task(len(self._mean), False, self._low, self._high)

    def _stratify(self, y: np.ndarray) -> np.ndarray | None:
        return None
