"""What the classifier and the regressor share: from what a user gives to a fit, and back."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from fastdnn.data.conversion import NotFiniteError
from fastdnn.data.samples import Samples
from fastdnn.estimators.recorded import RecordedAttributes
from fastdnn.estimators.validation import ValidatingEstimator
from fastdnn.estimators.validation_sets import (
    NOTHING_GIVEN,
    Given,
    require_valid_validation,
    with_validation,
)
from fastdnn.models.consistency import checked_optimizer, checked_parameters
from fastdnn.models.hyperparameters import training_options
from fastdnn.models.transaction import replace_by, twin_of
from fastdnn.models.valid_values import hidden_units
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters, glorot_uniform_like_sklearn
from fastdnn.ops.loss_parameters import Value
from fastdnn.ops.own_functions import Loss
from fastdnn.prediction.predictor import Predictor
from fastdnn.storage.pickles import EstimatorStorage
from fastdnn.training.divergence import finite_outputs
from fastdnn.training.fit import Fit
from fastdnn.training.history import History
from fastdnn.training.notices import Notices
from fastdnn.training.objective import Objective
from fastdnn.training.precision import targets_in, weights_in
from fastdnn.training.random_states import random_state_of
from fastdnn.training.state import TrainingState

# Names that scikit-learn gives to activations, in the words of the kernels.
_KERNEL_NAMES = {"logistic": "sigmoid"}


class BaseDNN(RecordedAttributes, EstimatorStorage, ValidatingEstimator, ABC):
    """A multi-layer perceptron as a scikit-learn estimator; see the subclasses."""

    _state: TrainingState

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
    def _loss(self) -> tuple[str | Loss, Value, float]:
        """Return the loss of the engine, which goes with the fitted output activation.

        With it its parameter, and the factor of the losses that are reported.
        """

    @abstractmethod
    def _score_outputs(
        self, outputs: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        """Score `outputs` of the network against encoded targets, for early stopping."""

    # -- fitting ------------------------------------------------------------------------

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool,
        classes: Any = None,
        given: Given = NOTHING_GIVEN,
    ) -> "BaseDNN":
        """Train a twin and become it; whatever is raised before leaves `self` as it was."""
        given.require_whole()
        twin = twin_of(self)
        before = twin.__dict__.copy()
        goes_on = hasattr(twin, "coefs_") and (twin.warm_start or incremental)
        start = twin._go_on(incremental) if goes_on else None
        if incremental:
            twin._note_classes(y, classes)
        notices = twin._learn(X, y, sample_weight, incremental, start, given)
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
        given: Given,
    ) -> Notices:
        """Validate and train; return the warnings to give when all is done."""
        hidden_sizes = hidden_units(self.hidden_layer_sizes)
        require_valid_validation(self)
        if incremental and self.early_stopping not in (False, "auto"):
            raise ValueError("partial_fit does not support early_stopping=True")
        given_X = X
        X, y = self._validated_to_fit(X, y, first_pass=start is None)
        encoded, scale = self._encode_targets(y, incremental), 1.0
        Y, largest_target = targets_in(self._targets(encoded), X.dtype)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        sample_weight = self._weights(y, encoded, sample_weight)
        if sample_weight is not None:
            sample_weight, scale = weights_in(sample_weight, X.dtype)
        samples = Samples(
            X, Y, sample_weight, weight_scale=scale, largest_target=largest_target
        )
        random_state = random_state_of(self.random_state)
        if start is None:
            self._begin([X.shape[1], *hidden_sizes], X.dtype, random_state)
        self._state.random_state = random_state
        network = self._network(self._state.parameters)
        is_stratified = self._stratified(encoded)
        objective = Objective(samples, network, self._score_outputs, is_stratified)
        options = training_options(self)
        y = self._labels(y)
        objective = with_validation(self, objective, options, given_X, y, given, incremental)
        fit = Fit(objective, options, self._state, incremental, start)
        fit.run()
        self._state = fit.result()
        # As scikit-learn's, each fit draws anew.
        self._state.random_state = self._state.order = self._state.held_out = None
        self._publish()
        return fit.notices

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    def _begin(
        self, sizes: list[int], dtype: np.dtype, random_state: np.random.RandomState
    ) -> None:
        """Draw the parameters of a new network."""
        self.out_activation_, self.n_outputs_ = self._output_layer()
        parameters = Parameters([*sizes, self.n_outputs_], dtype)
        glorot_uniform_like_sklearn(parameters, random_state, self.activation)
        self._state = TrainingState(parameters, History(bool(self.early_stopping)))
        self.n_layers_ = len(parameters.layer_sizes)

    def _go_on(self, incremental: bool) -> Parameters:
        """Take a copy of what training changes; `fit` starts the optimiser anew.

        Returns what it goes on from.
        """
        parameters = checked_parameters(self)
        wanted, n_outputs = self._output_layer()
        if wanted != self.out_activation_:
            raise ValueError(
                f"The network was fitted with out_activation_={self.out_activation_!r}, but "
                f"parameters and targets ask for {wanted!r}. Call fit with warm_start=False."
            )
        if n_outputs != self.n_outputs_:
            raise ValueError(
                f"The network was fitted with {self.n_outputs_} outputs, but parameters ask "
                f"for {n_outputs}. Call fit with warm_start=False."
            )
        history, optimizer, average = self._state.history.copy(), None, None
        history.n_iter = 0
        theta = parameters.theta.copy()
        if incremental:
            optimizer = checked_optimizer(self._state.optimizer, parameters)
            if parameters is self._state.parameters:
                theta, average = self._state.parameters_to_go_on_from()
        else:
            history.early_stopping = bool(self.early_stopping)
        copied = parameters.with_theta(theta)
        self._state = TrainingState(copied, history, optimizer, average=average)
        return parameters

    def _network(self, parameters: Parameters) -> Network:
        """Describe the network, with the activation that the parameter has now."""
        sizes = parameters.layer_sizes
        names: list[Any] = [self.activation] * (len(sizes) - 2) + [self.out_activation_]
        activations = [_KERNEL_NAMES.get(name, name) for name in names]
        loss, parameter, scale = self._loss()
        return Network.dense(sizes, activations, loss, scale, parameter)

    def _targets(self, Y: np.ndarray) -> np.ndarray:
        """Return encoded targets in the form that the loss takes."""
        return Y

    def _stratified(self, Y: np.ndarray) -> bool:
        """Whether samples that are held out have the classes of encoded targets."""
        return False

    def _weights(self, y: Any, Y: np.ndarray, sample_weight: Any) -> Any:
        """Return the weights of samples, by all that the estimator knows of them."""
        return sample_weight

    def _labels(self, y: Any) -> Any:
        """Return targets as scorers take them."""
        return y

    def _publish(self) -> None:
        """Set the fitted attributes that scikit-learn's estimators have."""
        self._show_parameters()
        shown = self._state.history.shown(with_curves=self.solver != "lbfgs")
        # Such as an earlier fit may have left.
        for name in (*History().shown(), *self._recorded()):
            self.__dict__.pop(name, None)
        self.__dict__.update(shown)

    def _show_parameters(self) -> None:
        """Set what reads the parameters: lists of views, and the way to predict."""
        parameters = self._state.parameters
        self.coefs_, self.intercepts_ = list(parameters.coefs), list(parameters.intercepts)
        self._predictor = Predictor(parameters, self._network(parameters))

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
