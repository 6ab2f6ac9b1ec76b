"""The targets of a classifier, labels or their probabilities, and the outputs they need."""

from typing import Any

import numpy as np
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target
from sklearn.utils.validation import column_or_1d

from fastdnn.estimators.base import BaseDNN
from fastdnn.estimators.class_weights import require_fixed_weights, weighted_by_class
from fastdnn.estimators.labels import (
    find_classes,
    positions_of,
    require_ascending,
    require_known_classes,
    require_same_classes,
    require_same_form,
)
from fastdnn.estimators.soft_targets import are_soft, labels_of, may_be_soft, soft_rows
from fastdnn.ops.loss_parameters import Value
from fastdnn.ops.own_functions import Loss


class ClassTargets(BaseDNN):
    """What `fastdnn.DNNClassifier` makes of its targets, and which outputs they need."""

    classes_: np.ndarray
    _multilabel: bool

    def _note_classes(self, y: Any, classes: Any) -> None:
        require_fixed_weights(self.class_weight)
        if not hasattr(self, "classes_") and classes is None and are_soft(y):
            classes = np.arange(np.shape(y)[1])
        if _check_partial_fit_first_call(self, classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self.classes_, self._multilabel = find_classes(y if multilabel else classes)

    def _encode_targets(self, y: np.ndarray, incremental: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            if are_soft(y):
                self.classes_, self._multilabel = np.arange(y.shape[1]), False
            else:
                self.classes_, self._multilabel = find_classes(y)
        elif not (may_be_soft(y) and not self._multilabel):
            require_ascending(self.classes_)
            require_same_form(y, len(self.classes_) if self._multilabel else None)
            if self.warm_start:
                require_same_classes(y, self.classes_)
            else:
                require_known_classes(y, self.classes_)
        if self._multilabel:
            return y.astype(bool)  # whatever the two values are, as scikit-learn takes them
        if may_be_soft(y):
            return soft_rows(y, len(self.classes_))
        # Positions in the sorted classes, one a row; the binary ones are also the target.
        return positions_of(y, self.classes_).reshape(-1, 1)

    def _targets(self, Y: np.ndarray) -> np.ndarray:
        # A loss of users' own is one of each output, which has to have a target.
        takes_positions = not isinstance(self.loss, Loss)
        if takes_positions or Y.dtype.kind in "fb" or len(self.classes_) < 3:
            return Y
        return Y == np.arange(len(self.classes_))

    def _weights(self, y: Any, Y: np.ndarray, sample_weight: Any) -> Any:
        return weighted_by_class(self.class_weight, Y, y, self.classes_, sample_weight)

    def _labels(self, y: Any) -> Any:
        return y if self._multilabel else labels_of(y, self.classes_)

    def _check_outputs(self, n_outputs: int) -> None:
        classes = self.classes_
        if not isinstance(classes, np.ndarray) or classes.ndim != 1:
            raise ValueError(
                f"classes_={classes!r} must be an array of one dimension. Put it right, or "
                "fit the estimator again."
            )
        needed = (n_outputs,) if n_outputs > 1 or self._multilabel else (1, 2)
        activation = "softmax" if n_outputs > 1 and not self._multilabel else "logistic"
        if len(classes) not in needed:
            raise ValueError(
                f"classes_ has {len(classes)} classes, but the network has {n_outputs} "
                f"output{'s'[: n_outputs - 1]}. Put it right, or fit the estimator again."
            )
        if self.out_activation_ not in (activation, "identity"):
            raise ValueError(
                f"out_activation_={self.out_activation_!r} must be {activation!r} for "
                f"{len(classes)} classes. Put it right, or fit the estimator again."
            )

    def _output_layer(self) -> tuple[str, int]:
        n_classes = len(self.classes_)
        n_outputs = n_classes if self._multilabel or n_classes > 2 else 1
        if self.loss == "hinge":
            return "identity", n_outputs
        if isinstance(self.loss, Loss) and self.loss.output != "probability":
            raise ValueError(
                f"loss={self.loss!r} is a loss of numbers, for a DNNRegressor. Make one with "
                "output='probability'."
            )
        is_softmax = n_outputs > 1 and not self._multilabel
        return "softmax" if is_softmax else "logistic", n_outputs

    def _loss(self) -> tuple[str | Loss, Value, float]:
        if self.out_activation_ == "identity":
            is_one_class = self.n_outputs_ > 1 and not self._multilabel
            return "hinge_of_classes" if is_one_class else "hinge", None, 1.0
        if isinstance(self.loss, Loss) and self.loss.output == "probability":
            return self.loss, None, 1.0
        if self.loss == "focal":
            return "focal", self.focal_gamma, 1.0
        # Of a parameter that was set after the fit, for predictions, any that fits will do.
        if self.loss == "log_loss" and self.label_smoothing != 0.0:
            return "smoothed_log_loss", self.label_smoothing, 1.0
        return "log_loss", None, 1.0

    def _stratified(self, Y: np.ndarray) -> bool:
        # As scikit-learn does: its target matrix has one column for two classes only,
        # and it does not stratify several. Probabilities are no classes.
        return self.n_outputs_ == 1 and Y.dtype.kind != "f"
