"""What the classifier and the regressor share: parameters, validation and fitting."""

import warnings
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, validate_data

from fastdnn import _training
from fastdnn._parameters import Parameters, glorot_uniform_like_sklearn
from fastdnn._prediction import forward_pass
from fastdnn._threads import threads_offered
from fastdnn._training import History, OptimizerState, Samples

# Data sets of up to this many rows that train as a whole are computed in float64.
_SMALL_BATCH = 200

# From a warning below `_train` up to the line that called `fit`.
_FRAMES_TO_USER = 6

#: Names that scikit-learn gives to activations, in the words of the kernels.
_KERNEL_NAMES = {"logistic": "sigmoid"}


class BaseDNN(BaseEstimator, ABC):
    """A multi-layer perceptron as a scikit-learn estimator; see the subclasses."""

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [
            StrOptions({"identity", "logistic", "tanh", "relu", "silu"}),
        ],
        "solver": [StrOptions({"sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dtype": [StrOptions({"float32", "float64", "auto"})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    @abstractmethod
    def _encode_targets(self, y: Any, incremental: bool) -> np.ndarray:
        """Check `y` and return it as a matrix for the engine."""

    @abstractmethod
    def _output_layer(self) -> tuple[str, str, int, float]:
        """Return output activation, loss, number of outputs, scale of reported loss."""

    @abstractmethod
    def _score_outputs(
        self, outputs: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        """Score `outputs` of the network against encoded targets, for early stopping."""

    # -- validation ---------------------------------------------------------------------

    def _computing_dtypes(self) -> Any:
        """Return the dtype, or the acceptable dtypes, to convert X to."""
        if self.dtype == "auto":
            return (np.float64, np.float32)
        return np.dtype(self.dtype)

    def _hidden_sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(not isinstance(size, Integral) or size <= 0 for size in sizes):
            raise ValueError(
                f"hidden_layer_sizes must be > 0, got {sizes}. Give one positive "
                "integer for each hidden layer."
            )
        return [int(size) for size in sizes]

    def _batch_size(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, n_rows)
        if self.batch_size > n_rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going "
                "to be clipped",
                stacklevel=_FRAMES_TO_USER,
            )
        return int(min(self.batch_size, n_rows))

    def _validate_for_prediction(self, X: Any) -> np.ndarray:
        dtype = self._parameters.theta.dtype
        with np.errstate(over="ignore"):  # a number too large is reported as such
            X = validate_data(self, X, dtype=dtype, order="C", reset=False)
        return np.ascontiguousarray(X)

    # -- fitting ------------------------------------------------------------------------

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool) -> "BaseDNN":
        hidden_sizes = self._hidden_sizes()
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        first_pass = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        with np.errstate(over="ignore"):  # a number too large is reported as such
            X, y = validate_data(
                self,
                X,
                y,
                dtype=self._computing_dtypes(),
                order="C",
                multi_output=True,
                y_numeric=self._y_is_numeric,
                reset=first_pass,
            )
        Y = np.ascontiguousarray(self._encode_targets(y, incremental), dtype=X.dtype)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        samples = Samples(np.ascontiguousarray(X), Y, sample_weight)
        random_state = check_random_state(self.random_state)
        if first_pass:
            self._initialize(hidden_sizes, X, random_state)
        else:
            self._parameters.take_over(self.coefs_, self.intercepts_)
        self._train(samples, random_state, incremental)
        return self

    def _initialize(self, hidden_sizes: list[int], X: np.ndarray, random_state: Any) -> None:
        self.out_activation_, _, self.n_outputs_, _ = self._output_layer()
        sizes = [X.shape[1], *hidden_sizes, self.n_outputs_]
        self._parameters = Parameters(sizes, X.dtype)
        glorot_uniform_like_sklearn(self._parameters, random_state, self.activation)
        self._history = History(bool(self.early_stopping))
        self._optimizer_state: OptimizerState | None = None
        self.n_layers_ = len(sizes)

    def _activations(self) -> list[str]:
        names: list[str] = [self.activation] * (self.n_layers_ - 2)
        names.append(self.out_activation_)
        return [_KERNEL_NAMES.get(name, name) for name in names]

    def _train(self, samples: Samples, random_state: Any, incremental: bool) -> None:
        training, validate = samples, None
        if self.early_stopping:
            training, validate = self._hold_out(samples, random_state)
        _, loss, _, loss_scale = self._output_layer()
        shared = {
            name: getattr(self, name)
            for name in _training.Options.__dataclass_fields__
            if name not in ("batch_size", "loss_scale")
        }
        options = _training.Options(
            **shared,
            batch_size=self._batch_size(training.n_rows),
            loss_scale=loss_scale,
        )
        if not incremental:
            self._optimizer_state = None
        parameters = self._parameters
        single = parameters.theta.dtype == np.float32
        widen = single and not incremental and _is_one_small_batch(training, options)
        if widen:
            parameters = parameters.astype(np.float64)
            training = training.astype(np.float64)
        try:
            self._optimizer_state = _training.fit_stochastic(
                parameters,
                self._activations(),
                loss,
                training,
                options,
                self._history,
                random_state,
                n_threads=threads_offered(self.n_threads),
                validation_score=validate,
                state=self._optimizer_state,
                incremental=incremental,
            )
        except ValueError:
            self._unfit()
            raise
        if widen:
            self._parameters.theta[:] = parameters.theta
            self._optimizer_state = self._optimizer_state.astype(np.float32)
        self._publish()

    def _hold_out(self, samples: Samples, random_state: Any) -> tuple[Samples, Any]:
        """Split off the validation rows, as positions, in scikit-learn's order."""
        stratify = samples.Y if self._stratified() else None
        rows, held_out = train_test_split(
            np.arange(samples.X.shape[0], dtype=np.int64),
            random_state=random_state,
            test_size=self.validation_fraction,
            stratify=stratify,
        )
        if held_out.size < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the "
                "size of your dataset."
            )
        X, Y = samples.X[held_out], samples.Y[held_out]
        weight = None if samples.weight is None else samples.weight[held_out]
        n_threads = threads_offered(self.n_threads)

        def validate() -> float:
            outputs = forward_pass(self._parameters, self._activations(), X, n_threads)
            if not np.isfinite(outputs).all():
                return np.nan
            return self._score_outputs(outputs, Y, weight)

        return Samples(samples.X, samples.Y, samples.weight, rows), validate

    def _stratified(self) -> bool:
        return False

    def _publish(self) -> None:
        """Set the fitted attributes that scikit-learn's estimators have."""
        history = self._history
        self.coefs_ = list(self._parameters.coefs)
        self.intercepts_ = list(self._parameters.intercepts)
        self.n_iter_ = history.n_iter
        self.t_ = history.t
        self.loss_ = history.loss
        self.loss_curve_ = history.loss_curve
        stopped_early = history.early_stopping
        self.best_loss_ = None if stopped_early else history.best_loss
        self.validation_scores_ = history.validation_scores if stopped_early else None
        self.best_validation_score_ = history.best_validation_score if stopped_early else None

    def _unfit(self) -> None:
        """Leave no half-trained model behind."""
        for name in list(vars(self)):
            if name.endswith("_") and not name.startswith("_"):
                delattr(self, name)

    # -- prediction ---------------------------------------------------------------------

    def _outputs(self, X: Any) -> np.ndarray:
        X = self._validate_for_prediction(X)
        self._parameters.take_over(self.coefs_, self.intercepts_)
        n_threads = threads_offered(self.n_threads)
        return forward_pass(self._parameters, self._activations(), X, n_threads)


def _is_one_small_batch(samples: Samples, options: _training.Options) -> bool:
    """Whether an epoch is one step over a handful of rows.

    Such a fit is computed in float64 and its parameters are rounded: at this size the
    cost does not show, and the rounding of the sums no longer depends on how the rows are
    ordered. So a row of weight 2 gives the same network as the row given twice.
    """
    return samples.rows is None and samples.n_rows <= min(options.batch_size, _SMALL_BATCH)
