"""What the classifier and the regressor share: from what a user gives to a fit, and back."""

import copy
import functools
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np

from fastdnn.callbacks.support import CallbackSupportMixin, with_callbacks
from fastdnn.estimators.hidden_layers import (
    described_layers,
    drawn_parameters,
    seed_of_draws,
)
from fastdnn.estimators.members import fit_members, forget_members, require_no_callbacks
from fastdnn.estimators.ready import Ready, made_ready
from fastdnn.estimators.recorded import RecordedAttributes
from fastdnn.estimators.results import NetworkResults
from fastdnn.estimators.resuming import (
    kept_to_resume,
    random_state_to_go_on_with,
    require_checkpoint,
    require_resumable,
    resumed,
    save_checkpoint,
    without_copies,
    write_checkpoint,
)
from fastdnn.estimators.streamed import streamed_ready
from fastdnn.estimators.training_control import TrainingControl
from fastdnn.estimators.validation_sets import (
    NOTHING_GIVEN,
    Given,
    stops_early,
    validation_for,
)
from fastdnn.estimators.watched import watched
from fastdnn.models.consistency import LEARNT_BESIDES, checked_optimizer, checked_parameters
from fastdnn.models.documentation import DocumentationLink
from fastdnn.models.hyperparameters import training_options
from fastdnn.models.transaction import replace_by, twin_of
from fastdnn.models.valid_values import hidden_units, require_steps
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.loss_parameters import Value
from fastdnn.ops.own_functions import Loss
from fastdnn.prediction.predictor import Predictor
from fastdnn.storage.pickles import EstimatorStorage
from fastdnn.training.fit import Fit
from fastdnn.training.history import History
from fastdnn.training.notices import Notices
from fastdnn.training.objective import Objective
from fastdnn.training.options import Options
from fastdnn.training.precision import targets_in
from fastdnn.training.random_states import random_state_of
from fastdnn.training.state import TrainingState
from fastdnn.training.stream import Stream


