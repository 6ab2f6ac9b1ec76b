"""`DNNRegressor`: a neural network for regression as a scikit-learn estimator."""

import math
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.neural_network import MLPRegressor
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d

from fastdnn.estimators import interchange
from fastdnn.estimators.base import BaseDNN
from fastdnn.estimators.regression_losses import (
    OUTPUTS,
    RegressionLoss,
    fitted_loss,
    loss_scale,
    parameter_of,
    regression_loss,
    units_of,
)
from fastdnn.estimators.validation_sets import Given
from fastdnn.models.hyperparameters import constraints_of, documented, hyperparameters_of
from fastdnn.models.transaction import of_one_moment
from fastdnn.models.valid_combinations import levels_of
from fastdnn.ops.loss_parameters import Value
from fastdnn.ops.own_functions import Loss
from fastdnn.ops.several_outputs import n_targets_of
from fastdnn.training.scores import d2_pinball, r2

# Names in `fastdnn.ops.results.RESULTS`, by output activation.
_RESULTS = {"identity": "logits", "exp": "exp"}


@documented
class DNNRegressor(RegressorMixin, BaseDNN):
    """Multi-layer perceptron regressor with a compiled training engine.

    A drop-in for :class:`sklearn.neural_network.MLPRegressor`: parameters, defaults and
    fitted attributes have the same names and meanings.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer.
    loss_curve_ : list of float
        Mean loss of each epoch.
    loss_, best_loss_ : float
        Last and lowest loss; ``best_loss_`` is None with early stopping.
    validation_scores_ : list of float or None
        Score of the validation samples after each epoch, where there were some: R2, or
        what `scoring` asks for first.
    best_validation_score_ : float or None
        The highest of them, with early stopping.
    validation_loss_curve_ : list of float or None
        Mean loss of the validation samples after each epoch, without penalties.
    history_ : dict of str to list
        A column for each number recorded of epochs, all equally long: epoch, loss,
        learning_rate of the last step, seconds, n_samples seen; and of validation
        validation_loss, validation_score, and each of several scores. NaN where there was
        none. ``pandas.DataFrame(model.history_)`` is a table of it.
    n_iter_ : int
        Epochs run.
    t_ : int
        Samples seen.
    n_features_in_, n_layers_, n_outputs_ : int
        Input features, layers with input and output, outputs.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had string names.
    out_activation_ : str
        Activation of the output layer.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastdnn import DNNRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = DNNRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=50)
    >>> model = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> bool(model.score(X, y) > 0.5)
    True
    """

    _hyperparameters = hyperparameters_of("DNNRegressor")
    _parameter_constraints: ClassVar[dict] = constraints_of("DNNRegressor")
    _y_is_numeric = True

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        huber_delta=1.0,
        quantile=0.5,
        tweedie_power=1.5,
        normalization=None,
        dropout=0.0,
        input_noise=0.0,
        solver="adam",
        alpha=1e-4,
        l1=0.0,
        weight_decay=None,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        learning_rate_warmup=0.0,
        learning_rate_factor=0.1,
        learning_rate_steps=(0.5, 0.75),
        learning_rate_patience=5,
        power_t=0.5,
        max_iter=200,
        max_time=None,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        checkpoint=None,
        checkpoint_seconds=60.0,
        checkpoint_epochs=None,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        scoring=None,
        n_iter_no_change=10,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        rho=0.9,
        clip_norm=None,
        clip_value=None,
        max_norm=None,
        ema_decay=None,
        swa_start=None,
        max_fun=15000,
        dtype="float32",
        n_threads=None,
    ):
        self._keep(locals())

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
    ) -> "DNNRegressor":
        """Train the network.

        Ctrl-C ends training with a warning; the estimator then holds the network so far.
        Whatever is raised leaves the estimator as it was before.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            Samples to validate on after each epoch, in the place of some that
            ``early_stopping`` would hold out of X; with ``early_stopping=False`` what they
            tell is only recorded. In a pipeline ``transform_input=["X_val"]`` transforms
            them as X.
        y_val : array-like, default=None
            Their targets, of the form of `y`.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

        Returns
        -------
        DNNRegressor
            This estimator.

        Raises
        ------
        ValueError
            If the input is not valid or training diverges.
        KeyboardInterrupt
            At Ctrl-C in the first epoch, or with ``solver='lbfgs'``.
        """
        given = Given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, incremental=False, given=given)

    @available_if(BaseDNN._check_solver)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, n_steps: int | None = None
    ) -> "DNNRegressor":
        """Train for one epoch on the given samples, or for some batches.

        Whatever is raised leaves the estimator as it was before. That includes Ctrl-C, which
        scikit-learn's perceptrons swallow here: it ends a loop of calls.

        The optimiser of the first call goes on, with its learning rate, whatever `solver` and
        `learning_rate_init` are set to later; all other parameters count as they are now.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.
        n_steps : int, default=None
            Train for so many batches instead of an epoch: the first ones of the order in which
            the samples are visited. More than the samples have go round again, in a new order.

        Returns
        -------
        DNNRegressor
            This estimator.

        Raises
        ------
        ValueError
            If the input is not valid or training diverges.
        KeyboardInterrupt
            At Ctrl-C.
        """
        return self._fit(X, y, sample_weight, incremental=True, n_steps=n_steps)

    @of_one_moment
    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the predicted targets of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        return_std : bool, default=False
            Whether to return standard deviations, too, for ``loss='gaussian_nll'``.

        Returns
        -------
        y : ndarray of shape (n_samples,), (n_samples, n_outputs) or (n_samples, n_levels)
            Predictions; of a list of quantiles a column each, none of which is below the one
            before. float64, or float32 if X is a float32 array or sparse matrix and the
            network is float32.
        y_std : ndarray of the same shape
            Standard deviations around the predictions; with ``return_std=True`` only.

        Raises
        ------
        ValueError
            If there are no standard deviations.
        """
        check_is_fitted(self)
        output = self.out_activation_
        if return_std and output != "mean_and_variance":
            raise ValueError(
                f"return_std={return_std!r} needs a network that was fitted with "
                "loss='gaussian_nll', which learns variances. Fit one, or leave it out."
            )
        known = output if isinstance(output, str) else ""  # what it is, is checked next
        outputs = self._results(X, _RESULTS.get(known, "activations"))
        if output == "ascending":
            return outputs
        n_targets = n_targets_of(output, self.n_outputs_)
        means = _as_targets(outputs[:, :n_targets])
        if not return_std:
            return means
        return means, np.sqrt(_as_targets(outputs[:, n_targets:]))

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

    def to_sklearn(self) -> MLPRegressor:
        """Return a fitted `MLPRegressor` with the same parameters.

        Everything that takes one can then be used, such as a converter to ONNX.

        Returns
        -------
        sklearn.neural_network.MLPRegressor
            Predicts the same, and goes on from the same state in `partial_fit`.

        Raises
        ------
        ValueError
            If a parameter has a value that scikit-learn does not know.
        """
        return interchange.to_sklearn(self, MLPRegressor)

    @classmethod
    def from_sklearn(cls, mlp: MLPRegressor, *, dtype: str = "float32") -> "DNNRegressor":
        """Return a fitted estimator with the parameters of a fitted `MLPRegressor`.

        Parameters
        ----------
        mlp : sklearn.neural_network.MLPRegressor
            Fitted.
        dtype : {'float32', 'float64', 'auto'}, default='float32'
            Precision of the new estimator; 'auto' takes that of `mlp`.

        Returns
        -------
        DNNRegressor
            Predicts the same up to rounding; `partial_fit` goes on from the same state.
        """
        return interchange.from_sklearn(cls, mlp, dtype)

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
