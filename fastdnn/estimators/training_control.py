"""What users have in their hands besides `fit`: networks to begin with, optimisers' states."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Self

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from fastdnn.models.consistency import checked_optimizer, checked_parameters
from fastdnn.models.decorators import validating
from fastdnn.models.optimizer_states import optimizer_from, plain_optimizer
from fastdnn.models.transaction import replace_by, twin_of
from fastdnn.training.state import OptimizerState, TrainingState, optimizer_name


class TrainingControl(BaseEstimator, ABC):
    """What `BaseDNN` inherits: the public methods that train nothing."""

    _state: TrainingState
    _resumable: TrainingState

    @abstractmethod
    def _initialize(self, X: Any, y: Any) -> None:
        """Draw the parameters of a new network for samples."""

    @validating
    def initialize(self, X: Any, y: Any) -> Self:
        """Make the network that `fit` begins with, and take no step.

        It learns features, classes and sizes from the samples and draws the parameters;
        `predict` works then. What trains next goes on from that network as `fit` would have:
        `partial_fit`, or `fit` with a `warm_start`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes, of which each must be there, or targets.

        Returns
        -------
        DNNClassifier or DNNRegressor
            This estimator.

        Raises
        ------
        ValueError
            If the input is not valid.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastdnn import DNNClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> options = dict(hidden_layer_sizes=(5,), max_iter=400, random_state=0)
        >>> model = DNNClassifier(**options, warm_start=True).initialize(X, y)
        >>> model.n_iter_
        0
        >>> fitted = DNNClassifier(**options).fit(X, y)
        >>> bool((model.fit(X, y).coefs_[0] == fitted.coefs_[0]).all())
        True
        """
        twin = twin_of(self)
        before = twin.__dict__.copy()
        twin._initialize(X, y)
        replace_by(self, twin, before)
        return self

    def get_optimizer_state(self) -> dict[str, Any] | None:
        """Return what the optimiser has come to, which `partial_fit` goes on from.

        Returns
        -------
        dict or None
            None before the first step, and with ``solver='lbfgs'``. Otherwise 'optimizer', its
            name: `solver`, or for 'sgd' what it is with its momentum: 'momentum' or
            'nesterov'; 'step', the number of steps taken; 'learning_rate', of the next step;
            and 'moments', a copy of what it remembers of each parameter: an ndarray of shape
            (n_moments, n_parameters). A row has the numbers of all `coefs_` in C order, layer
            by layer, and then those of all `intercepts_`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastdnn import DNNClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = DNNClassifier((5,), random_state=0).partial_fit(X, y, classes=[0, 1, 2])
        >>> state = model.get_optimizer_state()
        >>> state["optimizer"], state["step"], state["moments"].shape
        ('adam', 1, (2, 43))
        """
        check_is_fitted(self)
        parameters = checked_parameters(self)
        optimizer = checked_optimizer(self._state.optimizer, parameters)
        return None if optimizer is None else plain_optimizer(optimizer, parameters)

    def set_optimizer_state(self, state: dict[str, Any] | None) -> Self:
        """Let the optimiser of `partial_fit` go on from a state.

        So does that of `fit` with ``warm_start='exact'``; all others begin anew.

        Parameters
        ----------
        state : dict or None
            As `get_optimizer_state` returns it, of a network of the same sizes; it is copied.
            None lets the optimiser begin anew.

        Returns
        -------
        DNNClassifier or DNNRegressor
            This estimator.

        Raises
        ------
        ValueError
            If it is not a state of this optimiser, or not of such a network.
        """
        check_is_fitted(self)
        twin = twin_of(self)
        before = twin.__dict__.copy()
        parameters = checked_parameters(twin)
        optimizer = None
        if state is not None:
            optimizer = optimizer_from(state, twin._name_of_optimizer(), parameters)
        twin._state = replace(twin._state, optimizer=optimizer)
        kept = getattr(twin, "_resumable", None)
        if kept is not None:
            twin._resumable = replace(kept, optimizer=_in_its_precision(optimizer, kept))
        replace_by(self, twin, before)
        return self

    def _name_of_optimizer(self) -> str:
        """Return the name of the optimiser of the next step, if it goes on or begins."""
        kept, solver = self._state.optimizer, self.solver
        wanted = optimizer_name(solver, self.nesterovs_momentum)
        if solver == "lbfgs":
            raise ValueError(
                "set_optimizer_state needs a stochastic solver, such as 'adam', got "
                "solver='lbfgs', which keeps no state. Use another solver."
            )
        return wanted if kept is None else kept.optimizer


def _in_its_precision(
    optimizer: OptimizerState | None, kept: TrainingState
) -> OptimizerState | None:
    return None if optimizer is None else optimizer.astype(kept.dtype)
