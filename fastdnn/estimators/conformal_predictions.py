"""The public methods that predict with a chosen coverage: intervals, and sets of classes."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from fastdnn.estimators.conformal import Band, label_sets, limits, require_level
from fastdnn.models.transaction import of_one_moment


class Calibrated(BaseEstimator):
    """What a fit leaves of samples that networks were not trained on.

    Attributes
    ----------
    _calibration : dict
        'of_members': whether the scores are of what each member left out, or of samples that
        all of them were validated on; 'scores': a list of ascending arrays, of each group.
    """

    _calibration: dict[str, Any]
    _needed_of_targets = ""

    def _require_calibration(self, level: Any) -> list[np.ndarray]:
        """Return the scores of each group, if there are any."""
        check_is_fitted(self)
        require_level(level)
        if not hasattr(self, "_calibration"):
            raise ValueError(
                f"This {type(self).__name__} knows no errors on samples that its networks "
                "were not trained on. Fit it with several members, such as n_members=5, and "
                f"with bagging='folds', or give fit X_val and y_val.{self._needed_of_targets}"
            )
        return self._calibration["scores"]


class IntervalPredictions(Calibrated, ABC):
    """What regressors inherit that can have members: `predict_interval`."""

    @abstractmethod
    def _bands(self, X: Any, of_members: bool) -> list[Band]:
        """Return what each member says of samples, or all of them together."""

    @abstractmethod
    def _limited(self, limit: np.ndarray) -> np.ndarray:
        """Return limits of intervals as targets: within their range, and in their shape."""

    @of_one_moment
    def predict_interval(self, X: Any, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Return an interval for each sample that holds so many of all targets.

        It is made of the errors on samples that networks were not trained on, and needs
        nothing of the network or of the targets but that new samples come from where those of
        the fit did. After ``bagging="folds"`` it is CV+ (Barber et al., 2021): of new targets
        a share of about `level` lies within, and never less than ``2 * level - 1``, but for
        about the root of ``2 / n_samples``. After a fit with `X_val` it is split conformal
        (Vovk et al., 2005): at least `level`, on average over the draw of `X_val`, if that did
        not decide when training stopped, and about as much if it did.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        level : float, default=0.9
            Share of the targets that are to lie within, above 0 and below 1.

        Returns
        -------
        low, high : ndarray of shape (n_samples,) or (n_samples, n_targets)
            The limits, of each target by itself. Infinite where there are too few samples for
            the level: ``level / (1 - level)`` are needed.

        Raises
        ------
        ValueError
            If the fit had no samples that networks were not trained on.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from fastdnn import DNNRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = DNNRegressor(
        ...     hidden_layer_sizes=(3,), solver="lbfgs", max_iter=20, random_state=0,
        ...     n_members=4, bagging="folds",
        ... ).fit(X[:300], y[:300])
        >>> low, high = model.predict_interval(X[300:], level=0.8)
        >>> bool((low < high).all())
        True
        """
        scores = self._require_calibration(level)
        bands = self._bands(X, self._calibration["of_members"])
        low, high = limits(bands, scores, level)
        return self._limited(low), self._limited(high)


class SetPredictions(Calibrated, ABC):
    """What classifiers inherit that can have members: `predict_set`."""

    _needed_of_targets = " Each sample has to have one class."

    @abstractmethod
    def _probabilities(self, X: Any, of_members: bool) -> list[np.ndarray]:
        """Return the probabilities by each member, or by all of them together."""

    @of_one_moment
    def predict_set(self, X: Any, level: float = 0.9) -> np.ndarray:
        """Return for each sample a set of classes that holds the true one so often.

        All classes are in it that are as probable as a threshold asks, which is such that the
        sets are smallest (Sadinle et al., 2019). It is made of samples that networks were not
        trained on, as the intervals of regressors are, with the same guarantees: cross-
        conformal after ``bagging="folds"`` (Romano, Sesia and Candes, 2020), split conformal
        after a fit with `X_val`. Where classes are predicted right more often than `level`
        asks, the sets of the most doubtful samples are empty.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        level : float, default=0.9
            Share of the samples whose class is to be in the set, above 0 and below 1.

        Returns
        -------
        ndarray of bool of shape (n_samples, n_classes)
            Whether each of `classes_` is in the set.

        Raises
        ------
        ValueError
            If the fit had no samples that networks were not trained on, or they have no
            single class each.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastdnn import DNNClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = DNNClassifier(
        ...     hidden_layer_sizes=(3,), solver="lbfgs", max_iter=20, random_state=0,
        ...     n_members=3, bagging="folds",
        ... ).fit(X, y)
        >>> model.predict_set(X, level=0.95).shape
        (150, 3)
        """
        scores = self._require_calibration(level)
        P = self._probabilities(X, self._calibration["of_members"])
        return label_sets(P, scores, level)
