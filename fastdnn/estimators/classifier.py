"""`DNNClassifier`: a neural network for classification as a scikit-learn estimator."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.neural_network import MLPClassifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target
from sklearn.utils.validation import column_or_1d

from fastdnn.estimators import interchange
from fastdnn.estimators.base import BaseDNN
from fastdnn.estimators.class_predictions import ClassPredictions
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
from fastdnn.estimators.validation_sets import Given
from fastdnn.models.hyperparameters import constraints_of, documented, hyperparameters_of
from fastdnn.ops.loss_parameters import Value
from fastdnn.ops.own_functions import Loss


@documented
class DNNClassifier(ClassPredictions):
    """Multi-layer perceptron classifier with a compiled training engine.

    A drop-in for :class:`sklearn.neural_network.MLPClassifier`: parameters, defaults and
    fitted attributes have the same names and meanings.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer.
    loss_curve_ : list of float
        Mean loss of each epoch.
    loss_, best_loss_ : float
        Last and lowest loss; ``best_loss_`` is None with early stopping.
    validation_scores_ : list of float or None
        Score of the validation samples after each epoch, where there were some: accuracy, or
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
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastdnn import DNNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = DNNClassifier((8,), learning_rate_init=0.05, max_iter=60, random_state=0)
    >>> model = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    _hyperparameters = hyperparameters_of("DNNClassifier")
    _parameter_constraints: ClassVar[dict] = constraints_of("DNNClassifier")
    _y_is_numeric = False

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="log_loss",
        label_smoothing=0.0,
        focal_gamma=2.0,
        class_weight=None,
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
    ) -> "DNNClassifier":
        """Train the network.

        Ctrl-C ends training with a warning; the estimator then holds the network so far.
        Whatever is raised leaves the estimator as it was before.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels of any type, or a 0/1 matrix for several labels a sample.
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
        DNNClassifier
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
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        *,
        n_steps: int | None = None,
    ) -> "DNNClassifier":
        """Train for one epoch on the given samples, or for some batches.

        Whatever is raised leaves the estimator as it was before. That includes Ctrl-C, which
        scikit-learn's perceptrons swallow here: it ends a loop of calls.

        The optimiser of the first call goes on, with its learning rate, whatever `solver` and
        `learning_rate_init` are set to later; all other parameters count as they are now.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.
        classes : array-like of shape (n_classes,), default=None
            All classes that any call will see; needed at the first call.
        n_steps : int, default=None
            Train for so many batches instead of an epoch: the first ones of the order in which
            the samples are visited. More than the samples have go round again, in a new order.

        Returns
        -------
        DNNClassifier
            This estimator.

        Raises
        ------
        ValueError
            If the input is not valid or training diverges.
        KeyboardInterrupt
            At Ctrl-C.
        """
        return self._fit(
            X, y, sample_weight, incremental=True, classes=classes, n_steps=n_steps
        )

    def to_sklearn(self) -> MLPClassifier:
        """Return a fitted `MLPClassifier` with the same parameters.

        Everything that takes one can then be used, such as a converter to ONNX.

        Returns
        -------
        sklearn.neural_network.MLPClassifier
            Predicts the same, and goes on from the same state in `partial_fit`.

        Raises
        ------
        ValueError
            If a parameter has a value that scikit-learn does not know.
        """
        return interchange.to_sklearn(self, MLPClassifier)

    @classmethod
    def from_sklearn(cls, mlp: MLPClassifier, *, dtype: str = "float32") -> "DNNClassifier":
        """Return a fitted estimator with the parameters of a fitted `MLPClassifier`.

        Parameters
        ----------
        mlp : sklearn.neural_network.MLPClassifier
            Fitted.
        dtype : {'float32', 'float64', 'auto'}, default='float32'
            Precision of the new estimator; 'auto' takes that of `mlp`.

        Returns
        -------
        DNNClassifier
            Predicts the same up to rounding; `partial_fit` goes on from the same state.
        """
        return interchange.from_sklearn(cls, mlp, dtype)

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
