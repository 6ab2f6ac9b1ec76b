"""What the table estimators share: from a raw table to an ensemble of networks, and back."""

from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight

from fastdnn.data.samples import Samples
from fastdnn.tables.columns import as_table
from fastdnn.tables.encoder import TableEncoder
from fastdnn.tables.ensemble import (
    Decisions,
    Task,
    control_of,
    ensemble_of,
    train_by_decisions,
    train_with_validation,
)
from fastdnn.tables.recipe import Recipe, epochs_of, rows_of_batch
from fastdnn.training.precision import weights_in

# Members of the pilot that decides where no validation rows are given.
_PILOTS = 2

#: Constraints of the parameters that both estimators have.
CONSTRAINTS: dict[str, list] = {
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "max_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "max_time": [None, Interval(Real, 0, None, closed="neither")],
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions({"relu", "silu", "gelu", "mish", "tanh", "leaky_relu"})],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "dropout": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
    "weight_decay": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
    "numeric_encoding": [StrOptions({"auto", "quantile", "tree", "linear"})],
    "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "random_state": ["random_state"],
    "n_threads": [None, Interval(Integral, 1, None, closed="left")],
}


class BaseTabularDNN(BaseEstimator, ABC):
    """Networks that are trained on a raw table; see the subclasses."""

    @abstractmethod
    def _known_targets(self, y: Any) -> np.ndarray:
        """Check targets, be it of validation rows; return them as an array."""

    @abstractmethod
    def _learn_targets(self, y: np.ndarray, weight: np.ndarray | None) -> None:
        """Learn what there is to know of targets."""

    @abstractmethod
    def _encode_targets(self, y: Any) -> np.ndarray:
        """Return targets as a matrix of float32 for the engine."""

    @abstractmethod
    def _task(self) -> Task:
        """Say what is predicted, after `_learn_targets`."""

    @abstractmethod
    def _stratify(self, y: np.ndarray) -> np.ndarray | None:
        """Return by what rows of the pilot are split, or None."""

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
    ) -> None:
        if (X_val is None) != (y_val is None):
            given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
            raise ValueError(f"{given} was given without {missing}. Give both, or neither.")
        if X_val is None and sample_weight_val is not None:
            raise ValueError(
                "sample_weight_val was given without X_val. Give X_val and y_val."
            )
        X = as_table(X)
        if len(X) < 2:
            raise ValueError(
                f"Found array with {len(X)} sample(s) (shape={X.shape}) while a minimum of 2 "
                "is required."
            )
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        y = self._known_targets(y)
        if len(X) != len(y):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: X has {len(X)}, "
                f"y has {len(y)}."
            )
        weight = self._given_weights(sample_weight, len(y))
        self._learn_targets(y, weight)
        weight = self._weights(weight, y)
        task, control = self._task(), control_of(self.max_time)
        random_state = check_random_state(self.random_state)
        seeds = [int(s) for s in random_state.randint(2**31 - 1, size=self.n_members)]
        encoder = self._encoder()
        if X_val is None:
            decisions = self._pilot(X, y, weight, task, random_state, control)
        samples = self._samples(encoder.fit_transform(X, y), y, weight)
        recipe = self._recipe(samples.n_rows)
        if X_val is None:
            members, decisions = train_by_decisions(
                task, recipe, samples, decisions, seeds, control, self.n_threads
            )
        else:
            validation = self._validation(encoder, X_val, y_val, sample_weight_val)
            members, decisions = train_with_validation(
                task, recipe, samples, validation, seeds, control, self.n_threads
            )
        self.encoder_, self._ensemble = encoder, ensemble_of(members, decisions, task)
        self.n_features_in_ = encoder.n_features_in_
        self.__dict__.pop("feature_names_in_", None)
        if hasattr(encoder, "feature_names_in_"):
            self.feature_names_in_ = encoder.feature_names_in_
        self.n_epochs_ = recipe.n_epochs
        self.cycle_weights_ = np.array(decisions.weights)
        self.temperatures_ = np.array(decisions.temperatures)

    def _encoder(self) -> TableEncoder:
        return TableEncoder(
            numeric_encoding=self.numeric_encoding,
            categorical_features=self.categorical_features,
        )

    def _weights(self, weight: np.ndarray | None, y: np.ndarray) -> np.ndarray | None:
        """Return the weights of samples, by all that the estimator knows of them."""
        return weight

    def _given_weights(self, sample_weight: Any, n_rows: int) -> np.ndarray | None:
        if sample_weight is None:
            return None
        rows = np.empty((n_rows, 1))
        weight = _check_sample_weight(
            sample_weight, rows, dtype=np.float64, ensure_non_negative=True
        )
        if not weight.any():
            raise ValueError("sample_weight is zero for all samples. Give some a weight.")
        return weight

    def _samples(self, X: Any, y: np.ndarray, weight: np.ndarray | None) -> Samples:
        if weight is not None:
            weight = weights_in(weight / weight.mean(), np.dtype(np.float32))[0]
            weight = weight.astype(np.float32)
        return Samples(X, self._encode_targets(y), weight)

    def _validation(
        self, encoder: TableEncoder, X_val: Any, y_val: Any, sample_weight_val: Any
    ) -> Samples:
        X_val, y_val = as_table(X_val), self._known_targets(y_val)
        self._require_known(y_val)
        if len(X_val) != len(y_val):
            raise ValueError(f"X_val has {len(X_val)} samples, but y_val has {len(y_val)}.")
        weight = self._weights(self._given_weights(sample_weight_val, len(y_val)), y_val)
        return self._samples(encoder.transform(X_val), y_val, weight)

    def _require_known(self, y: np.ndarray) -> None:
        """Raise ValueError unless targets of validation rows fit those that were learnt."""

    def _pilot(
        self,
        X: Any,
        y: np.ndarray,
        weight: np.ndarray | None,
        task: Task,
        random_state: np.random.RandomState,
        control: Any,
    ) -> Decisions:
        """Decide by members that are trained on a part of the rows."""
        rows, others = train_test_split(
            np.arange(len(y)),
            test_size=self.validation_fraction,
            random_state=random_state,
            stratify=self._stratify(y),
        )
        encoder = self._encoder()
        part = _safe_indexing(X, rows)
        of_rows, of_others = None, None
        if weight is not None:
            of_rows, of_others = weight[rows], weight[others]
        if (
            of_rows is not None
            and of_others is not None
            and not (of_others.any() and of_rows.any())
        ):
            raise ValueError(
                "sample_weight is zero for all samples of a part that was split off. Leave "
                "such samples out, or give X_val and y_val."
            )
        samples = self._samples(encoder.fit_transform(part, y[rows]), y[rows], of_rows)
        held_out = encoder.transform(_safe_indexing(X, others))
        validation = self._samples(held_out, y[others], of_others)
        recipe = self._recipe(samples.n_rows)
        n_pilots = min(_PILOTS, self.n_members)
        seeds = [int(s) for s in random_state.randint(2**31 - 1, size=n_pilots)]
        _, decisions = train_with_validation(
            task, recipe, samples, validation, seeds, control, self.n_threads
        )
        return decisions

    def _recipe(self, n_rows: int) -> Recipe:
        sizes = np.atleast_1d(self.hidden_layer_sizes)
        if sizes.ndim != 1 or any(int(n) != n or n < 1 for n in sizes.tolist()):
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} must be positive integers."
            )
        is_classifier = self._task().is_classifier
        dropout, decay = self.dropout, self.weight_decay
        if isinstance(dropout, str):
            dropout = 0.15 if is_classifier else 0.0
        if isinstance(decay, str):
            decay = 0.02 if is_classifier else 0.0
        batch = rows_of_batch(n_rows) if self.batch_size == "auto" else self.batch_size
        batch = min(batch, n_rows)
        n_epochs = self.max_epochs
        if isinstance(n_epochs, str):
            n_epochs = epochs_of(n_rows, batch)
        return Recipe(
            hidden_layer_sizes=tuple(int(n) for n in sizes),
            activation=self.activation,
            learning_rate=float(self.learning_rate),
            dropout=float(dropout),
            input_dropout=float(dropout) * 2.0 / 3.0,
            weight_decay=float(decay),
            label_smoothing=0.1 if is_classifier else 0.0,
            batch_size=int(batch),
            n_epochs=int(n_epochs),
        )

    def _predictions(self, X: Any) -> np.ndarray:
        """Return what each member predicts: (n_members, n_samples, n_outputs)."""
        samples = Samples(self.encoder_.transform(X))
        return self._ensemble.predict_members(samples, self.n_threads)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags
