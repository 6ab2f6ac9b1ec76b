"""What the table estimators share: from a raw table to an ensemble of networks, and back."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fastdnn.callbacks.support import CallbackSupportMixin, with_callbacks
from fastdnn.data.samples import Samples
from fastdnn.estimators.validation_sets import named
from fastdnn.models.declarations import Hyperparameter
from fastdnn.models.decorators import validating
from fastdnn.models.documentation import DocumentationLink
from fastdnn.models.transaction import replace_by, twin_of
from fastdnn.models.valid_values import hidden_units
from fastdnn.storage.pickles import SavingMixin
from fastdnn.tables.calibration import calibrate
from fastdnn.tables.columns import Table
from fastdnn.tables.compact import fit_rows, input_of, rows_of
from fastdnn.tables.control import Control
from fastdnn.tables.declarations import require_callables, require_folds
from fastdnn.tables.encoder import NothingToEncodeError, TableEncoder
from fastdnn.tables.ensemble import (
    THE_LAST,
    Decisions,
    Judge,
    Task,
    ensemble_of,
    train_by_decisions,
    train_with_validation,
)
from fastdnn.tables.folds import fit_by_folds
from fastdnn.tables.given import Fitted, Given, given_rows
from fastdnn.tables.pickles import EstimatorPickles
from fastdnn.tables.plain import plain_estimator, take_plain
from fastdnn.tables.recipe import Recipe, recipe_of
from fastdnn.tables.scoring import metric_of, score_by
from fastdnn.tables.splits import split_by
from fastdnn.tables.tasks import Tasks
from fastdnn.training.notices import Notices
from fastdnn.training.precision import weights_in

# Members of the pilot that decides where no validation rows are given.
_PILOTS = 2
# Rows that it is trained on at least.
_FEWEST_ROWS = 2
# Rows that are encoded and predicted at once.
_ROWS_AT_ONCE = 50_000


class BaseTabularDNN(
    EstimatorPickles, DocumentationLink, CallbackSupportMixin, SavingMixin, BaseEstimator, ABC
):
    """Networks that are trained on a raw table; see the subclasses."""

    _hyperparameters: ClassVar[dict[str, Hyperparameter]]

    @abstractmethod
    def _known_targets(self, y: Any) -> np.ndarray:
        """Check targets, be it of validation rows; return them as an array."""

    @abstractmethod
    def _learn_targets(self, y: np.ndarray, weight: np.ndarray | None) -> None:
        """Learn what there is to know of targets."""

    @abstractmethod
    def _encode_targets(self, y: np.ndarray) -> np.ndarray:
        """Return targets as a matrix of float32 for the engine."""

    @abstractmethod
    def _task(self) -> Task:
        """Say what is predicted, after `_learn_targets`."""

    def _keep(self, arguments: dict[str, Any]) -> None:
        """Make the arguments of `__init__` attributes, as scikit-learn wants them."""
        self.__dict__.update((name, v) for name, v in arguments.items() if name != "self")

    @validating
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the ensemble.

        Ctrl-C ends training with a warning; the estimator then has what was trained.
        Whatever is raised leaves it as it was before.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Class labels, one a sample, or numbers to predict.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample; those of weight 0 are left out.
        X_val, y_val, sample_weight_val : as those without ``_val``, default=None
            Rows that decide how long training is and what its cycles count. Without them a
            pilot decides on a part of X, and then all rows are trained on.

        Returns
        -------
        TabularDNNClassifier or TabularDNNRegressor
            This estimator.

        Raises
        ------
        ValueError
            If the input is not valid, or training diverges.
        KeyboardInterrupt
            At Ctrl-C before anything is learnt.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
    ) -> Self:
        """Train a twin and become it; whatever is raised before leaves `self` as it was."""
        twin = twin_of(self)
        before = twin.__dict__.copy()
        notices = twin._learn(X, y, sample_weight, X_val, y_val, sample_weight_val)
        replace_by(self, twin, before)
        for give_notice in notices:  # a warning may be raised as an error
            give_notice()
        return self

    @with_callbacks  # of the twin: it has the callbacks' contexts
    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
    ) -> Notices:
        if (X_val is None) != (y_val is None):
            given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
            raise ValueError(f"{given} was given without {missing}. Give both, or neither.")
        if X_val is None and sample_weight_val is not None:
            raise ValueError(
                "sample_weight_val was given without X_val. Give X_val and y_val."
            )
        callbacks, tasks = require_callables(self.callbacks), None
        if getattr(self, "_skl_callbacks", None):
            tasks = Tasks(self, X, y, sample_weight)
            callbacks.append(tasks.report)
        control = Control(self.max_time, callbacks, self.verbose)
        require_folds(self, X_val)
        hidden_units(self.hidden_layer_sizes)
        metric_of(self)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        rows = given_rows("", X, y, sample_weight, self._known_targets)
        if len(rows.y) < 2:
            raise ValueError(
                f"Found array with {len(rows.y)} sample(s) (shape={rows.X.shape}) while a "
                "minimum of 2 is required."
            )
        self._learn_targets(rows.y, rows.weight)
        rows = rows._replace(weight=self._weights(rows.weight, rows.y))
        validation = None
        if X_val is not None:
            validation = given_rows(
                "_val", X_val, y_val, sample_weight_val, self._known_targets
            )
            with named("y_val"):
                self._require_known(validation.y)
            weight = self._weights(validation.weight, validation.y)
            validation = validation._replace(weight=weight)
        fitted = self._trained(rows, validation, control)
        self._ensemble = fitted.ensemble
        self._publish(fitted.encoder, fitted.decisions, fitted.n_epochs)
        calibrate(self, fitted, rows, validation, sample_weight)
        if tasks is not None:
            tasks.end_fit()
        return control.notices

    def _publish(self, encoder: TableEncoder, decisions: Decisions, n_epochs: int) -> None:
        """Set the fitted attributes."""
        self.encoder_, self.n_features_in_ = encoder, encoder.n_features_in_
        self.__dict__.pop("feature_names_in_", None)
        if hasattr(encoder, "feature_names_in_"):
            self.feature_names_in_ = encoder.feature_names_in_
        self.n_epochs_ = n_epochs
        self.cycle_weights_ = np.array(decisions.weights)
        self.temperatures_ = np.array(decisions.temperatures)
        self.validation_scores_ = np.array(decisions.scores)

    def _weights(self, weight: np.ndarray | None, y: np.ndarray) -> np.ndarray | None:
        """Return the weights of samples, by all that the estimator knows of them."""
        return weight

    def _require_known(self, y: np.ndarray) -> None:
        """Raise ValueError unless targets of validation rows fit those that were learnt."""

    def _targets_to_encode_by(self, y: np.ndarray) -> np.ndarray:
        """Return targets as the encoder takes them."""
        return y

    def _classes_to_split(self, y: np.ndarray) -> np.ndarray | None:
        """Return positions of classes, of which both parts are to have the same shares."""
        return None

    # -- training -----------------------------------------------------------------------

    def _trained(self, rows: Given, validation: Given | None, control: Control) -> Fitted:
        random_state = check_random_state(self.random_state)
        seeds = _seeds(random_state, self.n_members)
        if validation is not None:
            return self._validated(rows, validation, seeds, control, named("X_val"))
        if self.bagging == "folds":
            return fit_by_folds(self, rows, seeds, random_state, control)
        decisions, pilot = THE_LAST, None
        if self.validation is not None:
            control.stage = "pilot"
            pilot = self._pilot(rows, random_state, control)
            control.stage = "ensemble"
        if pilot is not None:
            decisions = pilot.decisions
            if not pilot.is_complete:
                return pilot
        try:
            encoder, recipe, samples = self._prepared(rows)
            done = train_by_decisions(
                self._task(), recipe, samples, decisions, seeds, control, self.n_threads
            )
        except KeyboardInterrupt:
            if pilot is None:
                raise
            control.interrupt()
            return pilot
        if pilot is not None and not done.is_complete:
            return pilot  # which is better than networks that are half trained
        ensemble = ensemble_of(done.members, done.decisions, self._task())
        return Fitted(encoder, ensemble, done.decisions, recipe.n_epochs, done.is_complete)

    def _pilot(
        self, rows: Given, random_state: np.random.RandomState, control: Control
    ) -> Fitted | None:
        """Train some members on a part of the rows; the others decide.

        None of rows that are too few, or all the same without those that are split off.
        """
        is_share = isinstance(self.validation, float)
        if is_share and len(rows.y) - np.ceil(self.validation * len(rows.y)) < _FEWEST_ROWS:
            return None
        classes = self._classes_to_split(rows.y)
        split = split_by(self.validation, rows.X.native, rows.y, classes, random_state)
        seeds = _seeds(random_state, min(_PILOTS, self.n_members))
        try:
            return self._validated(
                rows.at(split[0]), rows.at(split[1]), seeds, control, nullcontext()
            )
        except NothingToEncodeError:
            return None

    def _validated(
        self,
        rows: Given,
        validation: Given,
        seeds: list[int],
        control: Control,
        naming: AbstractContextManager,
    ) -> Fitted:
        """Train members on some rows; others, whose errors are named, decide."""
        encoder, recipe, samples = self._prepared(rows)
        with naming:
            held_out = self._samples(rows_of(encoder, validation.X), *validation[1:])
        metric, score = metric_of(self), None
        if metric is not None:
            score = score_by(metric, self, validation.X.native(), *validation[1:])
        task, judge = self._task(), Judge(self.early_stopping, score)
        done = train_with_validation(
            task, recipe, samples, held_out, seeds, control, self.n_threads, judge
        )
        ensemble = ensemble_of(done.members, done.decisions, task)
        return Fitted(encoder, ensemble, done.decisions, recipe.n_epochs, done.is_complete)

    def _encoder(self) -> TableEncoder:
        return TableEncoder(
            numeric_encoding=self.numeric_encoding,
            categorical_features=self.categorical_features,
            target_type="classes" if self._task().is_classifier else "continuous",
        )

    def _prepared(self, rows: Given) -> tuple[TableEncoder, Recipe, Samples]:
        encoder = self._encoder()
        samples = self._samples(
            fit_rows(encoder, rows.X, self._targets_to_encode_by(rows.y)), rows.y, rows.weight
        )
        recipe = recipe_of(self, samples.n_rows)._replace(table=input_of(encoder))
        return encoder, recipe, samples

    def _samples(self, X: Any, y: np.ndarray, weight: np.ndarray | None) -> Samples:
        if weight is not None and not weight.any():
            raise ValueError(
                "The weights are zero for all samples of a part that was split off. Leave "
                "such samples out, or give X_val and y_val."
            )
        if weight is not None and weight.min() == weight.max():
            weight = None  # which are the same numbers
        if weight is not None:
            weight = weights_in(weight / weight.mean(), np.dtype(np.float32))[0]
            weight = weight.astype(np.float32)
        return Samples(X, self._encode_targets(y), weight)

    # -- files ----------------------------------------------------------------------------

    def _to_plain(self) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
        """Return what was fitted as numbers, names and arrays, for `save`.

        Raises
        ------
        ValueError
            If there are attributes that are not known.
        """
        return plain_estimator(self)

    def _take_plain(self, fitted: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        """Become what `_to_plain` has told of another estimator.

        Raises
        ------
        ValueError
            If that is not what a fit comes to.
        """
        take_plain(self, fitted, tensors)

    # -- prediction ---------------------------------------------------------------------

    def _predictions(self, X: Any) -> np.ndarray:
        """Return what each member predicts: (n_members, n_samples, n_outputs)."""
        check_is_fitted(self)
        table, parts = Table(X), []
        for first in range(0, max(1, len(table)), _ROWS_AT_ONCE):
            rows = np.arange(first, min(first + _ROWS_AT_ONCE, len(table)))
            part = table.at(rows) if len(rows) < len(table) else table
            samples = Samples(rows_of(self.encoder_, part))
            parts.append(self._ensemble.predict_members(samples, self.n_threads))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def _seeds(random_state: np.random.RandomState, n: int) -> list[int]:
    return [int(seed) for seed in random_state.randint(2**31 - 1, size=n)]
