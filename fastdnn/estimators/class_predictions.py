"""What a fitted classifier says of samples: classes, logits and probabilities."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastdnn.estimators.accuracy import AccuracyMixin
from fastdnn.estimators.class_targets import ClassTargets
from fastdnn.estimators.conformal_predictions import SetPredictions
from fastdnn.estimators.labels import positions_of
from fastdnn.estimators.members import results_of_members
from fastdnn.models.decorators import available_if
from fastdnn.models.transaction import of_one_moment
from fastdnn.training.scores import mean_accuracy

# Names in `fastdnn.ops.results.RESULTS`, of probabilities and of their logarithms.
_LOGARITHMS = {
    "softmax": "log softmax",
    "sigmoid": "log sigmoid",
    "two sigmoids": "two log sigmoids",
}


def _has_probabilities(model: Any) -> bool:
    """Say whether outputs are probabilities: as fitted, or else as they will be."""
    output = getattr(model, "out_activation_", None)
    if output == "identity" or (output is None and model.loss == "hinge"):
        raise AttributeError(
            f"A {type(model).__name__} with loss='hinge' has no probabilities. Use "
            "decision_function, or CalibratedClassifierCV, or fit with another loss."
        )
    return True


class ClassPredictions(AccuracyMixin, SetPredictions, ClassTargets):
    """The methods of `fastdnn.DNNClassifier` that predict."""

    @of_one_moment
    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or a 0/1 matrix for several labels a sample.
        """
        check_is_fitted(self)
        positions = self._positions(self._results(X, self._kind_of_outputs()))
        return positions if self._multilabel else self.classes_[positions]

    @of_one_moment
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits: what the output layer has before its activation.

        They order samples as their probabilities do, also where those are equal to 0 or 1 for
        floating-point numbers. Of ``loss='hinge'`` they are scores: of two classes above 0
        for the second, of more the largest for the class that is predicted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            Of two classes one number, above 0 for the second: the logarithm of the ratio of
            their probabilities. Of more, one each, whose softmax are the probabilities. Of
            several labels a sample, one each, above 0 if it is more probable than not.
            float64, or float32 if X is a float32 array or sparse matrix and the network is
            float32.
        """
        check_is_fitted(self)
        logits = self._results(X, "logits")
        return logits.ravel() if self.n_outputs_ == 1 else logits

    @available_if(_has_probabilities)
    @of_one_moment
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, or of each label being 1.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`: the softmax of the logits z of
            `decision_function`; of two classes 1 / (1 + exp(z)) and 1 / (1 + exp(-z)); of
            labels 1 / (1 + exp(-z)). float64, or float32 if X is a float32 array or sparse
            matrix and the network is float32.
        """
        check_is_fitted(self)
        return self._results(X, self._kind_of_probabilities())

    @available_if(_has_probabilities)
    @of_one_moment
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`.

        Of a probability below 1/2 it is taken from the logits: finite and exact also where
        the probability is too small for a floating-point number.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities in the order of `classes_`, with the dtype of `predict_proba`.
        """
        check_is_fitted(self)
        return self._results(X, _LOGARITHMS[self._kind_of_probabilities()])

    @available_if(_has_probabilities)
    @of_one_moment
    def predict_members(self, X: Any) -> np.ndarray:
        """Return the probabilities by each member; `predict_proba` is their mean.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_members, n_samples, n_classes)
            As of `predict_proba`. How far they differ says how sure they are together.
        """
        check_is_fitted(self)
        return np.stack(list(results_of_members(self, X, self._kind_of_probabilities())))

    predict_set = available_if(_has_probabilities)(SetPredictions.predict_set)

    def _probabilities(self, X: Any, of_members: bool) -> list[np.ndarray]:
        kind = self._kind_of_probabilities()
        if of_members:
            return list(results_of_members(self, X, kind))
        return [self._results(X, kind)]

    def _kind_of_predictions(self) -> str:
        is_hinge = self.out_activation_ == "identity"
        return "logits" if is_hinge else self._kind_of_probabilities()

    def _as_predicted(self, outputs: np.ndarray) -> np.ndarray:
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def _score_predictions(
        self, outputs: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        return self._score_outputs(outputs[:, -self.n_outputs_ :], Y, weight)

    def _conformal_scores(self, outputs: np.ndarray, y: Any) -> np.ndarray | None:
        has_columns = np.ndim(y) == 2 and np.shape(y)[1] > 1  # labels, or probabilities
        if self.out_activation_ == "identity" or has_columns:
            return None
        positions = positions_of(np.asarray(y).ravel(), self.classes_)
        return 1.0 - outputs[np.arange(len(outputs)), positions].astype(np.float64)

    def _kind_of_outputs(self) -> str:
        # An estimator that was never fitted is told so later on.
        kinds = {"softmax": "softmax", "identity": "logits"}
        kind = getattr(self, "out_activation_", None)
        return kinds.get(kind, "sigmoid") if isinstance(kind, str) else "sigmoid"

    def _kind_of_probabilities(self) -> str:
        kind = self._kind_of_outputs()
        is_one = kind == "sigmoid" and getattr(self, "n_outputs_", 1) == 1
        return "two sigmoids" if is_one else kind

    def _positions(self, outputs: np.ndarray) -> np.ndarray:
        """Return the predicted positions in `classes_`, or the 0/1 matrix of labels."""
        if self.n_outputs_ > 1 and not self._multilabel:
            return outputs.argmax(axis=1)
        between = 0.0 if self.out_activation_ == "identity" else 0.5
        positions = (outputs > between).astype(np.int64)
        if self._multilabel:
            return positions
        # With a single class there is still one output; it cannot choose.
        return np.minimum(positions.ravel(), len(self.classes_) - 1)

    def _score_outputs(
        self, outputs: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        correct = self._positions(outputs) == self._positions_of_targets(Y)
        return mean_accuracy(correct.all(axis=1) if self._multilabel else correct, weight)

    def _positions_of_targets(self, Y: np.ndarray) -> np.ndarray:
        if self._multilabel:
            return Y
        if Y.shape[1] > 1:  # probabilities, or 1 for the class of each sample
            return Y.argmax(axis=1)
        return Y.ravel() if self.n_outputs_ > 1 else (Y.ravel() > 0.5).astype(np.int64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
