"""`TabularDNNRegressor`: numbers from a raw table."""

from typing import Any, ClassVar, Literal, overload

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_y, column_or_1d

from fastdnn.estimators.conformal import Band
from fastdnn.estimators.conformal_predictions import IntervalPredictions
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
from fastdnn.training.scores import r2

# Of the range of the targets: how far beyond it predictions may be.
_BEYOND = 0.02
# Of larger targets the differences may overflow.
_LARGEST = 1e307


@described
class TabularDNNRegressor(RegressorMixin, IntervalPredictions, BaseTabularDNN):
    """Networks for numbers, from a raw table and without tuning.

    As `TabularDNNClassifier`; targets are standardised, and predictions stay within the range
    of those that were trained on, or a little beyond.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from fastdnn.tables import TabularDNNRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = TabularDNNRegressor(
    ...     n_members=2, hidden_layer_sizes=(16,), max_epochs=20, random_state=0
    ... )
    >>> mean, deviation = model.fit(X, y).predict(X, return_std=True)
    >>> mean.shape == deviation.shape == y.shape
    True
    """

    _hyperparameters = hyperparameters_of("TabularDNNRegressor")
    _parameter_constraints: ClassVar[dict] = constraints_of("TabularDNNRegressor")

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
        return self._as_predicted(self._predictions(X))

    @overload
    def predict(self, X: Any, return_std: Literal[False] = False) -> np.ndarray: ...
    @overload
    def predict(self, X: Any, return_std: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...
    @overload
    def predict(self, X: Any, return_std: bool) -> Any: ...

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

    def _as_predicted(self, predictions: np.ndarray) -> np.ndarray:
        A = predictions * self._spread + self._mean
        return A[..., 0] if self._is_single else A

    def _bands(self, X: Any, of_members: bool) -> list[Band]:
        A = self._predictions(X)
        return [Band(a, a) for a in (A if of_members else [A.mean(axis=0)])]

    def _limited(self, limit: np.ndarray) -> np.ndarray:
        return self._as_predicted(limit)

    def _conformal_scores(self, predictions: np.ndarray, y: np.ndarray) -> np.ndarray:
        # In the units of training, in which no square or difference overflows.
        Z = (y.reshape(len(y), -1) - self._mean) / self._spread
        return Band(predictions, predictions).scores(Z)

    def _score_predictions(
        self, predictions: np.ndarray, y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        Z = (y.reshape(len(y), -1) - self._mean) / self._spread
        return r2(Z, predictions, weight)

    def _learn_targets(self, y: np.ndarray, weight: np.ndarray | None) -> None:
        self._is_single = y.ndim == 1
        Y = y.reshape(len(y), -1)
        if weight is not None:
            Y, weight = Y[weight > 0.0], weight[weight > 0.0]
        # In units of about the largest, squares of any numbers are as they should be.
        exponent = _exponent(Y)
        W = np.ldexp(Y, -exponent)
        mean = np.average(W, axis=0, weights=weight)
        spread = np.sqrt(np.average(np.square(W - mean), axis=0, weights=weight))
        self._mean = np.ldexp(mean, exponent)
        self._spread = np.where(spread > 0.0, np.ldexp(spread, exponent), 1.0)
        if np.abs(Y).max() > _LARGEST:
            raise ValueError(
                f"y has values of up to {np.abs(Y).max():.3g}, whose differences overflow. "
                "Scale it."
            )
        low, high = Y.min(axis=0), Y.max(axis=0)
        beyond = _BEYOND * (high - low)
        # Targets of one sign stay of that sign: counts and prices are not negative.
        low = np.where(low >= 0.0, np.maximum(low - beyond, 0.0), low - beyond)
        high = np.where(high <= 0.0, np.minimum(high + beyond, 0.0), high + beyond)
        self._low, self._high = ((v - self._mean) / self._spread for v in (low, high))

    def _known_targets(self, y: Any) -> np.ndarray:
        try:
            y = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
            y = y.astype(np.float64, copy=False)
        except (TypeError, ValueError) as error:
            if "could not convert" not in str(error) and not isinstance(error, TypeError):
                raise
            raise ValueError(f"y must have numbers: {error}. Train a classifier.") from error
        if not np.isfinite(y).all():  # None has become NaN
            raise ValueError("Input y contains NaN. Leave such samples out.")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return y

    def _require_known(self, y: np.ndarray) -> None:
        n_given = 1 if y.ndim == 1 else y.shape[1]
        if n_given != len(self._mean):
            raise ValueError(
                f"it has {n_given} targets a sample, but y has {len(self._mean)}. Give as "
                "many."
            )

    def _targets_to_encode_by(self, y: np.ndarray) -> np.ndarray:
        return np.ldexp(y, -_exponent(y))

    def _encode_targets(self, y: Any) -> np.ndarray:
        Z = (y.reshape(len(y), -1) - self._mean) / self._spread
        return np.ascontiguousarray(Z, dtype=np.float32)

    def _task(self) -> Task:
        return Task(len(self._mean), False, self._low, self._high)


def _exponent(Y: np.ndarray) -> int:
    """Return the power of two that the largest magnitude has, of tiny numbers a larger one."""
    return int(max(np.frexp(np.abs(Y).max())[1], -1000))