class BaseDNN(
    DocumentationLink,
    CallbackSupportMixin,
    RecordedAttributes,
    TrainingControl,
    EstimatorStorage,
    NetworkResults,
    ABC,
):
    """A multi-layer perceptron as a scikit-learn estimator; see the subclasses."""

    # What is fitted is set by name, which type checkers do not see.
    n_features_in_: int
    feature_names_in_: np.ndarray
    n_outputs_: int
    n_layers_: int
    out_activation_: str
    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]
    norm_gains_: list[np.ndarray]
    norm_shifts_: list[np.ndarray]
    prelu_slopes_: list[np.ndarray]
    loss_: float
    best_loss_: float | None
    best_validation_score_: float | None
    n_iter_: int
    t_: int
    estimators_: list["BaseDNN"]
    _state: TrainingState
    _resumable: TrainingState

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
        n_steps: int | None = None,
    ) -> "BaseDNN":
        """Train a twin and become it; whatever is raised before leaves `self` as it was."""
        given.require_whole()
        require_steps(n_steps)
        twin = twin_of(self)
        before = twin.__dict__.copy()
        goes_on = hasattr(twin, "coefs_") and (twin.warm_start or incremental)
        start = twin._go_on(incremental) if goes_on else None
        if incremental:
            twin._note_classes(y, classes)
        notices = twin._learn(X, y, sample_weight, incremental, start, given, n_steps)
        replace_by(self, twin, before)
        for give_notice in notices:  # a warning may be raised as an error
            give_notice()
        return self

    def _note_classes(self, y: Any, classes: Any) -> None:
        """Learn all classes from the first call of `partial_fit`, if there are any."""

    @with_callbacks  # of the twin: it has the callbacks' contexts
    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        incremental: bool,
        start: Parameters | None,
        given: Given,
        n_steps: int | None,
    ) -> Notices:
        """Validate and train; return the warnings to give when all is done."""
        if incremental and self.early_stopping not in (False, "auto"):
            raise ValueError("partial_fit does not support early_stopping=True")
        if self.checkpoint is not None and not incremental:
            require_checkpoint(self)
        require_no_callbacks(self)
        if isinstance(X, Stream) and not incremental:
            ready = streamed_ready(self, X, y, sample_weight, given, start is None)
        else:
            ready = made_ready(self, X, y, sample_weight, given, incremental, start is None)
        if self.n_members > 1:
            return fit_members(self, ready)
        options = training_options(self)
        return self._train(ready, options, incremental, start, n_steps)

    def _train(
        self,
        ready: Ready,
        options: Options,
        incremental: bool = False,
        start: Parameters | None = None,
        n_steps: int | None = None,
    ) -> Notices:
        """Train one network; return the warnings to give when all is done."""
        samples = ready.samples
        stops = not incremental and stops_early(
            self.early_stopping, ready.rows_to_split, ready.given
        )
        validating = validation_for(self, ready, stops)
        if start is None:
            hidden_sizes = hidden_units(self.hidden_layer_sizes)
            self._begin([samples.X.shape[1], *hidden_sizes], samples.X.dtype)
        elif self._state.random_state is None:
            self._state.random_state = random_state_of(self.random_state)
        state = self._state
        if start is not None and self.warm_start == "exact" and not incremental:
            state = resumed(self, samples.n_rows, stops)
        network = self._network(state.parameters)
        random_state: Any = state.random_state
        state.seed = seed_of_draws(network, samples, random_state, state.seed)
        is_stratified = self._stratified(ready.encoded)
        objective = Objective(
            samples, network, self._score_outputs, is_stratified, **validating
        )
        if self.solver != "lbfgs":
            options.early_stopping = stops
        if not incremental:
            state.history.early_stopping = stops
        write = None
        if self.checkpoint is not None and not incremental:
            write = functools.partial(write_checkpoint, self)
        fit = Fit(objective, options, state, incremental, start, n_steps, write)
        watch = None
        if not incremental:  # which is an epoch of the user's own loop
            watch = fit.watch = watched(self, fit, options, *ready.as_given)
        fit.run()
        kept = kept_to_resume(self, fit, incremental)
        self._state = fit.result().without_order()  # as scikit-learn's, each fit draws anew
        self.__dict__.pop("_resumable", None)
        if kept is not None:
            self._resumable = without_copies(kept, self._state)
        self._publish()
        if write is not None:
            save_checkpoint(self, fit.notices)
        if watch is not None:
            watch.end_fit()
        return fit.notices

    def _initialize(self, X: Any, y: Any) -> None:
        """Draw the parameters of a new network for samples."""
        if self.n_members > 1:
            raise ValueError(
                f"initialize draws one network, but n_members={self.n_members}. Use "
                "n_members=1."
            )
        for name in ("coefs_", "classes_"):  # of an earlier fit, after which it would go on
            self.__dict__.pop(name, None)
        hidden_sizes = hidden_units(self.hidden_layer_sizes)
        X, y = self._validated_to_fit(X, y, first_pass=True)
        targets_in(self._targets(self._encode_targets(y, incremental=False)), X.dtype)
        self._begin([X.shape[1], *hidden_sizes], X.dtype)
        kept = replace(self._state, random_state=copy.deepcopy(self._state.random_state))
        self._state, self._resumable = self._state.without_order(), kept
        self._publish()

    def _check_solver(self) -> bool:
        if self.n_members > 1:
            raise AttributeError(
                f"partial_fit trains one network, but n_members={self.n_members}. Call it of "
                "each of estimators_, or use n_members=1."
            )
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    def _begin(self, sizes: list[int], dtype: np.dtype) -> None:
        """Draw the parameters of a new network."""
        forget_members(self)
        random_state = random_state_of(self.random_state)
        self.out_activation_, self.n_outputs_ = self._output_layer()
        sizes = [*sizes, self.n_outputs_]
        parameters = drawn_parameters(self, sizes, dtype, random_state)
        history = History(bool(self.early_stopping))
        self._state = TrainingState(parameters, history, random_state=random_state)
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
        if self.warm_start == "exact" and not incremental:
            require_resumable(self, parameters)
        history, optimizer, average = self._state.history.copy(), None, None
        history.n_iter = history.n_iter if self.warm_start == "exact" else 0
        theta = parameters.theta.copy()
        if incremental:
            optimizer = checked_optimizer(self._state.optimizer, parameters)
            if parameters is self._state.parameters:
                theta, average = self._state.parameters_to_go_on_from()
        else:
            history.early_stopping = bool(self.early_stopping)
        self._state = TrainingState(
            parameters=parameters.with_theta(theta),
            history=history,
            optimizer=optimizer,
            average=average,
            seed=self._state.seed if incremental else None,
            random_state=random_state_to_go_on_with(self),
        )
        return parameters

    def _network(self, parameters: Parameters) -> Network:
        """Describe the network, with the activation that the parameter has now."""
        layers, of_input = described_layers(self, parameters)
        loss, parameter, scale = self._loss()
        n_in = parameters.layer_sizes[0]
        return Network(n_in, layers, loss, scale, parameter, **of_input)

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
        self._forget_record()  # such as an earlier fit may have left
        self.__dict__.update(shown)

    def _show_parameters(self) -> None:
        """Set what reads the parameters: lists of views, and the way to predict."""
        parameters = self._state.parameters
        self.coefs_, self.intercepts_ = list(parameters.coefs), list(parameters.intercepts)
        for name, own in LEARNT_BESIDES.items():
            self.__dict__.pop(name, None)
            if getattr(parameters, own):
                setattr(self, name, list(getattr(parameters, own)))
        self._predictor = Predictor(parameters, self._network(parameters))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
