"""What the classifier and the regressor share: parameters, validation and fitting."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight

from fastdnn.data.conversion import NotFiniteError
from fastdnn.data.samples import Samples
from fastdnn.estimators.validation import ValidatingEstimator
from fastdnn.models.consistency import checked_parameters, checked_state
from fastdnn.models.hyperparameters import CONSTRAINTS, hidden_units, rows_of_batch
from fastdnn.models.transaction import replace_by, twin_of
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters, glorot_uniform_like_sklearn
from fastdnn.prediction.predictor import Predictor
from fastdnn.storage.pickles import EstimatorStorage
from fastdnn.training import loop
from fastdnn.training.divergence import (
    finite_outputs,
    likely_causes,
    notice_of_targets,
    notice_of_weights,
    problem_of_epochs,
    problem_of_network,
)
from fastdnn.training.history import History
from fastdnn.training.lbfgs import fit_lbfgs
from fastdnn.training.loop import Notices, OptimizerState
from fastdnn.training.random import random_state_of
from fastdnn.training.scales import exceeds_float32, gains_by_float64, targets_in, weights_in

# Attributes of stochastic solvers alone.
_OF_STOCHASTIC_SOLVERS = (
    *("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"),
    "_no_improvement_count",
)
# Names that scikit-learn gives to activations, in the words of the kernels; and the loss that
# goes with an output of that name.
_KERNEL_NAMES = {"logistic": "sigmoid"}
LOSS_OF_OUTPUT = {
    "logistic": "log_loss",
    "softmax": "log_loss",
    "identity": "half_squared_error",
    "exp": "poisson",
}


class BaseDNN(EstimatorStorage, ValidatingEstimator, ABC):
    """A multi-layer perceptron as a scikit-learn estimator; see the subclasses."""

    _parameter_constraints: ClassVar[dict] = CONSTRAINTS

    @abstractmethod
    def _encode_targets(self, y: Any, incremental: bool) -> np.ndarray:
        """Check `y` and return it as a matrix for the engine."""

    @abstractmethod
    def _check_outputs(self, n_outputs: int) -> None:
        """Raise ValueError where fitted attributes do not fit that number of outputs."""

    @abstractmethod
    def _output_layer(self) -> tuple[str, int]:
        """Return the output activation that parameters and targets ask for, and the units."""

    @abstractmethod
    def _score_outputs(
        self, outputs: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        """Score `outputs` of the network against encoded targets, for early stopping."""

    # -- fitting ------------------------------------------------------------------------

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, *, incremental: bool, classes: Any = None
    ) -> "BaseDNN":
        """Train a twin and become it; whatever is raised before leaves `self` as it was."""
        twin = twin_of(self)
        before = twin.__dict__.copy()
        goes_on = hasattr(twin, "coefs_") and (twin.warm_start or incremental)
        start = twin._go_on(incremental) if goes_on else None
        if incremental:
            twin._note_classes(y, classes)
        notices = twin._learn(X, y, sample_weight, incremental, start)
        replace_by(self, twin, before)
        for give_notice in notices:  # a warning may be raised as an error
            give_notice()
        return self

    def _note_classes(self, y: Any, classes: Any) -> None:
        """Learn all classes from the first call of `partial_fit`, if there are any."""

    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        incremental: bool,
        start: Parameters | None,
    ) -> Notices:
        """Validate and train; return the warnings to give when all is done."""
        hidden_sizes = hidden_units(self.hidden_layer_sizes)
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        X, y = self._validated_to_fit(X, y, first_pass=start is None)
        Y, largest_target = targets_in(self._encode_targets(y, incremental), X.dtype)
        scale = 1.0
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
            sample_weight, scale = weights_in(sample_weight, X.dtype)
        samples = Samples(
            X, Y, sample_weight, weight_scale=scale, largest_target=largest_target
        )
        random_state = random_state_of(self.random_state)
        if start is None:
            self._initialize(hidden_sizes, X, random_state)
        return self._train(samples, random_state, incremental, start)

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    def _initialize(self, hidden_sizes: list[int], X: np.ndarray, random_state: Any) -> None:
        self.out_activation_, self.n_outputs_ = self._output_layer()
        sizes = [X.shape[1], *hidden_sizes, self.n_outputs_]
        self._parameters = Parameters(sizes, X.dtype)
        glorot_uniform_like_sklearn(self._parameters, random_state, self.activation)
        self._history = History(bool(self.early_stopping))
        self._optimizer_state: OptimizerState | None = None
        self.n_layers_ = len(sizes)

    def _go_on(self, incremental: bool) -> Parameters:
        """Take copies of what training changes; `fit` starts the optimiser anew.

        Returns what it goes on from.
        """
        parameters = checked_parameters(self)
        wanted, _ = self._output_layer()
        if wanted != self.out_activation_:
            raise ValueError(
                f"The network was fitted with out_activation_={self.out_activation_!r}, but "
                f"loss={LOSS_OF_OUTPUT[wanted]!r} needs {wanted!r}. Call fit with "
                "warm_start=False."
            )
        kept = checked_state(self._optimizer_state, parameters) if incremental else None
        self._optimizer_state = kept
        self._parameters = parameters.astype(parameters.theta.dtype)
        self._history = self._history.copy()
        if not incremental:
            self._history.early_stopping = bool(self.early_stopping)
        return parameters

    def _network(self, parameters: Parameters) -> Network:
        """Describe the network, with the activation that the parameter has now."""
        sizes, loss = parameters.layer_sizes, LOSS_OF_OUTPUT[self.out_activation_]
        names: list[Any] = [self.activation] * (len(sizes) - 2) + [self.out_activation_]
        activations = [_KERNEL_NAMES.get(name, name) for name in names]
        # scikit-learn reports the mean over the outputs and descends on their sum.
        scale = 1.0 / sizes[-1] if loss == "half_squared_error" else 1.0
        return Network.dense(sizes, activations, loss, scale)

    def _train(
        self,
        samples: Samples,
        random_state: Any,
        incremental: bool,
        start: Parameters | None,
    ) -> Notices:
        parameters, given, notices = self._parameters, samples, Notices()
        network = self._network(parameters)
        loss = network.loss

        def causes(samples: Samples) -> str:
            return likely_causes(samples, loss, self, start)

        is_single = parameters.theta.dtype == np.float32
        is_wide = is_single and self._is_beyond_float32(samples, loss)
        widen = is_wide or (is_single and gains_by_float64(samples, self, incremental))
        if widen:
            parameters = parameters.astype(np.float64)
            samples = samples.astype(np.float64)
            if self._optimizer_state is not None:
                self._optimizer_state = self._optimizer_state.astype(np.float64)
        if self.solver == "lbfgs":
            self._minimize(parameters, network, samples, notices)
        else:
            self._descend(
                parameters, network, samples, random_state, incremental, notices, causes
            )
        problem = problem_of_epochs(parameters, [self._history.loss])
        if problem is not None:
            raise ValueError(f"{problem} {causes(samples)}")
        if widen:
            with np.errstate(over="ignore"):  # said below
                self._parameters.theta[:] = parameters.theta
        # What float64 has computed may overflow float32.
        doubtful = is_wide or self.solver == "lbfgs"
        problem = problem_of_network(
            self._parameters, network, given, self.n_threads, doubtful
        )
        if problem is not None:
            raise ValueError(f"{problem} {causes(given)}")
        if widen and not is_wide and self._optimizer_state is not None:
            self._optimizer_state = self._optimizer_state.narrowed()
        said = [notice_of_weights(given, self.alpha)]
        if not incremental:
            said.append(notice_of_targets(given, loss, self._history.loss))
        for message in filter(None, said):
            notices.warn(message, ConvergenceWarning)
        self._publish()
        return notices

    def _is_beyond_float32(self, samples: Samples, loss: str) -> bool:
        """Whether training in float32 would overflow, or goes on from what would have."""
        state = self._optimizer_state
        if state is not None and state.memory.dtype == np.float64:
            return True
        return exceeds_float32(samples, loss, self)

    def _minimize(
        self, parameters: Parameters, network: Network, samples: Samples, notices: Notices
    ) -> None:
        self._history.n_iter, self._history.loss = fit_lbfgs(
            parameters,
            network,
            samples,
            alpha=self.alpha,
            max_iter=self.max_iter,
            max_fun=self.max_fun,
            tol=self.tol,
            verbose=self.verbose,
            n_threads=self.n_threads,
            notices=notices,
        )

    def _descend(
        self,
        parameters: Parameters,
        network: Network,
        samples: Samples,
        random_state: Any,
        incremental: bool,
        notices: Notices,
        causes: Callable[[Samples], str],
    ) -> None:
        validate = None
        if self.early_stopping:
            samples, validate = self._hold_out(parameters, network, samples, random_state)
        shared = {
            name: getattr(self, name)
            for name in loop.Options.__dataclass_fields__
            if name != "batch_size"
        }
        batch_size = rows_of_batch(self.batch_size, samples.n_rows)
        options = loop.Options(**shared, batch_size=batch_size)
        self._optimizer_state = loop.fit_stochastic(
            parameters,
            network,
            samples,
            options,
            self._history,
            random_state,
            n_threads=self.n_threads,
            validation_score=validate,
            state=self._optimizer_state,
            incremental=incremental,
            notices=notices,
            causes=causes,
        )

    def _hold_out(
        self, parameters: Parameters, network: Network, samples: Samples, random_state: Any
    ) -> tuple[Samples, Any]:
        """Split off the validation rows, as positions, in scikit-learn's order."""
        stratify = samples.Y.astype(bool) if self._stratified() else None
        rows, held_out = train_test_split(
            np.arange(samples.n_rows, dtype=np.int64),
            random_state=random_state,
            test_size=self.validation_fraction,
            stratify=stratify,
        )
        if held_out.size < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the "
                "size of your dataset."
            )
        Y = samples.Y[held_out]
        weight = None if samples.weight is None else samples.weight[held_out]
        if weight is not None and not weight.any():
            raise ZeroDivisionError(
                "Weights sum to zero, can't be normalized: sample_weight is zero in all of "
                f"the {held_out.size} samples held out for early stopping. Leave such samples "
                "out or raise validation_fraction."
            )
        predictor = Predictor(parameters, network)
        validation = samples.at(held_out).to_predict()

        def validate() -> float:
            outputs = predictor(validation, self.n_threads)
            if not np.isfinite(outputs).all():
                return np.nan
            return self._score_outputs(outputs, Y, weight)

        return samples.at(rows), validate

    def _stratified(self) -> bool:
        return False

    def _publish(self) -> None:
        """Set the fitted attributes that scikit-learn's estimators have."""
        history = self._history
        self._show_parameters()
        self.n_iter_ = history.n_iter
        self.t_ = history.t
        self.loss_ = history.loss
        if self.solver == "lbfgs":
            for name in _OF_STOCHASTIC_SOLVERS:  # such as an earlier fit may have left
                self.__dict__.pop(name, None)
            return
        self.loss_curve_ = history.loss_curve
        self._no_improvement_count = history.no_improvement_count
        early = history.early_stopping
        self.best_loss_ = None if early else history.best_loss
        self.validation_scores_ = history.validation_scores if early else None
        self.best_validation_score_ = history.best_validation_score if early else None

    def _show_parameters(self) -> None:
        """Set what reads the parameters: lists of views, and the way to predict."""
        self.coefs_ = list(self._parameters.coefs)
        self.intercepts_ = list(self._parameters.intercepts)
        self._predictor = Predictor(self._parameters, self._network(self._parameters))

    # -- prediction ---------------------------------------------------------------------

    def _results(self, X: Any, kind: str) -> np.ndarray:
        """Return results of the network, a name in `fastdnn.ops.results.RESULTS`.

        They are float32 if both the network and X are, an array or a sparse matrix;
        otherwise float64, as scikit-learn's.
        """
        parameters = checked_parameters(self)
        network, predictor = self._network(parameters), self._predictor
        if predictor.parameters is not parameters or predictor.network != network:
            # Matrices were exchanged, or the parameter was set, after fitting.
            predictor = Predictor(parameters, network)
        samples = self._validate_for_prediction(X)
        given = getattr(X, "dtype", None)
        is_single = isinstance(given, np.dtype) and given.type is np.float32
        options = self.n_threads, kind, not is_single
        try:
            outputs = predictor(samples, *options)
        except NotFiniteError:
            # scikit-learn has the message; or lets NaN pass, where it was told to.
            samples = Samples(self._validated(X, dtype=np.float32))
            outputs = predictor(samples, *options)
        return finite_outputs(
            outputs, samples.X, predictor.parameters, network.output_activation
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
