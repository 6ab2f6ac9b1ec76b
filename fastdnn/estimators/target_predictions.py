"""What a fitted regressor says of samples: targets, quantiles, standard deviations."""

import math
from typing import Any, Literal, overload

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils.validation import check_is_fitted, column_or_1d

from fastdnn.estimators.base import BaseDNN
from fastdnn.estimators.conformal import Band
from fastdnn.estimators.conformal_predictions import IntervalPredictions
from fastdnn.estimators.member_results import mean_and_deviation
from fastdnn.estimators.members import results_of_members
from fastdnn.estimators.regression_losses import (
    OUTPUTS,
    RegressionLoss,
    fitted_loss,
    loss_scale,
    parameter_of,
    regression_loss,
    units_of,
)
from fastdnn.models.transaction import of_one_moment
from fastdnn.models.valid_combinations import levels_of
from fastdnn.ops.loss_parameters import Value
from fastdnn.ops.own_functions import Loss
from fastdnn.ops.several_outputs import n_targets_of
from fastdnn.training.scores import d2_pinball, r2

# Names in `fastdnn.ops.results.RESULTS`, by output activation.
_RESULTS = {"identity": "logits", "exp": "exp"}


class TargetPredictions(RegressorMixin, IntervalPredictions, BaseDNN):
    """The methods of `fastdnn.DNNRegressor` that predict, and what it makes of its targets."""

    @overload
    def predict(self, X: Any, return_std: Literal[False] = False) -> np.ndarray: ...
    @overload
    def predict(self, X: Any, return_std: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...
    @overload
    def predict(self, X: Any, return_std: bool) -> Any: ...

    @of_one_moment
    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the predicted targets of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        return_std : bool, default=False
            Whether to return standard deviations, too: those that ``loss='gaussian_nll'`` has
            learnt, and otherwise those of several members, which do not count the noise in y.

        Returns
        -------
        y : ndarray of shape (n_samples,), (n_samples, n_outputs) or (n_samples, n_levels)
            Predictions; of a list of quantiles a column each, none of which is below the one
            before. float64, or float32 if X is a float32 array or sparse matrix and the
            network is float32.
        y_std : ndarray of the same shape
            Standard deviations around the predictions; with ``return_std=True`` only. Of
            members with ``loss='gaussian_nll'`` they are those of the mixture of all.

        Raises
        ------
        ValueError
            If there are no standard deviations.
        """
        check_is_fitted(self)
        output, kind = self.out_activation_, self._kind_of_predictions()
        if return_std and output != "mean_and_variance":
            if "estimators_" not in self.__dict__:
                raise ValueError(
                    f"return_std={return_std!r} needs several members, or a network that was "
                    "fitted with loss='gaussian_nll', which learns variances. Fit with "
                    "n_members=5, say, or with that loss, or leave it out."
                )
            both = mean_and_deviation(results_of_members(self, X, kind))
            return _as_targets(both[0]), _as_targets(both[1])
        outputs = self._results(X, kind)
        if output == "ascending":
            return outputs
        n_targets = n_targets_of(output, self.n_outputs_)
        means = _as_targets(outputs[:, :n_targets])
        if not return_std:
            return means
        return means, np.sqrt(_as_targets(outputs[:, n_targets:]))

    @of_one_moment
    def predict_members(self, X: Any) -> np.ndarray:
        """Return what each member predicts; `predict` returns their mean.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_members, n_samples), or with a further axis as of `predict`
            Predictions.
        """
        check_is_fitted(self)
        results = results_of_members(self, X, self._kind_of_predictions())
        return np.stack([self._as_predicted(outputs) for outputs in results])

    def _kind_of_predictions(self) -> str:
        # Of another kind it is refused like any attribute that does not fit the network.
        output = self.out_activation_
        known = isinstance(output, str) and output in _RESULTS
        return _RESULTS[output] if known else "activations"

    def _as_predicted(self, outputs: np.ndarray) -> np.ndarray:
        if self.out_activation_ == "mean_and_variance":
            outputs = outputs[:, : self.n_outputs_ // 2]
        return _as_targets(outputs)

    def _score_predictions(
        self, outputs: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        return self._score_outputs(outputs, Y, weight)

    def _band(self, outputs: np.ndarray) -> Band:
        """Return where targets are by results that predictions are made of."""
        A = outputs.astype(np.float64)
        if self.out_activation_ == "ascending":
            return Band(A[:, :1], A[:, -1:])
        if self.out_activation_ == "mean_and_variance":
            means, variances = np.hsplit(A, 2)
            variances = np.maximum(variances, np.finfo(np.float32).tiny)
            return Band(means, means, np.sqrt(variances))
        return Band(A, A)

    def _conformal_scores(self, outputs: np.ndarray, y: Any) -> np.ndarray | None:
        return self._band(outputs).scores(np.asarray(y, np.float64).reshape(len(y), -1))

    def _bands(self, X: Any, of_members: bool) -> list[Band]:
        kind = self._kind_of_predictions()
        if of_members:
            return [self._band(outputs) for outputs in results_of_members(self, X, kind)]
        return [self._band(self._results(X, kind))]

    def _limited(self, limit: np.ndarray) -> np.ndarray:
        lowest = 0.0 if self.out_activation_ == "exp" else -np.inf
        return _as_targets(np.maximum(limit, lowest))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination, R2, on the given samples.

        Of ``loss='quantile'`` it is D2, the same of pinball losses: 1 minus that of the
        predictions over that of the best constant, `sklearn.metrics.d2_pinball_score`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.

        Returns
        -------
        float
            At most 1; computed in float64, meaned over the targets and over the levels.
        """
        predicted = self.predict(X).astype(np.float64, copy=False)
        levels = self._levels()
        if levels is None:
            return float(r2_score(y, predicted, sample_weight=sample_weight))
        columns = predicted.T if len(levels) > 1 else [predicted]
        return math.fsum(
            d2_pinball_score(y, column, alpha=level, sample_weight=sample_weight)
            for column, level in zip(columns, levels, strict=True)
        ) / len(levels)

    def _encode_targets(self, y: np.ndarray, incremental: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        row = regression_loss(self.loss, self.quantile)
        row.check(str(self.loss), y)
        Y = y.reshape(len(y), -1)
        goes_on = hasattr(self, "coefs_") and (self.warm_start or incremental)
        n_targets = Y.shape[1]
        if goes_on:
            n_targets = n_targets_of(self.out_activation_, self.n_outputs_)
        if Y.shape[1] != n_targets:
            raise ValueError(
                f"`y` has {Y.shape[1]} targets a sample, but the network was fitted with "
                f"{n_targets}. Give as many, or call fit with warm_start=False."
            )
        self._n_targets = n_targets
        return Y

    def _check_outputs(self, n_outputs: int) -> None:
        output = self.out_activation_
        if output not in OUTPUTS:
            raise ValueError(
                f"out_activation_={output!r} must be one of {OUTPUTS}. Put it right, or fit "
                "the estimator again."
            )
        if output == "mean_and_variance" and n_outputs % 2:
            raise ValueError(
                f"out_activation_={output!r} needs two outputs for each target, but the "
                f"network has {n_outputs}. Put it right, or fit the estimator again."
            )

    def _output_layer(self) -> tuple[str, int]:
        row = regression_loss(self.loss, self.quantile)
        return row.output, units_of(row, self._n_targets, self.quantile)

    def _fitted_loss(self) -> RegressionLoss:
        output, n_outputs = self.out_activation_, self.n_outputs_
        return fitted_loss(self.loss, self.quantile, output, n_outputs)

    def _loss(self) -> tuple[str | Loss, Value, float]:
        row = self._fitted_loss()
        return row.loss, parameter_of(row, self), loss_scale(row, self.n_outputs_)

    def _levels(self) -> list[float] | None:
        """Return the levels that a network of quantiles was fitted for, or None."""
        row = self._fitted_loss()
        return levels_of(self.quantile) if row.parameter == "quantile" else None

    def _score_outputs(
        self, outputs: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        levels = self._levels()
        if levels is not None:
            return d2_pinball(Y, outputs, levels, weight)
        return r2(Y, outputs[:, : Y.shape[1]], weight)


def _as_targets(outputs: np.ndarray) -> np.ndarray:
    """Return the outputs of one target as a vector."""
    return outputs.ravel() if outputs.shape[1] == 1 else outputs
